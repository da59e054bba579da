//! Which module may use which: the list in `src/lib.rs` is the rule.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, Token, continuations, is_path_separator};

/// For each module the modules that it may use.
pub struct Arrows(BTreeMap<String, BTreeSet<String>>);

impl Arrows {
    /// Reads the `a, b → c, d (remark); remark` lines of the documentation.
    pub fn parse(lib: &str) -> Arrows {
        let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in lib.lines().filter_map(|line| line.strip_prefix("//!")) {
            let Some((users, used)) = line.split_once('→') else { continue };
            let used = without_remarks(used);
            let names = |list: &str| list.split(',').map(|name| name.trim().to_owned()).collect::<BTreeSet<_>>();
            for user in names(users) {
                arrows.entry(user).or_default().extend(names(&used).into_iter().filter(|name| name != "nothing"));
            }
        }
        assert!(arrows.len() > 5, "the documentation of src/lib.rs lists the arrows");
        Arrows(arrows)
    }

    pub fn violations(&self, sources: &[Source]) -> Vec<String> {
        let mut violations = Vec::new();
        for source in sources.iter().filter(|source| source.path != "lib.rs") {
            let module = source.module();
            let Some(allowed) = self.0.get(module) else {
                violations.push(format!("{}: src/lib.rs has no arrow from {module}", source.path));
                continue;
            };
            for used in used_modules(source) {
                if used != module && !allowed.contains(&used) {
                    violations.push(format!("{}: {module} → {used} is not an arrow of src/lib.rs", source.path));
                }
            }
        }
        violations
    }
}

fn without_remarks(list: &str) -> String {
    let list = list.split(';').next().unwrap_or_default();
    list.split('(').map(|part| part.split_once(')').map_or(part, |(_, rest)| rest)).collect()
}

fn is_root(word: &str, source: &Source) -> bool {
    word == "crate" || (word == "deployer" && source.module() == "main")
}

/// The top-level modules that a file names by `crate::`, by `super::` up to the root, or (main) by
/// the library's name.
fn used_modules(source: &Source) -> BTreeSet<String> {
    let tokens = source.tokens();
    let mut used = BTreeSet::new();
    // One entry for each open brace: whether it is a module's.
    let mut braces = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Open('{') => braces.push(at >= 2 && tokens[at - 2].is_word("mod")),
            Token::Close('}') => drop(braces.pop()),
            Token::Word(word) if is_root(word, source) && is_path_separator(&tokens, at + 1) => {
                used.extend(continuations(&tokens, at + 3));
            }
            Token::Word(word) if word == "super" && !(at >= 3 && tokens[at - 3].is_word("super")) => {
                let depth = source.depth() + braces.iter().filter(|is_module| **is_module).count();
                let mut after = at;
                let mut climbed = 0;
                while tokens.get(after).is_some_and(|token| token.is_word("super"))
                    && is_path_separator(&tokens, after + 1)
                {
                    climbed += 1;
                    after += 3;
                }
                if climbed >= depth {
                    used.extend(continuations(&tokens, after));
                }
            }
            _ => {}
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "//! main → cli\n//! a, b → model, events (some of it); no I/O\n//! cli → a\n//! model → nothing\n\
                       //! events → model\n//! ops → nothing";

    fn violations(path: &str, text: &str) -> Vec<String> {
        Arrows::parse(LIB).violations(&[Source::made_up(path, text)])
    }

    #[test]
    fn a_listed_arrow_and_the_module_itself_pass() {
        assert!(
            violations("a/mod.rs", "use crate::model::X; use crate::a::y; use crate::{events, model::{Z, W}};")
                .is_empty()
        );
        assert!(violations("main.rs", "fn main() { deployer::cli::main() }").is_empty());
        assert!(
            violations("a/deep/x.rs", "use super::super::y; use super::z; mod m { use super::super::super::q; }")
                .is_empty()
        );
    }

    #[test]
    fn any_other_arrow_is_found_however_it_is_written() {
        for text in [
            "use crate::ops;",
            "use crate::ops::deploy::run;",
            "use crate::{model::X, ops::{self, y}};",
            "fn f() { crate::ops::run() }",
            "fn f() -> crate :: ops :: T { todo!() }",
            "use super::ops;",
            "mod m { use super::super::ops; }",
            "use crate::{\n    model::{A, B},\n    ops,\n};",
        ] {
            assert_eq!(violations("a/mod.rs", text), ["a/mod.rs: a → ops is not an arrow of src/lib.rs"], "{text}");
        }
        assert_eq!(violations("a/x.rs", "use super::super::ops;").len(), 1);
        assert_eq!(violations("a/mod.rs", "use crate::*;").len(), 1);
        assert_eq!(violations("main.rs", "fn main() { deployer::ops::run() }").len(), 1);
    }

    #[test]
    fn nothing_means_nothing_and_an_unlisted_module_is_found() {
        assert_eq!(violations("model/x.rs", "use crate::events::E;").len(), 1);
        assert_eq!(violations("fresh.rs", ""), ["fresh.rs: src/lib.rs has no arrow from fresh"]);
    }

    #[test]
    fn remarks_are_not_modules() {
        assert_eq!(violations("b.rs", "use crate::events; use crate::some;").len(), 1);
    }
}
