//! A script as its statements: pure, and as far as needed to find where each one ends.

/// What [`split`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Statements that were ended, without their end mark.
    pub statements: Vec<String>,
    /// What follows the last end mark: empty, the last statement of a file, or the beginning of
    /// one that a person is still typing. Comments alone leave it empty.
    pub rest: String,
    /// All that follows the last end mark, as it was given: a comment that is open is part of it.
    pub tail: String,
    /// What is open at the end.
    pub open: Option<Open>,
}

/// A quote or comment that does not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// `'`, `"` or `/*`.
    pub mark: &'static str,
    /// The line that it begins in, from 1.
    pub line: usize,
}

impl Split {
    /// Everything as statements, when no more input will come.
    pub fn finish(mut self) -> Vec<String> {
        if !self.rest.is_empty() {
            self.statements.push(self.rest);
        }
        self.statements
    }
}

/// Splits at `;` outside of quotes and comments. A `CREATE … SCRIPT` or `CREATE … FUNCTION` has
/// semicolons inside: it ends at a line that is `/` and nothing else, as in EXAplus.
pub fn split(script: &str) -> Split {
    let mut split = Split::default();
    let mut piece = Piece::default();
    let mut at = 0;
    let mut ended = 0;
    while let Some(token) = token(&script[at..]) {
        let end = at + token.length;
        if let Some(mark) = token.open {
            split.open = Some(Open { mark, line: 1 + script[..at].matches('\n').count() });
        }
        match token.kind {
            Kind::Blank => {}
            Kind::Semicolon if !piece.has_body() => {
                split.statements.extend(piece.text(script, at));
                piece = Piece::default();
                ended = end;
            }
            Kind::Slash if piece.has_body() && alone_on_its_line(script, at) => {
                split.statements.extend(piece.text(script, at));
                piece = Piece::default();
                ended = end;
            }
            kind => piece.add(kind, at, &script[at..end]),
        }
        at = end;
    }
    if piece.start.is_some() || split.open.is_some() {
        split.tail = script[ended..].to_owned();
    }
    split.rest = piece.text(script, script.len()).unwrap_or_default();
    split
}

/// The statement with the mark that ends it, as it would be typed again.
pub fn with_end_mark(statement: &str) -> String {
    // A comment to the end of the line would hide the mark.
    let gap = if split(&format!("{statement};")).rest.is_empty() { "" } else { "\n" };
    match split(&format!("{statement}{gap};")).rest.is_empty() {
        true => format!("{statement}{gap};"),
        false => format!("{statement}\n/"),
    }
}

struct Token {
    kind: Kind,
    length: usize,
    /// The mark that opens it, where its end is missing.
    open: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// White space or a comment.
    Blank,
    Semicolon,
    Slash,
    Word,
    /// Quoted text and every other character.
    Other,
}

fn token(text: &str) -> Option<Token> {
    let first = text.chars().next()?;
    let until = |end: Option<usize>| end.unwrap_or(text.len());
    let closing = |mark: &str, from: usize| text[from..].find(mark).map(|found| from + found + mark.len());
    let enclosed = |kind, mark: &'static str, end: Option<usize>| Token {
        kind,
        length: until(end),
        open: end.is_none().then_some(mark),
    };
    let (kind, length) = match first {
        _ if text.starts_with("--") => (Kind::Blank, until(text.find('\n'))),
        _ if text.starts_with("/*") => return Some(enclosed(Kind::Blank, "/*", closing("*/", 2))),
        // A doubled quote inside is the end of one token and the start of the next: same result.
        '\'' => return Some(enclosed(Kind::Other, "'", closing("'", 1))),
        '"' => return Some(enclosed(Kind::Other, "\"", closing("\"", 1))),
        ';' => (Kind::Semicolon, 1),
        '/' => (Kind::Slash, 1),
        c if c.is_whitespace() => (Kind::Blank, until(text.find(|c: char| !c.is_whitespace()))),
        c if in_word(c) => (Kind::Word, until(text.find(|c| !in_word(c)))),
        c => (Kind::Other, c.len_utf8()),
    };
    Some(Token { kind, length, open: None })
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The statement that is being read.
#[derive(Default)]
struct Piece {
    start: Option<usize>,
    /// Words between CREATE and the object's kind, as far as they may stand there.
    head: Head,
}

/// How far `CREATE [OR REPLACE] [LUA|PYTHON3|…] [SCALAR|…] SCRIPT|FUNCTION` has been recognized.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Head {
    #[default]
    Nothing,
    Create(u8),
    Body,
    Plain,
}

/// More words than these don't stand between CREATE and SCRIPT: OR REPLACE, language, SCALAR or SET.
const HEAD_WORDS: u8 = 5;
/// Objects without semicolons inside. They may well be called SCRIPT.
const PLAIN: [&str; 7] = ["TABLE", "VIEW", "SCHEMA", "USER", "ROLE", "CONNECTION", "GROUP"];

impl Piece {
    fn has_body(&self) -> bool {
        self.head == Head::Body
    }

    fn add(&mut self, kind: Kind, at: usize, text: &str) {
        self.start.get_or_insert(at);
        let is = |word: &str| kind == Kind::Word && text.eq_ignore_ascii_case(word);
        self.head = match self.head {
            Head::Nothing if is("CREATE") => Head::Create(0),
            Head::Create(_) if is("SCRIPT") || is("FUNCTION") => Head::Body,
            Head::Create(_) if PLAIN.into_iter().any(is) => Head::Plain,
            Head::Create(words) if kind == Kind::Word && words < HEAD_WORDS => Head::Create(words + 1),
            Head::Nothing | Head::Create(_) => Head::Plain,
            known => known,
        };
    }

    /// From its first token to `end`; None if there was none.
    fn text(&self, script: &str, end: usize) -> Option<String> {
        self.start.map(|start| script[start..end].trim_end().to_owned())
    }
}

fn alone_on_its_line(script: &str, at: usize) -> bool {
    let before = script[..at].rsplit('\n').next().unwrap_or_default();
    let after = script[at + 1..].split('\n').next().unwrap_or_default();
    before.trim().is_empty() && after.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(script: &str) -> Vec<String> {
        split(script).finish()
    }

    #[test]
    fn statements_end_at_semicolons_and_the_last_needs_none() {
        assert_eq!(all("SELECT 1; SELECT 2"), ["SELECT 1", "SELECT 2"]);
        assert_eq!(all(" ;; SELECT 1 ;\n"), ["SELECT 1"]);
        assert!(all("  \n-- nothing\n/* at all */ ").is_empty());
    }

    #[test]
    fn quotes_and_comments_hide_semicolons() {
        assert_eq!(all("SELECT ';', 'it''s;' FROM \"a;b\"; COMMIT"), ["SELECT ';', 'it''s;' FROM \"a;b\"", "COMMIT"]);
        assert_eq!(all("SELECT 1 -- one; two\n; COMMIT"), ["SELECT 1 -- one; two", "COMMIT"]);
        assert_eq!(all("/* a; b */ SELECT /* ; */ 1; COMMIT"), ["SELECT /* ; */ 1", "COMMIT"]);
        assert_eq!(all("SELECT 4/2; SELECT 1-1"), ["SELECT 4/2", "SELECT 1-1"]);
    }

    #[test]
    fn what_is_not_ended_is_the_rest() {
        let split = split("SELECT 1; SELECT 'not yet; ");
        assert_eq!((split.statements, split.rest.as_str()), (vec!["SELECT 1".to_owned()], "SELECT 'not yet;"));
        assert_eq!(split.tail, " SELECT 'not yet; ");
        assert_eq!(split.open, Some(Open { mark: "'", line: 1 }));
        assert_eq!(super::split("SELECT 1; -- done").rest, "");
        assert_eq!(super::split("SELECT 1; -- done").tail, "");
    }

    #[test]
    fn an_open_comment_is_kept_until_it_ends() {
        let split = split("SELECT 1;\n\n/* not this:\n");
        assert_eq!((split.rest.as_str(), split.tail.as_str()), ("", "\n\n/* not this:\n"));
        assert_eq!(split.open, Some(Open { mark: "/*", line: 3 }));
        let split = super::split(&format!("{}DROP; */ SELECT 2;", split.tail));
        assert_eq!((split.statements, split.open), (vec!["SELECT 2".to_owned()], None));
    }

    #[test]
    fn a_statement_can_be_typed_again() {
        for script in ["SELECT 1;", "SELECT 1 -- one\n;", "CREATE FUNCTION f() AS\n  x;\n/", "SELECT ';'\n  FROM dual;"]
        {
            let statement = split(script).statements.remove(0);
            assert_eq!(with_end_mark(&statement), script);
            assert_eq!(split(script).tail, "");
        }
    }

    #[test]
    fn a_large_script_is_split_in_one_pass() {
        let script = "INSERT INTO t VALUES ('a;b', 2); -- next\n".repeat(200_000);
        let since = std::time::Instant::now();
        assert_eq!(split(&script).statements.len(), 200_000);
        assert!(since.elapsed().as_secs() < 20, "{:?}", since.elapsed());
    }

    #[test]
    fn a_script_ends_at_a_slash_on_its_own_line() {
        let lua = "CREATE OR REPLACE LUA SCALAR SCRIPT s() RETURNS INT AS\n  x = 4 / 2;\n  return x;";
        assert_eq!(all(&format!("{lua}\n/\nSELECT s();")), [lua, "SELECT s()"]);
        let function = "create function f() return int is begin return 1; end f;";
        assert_eq!(all(&format!("{function}\n / \nCOMMIT")), [function, "COMMIT"]);
        assert_eq!(all("CREATE TABLE script (a INT); COMMIT"), ["CREATE TABLE script (a INT)", "COMMIT"]);
    }

    proptest! {
        #[test]
        fn no_text_is_lost_outside_of_end_marks(script in "[a;'\"/* \\n-]{0,40}|\\PC{0,40}") {
            let split = split(&script);
            let mut from = 0;
            for statement in split.statements.iter().chain([&split.rest]) {
                let found = script[from..].find(statement.as_str());
                prop_assert!(found.is_some());
                from += found.unwrap() + statement.len();
            }
        }
    }
}
