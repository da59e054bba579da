//! Words for a POSIX shell: for commands that a remote shell reads, and for text that people copy.

use std::path::Path;

/// `word` as one shell word: as it is when nothing in it is special, else in single quotes.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Words joined to one command line that a POSIX shell splits into the same words again.
pub fn command_line<I>(words: I) -> String
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    words.into_iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A command for the deployment in `root`, as it can be pasted into a shell. Who is in the directory names none,
/// unless the environment names another.
pub fn in_dir(command: &str, root: &Path) -> String {
    if root == Path::new(".") && std::env::var_os("EXASOL_DEPLOYMENT_DIR").is_none() {
        return command.to_owned();
    }
    format!("{command} -d {}", quote(&root.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(command_line(["ssh", "-F", "/a b/config", "n11", ""]), "ssh -F '/a b/config' n11 ''");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("qemu:///system"), "qemu:///system");
    }

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(in_dir("exasol status", Path::new("a/b")), "exasol status -d a/b");
        assert_eq!(in_dir("exasol status", Path::new("it's")), r"exasol status -d 'it'\''s'");
        assert_eq!(in_dir("exasol status", Path::new(".")), "exasol status");
    }

    /// What a shell would make of it: quotes removed, nothing else special inside.
    fn unquote(text: &str) -> String {
        let mut word = String::new();
        let mut chars = text.chars();
        let mut inside = false;
        while let Some(c) = chars.next() {
            match (inside, c) {
                (_, '\'') => inside = !inside,
                (false, '\\') => word.extend(chars.next()),
                (false, c) => {
                    assert!(c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c), "unquoted {c:?}");
                    word.push(c);
                }
                (true, c) => word.push(c),
            }
        }
        assert!(!inside);
        word
    }

    proptest! {
        #[test]
        fn any_word_survives_a_shell(word in any::<String>()) {
            prop_assert_eq!(unquote(&quote(&word)), word);
        }
    }
}
