//! `doctor`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{config_arg, flag, is_set, provider_arg, simple};
use super::runtime::until_signal;
use super::{credentials, deploy, options, spec};
use crate::error::Result;
use crate::ops::doctor;
use crate::ops::install_tools::{self, Consent};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let command = simple(
        "doctor",
        "Run every preflight check of a provider; change nothing",
        "  exasol doctor\n  exasol doctor --cloud-provider libvirt --cluster-size 4\n  \
           exasol doctor --libvirt-uri qemu+ssh://me@server/system --json\n  exasol doctor --install-tools",
    )
    .arg(provider_arg())
    .arg(config_arg())
    .arg(deploy::offline())
    .arg(flag(
        "install-tools",
        "First fetch OpenTofu and ansible-core for this user, if they are missing; needs no root",
    ))
    .arg(flag("yes", "Do not ask before fetching").short('y').requires("install-tools"));
    credentials::add(options::add(command))
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let spec::Wanted { spec, release, credentials, warnings, .. } = spec::wanted(matches)?;
    let offline = is_set(matches, "offline");
    let confirm = |question: &str| ui.confirm(question);
    let consent = if is_set(matches, "yes") { Consent::Given } else { Consent::Ask(&confirm) };
    let install = is_set(matches, "install-tools").then_some(consent);
    let report = until_signal(ui, async |context| {
        warnings.into_iter().for_each(|warning| context.sink.warn(warning));
        if let Some(consent) = install {
            install_tools::run(context, &spec, consent).await?;
        }
        doctor::run(context, spec, &release, &credentials, offline).await
    })?;
    ui.result(&report)?;
    Ok(if report.ok { 0 } else { 4 })
}
