//! `logs`: its arguments, and how they become a request.

use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::{left, with_runtime};
use crate::error::Result;
use crate::ops::logs::{self, LogsRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let value =
        |name: &'static str, of: &'static str, help: &'static str| Arg::new(name).long(name).value_name(of).help(help);
    simple(
        "logs",
        "Show what the tools and the nodes' consoles printed in the last operation",
        "  exasol logs -d demo\n  exasol logs -d demo --follow\n  exasol logs -d demo --node n11 --step boot\n  \
           exasol logs -d demo --list\n  exasol logs -d demo --operation deploy --json",
    )
    .arg(value("step", "STEP", "Only this step: apply, boot, install, …"))
    .arg(value("node", "NODE", "Only this node, with its console"))
    .arg(value(
        "operation",
        "OPERATION",
        "Show the last run of deploy, stop, …, or the run of this name in --list [default: the last run]",
    ))
    .arg(flag("follow", "Keep printing new lines while an operation runs").short('f'))
    .arg(flag("list", "List the operations whose logs are kept").conflicts_with_all([
        "step",
        "node",
        "operation",
        "follow",
    ]))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = globals.deployment_dir.clone();
    if is_set(matches, "list") {
        ui.result(&logs::list(&dir)?)?;
        return Ok(0);
    }
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let request = LogsRequest {
        dir,
        operation: text("operation"),
        step: text("step"),
        node: text("node"),
        follow: is_set(matches, "follow"),
    };
    let follow = request.follow;
    let shown = with_runtime(ui, async |context| logs::run(context, request, &mut |line| ui.log(line)).await);
    if follow { left(shown, ui) } else { shown.map(|()| 0) }
}
