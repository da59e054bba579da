//! `docs/reference/`, made from the code: the command tree, the tables of options, the errors, the
//! reports and events. A test compares; `scripts/reference` writes.
//!
//! Belongs here: how what the code says becomes a page. Does not belong here: anything that the code
//! does not say, and anything that a user's binary needs. It is compiled as a test module of `src/cli`.

mod commands;
mod config;
mod errors;
mod fields;
mod markdown;
mod results;
mod schemas;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// First lines of every page.
const GENERATED: &str = "<!-- Made from the code by scripts/reference: change the code, not this file. -->";

/// Every file below `docs/reference/`, by name.
fn files() -> BTreeMap<PathBuf, String> {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    let pages = [
        ("cli.md", commands::page()),
        ("config.md", config::page()),
        ("errors.md", errors::page()),
        ("exit-codes.md", errors::exit_codes()),
        ("events.md", results::events()),
        ("json.md", results::page()),
    ];
    files.extend(pages.map(|(name, text)| (name.into(), format!("{GENERATED}\n\n{text}"))));
    files.extend(schemas::all().into_iter().map(|(name, schema)| {
        let text = serde_json::to_string_pretty(&schema).unwrap();
        (format!("schemas/{name}.json").into(), text + "\n")
    }));
    files
}

fn existing(folder: &Path) -> Vec<PathBuf> {
    let list = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = list(folder.to_owned()).chain(list(folder.join("schemas")));
    all.filter(|path| path.is_file()).map(|path| path.strip_prefix(folder).unwrap().to_owned()).collect()
}

#[test]
fn the_reference_says_what_the_code_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
    let files = files();
    let strangers: Vec<_> = existing(&folder).into_iter().filter(|name| !files.contains_key(name)).collect();
    if std::env::var("EXASOL_REFERENCE").is_ok_and(|what| what == "write") {
        std::fs::create_dir_all(folder.join("schemas")).unwrap();
        strangers.iter().for_each(|name| std::fs::remove_file(folder.join(name)).unwrap());
        files.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
        return;
    }
    assert_eq!(strangers, Vec::<PathBuf>::new(), "docs/reference has files that nothing makes: run scripts/reference");
    for (name, text) in &files {
        let there = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let line = there.lines().zip(text.lines()).take_while(|(old, new)| old == new).count();
        let (old, new) = (there.lines().nth(line), text.lines().nth(line));
        assert!(
            there == *text,
            "docs/reference/{} is not what the code says: run scripts/reference\nline {}: {old:?}\nthe code: {new:?}",
            name.display(),
            line + 1
        );
    }
}
