//! What people type: flags to requests, dispatch, exit code.
//!
//! Belongs here: clap, the merging of flags, environment and configuration file, and one file a
//! command with its arguments and the function that calls its op and shows its report; `commands.rs`
//! lists them. Does not belong here: work.

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
mod health;
mod info;
mod init;
mod license;
mod list;
mod logs;
mod man;
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
mod status;
mod stop;
mod support;
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
    if let Some(code) = stand_in::run() {
        return code;
    }
    let matches = match commands::tree().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage_error(&error),
    };
    let globals = args::Globals::read(&matches);
    let ui =
        Ui::new(Settings::resolve(globals.flags, &Environment::read())).with_result_file(globals.result_file.clone());
    start_tracing(&globals, &ui);
    let code = commands::dispatch(&globals, &matches, &ui).unwrap_or_else(|error| {
        ui.error(&error);
        error.exit_code()
    });
    ui.finish();
    ExitCode::from(code)
}

/// clap's own errors: its text for people, our object for programs, and always exit 2.
fn usage_error(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    let informative = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let args = || std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let (json, result_file) = (wants_json(args()), result_file(args()));
    if !informative && (json || result_file.is_some()) {
        let text = error.render().to_string();
        let mut parts = text.trim_start_matches("error: ").splitn(2, "\n\n");
        let message = parts.next().unwrap_or_default().trim().to_owned();
        let hint = parts.next().map(|rest| rest.trim().to_owned());
        let format = if json { Format::Json } else { Format::Text };
        let ui = Ui::new(Settings::resolve(Flags { format, ..Flags::default() }, &Environment::read()));
        ui.with_result_file(result_file).error(&Error::Usage { message, hint });
        return ExitCode::from(2);
    }
    // A reader that closes the pipe has read enough. That is not an error.
    let _ = error.print();
    ExitCode::from(if informative { 0 } else { 2 })
}

fn wants_json(args: impl Iterator<Item = String>) -> bool {
    let args: Vec<_> = args.take_while(|a| a != "--").collect();
    args.iter().any(|a| a == "--json" || a == "--output=json")
        || args.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json")
}

fn result_file(args: impl Iterator<Item = String>) -> Option<PathBuf> {
    let args: Vec<_> = args.take_while(|a| a != "--").collect();
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
        let says = |line: &str| wants_json(line.split(' ').map(str::to_owned));
        assert!(says("exasol --json status"));
        assert!(says("exasol status --output json"));
        assert!(says("exasol status --output=json"));
        assert!(!says("exasol ssh n11 -- tool --json"));
        assert!(!says("exasol status"));
    }

    #[test]
    fn the_result_s_file_is_known_before_parsing_succeeds() {
        let file = |line: &str| result_file(line.split(' ').map(str::to_owned));
        assert_eq!(file("exasol status --result r.json"), Some("r.json".into()));
        assert_eq!(file("exasol --result=r.json stat"), Some("r.json".into()));
        assert_eq!(file("exasol ssh n11 -- tool --result=r.json"), None);
    }
}
