//! `deploy`: its arguments, and how they become a request.

use std::path::Path;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::passwords;
use super::runtime::with_runtime;
use crate::deployment::EditPolicy;
use crate::error::Result;
use crate::ops::deploy::{self, DeployRequest};
use crate::ops::{Confirm, Given, Passwords, plan};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let command = simple(
        "deploy",
        "Create the machines and install the database; resume after a failure",
        "  exasol deploy -d demo\n  exasol deploy -d demo --plan\n  exasol deploy -d demo --json | tail -1",
    );
    let plan = command.arg(flag("plan", "Only show what would be created; change nothing").visible_alias("dry-run"));
    // A plan looks at no image.
    manner(plan).mut_arg("no-warm", |arg| arg.conflicts_with("plan"))
}

/// Adds how a deployment is deployed.
pub(super) fn manner(command: Command) -> Command {
    command
        .arg(
            Arg::new("allow-replace")
                .long("allow-replace")
                .value_name("NODE")
                .action(ArgAction::Append)
                .help("Let the plan delete or replace this node's machine; repeatable"),
        )
        .arg(flag("overwrite-edits", "Overwrite generated files even if you edited them").conflicts_with("keep-edits"))
        .arg(flag("keep-edits", "Keep generated files as you edited them"))
        .arg(yes())
        .arg(offline())
        .arg(no_warm())
}

pub(super) fn no_warm() -> Arg {
    flag("no-warm", "Make machines from the base image itself even if exasol cache warm has made a warm base (libvirt)")
}

pub(super) fn yes() -> Arg {
    flag("yes", "Create billable resources without asking").short('y').visible_alias("auto-approve")
}

pub(super) fn offline() -> Arg {
    flag("offline", "Use only caches and local files").env("EXASOL_OFFLINE").value_parser(BoolishValueParser::new())
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = globals.deployment_dir.clone();
    if is_set(matches, "plan") {
        let report = with_runtime(ui, async |context| plan::run(context, &dir).await)?;
        ui.result(&report)?;
        return Ok(0);
    }
    let confirm = |question: &str| ui.confirm(question);
    let request = DeployRequest {
        passwords: passwords::read(matches, None, &mut Vec::new())?,
        ..request(&dir, matches, &confirm)
    };
    let report = with_runtime(ui, async |context| deploy::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

/// How that deployment is to be deployed, as the command line says.
pub(super) fn request<'a>(dir: &Path, matches: &ArgMatches, confirm: Confirm<'a>) -> DeployRequest<'a> {
    let edits = if is_set(matches, "overwrite-edits") {
        EditPolicy::Overwrite
    } else if is_set(matches, "keep-edits") {
        EditPolicy::Keep
    } else {
        EditPolicy::Refuse
    };
    let replaced = matches.try_get_many::<String>("allow-replace").ok().flatten();
    DeployRequest {
        dir: dir.to_owned(),
        allow_replace: replaced.into_iter().flatten().cloned().collect(),
        edits,
        offline: is_set(matches, "offline"),
        warm: !is_set(matches, "no-warm"),
        passwords: Passwords::default(),
        credentials: Given::new(),
        confirm: if is_set(matches, "yes") { None } else { Some(confirm) },
    }
}
