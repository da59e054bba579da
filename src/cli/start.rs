//! `start`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::simple;
use super::runtime::with_runtime;
use crate::error::Result;
use crate::ops::start::{self, StartRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple("start", "Switch the machines on and wait until the database accepts logins", "  exasol start -d demo")
}

pub(super) fn run(globals: &Globals, _: &ArgMatches, ui: &Ui) -> Result<u8> {
    let request = StartRequest { dir: globals.deployment_dir.clone() };
    let report = with_runtime(ui, async |context| start::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
