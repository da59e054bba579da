//! What `exasol` alone shows: the commands by what they are for, on one screen.

use clap::Command;

use super::arguments;
use super::rows::{self, beside, hanging, rows};
use super::topics::TOPICS;

/// Those that one begins with are told about; `exasol help commands` tells about all.
const START: [&str; 4] = ["doctor", "init", "up", "deploy"];
const USE: [&str; 10] = ["sql", "ssh", "info", "status", "list", "run", "tunnel", "cp", "open", "report"];
const RUN: [&str; 5] = ["stop", "start", "health", "logs", "destroy"];

const EXAMPLE: &str = "exasol init -d trial --db-version rehearsal && exasol deploy -d trial";

/// `tree`: the whole command line. A command that is in none of the groups is among the others.
pub(super) fn text(tree: &Command, width: usize) -> String {
    let about = tree.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("{}\n\nStart here:\n", rows::text(&about, width));
    let start: Vec<_> = START.iter().filter_map(|name| tree.find_subcommand(name)).collect();
    text += &rows(
        &start
            .iter()
            .map(|command| (format!("  {}", command.get_name()), arguments::about(command)))
            .collect::<Vec<_>>(),
        width,
    );
    let here: Vec<_> = tree.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name).collect();
    let known = |names: &[&'static str]| names.iter().copied().filter(|name| here.contains(name)).collect::<Vec<_>>();
    let others = here.iter().copied().filter(|name| ![&START[..], &USE, &RUN].iter().any(|group| group.contains(name)));
    let groups = [("Use:", known(&USE)), ("Run:", known(&RUN)), ("Other:", others.collect())];
    for (title, names) in groups {
        text += &beside(&format!("{title:8}"), &names.join("  "), width);
    }
    text += &format!("\n{}\n", hanging(EXAMPLE, "  ", "    ", width));
    let topics: Vec<_> = TOPICS.iter().map(|topic| topic.name).filter(|name| *name != "commands").collect();
    let topics = topics.join(", ");
    let more = [
        ("exasol COMMAND -h", "its options"),
        ("exasol help", "what every command does"),
        ("exasol help TOPIC", topics.as_str()),
    ];
    more.iter().for_each(|(command, what)| text += &beside(&format!("{command:19}"), what, width));
    text
}
