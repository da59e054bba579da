//! Where a sentence may be broken: between its words, but not within a command that stands in it, because people copy
//! it. Pure.

use textwrap::{Options, WordSeparator, WordSplitter};

/// Stands for a space that is no place to break.
const BOUND: char = '\u{e000}';
/// What begins a line that is a command as a whole.
const PROGRAMS: [&str; 24] = [
    "sudo",
    "virsh",
    "ssh",
    "ssh-keygen",
    "scp",
    "curl",
    "wget",
    "export",
    "systemctl",
    "qemu-img",
    "getent",
    "ls",
    "chmod",
    "chown",
    "mkdir",
    "mv",
    "rm",
    "cp",
    "brew",
    "terraform",
    "tofu",
    "pip",
    "newgrp",
    "exasol",
];
/// Commands that are two words.
const OF_TWO_WORDS: [&str; 4] = ["help", "cache", "license", "certificate"];

/// Whether a line is a command and nothing else.
pub(super) fn is_command(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    match words.as_slice() {
        ["exasol", ..] => !bound(line.trim()).contains(' '),
        [first, ..] => PROGRAMS.contains(first),
        [] => false,
    }
}

/// At spaces only: a hyphen belongs to an option's name.
pub fn at_spaces(width: usize) -> Options<'static> {
    Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
}

/// A sentence in lines of at most that width, where that is possible; `indent`: of all lines but the first.
pub(super) fn lines(text: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = " ".repeat(indent);
    let options = at_spaces(width).subsequent_indent(&indent);
    textwrap::wrap(&bound(text), options).into_iter().map(|line| line.replace(BOUND, " ")).collect()
}

/// The text with its commands held together.
fn bound(text: &str) -> String {
    let mut bound = String::with_capacity(text.len());
    // The words of the command that was read last, as long as it may go on.
    let mut command: Vec<&str> = Vec::new();
    for (index, word) in text.split(' ').enumerate() {
        let goes_on = belongs(&command, word);
        if index > 0 {
            bound.push(if goes_on { BOUND } else { ' ' });
        }
        bound.push_str(word);
        if !goes_on {
            command.clear();
        }
        let begins = ["exasol", "-d"].contains(&word.trim_start_matches(['(', '`', '\'', '"']));
        if goes_on || begins {
            command.push(word);
        }
    }
    bound
}

/// Whether a word is still part of a command.
fn belongs(command: &[&str], word: &str) -> bool {
    let Some(last) = command.last() else { return false };
    let quotes = command.iter().flat_map(|word| word.chars()).filter(|c| *c == '\'').count();
    let open = quotes % 2 == 1 && command.len() > 1;
    let ended = last.ends_with([';', ',', '.', ':', ')', '?']) && !open && *last != ".";
    if word.is_empty() || ended {
        return false;
    }
    let is_option = |word: &str| word.starts_with('-');
    let is_name = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || ",;.:)?".contains(c));
    open || is_option(word)
        || word == "&&"
        || ["--", "&&", "-d"].contains(last)
        || (is_option(last) && !last.contains('='))
        || (last.ends_with("exasol") && is_name)
        || (command.len() == 2 && OF_TWO_WORDS.contains(last) && is_name)
        || word.starts_with('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_a_sentence_are_not_broken() {
        let told = |text: &str, width| lines(text, width, 2).join("\n");
        insta::assert_snapshot!(told("see its status: exasol status -d /home/eva/prod; or choose another directory with -d DIR", 30), @r"
        see its status:
          exasol status -d /home/eva/prod;
          or choose another directory
          with -d DIR
        ");
        insta::assert_snapshot!(told("put the whole statement in quotes: exasol sql -d demo 'SELECT 1 FROM dual' and go on", 40), @r"
        put the whole statement in quotes:
          exasol sql -d demo 'SELECT 1 FROM dual'
          and go on
        ");
        insta::assert_snapshot!(told("fix what failed and run the command again; exasol doctor shows all checks", 40), @r"
        fix what failed and run the command
          again; exasol doctor shows all checks
        ");
    }

    #[test]
    fn a_line_that_is_a_command_is_known() {
        for line in ["exasol deploy -d demo", "sudo apt-get install ansible", "exasol stop -d x && exasol start -d x"] {
            assert!(is_command(line), "{line}");
        }
        for line in ["exasol status shows a deployment, exasol info how to connect", "wait for it to end", ""] {
            assert!(!is_command(line), "{line}");
        }
    }
}
