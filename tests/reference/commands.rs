//! `cli.md`: every command with its arguments, from clap's own tree.

use clap::{Arg, ArgAction, Command};

use super::markdown::{code, codes, prose, table};
use crate::cli::commands;

pub(super) fn page() -> String {
    let mut root = commands::tree();
    root.build();
    let mut text = "# Commands\n\nWhat `exasol help` and `exasol COMMAND --help all` say, on one page.\n\n".to_owned();
    let rows: Vec<_> = root
        .get_subcommands()
        .map(|sub| {
            let name = sub.get_name();
            vec![format!("[`{name}`](#exasol-{name})"), about(sub)]
        })
        .collect();
    text += &table(&["Command", "Does"], &rows);
    text += "## Global options\n\nThey stand before or after the command; what follows `--` belongs to the command on the node. `--color` is \
             stronger than `NO_COLOR` and `CLICOLOR_FORCE`.\n\n";
    text += &options(&root, true);
    root.get_subcommands().for_each(|sub| describe(sub, &mut text));
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn about(command: &Command) -> String {
    prose(&command.get_about().map(ToString::to_string).unwrap_or_default())
}

fn describe(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let usage = command.clone().render_usage().to_string();
    *text += &format!("## {name}\n\n{}.\n\n", about(command));
    *text += &format!("```text\n{}\n```\n\n", usage.trim_start_matches("Usage: "));
    *text += &options(command, false);
    for said in [command.get_before_help(), command.get_after_help()].into_iter().flatten() {
        *text += &format!("```text\n{}\n```\n\n", said.to_string().trim_end());
    }
    command.get_subcommands().for_each(|sub| describe(sub, text));
}

/// Arguments under their headings, in the order of `--help`.
fn options(command: &Command, global: bool) -> String {
    let args: Vec<_> = command.get_arguments().filter(|arg| shown(arg) && arg.is_global_set() == global).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    args.iter().for_each(|arg| {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    });
    let mut text = String::new();
    for heading in headings {
        if let Some(heading) = heading.filter(|_| !global) {
            text += &format!("{heading}:\n\n");
        }
        let rows: Vec<_> = args.iter().filter(|arg| arg.get_help_heading() == heading).map(|arg| row(arg)).collect();
        text += &table(&["Argument", "Meaning"], &rows);
    }
    text
}

fn shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version)
}

fn row(arg: &Arg) -> Vec<String> {
    let values = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>();
    let value = match arg.get_action().takes_values() {
        true => values.join(" "),
        false => String::new(),
    };
    let mut names: Vec<String> = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long_and_visible_aliases().unwrap_or_default().iter().map(|long| format!("--{long}")));
    let name = match names.is_empty() {
        true => code(&value),
        false => codes(names.iter().map(|name| format!("{name} {value}").trim_end().to_owned())),
    };
    let mut meaning = prose(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    if !arg.is_hide_possible_values_set() && arg.get_action().takes_values() {
        let choices: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !choices.is_empty() {
            meaning += &format!("; one of {}", codes(choices));
        }
    }
    if let Some(default) = arg.get_default_values().first().filter(|_| arg.get_action().takes_values()) {
        meaning += &format!("; default {}", code(&default.to_string_lossy()));
    }
    if let Some(env) = arg.get_env() {
        meaning += &format!("; environment {}", code(&env.to_string_lossy()));
    }
    vec![name, meaning]
}
