//! `completions`: generated from the command tree, so that they match what it accepts.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::flags::simple;
use super::options;
use crate::catalog;
use crate::error::{Error, Result};
use crate::model::{OptionKind, ScriptReport};
use crate::providers;
use crate::ui::Ui;

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
            .value_parser(value_parser!(Shell))
            .help("Shell to print the script for"),
    )
}

/// `tree`: the whole command line.
pub(super) fn run(tree: Command, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let missing = || Error::other("no shell is named");
    let shell = matches.get_one::<Shell>("shell").copied().ok_or_else(missing)?;
    let mut completed = completed(tree);
    let (program, mut script) = (completed.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, &mut completed, program, &mut script);
    let text = String::from_utf8(script).map_err(|_| Error::other("the script is not UTF-8"))?;
    ui.result(&ScriptReport { text })?;
    Ok(0)
}

/// The tree with values that parsing leaves to errors of its own with suggestions.
fn completed(tree: Command) -> Command {
    ["init", "doctor"]
        .into_iter()
        .fold(tree, |tree, name| tree.mut_subcommand(name, |command| command.mut_args(with_values)))
}

fn with_values(arg: Arg) -> Arg {
    let id = arg.get_id().to_string();
    let values: Vec<String> = match id.as_str() {
        "cloud-provider" => providers::ALL.iter().map(|p| p.name.to_owned()).collect(),
        "db-version" => catalog::versions().iter().flat_map(|v| v.aliases.iter().chain([&v.name]).cloned()).collect(),
        _ => match options::find(&id).map(|def| def.kind) {
            Some(OptionKind::Choice(choices)) => choices.iter().map(|choice| (*choice).to_owned()).collect(),
            _ if id.ends_with("-file") => return arg.value_hint(clap::ValueHint::FilePath),
            _ => return arg,
        },
    };
    arg.value_parser(PossibleValuesParser::new(values))
}
