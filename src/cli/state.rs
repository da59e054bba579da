//! `state`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::{until_signal, with_runtime};
use crate::error::Result;
use crate::ops::state::{self, RepairRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let examples = "  exasol state show -d prod\n  exasol state verify -d prod\n  exasol state repair -d prod";
    simple("state", "Show, check or repair what the directory records of the deployment", examples)
        .after_help(
            "Each operation keeps copies of deployment.json, secrets.json and Terraform's state in the folder previous/ \
             of the directory, the last ten of each. None of these commands contacts a machine: exasol health does.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(simple(
            "show",
            "Show the recorded phase, and the copies of earlier states",
            "  exasol state show -d prod\n  exasol state show -d prod --json",
        ))
        .subcommand(
            simple(
                "verify",
                "Read every file that matters, and check it; exit with 1 if something is wrong",
                "  exasol state verify -d prod",
            )
            .after_help("It works although files are missing or damaged, and changes nothing."),
        )
        .subcommand(
            simple(
                "repair",
                "Put the newest sound copies in the place of damaged files, and correct permissions",
                "  exasol state repair -d prod\n  exasol state repair -d prod --yes",
            )
            .after_help(
                "It asks first, takes the lock, and deletes nothing: a damaged file is kept in previous/, with .broken- and \
                 the time in its name. Exit code 1: something is left that only you can fix.",
            )
            .arg(flag("yes", "Repair without asking").short('y')),
        )
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = globals.deployment_dir.clone();
    match matches.subcommand() {
        Some(("verify", _)) => {
            let check = until_signal(ui, async |_| state::verify(&dir))?;
            ui.result(&check)?;
            Ok(u8::from(!check.sound))
        }
        Some(("repair", own)) => {
            let confirm = |question: &str| ui.confirm(question);
            let request = RepairRequest { dir, confirm: if is_set(own, "yes") { None } else { Some(&confirm) } };
            let repair = with_runtime(ui, async |context| state::repair(context, &request))?;
            ui.result(&repair)?;
            Ok(u8::from(!repair.sound))
        }
        _ => {
            let report = until_signal(ui, async |_| state::show(&dir))?;
            ui.result(&report)?;
            Ok(0)
        }
    }
}
