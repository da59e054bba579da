//! `open`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::until_signal;
use crate::error::Result;
use crate::ops::open;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "open",
        "Show where the Admin UI is, and open it in a browser if there is a display",
        "  exasol open -d demo\n  exasol open -d demo --no-browser",
    )
    .arg(flag("no-browser", "Only show the address"))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let browser = !is_set(matches, "no-browser");
    let report = until_signal(ui, async |_| open::run(&globals.deployment_dir, browser).await)?;
    ui.result(&report)?;
    Ok(0)
}
