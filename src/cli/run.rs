//! `run`: its arguments, and how they become a request.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::{duration, flag, is_set, simple};
use super::runtime::with_own_signals;
use super::{deploy, init, spec};
use crate::error::{Error, Result};
use crate::model::{InfoReport, command_line};
use crate::ops::run::{self, Manner, Place, RunRequest};
use crate::ui::{Format, Ui};

pub(super) fn command() -> Command {
    let command = simple(
        "run",
        "Create a cluster for one command, run the command, destroy the cluster",
        "  exasol run --db-version rehearsal -- pytest\n  \
           exasol run --config cluster.toml --logs logs --yes -- ci/test.sh\n  \
           exasol run --db-version rehearsal -- exasol sql -c 'SELECT 1'\n  \
           exasol run --clean",
    )
    .after_help(
        "The command gets EXASOL_DSN, EXASOL_HOST, EXASOL_HOSTS, EXASOL_PORT, EXASOL_USER, EXASOL_PASSWORD, \
         EXASOL_FINGERPRINT and EXASOL_ADMIN_UI in its environment, and EXASOL_DEPLOYMENT_DIR for exasol itself. The \
         cluster is destroyed if the command fails or a signal comes, too. The exit code is the command's; if the \
         command succeeds and destroy fails, that of destroy.",
    )
    .override_usage("exasol run [OPTIONS] -- CMD [ARG]...");
    init::description(command)
        .arg(deploy::yes())
        .arg(deploy::offline())
        .arg(deploy::no_warm())
        .arg(flag("keep", "Do not destroy the cluster if the command or the deployment fails"))
        .arg(logs())
        .arg(
            Arg::new("grace")
                .long("grace")
                .value_name("TIME")
                .value_parser(duration)
                .default_value("10s")
                .help("Time that the command has to end after a signal, before it is killed"),
        )
        .arg(flag("clean", "Destroy the clusters that killed runs have left, and exit").conflicts_with("command"))
        .arg(
            Arg::new("command")
                .value_name("CMD")
                .last(true)
                .num_args(1..)
                .required_unless_present("clean")
                .help("Command and arguments, after --"),
        )
}

/// Of commands whose machines, and the directory with their logs, are gone at the end.
pub(super) fn logs() -> Arg {
    Arg::new("logs")
        .long("logs")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .value_hint(clap::ValueHint::DirPath)
        .help("Copy the logs there; they have no passwords")
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    refuse_directory(matches)?;
    let logs = matches.get_one::<PathBuf>("logs").cloned();
    let json = ui.settings().format == Format::Json;
    if is_set(matches, "clean") {
        let name = spec::name_of(matches)?;
        let report = with_own_signals(ui, async |context| run::clean(context, name.as_deref(), logs.as_deref()).await)?;
        ui.result(&report)?;
        return Ok(0);
    }
    let confirm = |question: &str| ui.confirm(question);
    // The name is looked for first: a run makes its directory by it.
    let place = Place::take(spec::name_of(matches)?)?;
    let init = init::request(&place.dir, matches, &confirm)?;
    let deploy = deploy::request(&place.dir, matches, &confirm);
    let manner = Manner {
        terminal: std::io::stdin().is_terminal(),
        output_aside: json,
        grace: matches.get_one("grace").copied().unwrap_or(Duration::from_secs(10)),
    };
    let words: Vec<String> = matches.get_many::<String>("command").into_iter().flatten().cloned().collect();
    let told = words.clone();
    let ready = |info: &InfoReport| {
        if std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true") {
            info.password.iter().for_each(|password| ui.mask(password));
        }
        ui.note(&format!("running: {}", command_line(&told)));
    };
    let request =
        RunRequest { place, init, deploy, command: words, manner, keep: is_set(matches, "keep"), logs, ready: &ready };
    let report = with_own_signals(ui, async |context| run::run(context, request).await)?;
    if json {
        ui.result(&report)?;
    } else {
        // Standard output is the command's.
        ui.keep(&report)?;
        let end = if report.destroyed { "is destroyed" } else { "is kept" };
        ui.note(&format!("run: the command ended with {}; {} {end}", report.exit_code, report.name));
    }
    Ok(report.exit_code)
}

/// It would be ignored: a run has a directory of its own.
fn refuse_directory(matches: &ArgMatches) -> Result<()> {
    match matches.value_source("deployment-dir") {
        Some(ValueSource::CommandLine) => Err(Error::Usage {
            message: "run makes a directory of its own, and takes no -d".into(),
            hint: Some("give it a name with --name NAME; for a cluster that stays, use exasol up -d DIR".into()),
        }),
        _ => Ok(()),
    }
}
