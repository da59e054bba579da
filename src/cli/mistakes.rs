//! What clap refuses, in our words: what is wrong, and the right word where we can guess which was meant.
//!
//! What removes things, or asks for less care, is never the guess.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::guesses;
use crate::error::Error;
use crate::model::closest;

/// `tree`: the whole command line. `words`: what was typed, the program's name first.
pub(super) fn refusal(error: &clap::Error, tree: &Command, words: &[String]) -> Error {
    let path = path(tree, words);
    let command = path.last().copied().unwrap_or(tree);
    let line = [tree].into_iter().chain(path.iter().copied()).map(Command::get_name).collect::<Vec<_>>().join(" ");
    let help = format!("{line} -h shows its options");
    let (message, hint) = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = text(error, ContextKind::InvalidSubcommand);
            let near = || suggested(&word, command.get_subcommands().filter(|c| is_harmless(c)).map(Command::get_name));
            let hint = guesses::command(&word).map(str::to_owned).or_else(near);
            (format!("{line} has no command '{word}'"), joined(hint, "exasol help shows all commands"))
        }
        ErrorKind::UnknownArgument => {
            let word = text(error, ContextKind::InvalidArg);
            let name = word.split('=').next().unwrap_or_default();
            let hint = match name.strip_prefix("--") {
                Some(flag) => {
                    guesses::option(command.get_name(), flag, words).or_else(|| near_option(command, tree, flag))
                }
                None => guesses::word(command.get_name(), name),
            };
            (format!("{line} does not take '{name}'"), joined(hint, &help))
        }
        _ => {
            let shown = error.render().to_string();
            let mut parts = shown.trim_start_matches("error: ").splitn(2, "\n\n");
            let message = parts.next().unwrap_or_default().trim().to_owned();
            let usage = parts.next().unwrap_or_default().lines().find(|line| line.starts_with("Usage: "));
            (message, joined(usage.map(|usage| usage.replacen("Usage", "usage", 1)), &help))
        }
    };
    Error::Usage { message, hint: Some(hint) }
}

fn joined(guess: Option<String>, help: &str) -> String {
    [guess, Some(help.to_owned())].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The commands that were typed, from the outermost to the innermost.
fn path<'a>(tree: &'a Command, words: &[String]) -> Vec<&'a Command> {
    let mut path: Vec<&Command> = Vec::new();
    for word in words.iter().skip(1).take_while(|word| *word != "--") {
        let found = path.last().copied().unwrap_or(tree).find_subcommand(word);
        path.extend(found);
    }
    path
}

fn text(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    }
}

fn near_option(command: &Command, tree: &Command, flag: &str) -> Option<String> {
    let args = command.get_arguments().chain(tree.get_arguments().filter(|arg| arg.is_global_set()));
    let known = args.filter(|arg| !arg.is_hide_set() && is_careful(arg)).filter_map(Arg::get_long);
    closest(flag, known).map(|near| format!("did you mean --{near}?"))
}

fn suggested<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    closest(word, known).map(|near| format!("did you mean {near}?"))
}

fn is_harmless(command: &Command) -> bool {
    !command.is_hide_set() && !["destroy", "prune"].contains(&command.get_name())
}

fn is_careful(arg: &Arg) -> bool {
    !["yes", "allow-replace", "overwrite-edits", "prune"].contains(&arg.get_id().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands;

    /// Message and hint for this line.
    fn answer(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let tree = commands::tree();
        let error = tree.clone().try_get_matches_from(&words).expect_err(line);
        match refusal(&error, &tree, &words) {
            Error::Usage { message, hint } => format!("{message}\n{}", hint.unwrap_or_default()),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn wrong_guesses_get_the_right_word() {
        let cloud = crate::providers::ALL.iter().find(|provider| provider.is_cloud()).unwrap().name;
        for (line, right) in [
            ("exasol restart", "exasol stop -d DIR && exasol start -d DIR"),
            ("exasol create", "exasol init"),
            ("exasol rm demo", "exasol destroy --dry-run"),
            ("exasol delete", "exasol destroy --dry-run"),
            ("exasol stauts", "did you mean status?"),
            ("exasol init --memory 4", "--libvirt-memory"),
            ("exasol init --nodes 3", "--cluster-size"),
            ("exasol init --cidr 10.0.0.0/8", "--allowed-cidr"),
            ("exasol init --password x", "--db-password-file"),
            ("exasol init --clutser-size 2", "did you mean --cluster-size?"),
            ("exasol init --jsno", "did you mean --json?"),
            ("exasol destroy --force", "--yes"),
            ("exasol list demo", "exasol list -h"),
            ("exasol sql SELECT 1", "quotes"),
            (&format!("exasol init --cloud-provider {cloud} --region x"), &format!("--{cloud}-region")),
        ] {
            let answer = answer(line);
            assert!(answer.contains(right), "{line}: {answer}");
        }
    }

    #[test]
    fn what_removes_or_asks_for_less_care_is_never_guessed() {
        for line in
            ["exasol destory", "exasol restart", "exasol destroi", "exasol init --db-passwor x", "exasol deploy --yess"]
        {
            let answer = answer(line);
            for wrong in ["mean destroy", "mean --db-password?", "mean --yes", "exasol destroy -d"] {
                assert!(!answer.contains(wrong), "{line}: {answer}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_usage() {
        let answer = answer("exasol completions");
        assert!(answer.contains("<SHELL>") && answer.contains("usage: exasol completions"), "{answer}");
    }
}
