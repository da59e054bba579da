//! The options that every command takes.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tracing_subscriber::filter::LevelFilter;

use crate::error::Result;
use crate::ops::named;
use crate::ui::{ColorChoice, Flags, Format};

/// The global options, resolved.
#[derive(Debug, Clone)]
pub(super) struct Globals {
    pub deployment_dir: PathBuf,
    pub flags: Flags,
    pub log_level: Option<LevelFilter>,
    /// Where the result is written as JSON, beside the text for people.
    pub result_file: Option<PathBuf>,
}

/// Adds the global options to the root command.
pub(super) fn add(command: Command) -> Command {
    let global = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).global(true).help(help).help_heading("Global options")
    };
    command
        .arg(
            global("deployment-dir", "The deployment's directory, or its name")
                .short('d')
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .value_hint(clap::ValueHint::DirPath)
                .env("EXASOL_DEPLOYMENT_DIR")
                .default_value("."),
        )
        .arg(
            global("output", "Format of results and events")
                .value_name("FORM")
                .value_parser(["text", "json"])
                .default_value("text"),
        )
        .arg(global("json", "Short for --output json").action(ArgAction::SetTrue))
        .arg(
            global("result", "Also write the result, or the error, as JSON to this file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(clap::ValueHint::FilePath)
                .env("EXASOL_RESULT"),
        )
        .arg(
            global("color", "Colors on the terminal [also: NO_COLOR, CLICOLOR_FORCE]")
                .value_name("WHEN")
                .value_parser(["auto", "always", "never"])
                .default_value("auto"),
        )
        .arg(global("verbose", "Show more of what happens").short('v').action(ArgAction::SetTrue))
        .arg(
            global("quiet", "Show only results, warnings and errors")
                .short('q')
                .action(ArgAction::SetTrue)
                .conflicts_with("verbose"),
        )
        .arg(
            global("log-level", "Diagnostic log on stderr")
                .value_name("LEVEL")
                .value_parser(["error", "warn", "info", "debug", "trace"])
                .env("EXASOL_LOG_LEVEL"),
        )
}

impl Globals {
    /// With the directory of the deployment that is there, if its name was typed.
    pub(super) fn there(&self) -> Result<Self> {
        Ok(Self { deployment_dir: named::find(&self.deployment_dir)?, ..self.clone() })
    }

    pub(super) fn read(matches: &ArgMatches) -> Self {
        // clap copies global values down: the innermost matches know what was given after the command.
        let mut inner = matches;
        while let Some((_, next)) = inner.subcommand() {
            inner = next;
        }
        let text = |name: &str| inner.get_one::<String>(name).cloned();
        let json = inner.get_flag("json") || text("output").as_deref() == Some("json");
        Self {
            deployment_dir: inner.get_one::<PathBuf>("deployment-dir").cloned().unwrap_or_else(|| PathBuf::from(".")),
            flags: Flags {
                format: if json { Format::Json } else { Format::Text },
                color: match text("color").as_deref() {
                    Some("always") => ColorChoice::Always,
                    Some("never") => ColorChoice::Never,
                    _ => ColorChoice::Auto,
                },
                verbose: inner.get_flag("verbose"),
                quiet: inner.get_flag("quiet"),
            },
            // clap has let only the names of levels pass.
            result_file: inner.get_one::<PathBuf>("result").cloned(),
            log_level: text("log-level").and_then(|level| level.parse().ok()),
        }
    }
}
