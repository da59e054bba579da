//! The command tree as its help is to be shown: width, order, and what is left out.

use clap::{Arg, Command};

use super::asked::{Asked, Groups};
use super::rows::{self, BESIDE};
use super::{arguments, first_screen};
use crate::cli::options;

/// Width where no terminal tells one.
const USUAL: usize = 80;
/// Lines longer than this are hard to read; on narrower terminals than this the text breaks anyway.
const WIDEST: usize = 100;
const NARROWEST: usize = 40;

/// What `-h` shows of the commands that describe a deployment.
const BASIC: [&str; 12] = [
    "cloud-provider",
    "cluster-size",
    "db-version",
    "instance-type",
    "data-volume-size",
    "root-volume-size",
    "allowed-cidr",
    "name",
    "config",
    "update",
    "yes",
    "clean",
];

/// Columns for help: the terminal's, else `COLUMNS`.
pub(in crate::cli) fn width() -> usize {
    let of_terminal = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    let named = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_terminal.or_else(named).unwrap_or(USUAL).clamp(NARROWEST, WIDEST)
}

/// The tree that words are parsed with, so that its help shows what was asked for. It accepts what `tree` accepts.
pub(in crate::cli) fn laid_out(tree: Command, asked: Asked, width: usize) -> Command {
    let first = first_screen::text(&tree, width);
    // `exasol help options` shows those of all commands; elsewhere three lines name the usual ones.
    let tree = tree.mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    tree.term_width(width)
        .max_term_width(width)
        .override_help(first)
        .mut_subcommands(|command| command_laid_out(command, asked, width))
}

fn command_laid_out(command: Command, asked: Asked, width: usize) -> Command {
    let command = match describes_a_deployment(&command) {
        true => only_asked_for(command, asked),
        false => command,
    };
    let arguments = arguments::of(&command, width);
    let arguments = if arguments.is_empty() { arguments } else { arguments + "\n" };
    let notes = command.get_after_help().map(|notes| notes_laid_out(&notes.to_string(), width) + "\n\n");
    let (notes, globals) = (notes.unwrap_or_default(), globals(width));
    let template =
        format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{{before-help}}{arguments}{notes}{globals}");
    command.help_template(template).mut_subcommands(|command| command_laid_out(command, asked, width))
}

/// Whether it has the options of all providers: nobody reads through them.
pub(super) fn describes_a_deployment(command: &Command) -> bool {
    command.get_arguments().any(|arg| arg.get_help_heading().is_some_and(options::is_of_providers))
}

fn only_asked_for(command: Command, asked: Asked) -> Command {
    let notes = command.get_after_help().map(|notes| format!("{notes}\n\n")).unwrap_or_default();
    let more = notes + &more(command.get_name(), asked);
    command.mut_args(|arg| if is_shown(&arg, asked) { arg } else { arg.hide(true) }).after_help(more)
}

fn is_shown(arg: &Arg, asked: Asked) -> bool {
    match arg.get_help_heading() {
        Some(heading) if options::is_of_providers(heading) => match asked.groups {
            Groups::Nobodys => false,
            Groups::Of(provider) => options::is_of(heading, provider),
            Groups::Everybodys => true,
        },
        _ => !arg.is_hide_set() && (asked.full || BASIC.contains(&arg.get_id().as_str())),
    }
}

/// Each line by itself; where an indented one goes on, it is indented further.
fn notes_laid_out(notes: &str, width: usize) -> String {
    let line = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        let (first, others) = (" ".repeat(indent), " ".repeat(if indent == 0 { 0 } else { indent + 2 }));
        rows::hanging(line.trim_start(), &first, &others, width).trim_end().to_owned()
    };
    notes.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// How to see what is left out.
fn more(name: &str, asked: Asked) -> String {
    let mut lines = vec!["More:".to_owned()];
    if !asked.full {
        lines.push(format!("  exasol {name} --help        all options that every provider has"));
    }
    if matches!(asked.groups, Groups::Nobodys) {
        lines.push(format!("  exasol {name} --help NAME   with those of the provider NAME"));
    }
    if !matches!(asked.groups, Groups::Everybodys) {
        lines.push(format!("  exasol {name} --help all    with those of all providers"));
    }
    lines.push("  Every option has a variable: --cluster-size is EXASOL_CLUSTER_SIZE.".to_owned());
    if asked.full {
        lines.push(
            "  The command line overrides the environment, and the environment overrides the file of --config.".into(),
        );
    }
    lines.join("\n")
}

/// The options of all commands in three lines.
fn globals(width: usize) -> String {
    let lines = [
        "For all commands (see exasol help options):",
        "-d DIR  the deployment's directory or name [EXASOL_DEPLOYMENT_DIR]",
        "--json  results for programs      -q, -v  show less, show more",
    ];
    match width < BESIDE {
        true => "For all commands: -d DIR, --json, -q, -v\n(see exasol help options)".to_owned(),
        false => lines.join("\n  "),
    }
}
