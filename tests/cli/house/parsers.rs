//! What parses bytes of others has a fuzz target, and `tests/fixtures/fuzz/README.md` lists them all.

use std::collections::BTreeSet;

use super::rules::scan;
use super::source::Source;

/// Parsers of the libraries in use.
const PARSERS: [(&str, &str); 7] = [
    ("serde_json", "from_slice"),
    ("serde_json", "from_str"),
    ("serde_json", "from_reader"),
    ("toml", "from_str"),
    ("Document", "parse"),
    ("Ini", "load_from_str_opt"),
    ("tar", "Archive"),
];
/// Files without a target of their own, and why.
const WITHOUT: [(&str, &str); 13] = [
    ("catalog/file.rs", "catalog/versions.rs has the target"),
    ("deployment/history.rs", "takes one text out of any JSON"),
    ("deployment/lock.rs", "who holds a lock, which is shown and no more"),
    ("model/terraform_state.rs", "deployment/kept.rs has the target"),
    ("ops/logs/mod.rs", "takes one entry out of any JSON"),
    ("ops/power/api.rs", "providers/mod.rs has the target"),
    ("ops/redaction/secrets.rs", "takes all texts out of any JSON"),
    ("ops/report/cleaner.rs", "any JSON, of our own commands"),
    ("render/engine.rs", "a file of this program"),
    ("sql/fake.rs", "a server for tests"),
    ("sql/protocol.rs", "sql/rows.rs has the target"),
    ("ui/error.rs", "only whether it is JSON"),
    ("providers/libvirt/client/xml.rs", "the files beside it have the targets"),
];

pub fn without_target(sources: &[Source]) -> Vec<String> {
    let fuzzed = |source: &Source| source.text.contains("crate::fuzz::");
    // The tests of `a/mod.rs` may be in `a/tests.rs`, and those of `b.rs` in `b_tests.rs`.
    let beside = |path: &str| [path.replace("mod.rs", "tests.rs"), path.replace(".rs", "_tests.rs")];
    let has_target = |path: &str| {
        sources.iter().any(|source| fuzzed(source) && (source.path == path || beside(path).contains(&source.path)))
    };
    let exempt = |path: &str| WITHOUT.iter().any(|(file, _)| *file == path) || has_target(path);
    scan(sources, exempt, |tokens, at| {
        let (first, second) =
            PARSERS.into_iter().find(|(first, second)| super::rules::names(tokens, at, first, second))?;
        Some(format!("calls {first}::{second} and has no fuzz target (docs/testing.md)"))
    })
}

/// Names of targets in the sources, and in the rows of the list.
pub fn unlisted(sources: &[Source], list: &str) -> Vec<String> {
    let mut called = BTreeSet::new();
    for source in sources.iter().filter(|source| source.text.contains("crate::fuzz::")) {
        for call in ["target(", "text_target(", "target_with("] {
            let path = format!("crate::fuzz::{call}");
            let calls = source.text.split(&path).skip(1);
            called.extend(calls.filter_map(|rest| rest.split('"').nth(1)));
        }
    }
    let listed: BTreeSet<_> = list.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let missing = called.difference(&listed).map(|name| format!("{name} is not in tests/fixtures/fuzz/README.md"));
    let gone = listed.difference(&called).map(|name| format!("{name} is in tests/fixtures/fuzz/README.md only"));
    missing.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_without_a_target_is_found() {
        let parses = "fn f(text: &str) { serde_json::from_str::<u8>(text).ok(); }";
        assert_eq!(without_target(&[Source::made_up("tools/x.rs", parses)]).len(), 1);
        let tested = format!("{parses}\n#[cfg(test)] mod tests {{ fn g() {{ crate::fuzz::target(\"x\", &[], f) }} }}");
        assert_eq!(without_target(&[Source::made_up("tools/x.rs", &tested)]).len(), 0);
        let beside =
            [Source::made_up("tools/x.rs", parses), Source::made_up("tools/x_tests.rs", "crate::fuzz::target")];
        assert_eq!(without_target(&beside).len(), 0);
    }

    #[test]
    fn a_target_that_is_not_listed_is_found_and_a_row_without_one() {
        let source = [Source::made_up("a.rs", "crate::fuzz::text_target(\n \"one\", &[seed], f)")];
        assert_eq!(unlisted(&source, "| `one` | x |\n").len(), 0);
        assert_eq!(unlisted(&source, "| `two` | x |\n").len(), 2);
    }
}
