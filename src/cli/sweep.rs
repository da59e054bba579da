//! `sweep`: its arguments, and how they become a request.

use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::with_runtime;
use super::spec;
use crate::error::Result;
use crate::model::DeploymentId;
use crate::ops::sweep::{self, SweepRequest};
use crate::providers;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "sweep",
        "List the clusters on a hypervisor, with the directory of each; remove those that have lost theirs",
        "  exasol sweep\n  exasol sweep --libvirt-uri qemu+ssh://me@server/system --json\n  \
           exasol sweep --remove exasol-0123abcd",
    )
    .after_help(
        "Without --remove nothing is changed. The directories are those of your own list (exasol list): a directory of \
         another user, or on another machine, is not in it. exasol does not ask a cloud; it says how you can look \
         there.",
    )
    .arg(
        Arg::new("cloud-provider")
            .long("cloud-provider")
            .alias("provider")
            .value_name("PROVIDER")
            .help(format!("Where to look [default: {}]", providers::DEFAULT)),
    )
    .arg(Arg::new("libvirt-uri").long("libvirt-uri").value_name("URI").help("Hypervisor to look at"))
    .arg(
        Arg::new("remove")
            .long("remove")
            .value_name("ID")
            .num_args(1..)
            .value_parser(|text: &str| DeploymentId::try_from(text.to_owned()))
            .help("Remove what these deployments have, after a question, and check that nothing is left"),
    )
    .arg(flag("yes", "Remove without asking").short('y').requires("remove"))
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let confirm = |question: &str| ui.confirm(question);
    let request = SweepRequest {
        spec: spec::of_options(matches)?,
        remove: matches.get_many::<DeploymentId>("remove").into_iter().flatten().cloned().collect(),
        confirm: if is_set(matches, "yes") { None } else { Some(&confirm) },
    };
    let report = with_runtime(ui, async |context| sweep::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
