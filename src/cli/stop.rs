//! `stop`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::simple;
use super::runtime::with_runtime;
use crate::error::Result;
use crate::ops::stop::{self, StopRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple("stop", "Stop the database cleanly and switch the machines off", "  exasol stop -d demo")
}

pub(super) fn run(globals: &Globals, _: &ArgMatches, ui: &Ui) -> Result<u8> {
    let request = StopRequest { dir: globals.deployment_dir.clone() };
    let report = with_runtime(ui, async |context| stop::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
