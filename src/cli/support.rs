//! `support`: its arguments, and how they become a request.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::until_signal;
use crate::error::Result;
use crate::ops::support::{self, SupportRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "support",
        "Write one archive for a bug report: versions, logs, states; no secrets",
        "  exasol support -d demo\n  exasol support -d demo --file report.tar.gz\n  \
           exasol support -d demo --no-nodes",
    )
    .after_help(
        "It works in every phase, during a running operation and with broken files. It changes nothing. Passwords, \
         keys and tokens are masked. Read the archive before you send it: tar -xzf ARCHIVE",
    )
    .arg(
        Arg::new("file")
            .long("file")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .value_hint(clap::ValueHint::FilePath)
            .help("Where to write it; must not exist [default: exasol-support-ID-TIME.tar.gz here]"),
    )
    .arg(flag("no-nodes", "Ask no node; collect only what is on this machine"))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let request = SupportRequest {
        dir: globals.deployment_dir.clone(),
        file: matches.get_one::<PathBuf>("file").cloned(),
        ask_nodes: !is_set(matches, "no-nodes"),
    };
    let report = until_signal(ui, async |context| support::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
