//! `up`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::simple;
use super::runtime::with_runtime;
use super::{deploy, init};
use crate::error::Result;
use crate::ops::deploy::DeployRequest;
use crate::ops::up;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let command = simple(
        "up",
        "Create a deployment directory and deploy it: init and deploy in one; resume after a failure",
        "  exasol up --db-version rehearsal -d demo\n  \
           exasol up --config cluster.toml -d prod\n  \
           exasol up -d prod",
    )
    .after_help(
        "It takes the options of init and of deploy. If the directory has a deployment, up continues it; to change its \
         options, use exasol init --update.",
    );
    deploy::manner(init::description(command))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = &globals.deployment_dir;
    let confirm = |question: &str| ui.confirm(question);
    let deploy = deploy::request(dir, matches, &confirm);
    let report = match up::provider(dir)? {
        None => {
            let init = init::request(dir, matches, &confirm)?;
            with_runtime(ui, async |context| up::begin(context, init, deploy).await)?
        }
        Some(provider) => {
            let asked = init::changes(dir, matches, provider)?;
            let (passwords, credentials) = (asked.passwords.clone(), asked.credentials.clone());
            let deploy = DeployRequest { passwords, credentials, ..deploy };
            with_runtime(ui, async |context| up::go_on(context, asked, deploy).await)?
        }
    };
    ui.result(&report)?;
    Ok(0)
}
