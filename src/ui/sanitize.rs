//! Makes text from outside harmless: node messages, SQL data, tool output and names may hold
//! control sequences that move the cursor, change the title or answer in the user's name.

use std::borrow::Cow;

pub(super) use crate::model::is_harmful;

/// One line without harmful characters: they are shown as `\n`, `\t`, `\u{1b}`, …
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_harmful(c) { cleaned.extend(c.escape_default()) } else { cleaned.push(c) }
    }
    Cow::Owned(cleaned)
}

/// A line that a program printed: as [`clean`], but its colors go and its tabs become spaces.
pub(super) fn clean_output(line: &str) -> String {
    let expanded = without_colors(line).replace('\t', "    ");
    clean(expanded.trim_end()).into_owned()
}

/// Drops `ESC [ … m`, the one sequence that carries no information worth keeping.
fn without_colors(line: &str) -> String {
    let mut rest = line;
    let mut kept = String::with_capacity(line.len());
    while let Some(start) = rest.find("\u{1b}[") {
        let (before, sequence) = rest.split_at(start);
        let parameters = &sequence[2..];
        let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':'));
        kept.push_str(before);
        match end {
            Some(end) if parameters[end..].starts_with('m') => rest = &parameters[end + 1..],
            _ => {
                kept.push_str(&sequence[..2]);
                rest = parameters;
            }
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_and_hiding_characters_are_shown_not_obeyed() {
        assert_eq!(clean("plain – ünïcode 日本"), "plain – ünïcode 日本");
        assert_eq!(clean("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(clean("\u{1b}]0;owned\u{7}"), "\\u{1b}]0;owned\\u{7}");
        assert_eq!(clean("\u{9b}2J"), "\\u{9b}2J");
        assert_eq!(clean("n11\u{202e}11n"), "n11\\u{202e}11n");
    }

    #[test]
    fn a_tools_colors_go_but_other_sequences_are_shown() {
        assert_eq!(clean_output("\u{1b}[1;31mfatal\u{1b}[0m: no\tway \r"), "fatal: no    way");
        assert_eq!(clean_output("\u{1b}[2Jgone"), "\\u{1b}[2Jgone");
        assert_eq!(clean_output("\u{1b}[31"), "\\u{1b}[31");
    }

    proptest! {
        #[test]
        fn nothing_harmful_survives(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_harmful));
            prop_assert!(!clean_output(&text).chars().any(is_harmful));
        }

        #[test]
        fn harmless_text_is_not_touched(text in "[ -~äöü日本…]*") {
            prop_assert_eq!(clean(&text).into_owned(), text);
        }
    }

    #[test]
    fn fuzz_text_on_a_terminal() {
        crate::fuzz::text_target(
            "terminal-text",
            &["a\u{1b}[1;31mb\u{1b}[0m\tc\u{9b}2J\u{202e}\u{1b}]0;x\u{7}"],
            |text| {
                assert!(!clean(text).chars().any(is_harmful) && !clean_output(text).chars().any(is_harmful));
            },
        );
    }
}
