//! Quoting for files that a shell reads.

use crate::error::{Error, Result};

/// `value` as one word for a POSIX shell: within single quotes nothing has a meaning but the quote
/// itself. `what` names it in the error, which never repeats the value.
///
/// Control characters are refused: a line break would end the line in readers that are not a real
/// shell, and no shell keeps a NUL.
pub fn quoted(value: &str, what: &str) -> Result<String> {
    if value.chars().any(char::is_control) {
        return Err(Error::other(format!("{what} has a control character (line break, tab, …)")));
    }
    Ok(format!("'{}'", value.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_closed_escaped_and_opened_again() {
        assert_eq!(quoted("it's $5", "x").unwrap(), r"'it'\''s $5'");
        assert_eq!(quoted("", "x").unwrap(), "''");
    }

    #[test]
    fn control_characters_are_refused_without_repeating_the_value() {
        for value in ["two\nlines", "nul\0", "tab\there"] {
            let error = quoted(value, "the database password").unwrap_err().to_string();
            assert!(error.contains("the database password") && !error.contains(value), "{error}");
        }
    }
}
