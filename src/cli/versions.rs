//! `versions`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::until_signal;
use super::{options, spec};
use crate::error::Result;
use crate::ops;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let command = simple(
        "versions",
        "List the database releases that init can use",
        "  exasol versions\n  exasol versions --check\n  exasol versions --catalog ours.toml --json",
    )
    .after_help("Any other X.Y.Z can be named as well: exasol init --db-version X.Y.Z.");
    options::add_one(command, "catalog")
        .arg(flag("check", "Ask the server which of these releases it has, and which newer ones"))
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let asked = spec::of_releases(matches)?;
    let check = is_set(matches, "check");
    let report = until_signal(ui, async |context| ops::versions::run(context, &asked, check).await)?;
    ui.result(&report)?;
    Ok(0)
}
