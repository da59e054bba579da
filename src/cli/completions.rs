//! `completions`: the script by which a shell asks this program how a line may go on, and the answer.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use clap_complete::env::Shells;

use super::flags::simple;
use super::{commands, live};
use crate::error::{Error, Result};
use crate::model::ScriptReport;
use crate::ui::{Environment, Flags, Settings, Ui};

/// Set by a shell that asks: the shell's name.
const ASKED_BY: &str = "EXASOL_COMPLETE";

/// zsh loads the script at the first question, as a function that is to answer it.
const ZSH_AUTOLOADED: &str =
    "\nif [ \"$funcstack[1]\" = _exasol ]; then\n    _clap_dynamic_completer_exasol \"$@\"\nfi\n";

pub(super) fn command() -> Command {
    simple(
        "completions",
        "Print the completion script of a shell",
        "  exasol completions bash > ~/.local/share/bash-completion/completions/exasol\n  \
           exasol completions zsh > _exasol\n  \
           exasol completions fish > ~/.config/fish/completions/exasol.fish",
    )
    .arg(
        Arg::new("shell")
            .value_name("SHELL")
            .required(true)
            .value_parser(Shells::builtins().names().collect::<Vec<_>>())
            .help("Shell to print the script for"),
    )
}

/// `tree`: the whole command line.
pub(super) fn run(tree: Command, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let name = matches.get_one::<String>("shell").map(String::as_str).unwrap_or_default();
    let shells = Shells::builtins();
    let shell = shells.completer(name).ok_or_else(|| Error::other("no shell is named"))?;
    let (program, mut script) = (tree.get_name(), Vec::new());
    shell
        .write_registration(ASKED_BY, program, program, program, &mut script)
        .map_err(Error::io("the completion script"))?;
    if shell.is("zsh") {
        script.extend(ZSH_AUTOLOADED.bytes());
    }
    let text = String::from_utf8(script).map_err(|_| Error::other("the script is not UTF-8"))?;
    ui.result(&ScriptReport { text })?;
    Ok(0)
}

/// Answers a shell that asks how the line behind `--` may go on. Nothing is said where that is not known.
///
/// None: nobody asks.
pub(super) fn answer() -> Option<ExitCode> {
    let name = std::env::var(ASKED_BY).ok().filter(|name| !name.is_empty())?;
    let line: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let shells = Shells::builtins();
    let mut text = Vec::new();
    if let Some(shell) = shells.completer(&name) {
        let mut tree = live::with_values(commands::tree(), &line);
        tree.build();
        let here = std::env::current_dir().ok();
        shell.write_complete(&mut tree, line, here.as_deref(), &mut text).unwrap_or_default();
    }
    let ui = Ui::new(Settings::resolve(Flags::default(), &Environment::read()));
    let text = String::from_utf8_lossy(&text).into_owned();
    Some(ui.result(&ScriptReport { text }).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}
