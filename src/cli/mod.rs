//! What people type: flags to requests, dispatch, exit code.
//!
//! Belongs here: clap, the merging of flags, environment and configuration file, and one file a
//! command with its arguments and the function that calls its op and shows its report; `commands.rs`
//! lists them. Does not belong here: work.

mod adopt;
mod args;
mod cache;
mod certificate;
mod commands;
mod completions;
mod config_file;
mod cp;
mod credentials;
mod deploy;
mod destroy;
mod doctor;
mod environment;
mod flags;
mod guesses;
mod health;
mod help;
mod info;
mod init;
mod license;
mod list;
mod live;
mod logs;
mod man;
mod mistakes;
mod open;
mod options;
mod passwords;
mod report;
mod run;
mod runtime;
mod secret_args;
mod spec;
mod sql;
mod ssh;
mod stand_in;
mod start;
mod state;
mod status;
mod stop;
mod support;
mod sweep;
mod tunnel;
mod up;
mod version;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, fmt};

use crate::deployment::DebugLog;
use crate::error::Error;
use crate::ui::{Environment, Flags, Format, Settings, Ui};

/// Parses the command line, runs the command and returns its exit status.
pub fn main() -> ExitCode {
    // Everything that we or our tools write may hold secrets: nobody else reads it, whatever the
    // caller's umask. Files meant for others get their mode explicitly.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    keep_no_cores();
    if let Some(code) = stand_in::run().or_else(completions::answer) {
        return code;
    }
    let typed: Vec<_> = std::env::args_os().collect();
    let words: Vec<_> = typed.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let asked = help::Asked::read(&words);
    let matches = match help::laid_out(commands::tree(), asked, help::width()).try_get_matches_from(&typed) {
        Ok(matches) => matches,
        Err(error) => return usage_error(&error, asked, &words),
    };
    let globals = match args::Globals::read(&matches) {
        Ok(globals) => globals,
        Err(error) => return refused(&error, &words),
    };
    let ui =
        Ui::new(Settings::resolve(globals.flags, &Environment::read())).with_result_file(globals.result_file.clone());
    if let Err(error) = ui.check_result_file() {
        ui.with_result_file(None).error(&error);
        return ExitCode::from(error.exit_code());
    }
    start_tracing(&globals, &ui);
    let code = commands::dispatch(&globals, &matches, &ui).unwrap_or_else(|error| {
        ui.error(&error);
        error.exit_code()
    });
    ui.finish();
    ExitCode::from(code)
}

/// A core dump of ours, or of a tool that we start, would hold passwords and keys. Whoever wants one from a command of
/// his own (`exasol run`) can raise the limit again.
fn keep_no_cores() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    // To lower it is always allowed.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}

/// What was asked for instead of a command's work (help, the version), or why the words are refused: exit 2.
fn usage_error(error: &clap::Error, asked: help::Asked, words: &[String]) -> ExitCode {
    use clap::error::ErrorKind;
    if let (ErrorKind::DisplayHelp, Some(error)) = (error.kind(), help::of_nothing(&commands::tree(), words)) {
        return refused(&error, words);
    }
    if asked.full && error.kind() == ErrorKind::DisplayHelp {
        let ui = Ui::new(Settings::resolve(Flags::default(), &Environment::read()));
        let text = error.render();
        let text = if ui.settings().stdout_colors { text.ansi().to_string() } else { text.to_string() };
        return match help::show(text, &ui) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => ExitCode::from(error.exit_code()),
        };
    }
    let code = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !wants_json(words) => ExitCode::from(2),
        // Options alone: `exasol -v`.
        ErrorKind::MissingSubcommand if !wants_json(words) => {
            return first_screen(asked);
        }
        _ => {
            return refused(&mistakes::refusal(error, &commands::tree(), words), words);
        }
    };
    // A reader that closes the pipe has read enough. That is not an error.
    let _ = error.print();
    code
}

/// What there is to type, for somebody who has typed no command: exit 2.
fn first_screen(asked: help::Asked) -> ExitCode {
    // A variable that is set counts as typed, and clap would miss a command.
    let tree = help::laid_out(commands::tree(), asked, help::width()).mut_args(|arg| arg.env(None));
    if let Err(shown) = tree.try_get_matches_from(["exasol"]) {
        let _ = shown.print();
    }
    ExitCode::from(2)
}

/// The words are wrong: nothing was begun, and what they say about the output's format need not have been parsed.
fn refused(error: &Error, words: &[String]) -> ExitCode {
    let format = if wants_json(words) { Format::Json } else { Format::Text };
    let ui = Ui::new(Settings::resolve(Flags { format, ..Flags::default() }, &Environment::read()));
    ui.with_result_file(result_file(words)).error(error);
    ExitCode::from(2)
}

fn wants_json(words: &[String]) -> bool {
    let args: Vec<_> = words.iter().take_while(|word| *word != "--").collect();
    args.iter().any(|a| *a == "--json" || *a == "--output=json")
        || args.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json")
}

fn result_file(words: &[String]) -> Option<PathBuf> {
    let args: Vec<_> = words.iter().take_while(|word| *word != "--").collect();
    let beside = args.windows(2).find(|pair| pair[0] == "--result").map(|pair| pair[1].as_str());
    let within = args.iter().find_map(|arg| arg.strip_prefix("--result="));
    let typed = beside.or(within).map(PathBuf::from);
    typed.or_else(|| std::env::var_os("EXASOL_RESULT").filter(|file| !file.is_empty()).map(PathBuf::from))
}

fn start_tracing(globals: &args::Globals, ui: &Ui) {
    let ours = |level: LevelFilter| Targets::new().with_target("deployer", level);
    let shown = globals
        .log_level
        .map(|level| fmt::layer().with_target(false).with_writer(ui.diagnostics()).with_filter(ours(level)));
    let kept = fmt::layer().with_target(false).with_ansi(false).with_writer(|| DebugLog);
    let kept = kept.with_filter(ours(LevelFilter::DEBUG));
    tracing_subscriber::registry().with(shown).with(kept).init();
}

/// Whether clap accepts these words. Tests check with it the commands that errors and reports suggest.
#[cfg(test)]
pub(crate) fn accepts(words: &[String]) -> bool {
    commands::tree().try_get_matches_from(words).is_ok()
}

// It stands with the tests, and is compiled here because it reads what no other crate may: the tables of options, the
// command tree, and the schemas of reports and events, which only a test build of this crate has.
#[cfg(test)]
#[path = "../../tests/reference/mod.rs"]
mod reference;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognized_before_parsing_succeeds() {
        let says = |line: &str| wants_json(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(says("exasol --json status"));
        assert!(says("exasol status --output json"));
        assert!(says("exasol status --output=json"));
        assert!(!says("exasol ssh n11 -- tool --json"));
        assert!(!says("exasol status"));
    }

    #[test]
    fn the_result_s_file_is_known_before_parsing_succeeds() {
        let file = |line: &str| result_file(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(file("exasol status --result r.json"), Some("r.json".into()));
        assert_eq!(file("exasol --result=r.json stat"), Some("r.json".into()));
        assert_eq!(file("exasol ssh n11 -- tool --result=r.json"), None);
    }
}
