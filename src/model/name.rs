//! What people call a deployment.

use super::{DeploymentId, InvalidValue};

/// Longest name, in bytes: a label of the DNS has as many.
const LONGEST: usize = 63;

/// Refuses what could be taken for a path, an option or an id.
///
/// # Errors
/// Those of a wrong value of `--name`.
pub fn check_name(name: &str) -> Result<(), InvalidValue> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_id = DeploymentId::try_from(name.to_owned()).is_ok();
    if begins_well && name.len() <= LONGEST && name.chars().all(plain) && !is_id {
        return Ok(());
    }
    Err(InvalidValue {
        flag: "--name".into(),
        value: name.to_owned(),
        problem: format!(
            "must be 1 to {LONGEST} letters, digits, '-', '_' and '.'; the first is a letter or a digit, and no id such as \
             exasol-0123abcd"
        ),
        suggestion: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_that_no_shell_and_no_path_understands_otherwise() {
        for name in ["demo", "a", "Prod-2_eu.west", "7"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-d", ".", "..", ".hidden", "a b", "a/b", "ü", "exasol-0123abcd", &"x".repeat(64)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
