//! How much help was asked for. It is found in the words before they are parsed, because what clap shows is decided by
//! the tree that it parses them with.

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
