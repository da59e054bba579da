//! `info`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use crate::error::Result;
use crate::ops::info;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "info",
        "Show how to connect: address, user, certificate, connection strings",
        "  exasol info -d demo\n  exasol info -d demo --show-password --json",
    )
    .arg(flag("show-password", "Show the passwords too"))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    ui.result(&info::run(&globals.deployment_dir, is_set(matches, "show-password"))?)?;
    Ok(0)
}
