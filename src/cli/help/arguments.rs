//! Arguments and subcommands as rows of help.

use clap::{Arg, Command};

use super::rows::rows;

/// The arguments of a command that are shown, below their headings.
pub(super) fn of(command: &Command, width: usize) -> String {
    let shown: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set()).collect();
    let (words, options): (Vec<&Arg>, Vec<&Arg>) = shown.into_iter().partition(|arg| arg.is_positional());
    let mut sections = vec![("Arguments", words)];
    for option in options {
        let heading = option.get_help_heading().unwrap_or("Options");
        match sections.iter_mut().find(|(title, _)| *title == heading) {
            Some((_, members)) => members.push(option),
            None => sections.push((heading, vec![option])),
        }
    }
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set());
    let commands: Vec<_> = commands.map(|command| (format!("  {}", command.get_name()), about(command))).collect();
    let sections =
        sections.into_iter().map(|(title, members)| (title, members.into_iter().map(row).collect::<Vec<_>>()));
    let header = command.get_styles().get_header();
    sections
        .chain([("Commands", commands)])
        .filter(|(_, list)| !list.is_empty())
        .map(|(title, list)| format!("{header}{title}:{header:#}\n{}", rows(&list, width)))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// What to type, and what it means.
pub(super) fn row(arg: &Arg) -> (String, String) {
    let takes_value = arg.get_action().takes_values();
    let values = arg.get_value_names().filter(|_| takes_value).unwrap_or_default();
    let value = values.iter().map(|value| format!(" {value}")).collect::<String>();
    let name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("  -{short}, --{long}{value}"),
        (None, Some(long)) => format!("      --{long}{value}"),
        (Some(short), None) => format!("  -{short}{value}"),
        (None, None) => format!(" {value}"),
    };
    let mut meaning = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if takes_value && !choices.is_empty() && !arg.is_hide_possible_values_set() {
        meaning += &format!(": {}", choices.join(", "));
    }
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    if takes_value && defaults.len() > 0 {
        meaning += &format!(" [default: {}]", defaults.collect::<Vec<_>>().join(", "));
    }
    meaning.extend(arg.get_env().map(|name| format!(" [env: {}]", name.to_string_lossy())));
    let aliases: Vec<_> =
        arg.get_visible_aliases().unwrap_or_default().iter().map(|name| format!("--{name}")).collect();
    if !aliases.is_empty() {
        meaning += &format!(" [alias: {}]", aliases.join(", "));
    }
    (name, meaning)
}
