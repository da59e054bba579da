//! `docs/security.md` names a test for each claim of its threat model: `tests/cli/init.rs: nothing_is_for_others_to_read`.

use std::path::Path;

/// The named tests that do not exist.
pub fn missing(page: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named: Vec<_> = page.split('`').filter_map(test).collect();
    assert!(named.len() > 20, "the page names tests as `FILE: TEST`");
    let is_there = |(file, name): &(&str, &str)| {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        ["fn ", "def "].iter().any(|word| text.contains(&format!("{word}{name}(")))
    };
    named.into_iter().filter(|test| !is_there(test)).map(|(file, name)| format!("{file} has no test {name}")).collect()
}

/// `FILE: TEST`
fn test(code: &str) -> Option<(&str, &str)> {
    let (file, name) = code.split_once(": ")?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_name && [".rs", ".py"].iter().any(|end| file.ends_with(end))).then_some((file, name))
}

#[test]
fn a_test_is_told_from_other_code() {
    assert_eq!(test("src/a.rs: it_works"), Some(("src/a.rs", "it_works")));
    assert_eq!(test("ssh -F DIR: x"), None);
    assert_eq!(test("iif"), None);
}
