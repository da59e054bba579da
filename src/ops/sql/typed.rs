//! What a person types, line by line: parts of statements, and commands of the shell's own. Pure.

use crate::error::{Error, Result};
use crate::model::{InvalidValue, SqlFormat};
use crate::sql::split;

const COMMANDS: [&str; 4] = ["\\?", "\\format", "\\n", "\\q"];

/// What a line leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Complete statements, and perhaps the beginning of another.
    Run(Vec<String>),
    Format(SqlFormat),
    Node(String),
    Help,
    Quit,
}

/// The lines of a statement that has not ended yet.
#[derive(Debug, Default)]
pub(super) struct Typed {
    pending: String,
}

impl Typed {
    /// Whether the next line goes on with a statement, a quote or a comment.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    /// Takes a line, or several that were pasted.
    pub(super) fn line(&mut self, line: &str) -> Result<Action> {
        if !self.is_pending()
            && let Some(action) = command(line.trim())
        {
            return action;
        }
        self.pending.push_str(line);
        self.pending.push('\n');
        let split = split(&self.pending);
        self.pending = split.tail;
        Ok(Action::Run(split.statements))
    }
}

/// A line that is no SQL. Commands are recognized at the beginning of a statement only.
fn command(line: &str) -> Option<Result<Action>> {
    let bare = line.trim_end_matches(';').trim_end();
    if ["exit", "quit"].iter().any(|word| bare.eq_ignore_ascii_case(word)) {
        return Some(Ok(Action::Quit));
    }
    if !line.starts_with('\\') {
        return None;
    }
    let mut words = bare.split_whitespace();
    let action = match (words.next().unwrap_or_default(), words.next(), words.next()) {
        ("\\q", None, None) => Ok(Action::Quit),
        ("\\?", None, None) => Ok(Action::Help),
        ("\\format", Some(name), None) => format_named(name).map(Action::Format),
        ("\\n", Some(node), None) => Ok(Action::Node(node.to_owned())),
        (word, ..) => Err(Error::Usage {
            message: match COMMANDS.contains(&word) {
                true => format!("{line}: this is not how {word} is used"),
                false => format!("{word} is no command of the shell"),
            },
            hint: Some("\\? lists them".into()),
        }),
    };
    Some(action)
}

fn format_named(name: &str) -> Result<SqlFormat> {
    SqlFormat::named(name).ok_or_else(|| InvalidValue::none_of("\\format", name, &SqlFormat::NAMES).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(statements: &[&str]) -> Action {
        Action::Run(statements.iter().map(|s| (*s).to_owned()).collect())
    }

    #[test]
    fn a_statement_may_have_many_lines_and_a_line_many_statements() {
        let mut typed = Typed::default();
        assert_eq!(typed.line("SELECT 1; SELECT").unwrap(), run(&["SELECT 1"]));
        assert!(typed.is_pending());
        assert_eq!(typed.line("  2;").unwrap(), run(&["SELECT\n  2"]));
        assert!(!typed.is_pending());
        assert_eq!(typed.line("SELECT 3;\nSELECT 4;").unwrap(), run(&["SELECT 3", "SELECT 4"]));
        assert_eq!(typed.line("  -- nothing").unwrap(), run(&[]));
        assert!(!typed.is_pending());
    }

    #[test]
    fn quotes_and_comments_go_on_over_lines_and_keep_their_blanks() {
        let mut typed = Typed::default();
        assert_eq!(typed.line("COMMIT; SELECT 'a; ").unwrap(), run(&["COMMIT"]));
        assert_eq!(typed.line("exit").unwrap(), run(&[]));
        assert_eq!(typed.line("';").unwrap(), run(&["SELECT 'a; \nexit\n'"]));
        assert_eq!(typed.line("/* not").unwrap(), run(&[]));
        assert!(typed.is_pending());
        assert_eq!(typed.line("DROP; */ COMMIT;").unwrap(), run(&["COMMIT"]));
        assert_eq!(typed.line("CREATE LUA SCRIPT s() AS").unwrap(), run(&[]));
        assert_eq!(typed.line("  x = 1;").unwrap(), run(&[]));
        assert_eq!(typed.line("/").unwrap(), run(&["CREATE LUA SCRIPT s() AS\n  x = 1;"]));
    }

    #[test]
    fn what_was_typed_can_be_thrown_away() {
        let mut typed = Typed::default();
        typed.line("DROP").unwrap();
        typed.clear();
        assert_eq!(typed.line("COMMIT;").unwrap(), run(&["COMMIT"]));
    }

    #[test]
    fn commands_are_recognized_at_the_beginning() {
        let mut typed = Typed::default();
        for quit in ["\\q", "exit", "QUIT;", " quit ; "] {
            assert_eq!(typed.line(quit).unwrap(), Action::Quit, "{quit}");
        }
        assert_eq!(typed.line("\\?").unwrap(), Action::Help);
        assert_eq!(typed.line("\\format csv").unwrap(), Action::Format(SqlFormat::Csv));
        assert_eq!(typed.line("\\n n12").unwrap(), Action::Node("n12".into()));
        for wrong in ["\\format", "\\format xml", "\\n", "\\x", "\\q now"] {
            assert_eq!(typed.line(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
        assert!(!typed.is_pending());
    }
}
