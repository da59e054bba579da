//! `doctor`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{config_arg, provider_arg, simple};
use super::runtime::until_signal;
use super::{credentials, options, spec};
use crate::error::Result;
use crate::ops::doctor;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let command = simple(
        "doctor",
        "Run every preflight check of a provider; change nothing",
        "  exasol doctor\n  exasol doctor --cloud-provider libvirt --cluster-size 4\n  \
           exasol doctor --libvirt-uri qemu+ssh://me@server/system --json",
    )
    .arg(provider_arg())
    .arg(config_arg());
    credentials::add(options::add(command))
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let spec::Wanted { spec, release, credentials, warnings, .. } = spec::wanted(matches)?;
    let report = until_signal(ui, async |context| {
        warnings.into_iter().for_each(|warning| context.sink.warn(warning));
        doctor::run(context, spec, &release, &credentials).await
    })?;
    ui.result(&report)?;
    Ok(if report.ok { 0 } else { 4 })
}
