//! The options that every command takes.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tracing_subscriber::filter::LevelFilter;

use crate::error::{Error, Result};
use crate::ops::named;
use crate::providers;
use crate::ui::{ColorChoice, Flags, Format};

/// The global options, resolved.
#[derive(Debug, Clone)]
pub(super) struct Globals {
    pub deployment_dir: PathBuf,
    /// The directory was typed: it is neither the current one nor a variable's.
    pub dir_typed: bool,
    pub flags: Flags,
    pub log_level: Option<LevelFilter>,
    /// Where the result is written as JSON, beside the text for people.
    pub result_file: Option<PathBuf>,
}

const DIR: &str = "deployment-dir";
const DEPLOYMENT: &str = "deployment";

/// Adds the global options to the root command.
pub(super) fn add(command: Command) -> Command {
    let global = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).global(true).help(help).help_heading("Global options")
    };
    command
        .arg(
            global(DIR, "The deployment's directory, or its name")
                .short('d')
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .value_hint(clap::ValueHint::DirPath)
                .env("EXASOL_DEPLOYMENT_DIR")
                .default_value("."),
        )
        .arg(
            global("output", "Output format of results and events")
                .value_name("FORM")
                .value_parser(["text", "json"])
                .default_value("text"),
        )
        .arg(global("json", "Same as --output json").action(ArgAction::SetTrue))
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

/// The deployment as a word of its own, for commands that take no other: `exasol status demo`.
pub(super) fn with_deployment(command: Command) -> Command {
    let takes_words = command.get_positionals().next().is_some();
    if takes_words || command.has_subcommands() {
        return command.mut_subcommands(|sub| if takes_words { sub } else { with_deployment(sub) });
    }
    command.arg(
        Arg::new(DEPLOYMENT)
            .value_name("DIR")
            .value_parser(value_parser!(PathBuf))
            .value_hint(clap::ValueHint::DirPath)
            .help("The deployment: its directory or its name, the same as -d DIR"),
    )
}

/// The directory that was given as a word; a second one by -d would be ignored.
fn deployment_word(matches: &ArgMatches) -> Result<Option<PathBuf>> {
    let Some(word) = matches.try_get_one::<PathBuf>(DEPLOYMENT).ok().flatten() else { return Ok(None) };
    let typed = matches.value_source(DIR) == Some(ValueSource::CommandLine);
    let other = matches.get_one::<PathBuf>(DIR).filter(|dir| typed && *dir != word);
    match other {
        None => Ok(Some(word.clone())),
        Some(dir) => Err(Error::Usage {
            message: format!("two deployments are named: {} and {}", word.display(), dir.display()),
            hint: Some("name one of them".into()),
        }),
    }
}

/// A new deployment is not called like what was probably meant. A directory that is there was meant, and so is one
/// beside `--cloud-provider`.
fn refuse_misplaced_word(command: &str, matches: &ArgMatches) -> Result<()> {
    let Some(dir) = matches.try_get_one::<PathBuf>(DEPLOYMENT).ok().flatten() else { return Ok(()) };
    let Some(word) = dir.to_str().filter(|_| ["init", "up"].contains(&command) && !dir.exists()) else { return Ok(()) };
    let changes = matches.try_get_one::<bool>("update").ok().flatten().copied().unwrap_or(false);
    let is_provider = providers::names().contains(&word) && !changes && !matches.contains_id("cloud-provider");
    let meant = match word {
        "help" => format!("exasol {command} --help"),
        _ if is_provider => format!("exasol {command} --cloud-provider {word}"),
        _ => return Ok(()),
    };
    Err(Error::Usage {
        message: format!("'{word}' would be the deployment's directory"),
        hint: Some(format!("did you mean {meant}?\nfor a directory of this name: exasol {command} ./{word}")),
    })
}

impl Globals {
    /// With the directory of the deployment that is there, if its name was typed.
    pub(super) fn there(&self) -> Result<Self> {
        Ok(Self { deployment_dir: named::find(&self.deployment_dir)?, ..self.clone() })
    }

    pub(super) fn read(matches: &ArgMatches) -> Result<Self> {
        // clap copies global values down: the innermost matches know what was given after the command.
        let (mut inner, mut command) = (matches, "");
        while let Some((name, next)) = inner.subcommand() {
            (inner, command) = (next, name);
        }
        refuse_misplaced_word(command, inner)?;
        let text = |name: &str| inner.get_one::<String>(name).cloned();
        let json = inner.get_flag("json") || text("output").as_deref() == Some("json");
        let word = deployment_word(inner)?;
        let dir_typed = word.is_some() || inner.value_source(DIR) == Some(ValueSource::CommandLine);
        let dir = word.or_else(|| inner.get_one::<PathBuf>(DIR).cloned());
        Ok(Self {
            deployment_dir: dir.unwrap_or_else(|| PathBuf::from(".")),
            dir_typed,
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
        })
    }
}
