//! `help`: of the program, of a command, or about a topic.

use clap::{Arg, ArgMatches, Command};

use super::asked::{Asked, Groups};
use super::topics::TOPICS;
use super::{laid_out, show, width};
use crate::cli::flags::simple;
use crate::error::{Error, Result};
use crate::model::{InvalidValue, closest};
use crate::providers;
use crate::ui::Ui;

pub(in crate::cli) fn command() -> Command {
    let topics = TOPICS.map(|topic| topic.name).join(", ");
    simple(
        "help",
        "Show all commands, everything about one of them, or a topic",
        "  exasol help deploy\n  exasol help states\n  exasol help options",
    )
    .arg(
        Arg::new("what")
            .value_name("COMMAND|TOPIC")
            .num_args(0..)
            .help(format!("A command, or one of the topics {topics}")),
    )
}

/// `tree`: the whole command line.
pub(in crate::cli) fn run(tree: Command, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let words: Vec<&str> = matches.get_many::<String>("what").into_iter().flatten().map(String::as_str).collect();
    show(about(tree, &words, width())?, ui)?;
    Ok(0)
}

/// The text about what these words name: nothing, a topic, or a command with its subcommands.
fn about(tree: Command, words: &[&str], width: usize) -> Result<String> {
    let words = if words.is_empty() { &["commands"] } else { words };
    if let [name] = words
        && let Some(topic) = TOPICS.iter().find(|topic| topic.name == *name)
    {
        return Ok(topic.text(&tree, width));
    }
    // `exasol help init NAME`: with the options of that provider.
    let (words, groups) = match words {
        [command, provider] if tree.find_subcommand(command).is_some_and(|command| !command.has_subcommands()) => {
            let groups = Groups::named(provider)
                .ok_or_else(|| Error::from(InvalidValue::none_of("PROVIDER", provider, &providers::names())));
            (&words[..1], groups?)
        }
        words => (words, Groups::default()),
    };
    let known = words.iter().try_fold(&tree, |command, word| command.find_subcommand(word).ok_or((command, *word)));
    known.map_err(|(command, word)| unknown(command, word))?;
    let mut root = laid_out(tree, Asked { full: true, groups }, width);
    root.build();
    let mut command = &mut root;
    for word in words {
        command = command.find_subcommand_mut(word).ok_or_else(|| Error::other(format!("{word} is lost")))?;
    }
    Ok(command.render_help().to_string())
}

/// Whether `exasol help WORD` tells something.
pub(in crate::cli) fn knows(tree: &Command, word: &str) -> bool {
    tree.find_subcommand(word).is_some() || TOPICS.iter().any(|topic| topic.name == word)
}

/// Nothing of that name is below the command, and no topic is called so.
fn unknown(command: &Command, word: &str) -> Error {
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name);
    let near = closest(word, commands.chain(TOPICS.iter().map(|topic| topic.name)));
    Error::Usage {
        message: format!("there is no command or topic '{word}'"),
        hint: Some(match near {
            Some(near) => format!("did you mean {near}? exasol help shows all commands"),
            None => format!("exasol help shows all commands; topics: {}", TOPICS.map(|topic| topic.name).join(", ")),
        }),
    }
}
