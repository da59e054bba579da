//! `list`: its arguments, and how they become a request.

use std::time::Duration;

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, probe_timeout, simple};
use super::runtime::with_runtime;
use crate::error::Result;
use crate::ops::list::{self, ListRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "list",
        "Lists all deployments that are known, each with its live status",
        "  exasol list\n  exasol list --json\n  exasol list --prune\n\n\
         init makes a deployment known; one that moved, or that was made by an older\n\
         version, becomes known with the next command that changes it (deploy does).",
    )
    .arg(probe_timeout())
    .arg(flag("prune", "Forget deployments whose directories are gone; removes nothing else"))
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let seconds = matches.get_one::<u64>("probe-timeout").copied().unwrap_or(5);
    let request = ListRequest { deadline: Duration::from_secs(seconds), prune: is_set(matches, "prune") };
    let report = with_runtime(ui, async |context| list::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
