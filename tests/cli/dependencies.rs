//! What `deny.toml` says about licenses, sources and banned crates, held against what Cargo resolves. `cargo deny check`
//! does the same and more; this needs no further program and no network, so it is never left out.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use toml::Table;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// All packages for this machine's kind of target, also those for tests and for building.
fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let words = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &target];
    let done = Command::new(&cargo).args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut metadata: Value = serde_json::from_slice(&done.stdout).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    let used: Vec<_> = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| &node["id"]).collect();
    packages.into_iter().filter(|package| used.contains(&&package["id"])).collect()
}

/// Whether an SPDX expression can be met with licenses that `is_allowed` takes. AND binds closer than OR; `/` is the
/// old way to write OR.
fn is_met(expression: &str, is_allowed: &dyn Fn(&str) -> bool) -> bool {
    let expression = expression.trim();
    let parts = |word: &str| -> Vec<String> {
        let (mut parts, mut depth) = (vec![String::new()], 0);
        for token in expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").split_whitespace() {
            depth += i32::from(token == "(") - i32::from(token == ")");
            if depth == 0 && token == word {
                parts.push(String::new());
            } else if let Some(last) = parts.last_mut() {
                *last += &format!("{token} ");
            }
        }
        parts
    };
    for (word, all) in [("OR", false), ("AND", true)] {
        let parts = parts(word);
        if parts.len() > 1 {
            let mut met = parts.iter().map(|part| is_met(part, is_allowed));
            return if all { met.all(|met| met) } else { met.any(|met| met) };
        }
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_met(inner, is_allowed),
        None => is_allowed(expression),
    }
}

fn texts<'a>(table: &'a Table, key: &str) -> Vec<&'a str> {
    table[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn licenses_sources_and_crates_are_those_of_deny_toml() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    let deny: Table = text.parse().unwrap();
    let licenses = deny["licenses"].as_table().unwrap();
    let allowed = texts(licenses, "allow");
    let exceptions: Vec<_> =
        licenses["exceptions"].as_array().unwrap().iter().map(|row| row.as_table().unwrap()).collect();
    let banned: Vec<_> =
        deny["bans"]["deny"].as_array().unwrap().iter().map(|row| row["crate"].as_str().unwrap()).collect();
    assert!(deny["sources"]["unknown-registry"].as_str() == Some("deny") && banned.contains(&"openssl-sys"));
    let packages = packages();
    assert!(packages.len() > 100, "{} packages", packages.len());
    let mut wrong = Vec::new();
    for package in &packages {
        let (name, version) = (package["name"].as_str().unwrap(), &package["version"]);
        let license = package["license"].as_str().unwrap_or("none");
        let of_exception = exceptions.iter().filter(|row| row["crate"].as_str() == Some(name));
        let of_exception: Vec<_> = of_exception.flat_map(|row| texts(row, "allow")).collect();
        if !is_met(license, &|one| allowed.contains(&one) || of_exception.contains(&one)) {
            wrong.push(format!("{name} {version}: its license is {license}"));
        }
        // Ours has none.
        if let Some(source) = package["source"].as_str().filter(|source| *source != REGISTRY) {
            wrong.push(format!("{name} {version}: it comes from {source}"));
        }
        if banned.contains(&name) {
            wrong.push(format!("{name} {version} is banned"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn license_expressions_are_understood() {
    let is_allowed = |one: &str| ["MIT", "Apache-2.0", "Unicode-3.0"].contains(&one);
    for met in
        ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "GPL-2.0 OR MIT AND Apache-2.0"]
    {
        assert!(is_met(met, &is_allowed), "{met}");
    }
    for not in ["GPL-3.0", "MIT AND GPL-3.0", "none", "(GPL-2.0 OR GPL-3.0) AND MIT", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(!is_met(not, &is_allowed), "{not}");
    }
}
