//! `report`: its arguments, and how they become a request.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::{flag, is_set, probe_timeout, simple};
use super::runtime::until_signal;
use crate::error::Result;
use crate::ops::report::{self, ReportRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "report",
        "Write one HTML page about the deployment: picture, health, timeline; no secrets",
        "  exasol report -d demo\n  exasol report -d demo --output-file demo.html\n  \
           exasol report -d demo --offline",
    )
    .after_help(
        "Any browser opens it, without a network. It works in every phase and changes nothing. Passwords, keys and \
         tokens are masked. Read the page before you send it. exasol support collects the logs themselves.",
    )
    .arg(
        Arg::new("output-file")
            .long("output-file")
            .visible_alias("file")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .value_hint(clap::ValueHint::FilePath)
            .help("Where to write it; must not exist [default: exasol-report-ID-TIME.html here]"),
    )
    .arg(flag("offline", "Ask no machine; show what is recorded"))
    .arg(probe_timeout())
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let request = ReportRequest {
        dir: globals.deployment_dir.clone(),
        file: matches.get_one::<PathBuf>("output-file").cloned(),
        offline: is_set(matches, "offline"),
        deadline: Duration::from_secs(matches.get_one::<u64>("probe-timeout").copied().unwrap_or(5)),
    };
    let report = until_signal(ui, async |context| report::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
