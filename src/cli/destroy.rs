//! `destroy`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::with_runtime;
use crate::error::Result;
use crate::ops::destroy::{self, DestroyRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "destroy",
        "Remove everything that the deployment created, and check that nothing is left",
        "  exasol destroy -d demo --dry-run\n  exasol destroy -d demo\n  exasol destroy -d demo --yes",
    )
    .arg(flag("yes", "Destroy without asking").short('y').visible_alias("auto-approve"))
    .arg(flag("dry-run", "Only list what would be removed").visible_alias("plan"))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let confirm = |question: &str| ui.confirm(question);
    let request = DestroyRequest {
        dir: globals.deployment_dir.clone(),
        dry_run: is_set(matches, "dry-run"),
        confirm: if is_set(matches, "yes") { None } else { Some(&confirm) },
    };
    let report = with_runtime(ui, async |context| destroy::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
