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
        "List all known deployments, each with its live status",
        "  exasol list\n  exasol list --all --json\n  exasol list --prune",
    )
    .after_help(
        "init adds a deployment to the list. If it was moved, or created by an older version, the next command that \
         changes it (such as deploy) adds it.",
    )
    .aliases(["ls", "ps"])
    .arg(probe_timeout())
    .arg(flag("all", "List destroyed deployments too"))
    .arg(flag("prune", "Drop deployments whose directory is gone from the list; remove nothing else"))
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let seconds = matches.get_one::<u64>("probe-timeout").copied().unwrap_or(5);
    let request = ListRequest {
        deadline: Duration::from_secs(seconds),
        prune: is_set(matches, "prune"),
        all: is_set(matches, "all"),
    };
    let report = with_runtime(ui, async |context| list::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
