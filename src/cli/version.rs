//! `version`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::simple;
use super::runtime::until_signal;
use crate::error::Result;
use crate::ops::version;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "version",
        "Show the version; with --verbose, everything that a bug report needs",
        "  exasol version\n  exasol version --verbose\n  exasol version --verbose --json",
    )
}

pub(super) fn run(globals: &Globals, _: &ArgMatches, ui: &Ui) -> Result<u8> {
    let report = match globals.flags.verbose {
        true => until_signal(ui, async |_| version::verbose().await)?,
        false => version::short(),
    };
    ui.result(&report)?;
    Ok(0)
}
