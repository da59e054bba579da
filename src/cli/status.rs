//! `status`: its arguments, and how they become a request.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::{duration, flag, is_set, probe_timeout, simple};
use super::runtime::{left, with_runtime};
use crate::error::Result;
use crate::model::{Phase, StatusReport};
use crate::ops::status::{self, StatusRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    simple(
        "status",
        "Show the cluster's current state, checked live",
        "  exasol status -d demo\n  exasol status -d demo --json\n  \
           exasol status -d demo --wait ready --timeout 20m\n  exasol status -d demo --watch",
    )
    .arg(probe_timeout())
    .arg(flag("refresh", "Ask the cloud for the state of its machines (takes seconds; libvirt is always asked)"))
    .arg(
        Arg::new("wait")
            .long("wait")
            .value_name("STATUS")
            .value_parser(wished())
            .hide_possible_values(true)
            .conflicts_with("watch")
            .help("Wait until the cluster reaches this status: ready, stopped, destroyed, … (exit 1 on timeout)"),
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
        let watched = with_runtime(ui, async |context| status::watch(context, &request, &mut show).await);
        return left(watched, ui);
    }
    let Some(wished) = matches.get_one::<String>("wait") else {
        let report = with_runtime(ui, async |context| status::run(context, &request).await)?;
        ui.result(&report)?;
        return Ok(0);
    };
    let limit = matches.get_one::<Duration>("timeout").copied().unwrap_or(Duration::from_secs(900));
    let waited = with_runtime(ui, async |context| status::wait_for(context, &request, wished, limit).await)?;
    match waited {
        Ok(report) => ui.result(&report).map(|()| 0),
        Err(last) => {
            ui.result(&last)?;
            ui.warning(&format!("not {} after {}", word(wished), short(limit)));
            Ok(1)
        }
    }
}

/// The words that `status` shows where there are such, and those of its JSON.
fn wished() -> impl TypedValueParser<Value = String> {
    let shown = [("ready", Phase::DatabaseReady), ("stopped", Phase::Stopped), ("destroyed", Phase::Destroyed)];
    let shown = shown.map(|(word, phase)| PossibleValue::new(word).alias(phase.as_str()));
    let new = PossibleValue::new("not_deployed").alias(Phase::Initialized.as_str()).hide(true);
    let others = Phase::ALL.into_iter().filter(|phase| {
        !matches!(phase, Phase::DatabaseReady | Phase::Stopped | Phase::Destroyed | Phase::Initialized)
    });
    let others = others.map(|phase| PossibleValue::new(phase.as_str()).hide(true));
    PossibleValuesParser::new(shown.into_iter().chain([new]).chain(others)).map(|typed| match typed.as_str() {
        "ready" => Phase::DatabaseReady.as_str().to_owned(),
        "not_deployed" => Phase::Initialized.as_str().to_owned(),
        _ => typed,
    })
}

/// As `status` shows it.
fn word(wished: &str) -> String {
    match wished {
        "database_ready" => "ready".to_owned(),
        "initialized" => "in its first state".to_owned(),
        other => other.replace('_', " "),
    }
}

/// `90 s`, `15 min`
fn short(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 120 && seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
