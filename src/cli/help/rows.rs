//! Two columns, names and what they mean, as wide as the terminal.

use crate::ui::at_spaces;

/// Names longer than this have what they mean below them.
const LONGEST: usize = 32;
/// Below this width, everything means something below its name.
pub(super) const BESIDE: usize = 70;
/// How far a meaning below its name is indented.
const BELOW: usize = 10;

/// A text that begins at the left.
pub(super) fn text(text: &str, width: usize) -> String {
    textwrap::fill(text, at_spaces(width))
}

/// One or more lines for each row. A name brings its own indent.
pub(super) fn rows<A: AsRef<str>, B: AsRef<str>>(rows: &[(A, B)], width: usize) -> String {
    let lengths = rows.iter().map(|(name, _)| name.as_ref().chars().count()).filter(|length| *length <= LONGEST);
    let column = match width < BESIDE {
        true => BELOW,
        false => lengths.max().unwrap_or(BELOW) + 2,
    };
    rows.iter().map(|(name, meaning)| row(name.as_ref(), meaning.as_ref(), column, width)).collect()
}

fn row(name: &str, meaning: &str, column: usize, width: usize) -> String {
    let indent = " ".repeat(column);
    let options = at_spaces(width).subsequent_indent(&indent);
    if meaning.is_empty() {
        return format!("{name}\n");
    }
    let lines = match name.chars().count() + 2 > column {
        true => format!("{name}\n{}", textwrap::fill(meaning, options.initial_indent(&indent))),
        false => textwrap::fill(meaning, options.initial_indent(&format!("{name:column$}"))),
    };
    lines.trim_end().to_owned() + "\n"
}

/// A text with its first line beside a label and the others below that line's beginning.
pub(super) fn beside(label: &str, text: &str, width: usize) -> String {
    hanging(text, label, &" ".repeat(label.chars().count()), width)
}

/// A text whose first line begins otherwise than the others.
pub(super) fn hanging(text: &str, first: &str, others: &str, width: usize) -> String {
    let options = at_spaces(width).initial_indent(first).subsequent_indent(others);
    textwrap::fill(text, options) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_options_are_not_broken_at_their_hyphens() {
        let list = [("  -y", "Create billable resources [alias: --auto-approve]")];
        insta::assert_snapshot!(rows(&list, 45), @r"
          -y      Create billable resources [alias:
                  --auto-approve]
        ");
    }

    #[test]
    fn what_does_not_fit_beside_stands_below() {
        let list = [("  -a", "first of all"), ("  --a-name-that-is-much-too-long-for-it", "second"), ("  -b", "")];
        insta::assert_snapshot!(rows(&list, 80), @r"
          -a  first of all
          --a-name-that-is-much-too-long-for-it
              second
          -b
        ");
        insta::assert_snapshot!(rows(&list[..1], 20), @r"
          -a      first of
                  all
        ");
    }
}
