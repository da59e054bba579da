//! `adopt`: its arguments, and how they become a request.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::simple;
use super::runtime::until_signal;
use super::spec;
use crate::error::{Error, Result};
use crate::model::DeploymentId;
use crate::ops::adopt::{self, AdoptRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .value_hint(clap::ValueHint::FilePath)
            .help(help)
    };
    simple(
        "adopt",
        "Make a new directory for a cluster that has lost its directory, for status, ssh and destroy",
        "  exasol sweep\n  exasol adopt -d found exasol-0123abcd\n  \
           exasol adopt -d found exasol-0123abcd --ssh-key id_ed25519 --host-keys known_hosts",
    )
    .after_help(
        "What only the lost directory knew stays unknown: the passwords, the certificate and Terraform's state. So sql, \
         deploy, start, stop and changes of options are refused. ssh and health work only if you give --ssh-key and \
         --host-keys. The version that is shown is the one with which the machines were created.",
    )
    .arg(
        Arg::new("id")
            .value_name("ID")
            .required(true)
            .value_parser(|text: &str| DeploymentId::try_from(text.to_owned()))
            .help("The deployment's id, as exasol sweep lists it"),
    )
    .arg(Arg::new("libvirt-uri").long("libvirt-uri").value_name("URI").help("Hypervisor that has it"))
    .arg(file("ssh-key", "Private SSH key that the nodes know; a copy is kept in the directory"))
    .arg(file("host-keys", "The nodes' SSH host keys, a line for each: n11 ssh-ed25519 AAAA…"))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let id = matches.get_one::<DeploymentId>("id").cloned().ok_or_else(|| Error::other("no id was given"))?;
    let request = AdoptRequest {
        dir: globals.deployment_dir.clone(),
        id,
        spec: spec::of_options(matches)?,
        ssh_key: matches.get_one::<PathBuf>("ssh-key").cloned(),
        host_keys: matches.get_one::<PathBuf>("host-keys").cloned(),
    };
    let report = until_signal(ui, async |context| adopt::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
