//! `health`: its arguments, and how they become a request.

use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::{duration, flag, is_set, simple};
use super::runtime::with_runtime;
use crate::error::Result;
use crate::model::Layer;
use crate::ops::health::{self, HealthRequest};
use crate::ui::Ui;

/// The value of `--wait-for` that stands for all layers together.
const HEALTHY: &str = "healthy";

pub(super) fn command() -> Command {
    let states: Vec<_> = [HEALTHY].into_iter().chain(layers().map(|(name, _)| name)).collect();
    simple(
        "health",
        "Examine every layer of every node; exit with 1 if something is broken",
        "  exasol health -d demo\n  exasol health -d demo --json | jq '.issues[].type'\n  \
           exasol health -d demo --wait-for healthy --timeout 20m\n  exasol health -d demo --repair",
    )
    .after_help(
        "Exit codes: 0 nothing is broken (there may be warnings), 1 something is broken, 3 there are no nodes to \
         examine, 4 ssh is missing. Every run adds a line to logs/health.jsonl in the deployment directory.",
    )
    .arg(
        Arg::new("wait-for")
            .long("wait-for")
            .value_name("LAYER")
            .value_parser(states)
            .help("Repeat until nothing is broken, or nothing up to this layer; exit with 1 after --timeout"),
    )
    .arg(
        Arg::new("timeout")
            .long("timeout")
            .value_name("TIME")
            .value_parser(duration)
            .requires("wait-for")
            .default_value("15m")
            .help("How long --wait-for waits: 90s, 15m, 1h"),
    )
    .arg(flag(
        "repair",
        "Rewrite local records (addresses, SSH config, inventory, certificate, phase) to match what is really there",
    ))
    .arg(
        Arg::new("probe-timeout")
            .long("probe-timeout")
            .value_name("SECONDS")
            .value_parser(value_parser!(u64).range(1..=600))
            .default_value("5")
            .help("Give up on each check from this machine after this many seconds"),
    )
}

/// A cluster that is not well answers slowly: c4 may take a minute while a node is gone. A person should see that
/// something happens.
async fn tell_that_it_works<T>(ui: &Ui, nodes: &str) -> T {
    let mut waited = FIRST_WORD;
    let mut text = format!("checking {nodes}: machine, SSH, disks, services, database …");
    loop {
        tokio::time::sleep(if waited == FIRST_WORD { FIRST_WORD } else { NEXT_WORD }).await;
        if ui.settings().terminal {
            ui.note(&text);
        }
        waited += NEXT_WORD;
        text = format!("still checking {nodes}, for {} s …", waited.as_secs());
    }
}

/// After this time a silence is felt, and is told how long it lasts.
const FIRST_WORD: Duration = Duration::from_secs(1);
const NEXT_WORD: Duration = Duration::from_secs(15);

/// The directory's own layer is no state of a cluster that one could wait for.
fn layers() -> impl Iterator<Item = (&'static str, Layer)> {
    Layer::ALL.into_iter().filter(|layer| *layer != Layer::Record).map(|layer| (layer.as_str(), layer))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let limit = matches.get_one::<Duration>("timeout").copied().unwrap_or(Duration::from_secs(900));
    let upto = matches
        .get_one::<String>("wait-for")
        .map(|name| layers().find(|(layer, _)| layer == name).map_or(Layer::Record, |(_, layer)| layer));
    let request = HealthRequest {
        dir: globals.deployment_dir.clone(),
        deadline: Duration::from_secs(matches.get_one::<u64>("probe-timeout").copied().unwrap_or(5)),
        wait: upto.map(|layer| (layer, limit)),
        repair: is_set(matches, "repair"),
    };
    let nodes = health::node_names(&globals.deployment_dir).join(", ");
    let report = with_runtime(ui, async |context| {
        tokio::select! {
            report = health::run(context, request) => report,
            never = tell_that_it_works(ui, &nodes) => never,
        }
    })?;
    ui.result(&report)?;
    Ok(u8::from(!report.works_up_to(upto.unwrap_or(Layer::Record))))
}
