//! `status`: its arguments, and how they become a request.

use std::time::Duration;

use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::{duration, flag, is_set, probe_timeout, simple};
use super::runtime::with_runtime;
use crate::error::Result;
use crate::model::{Phase, StatusReport};
use crate::ops::status::{self, StatusRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let phases: Vec<_> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
    simple(
        "status",
        "Show the cluster's current state, checked live",
        "  exasol status -d demo\n  exasol status -d demo --json\n  \
           exasol status -d demo --wait database_ready --timeout 20m\n  exasol status -d demo --watch",
    )
    .arg(probe_timeout())
    .arg(flag("refresh", "Ask the cloud for the state of its machines (takes seconds; libvirt is always asked)"))
    .arg(
        Arg::new("wait")
            .long("wait")
            .value_name("STATUS")
            .value_parser(phases)
            .hide_possible_values(true)
            .conflicts_with("watch")
            .help("Wait until the cluster reaches this status: database_ready, stopped, … (exit 1 on timeout)"),
    )
    .arg(
        Arg::new("timeout")
            .long("timeout")
            .value_name("TIME")
            .value_parser(duration)
            .requires("wait")
            .default_value("15m")
            .help("How long --wait waits: 90s, 15m, 1h"),
    )
    .arg(flag("watch", "Show every change until Ctrl-C"))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let seconds = |name: &str| matches.get_one::<u64>(name).copied().map(Duration::from_secs);
    let mut request = StatusRequest::usual(&globals.deployment_dir);
    request.deadline = seconds("probe-timeout").unwrap_or(request.deadline);
    request.refresh = is_set(matches, "refresh");
    if is_set(matches, "watch") {
        let mut show = |report: &StatusReport| ui.result(report);
        return with_runtime(ui, async |context| status::watch(context, &request, &mut show).await).map(|()| 0);
    }
    let Some(wished) = matches.get_one::<String>("wait") else {
        let report = with_runtime(ui, async |context| status::run(context, &request).await)?;
        ui.result(&report)?;
        return Ok(0);
    };
    let limit = matches.get_one::<Duration>("timeout").copied().unwrap_or(Duration::from_secs(900));
    let waited = with_runtime(ui, async |context| status::wait_for(context, &request, wished, limit).await)?;
    let code = u8::from(waited.is_err());
    ui.result(&waited.unwrap_or_else(|last| last))?;
    Ok(code)
}
