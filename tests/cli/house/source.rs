//! A Rust file as the rules see it: its tokens, without comments, documentation and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A file below `src/`.
pub struct Source {
    /// Relative to `src/`: `ui/report/sql.rs`.
    pub path: String,
    pub text: String,
    /// Compiled for tests only: `#[cfg(test)] mod samples;` in its parent.
    test_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Sign(char),
    /// A literal as it is written, quotes included.
    Literal(String),
    Open(char),
    Close(char),
}

impl Source {
    /// Every Rust file of the crate.
    pub fn all() -> Vec<Source> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sources = Vec::new();
        collect(&root, "", &mut sources);
        assert!(sources.len() > 10, "the sources of this crate are in {}", root.display());
        mark_tests(&mut sources);
        sources
    }

    /// A source made up for a test of a rule.
    pub fn made_up(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into(), test_only: false }
    }

    /// The top-level module: `ui` for `ui/report/sql.rs`, `main` for `main.rs`.
    pub fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many `super`s lead from this file's module to the crate's root.
    pub fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("mod.rs") { parts - 1 } else { parts }
    }

    /// The tokens of what is shipped. Empty for a file of tests.
    pub fn tokens(&self) -> Vec<Token> {
        let mut tokens = Vec::new();
        if !self.test_only {
            flatten(production(self.parsed()), &mut tokens);
        }
        tokens
    }

    /// Lines before the unit tests, which stand at the end of a file.
    pub fn lines_without_tests(&self) -> usize {
        if self.test_only {
            return 0;
        }
        let lines: Vec<_> = self.text.lines().map(str::trim_end).collect();
        let begins_tests = |at: &usize| {
            let item = lines[at + 1..].iter().find(|line| !line.starts_with("#["));
            lines[*at] == "#[cfg(test)]" && item.is_some_and(|item| item.starts_with("mod ") && !item.ends_with(';'))
        };
        (0..lines.len()).find(begins_tests).unwrap_or(lines.len())
    }

    fn parsed(&self) -> Vec<TokenTree> {
        let stream: TokenStream = self.text.parse().unwrap_or_else(|error| panic!("{}: {error}", self.path));
        stream.into_iter().collect()
    }
}

/// `name` where `#[cfg(test)] mod name;` stands, or the file's name where `#[path]` gives one.
fn test_modules(tokens: &[TokenTree]) -> BTreeSet<String> {
    let texts: Vec<_> = tokens.iter().map(ToString::to_string).collect();
    let mut names = BTreeSet::new();
    for at in 0..tokens.len().saturating_sub(1) {
        if !is_test_attribute(&tokens[at], &tokens[at + 1]) {
            continue;
        }
        let mut rest = at + 2;
        let mut file = None;
        while rest + 1 < tokens.len() && texts[rest] == "#" {
            file =
                file.or_else(|| texts[rest + 1].strip_prefix("[path = \"")?.strip_suffix(".rs\"]").map(str::to_owned));
            rest += 2;
        }
        if let [module, name, end, ..] = &texts[rest..]
            && (module.as_str(), end.as_str()) == ("mod", ";")
        {
            names.insert(file.unwrap_or_else(|| name.clone()));
        }
    }
    names
}

fn mark_tests(sources: &mut [Source]) {
    let mut tests = BTreeSet::new();
    for source in sources.iter() {
        let folder = source.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        // The module's file is in the same folder (mod.rs, lib.rs, #[path]) or in one of its parent's name.
        for name in test_modules(&source.parsed()) {
            tests.insert(format!("{folder}{name}"));
            tests.insert(format!("{}/{name}", source.path.trim_end_matches(".rs")));
        }
    }
    for source in sources {
        let path = source.path.trim_end_matches(".rs");
        source.test_only = tests.iter().any(|test| path == test || path.starts_with(&format!("{test}/")));
    }
}

fn collect(folder: &Path, prefix: &str, sources: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let path = format!("{prefix}{}", entry.file_name().unwrap().to_string_lossy());
        if entry.is_dir() {
            collect(&entry, &format!("{path}/"), sources);
        } else if path.ends_with(".rs") {
            sources.push(Source { path, text: fs::read_to_string(&entry).unwrap(), test_only: false });
        }
    }
}

/// Drops documentation, and items under `#[cfg(test)]`.
fn production(tokens: Vec<TokenTree>) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let Some(next) = tokens.peek() else {
            kept.push(token);
            break;
        };
        if is_test_attribute(&token, next) {
            // The attribute's brackets, then the item up to its end.
            tokens.next();
            tokens.by_ref().find(ends_item);
        } else if is_attribute(&token, next, "doc") {
            tokens.next();
        } else {
            kept.push(token);
        }
    }
    kept
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(sign) => sign.as_char() == ';',
        _ => false,
    }
}

fn is_test_attribute(sign: &TokenTree, brackets: &TokenTree) -> bool {
    is_attribute(sign, brackets, "cfg") && brackets.to_string().replace(' ', "") == "[cfg(test)]"
}

/// Outer (`#[…]`) by its sign; an inner one's (`#![…]`) is the exclamation mark before the brackets.
fn is_attribute(sign: &TokenTree, brackets: &TokenTree, name: &str) -> bool {
    let TokenTree::Group(group) = brackets else { return false };
    matches!(sign.to_string().as_str(), "#" | "!")
        && group.delimiter() == Delimiter::Bracket
        && group.stream().into_iter().next().is_some_and(|first| first.to_string() == name)
}

fn flatten(tokens: Vec<TokenTree>, flat: &mut Vec<Token>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => flat.push(Token::Word(word.to_string())),
            TokenTree::Punct(sign) => flat.push(Token::Sign(sign.as_char())),
            TokenTree::Literal(literal) => flat.push(Token::Literal(literal.to_string())),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::Parenthesis | Delimiter::None => ('(', ')'),
                };
                flat.push(Token::Open(open));
                flatten(production(group.stream().into_iter().collect()), flat);
                flat.push(Token::Close(close));
            }
        }
    }
}

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self, Token::Word(this) if this == word)
    }

    pub fn word(&self) -> Option<&str> {
        match self {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    /// A text literal's content; escapes are left as written.
    pub fn text(&self) -> Option<&str> {
        match self {
            Token::Literal(literal) => literal.split_once('"')?.1.rsplit_once('"').map(|(text, _)| text),
            _ => None,
        }
    }
}

/// Whether `::` stands at that index.
pub fn is_path_separator(tokens: &[Token], at: usize) -> bool {
    tokens.get(at..at + 2) == Some(&[Token::Sign(':'), Token::Sign(':')])
}

/// The names that a path may go on with at that index: one, or the first of each in `{…}`.
pub fn continuations(tokens: &[Token], at: usize) -> Vec<String> {
    match tokens.get(at) {
        Some(Token::Word(word)) => vec![word.clone()],
        Some(Token::Sign('*')) => vec!["*".into()],
        Some(Token::Open('{')) => {
            let (mut names, mut level, mut at, mut fresh) = (Vec::new(), 1, at + 1, true);
            while level > 0 && at < tokens.len() {
                match &tokens[at] {
                    Token::Open(_) => level += 1,
                    Token::Close(_) => level -= 1,
                    Token::Sign(',') if level == 1 => fresh = true,
                    Token::Word(word) if fresh => (fresh, _) = (false, names.push(word.clone())),
                    Token::Sign('*') if fresh => (fresh, _) = (false, names.push("*".into())),
                    _ => {}
                }
                at += 1;
            }
            names
        }
        _ => Vec::new(),
    }
}

#[test]
fn comments_documentation_and_tests_are_not_seen() {
    let source = Source::made_up(
        "x.rs",
        "//! crate::a\n/// crate::b\n// crate::c\nfn f() { \"crate::d\"; }\n#[cfg(test)]\nmod tests { use crate::e; }\nfn g() {}",
    );
    let words: Vec<_> = source.tokens().iter().filter_map(|token| token.word().map(str::to_owned)).collect();
    assert_eq!(words, ["fn", "f", "fn", "g"]);
    assert_eq!(source.lines_without_tests(), 4);
}

#[test]
fn a_module_for_tests_makes_its_file_one() {
    let mut sources = vec![
        Source::made_up("ui/mod.rs", "#[cfg(test)]\nmod samples;\nmod real;"),
        Source::made_up("ui/samples.rs", ""),
        Source::made_up("ui/samples/deep.rs", ""),
        Source::made_up("ui/real.rs", "#[cfg(test)]\n#[path = \"real_tests.rs\"]\nmod tests;"),
        Source::made_up("ui/real_tests.rs", ""),
        Source::made_up("ui/tests.rs", "of no module that is declared"),
    ];
    mark_tests(&mut sources);
    let tests: Vec<_> = sources.iter().filter(|source| source.test_only).map(|source| source.path.as_str()).collect();
    assert_eq!(tests, ["ui/samples.rs", "ui/samples/deep.rs", "ui/real_tests.rs"]);
}
