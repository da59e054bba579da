//! What clap refuses, in our words: what is wrong, and the right word where we can guess which was meant.
//!
//! What removes things, or asks for less care, is never the guess.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::{guesses, help};
use crate::error::Error;
use crate::model::closest;

/// `tree`: the whole command line. `words`: what was typed, the program's name first.
pub(super) fn refusal(error: &clap::Error, tree: &Command, words: &[String]) -> Error {
    let path = path(tree, words);
    let command = path.last().copied().unwrap_or(tree);
    let line = [tree].into_iter().chain(path.iter().copied()).map(Command::get_name).collect::<Vec<_>>().join(" ");
    let help = format!("{line} -h shows its options");
    let known = || arguments(command, tree);
    let has = |flag: &str| {
        known().any(|arg| {
            arg.get_id() == flag || arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&flag))
        })
    };
    let (message, hint) = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = text(error, ContextKind::InvalidSubcommand);
            let near = || suggested(&word, command.get_subcommands().filter(|c| is_harmless(c)).map(Command::get_name));
            let hint = guesses::command(command.get_name(), &word).map(str::to_owned).or_else(near);
            (format!("{line} has no command '{word}'"), joined(hint, "exasol help shows all commands"))
        }
        ErrorKind::UnknownArgument => {
            let word = text(error, ContextKind::InvalidArg);
            let name = word.split('=').next().unwrap_or_default();
            let option = |flag: &str| guesses::option(command.get_name(), flag, words, &has);
            let is_command = |word: &str| help::knows(tree, word);
            let hint = match (name.strip_prefix("--"), name.strip_prefix('-')) {
                (Some(flag), _) => option(flag).or_else(|| near_option(known(), flag)),
                (None, Some(letter)) => option(letter),
                (None, None) => guesses::word(command.get_name(), name, &has, &is_command),
            };
            (format!("{line} does not take '{name}'"), joined(hint, &help))
        }
        _ => {
            let shown = error.render().to_string();
            let mut parts = shown.trim_start_matches("error: ").splitn(2, "\n\n");
            let message = parts.next().unwrap_or_default().trim().to_owned();
            let usage = parts.next().unwrap_or_default().lines().find(|line| line.starts_with("Usage: "));
            let usage = usage.map(|usage| usage.replacen("Usage", "usage", 1));
            (of_value(error, &line).unwrap_or(message), joined(usage, &help))
        }
    };
    Error::Usage { message, hint: Some(hint) }
}

/// What is wrong with a value, or which one is missing, as errors of the options' own values say it.
fn of_value(error: &clap::Error, line: &str) -> Option<String> {
    let (arg, value) = (text(error, ContextKind::InvalidArg), text(error, ContextKind::InvalidValue));
    let flag = arg.split([' ', '=']).next().unwrap_or_default().trim_matches(['<', '>', '[', ']', '.']);
    let problem = match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => return Some(format!("{flag} needs a value: {arg}")),
        ErrorKind::InvalidValue => {
            let allowed = texts(error, ContextKind::ValidValue);
            let near = closest(&value, allowed.iter().map(String::as_str));
            let near = near.map(|near| format!(". Did you mean {near}?")).unwrap_or_default();
            format!("must be one of {}{near}", allowed.join(", "))
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error)?.to_string();
            match why.split_once(" is not in ").and_then(|(_, range)| range.split_once("..=")) {
                Some((least, most)) => format!("must be a whole number, {least} to {most}"),
                None if why.contains("invalid digit") || why.contains("empty string") => {
                    "must be a whole number".into()
                }
                None if why.contains("number too") => "is out of range".into(),
                None => return Some(format!("{flag}: {why}")),
            }
        }
        ErrorKind::TooManyValues => return Some(format!("{flag} takes no value, and '{value}' was given")),
        ErrorKind::MissingRequiredArgument => {
            let missing = texts(error, ContextKind::InvalidArg);
            return Some(format!("{line} needs {}", missing.join(" and ")));
        }
        _ => return None,
    };
    Some(format!("{flag}: '{value}' {problem}"))
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

fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// What the command takes, with what all commands take.
pub(super) fn arguments<'a>(command: &'a Command, tree: &'a Command) -> impl Iterator<Item = &'a Arg> {
    command.get_arguments().chain(tree.get_arguments().filter(|arg| arg.is_global_set()))
}

fn near_option<'a>(args: impl Iterator<Item = &'a Arg>, flag: &str) -> Option<String> {
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
            ("exasol destroy -f", "did you mean --yes, which answers the question?"),
            ("exasol deploy --force", "did you mean --yes, which answers the question?"),
            ("exasol run pytest", "exasol run -- pytest"),
            ("exasol man sql", "did you mean exasol help sql?"),
            ("exasol status trial trialp", "name one deployment"),
            ("exasol versions 2025.1.8", "--db-version"),
            ("exasol sql -f x.sql", "exasol sql < FILE"),
            (&format!("exasol doctor {cloud}"), &format!("did you mean --cloud-provider {cloud}?")),
            ("exasol logs --tail 5", "exasol logs | tail"),
            ("exasol logs -n 5", "exasol logs | tail"),
            ("exasol logs --errors", "--step STEP"),
            ("exasol info --jdbc", "did you mean --for jdbc?"),
            ("exasol info --password", "did you mean --show-password?"),
            ("exasol status --follow", "did you mean --watch?"),
            ("exasol status -o json", "did you mean --json"),
            ("exasol status -j", "did you mean --json?"),
            ("exasol health --fix", "did you mean --repair?"),
            ("exasol list -a", "did you mean --all?"),
            ("exasol init --cloud x", "did you mean --cloud-provider"),
            ("exasol init --cloud-provider hetzner --token x", "did you mean --hetzner-token-file?"),
            ("exasol init --dry-run", "exasol deploy --plan"),
            ("exasol init --config-file x", "did you mean --config FILE?"),
            ("exasol deploy --cluster-size 3", "exasol init --update --cluster-size"),
            ("exasol deploy --config x", "exasol init --update --config"),
            ("exasol deploy --update", "exasol init --update"),
            ("exasol deploy --resume", "goes on after a failure"),
            ("exasol up --dry-run", "exasol deploy --plan"),
            ("exasol cache clear", "exasol cache prune --dry-run"),
            ("exasol cache prun", "exasol cache prune --dry-run"),
            ("exasol top", "exasol status"),
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
    fn an_option_that_the_command_does_not_have_is_never_guessed() {
        for line in ["exasol stop --force", "exasol init --force", "exasol start -f", "exasol versions --cidr x"] {
            let answer = answer(line);
            assert!(!answer.contains("did you mean"), "{line}: {answer}");
        }
        let broken = answer("exasol run pytest");
        assert!(!broken.contains("spaces"), "{broken}");
    }

    #[test]
    fn wrong_values_are_told_in_our_words() {
        for (line, told) in [
            ("exasol status --probe-timeout x", "--probe-timeout: 'x' must be a whole number"),
            ("exasol status --probe-timeout 0", "--probe-timeout: '0' must be a whole number, 1 to 600"),
            ("exasol status --json=1", "--json takes no value, and '1' was given"),
            ("exasol status --output jsno", "--output: 'jsno' must be one of text, json. Did you mean json?"),
            ("exasol status --timeout soon", "--timeout: 'soon' is not a duration"),
            ("exasol completions", "exasol completions needs <SHELL>"),
        ] {
            let answer = answer(line);
            assert!(answer.starts_with(told), "{line}: {answer}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_usage() {
        let answer = answer("exasol completions");
        assert!(answer.contains("<SHELL>") && answer.contains("usage: exasol completions"), "{answer}");
    }
}
