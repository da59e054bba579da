//! How much help was asked for. It is found in the words before they are parsed, because what clap shows is decided by
//! the tree that it parses them with.

use clap::Command;

use super::layout;
use super::topics::TOPICS;
use crate::error::Error;
use crate::model::closest;
use crate::providers::{self, Provider};

/// What somebody wants to read.
#[derive(Clone, Copy, Default)]
pub(in crate::cli) struct Asked {
    /// `--help` and `exasol help`, not `-h`.
    pub full: bool,
    pub groups: Groups,
}

/// Whose options are shown beside those that all providers have.
#[derive(Clone, Copy, Default)]
pub(in crate::cli) enum Groups {
    #[default]
    Nobodys,
    Of(&'static Provider),
    Everybodys,
}

impl Asked {
    /// Reads `--cloud-provider NAME`, and what follows the request for help: `--help NAME`, `--help all`.
    pub fn read(words: &[String]) -> Self {
        let words: Vec<_> = words.iter().take_while(|word| *word != "--").map(String::as_str).collect();
        let after = |flags: &[&str]| {
            let at = words.iter().position(|word| flags.contains(word));
            at.and_then(|at| words.get(at + 1)).copied()
        };
        let joined = || words.iter().find_map(|word| word.strip_prefix("--cloud-provider="));
        let named = after(&["-h", "--help"]).and_then(Groups::named);
        let typed = || after(&["--cloud-provider", "--provider"]).or_else(joined).and_then(Groups::named);
        Self { full: words.contains(&"--help"), groups: named.or_else(typed).unwrap_or_default() }
    }
}

impl Groups {
    /// By a provider's name, or `all`.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "all" => Some(Groups::Everybodys),
            name => providers::ALL.iter().copied().find(|provider| provider.name == name).map(Groups::Of),
        }
    }
}

/// Why there is no help for the word after `--help`, where a provider's name, `all` or nothing may stand.
/// `tree`: the whole command line.
pub(in crate::cli) fn of_nothing(tree: &Command, words: &[String]) -> Option<Error> {
    let words: Vec<_> = words.iter().take_while(|word| *word != "--").map(String::as_str).collect();
    let at = words.iter().position(|word| ["-h", "--help"].contains(word))?;
    let command = words[..at].iter().skip(1).find_map(|word| tree.find_subcommand(word))?;
    if !layout::describes_a_deployment(command) {
        return None;
    }
    let command = command.get_name();
    let word = words.get(at + 1).filter(|word| !word.starts_with('-') && Groups::named(word).is_none())?;
    let guess = match (closest(word, providers::names().into_iter()), TOPICS.iter().any(|topic| topic.name == *word)) {
        (_, true) => format!("exasol help {word}\n"),
        (Some(name), _) => format!("did you mean exasol {command} --help {name}?\n"),
        (None, _) => String::new(),
    };
    Some(Error::Usage {
        message: format!("there is no provider '{word}' whose options could be shown"),
        hint: Some(format!("{guess}all options: exasol {command} --help all; all topics: exasol help")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> (bool, String) {
        let asked = Asked::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let groups = match asked.groups {
            Groups::Nobodys => "nobody's".to_owned(),
            Groups::Of(provider) => provider.name.to_owned(),
            Groups::Everybodys => "everybody's".to_owned(),
        };
        (asked.full, groups)
    }

    #[test]
    fn help_for_what_is_not_there_is_refused() {
        let refusal = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let error = of_nothing(&crate::cli::commands::tree(), &words)?;
            Some(format!("{error} {}", error.hint().unwrap_or_default()))
        };
        for (line, says) in [
            ("exasol init --help nope", "no provider 'nope'"),
            ("exasol init -h hetzne", "exasol init --help hetzner"),
            ("exasol doctor --help env", "exasol help env"),
        ] {
            assert!(refusal(line).is_some_and(|told| told.contains(says)), "{line}: {:?}", refusal(line));
        }
        for line in [
            "exasol init -h",
            "exasol init --help all",
            "exasol init -h --json",
            "exasol status -h demo",
            "exasol -h init",
            "exasol --help up trial",
            "exasol ssh -h n11",
        ] {
            assert_eq!(refusal(line), None, "{line}");
        }
    }

    #[test]
    fn the_provider_is_the_one_that_was_typed() {
        let cloud = providers::ALL.iter().find(|provider| provider.is_cloud()).unwrap().name;
        for (line, full, groups) in [
            ("exasol init -h".to_owned(), false, "nobody's"),
            ("exasol init --help".to_owned(), true, "nobody's"),
            (format!("exasol init --cloud-provider {cloud} -h"), false, cloud),
            (format!("exasol init -h --cloud-provider={cloud}"), false, cloud),
            (format!("exasol init --help {cloud}"), true, cloud),
            ("exasol init --help all".to_owned(), true, "everybody's"),
            ("exasol init --cloud-provider moon --help".to_owned(), true, "nobody's"),
            ("exasol ssh n11 -- tool --help".to_owned(), false, "nobody's"),
        ] {
            assert_eq!(asked(&line), (full, groups.to_owned()), "{line}");
        }
    }
}
