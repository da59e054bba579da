//! One function a rule: from sources to violations.

use std::collections::BTreeSet;

use super::source::{Source, Token, continuations, is_path_separator};

const SPAWNER: &str = "tools/process.rs";
/// `client.rs`, or a folder `client/` with the forwarders that keep libvirt out of the link.
const LIBVIRT_CLIENT: &str = "providers/libvirt/client";
const LOCAL_PROVIDER: &str = "libvirt";
const LONGEST_FILE: usize = 500;
const VAGUE: [&str; 4] = ["util", "utils", "helpers", "misc"];
const PRINT_MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];
const PHASE_VERBS: [&str; 3] = ["begun", "ended", "proved"];
const CLIPPY_RULES: [&str; 4] = ["disallowed_macros", "disallowed_methods", "unwrap_used", "expect_used"];

/// Whether a word is a cloud's name, as the table of providers has it.
fn is_cloud(word: &str) -> bool {
    deployer::providers::ALL.iter().any(|provider| provider.is_cloud() && provider.name == word)
}

/// Calls `found` at every token of every source and names the sources where it says something.
pub(super) fn scan(
    sources: &[Source],
    exempt: impl Fn(&str) -> bool,
    found: impl Fn(&[Token], usize) -> Option<String>,
) -> Vec<String> {
    let mut violations = BTreeSet::new();
    for source in sources.iter().filter(|source| !exempt(&source.path)) {
        let tokens = source.tokens();
        let messages = (0..tokens.len()).filter_map(|at| found(&tokens, at));
        violations.extend(messages.map(|message| format!("{}: {message}", source.path)));
    }
    violations.into_iter().collect()
}

/// Whether `first::second` or `first::{…, second, …}` begins at that index.
pub(super) fn names(tokens: &[Token], at: usize, first: &str, second: &str) -> bool {
    tokens[at].is_word(first)
        && is_path_separator(tokens, at + 1)
        && continuations(tokens, at + 3).iter().any(|name| name == second)
}

pub fn spawners(sources: &[Source]) -> Vec<String> {
    scan(
        sources,
        |path| path == SPAWNER,
        |tokens, at| {
            let imported = names(tokens, at, "process", "Command");
            let used = names(tokens, at, "Command", "new") && !is_claps_command(tokens);
            (imported || used).then(|| format!("names Command, which only {SPAWNER} may"))
        },
    )
}

/// clap has a `Command` too; a file can't import both under that name.
fn is_claps_command(tokens: &[Token]) -> bool {
    (0..tokens.len()).any(|at| names(tokens, at, "clap", "Command"))
}

pub fn virt(sources: &[Source]) -> Vec<String> {
    let exempt = |path: &str| path.starts_with(LIBVIRT_CLIENT);
    scan(sources, exempt, |tokens, at| {
        let word = tokens[at].word().filter(|word| matches!(*word, "virt" | "virt_sys"))?;
        let imported = at >= 1 && (tokens[at - 1].is_word("use") || tokens[at - 1].is_word("crate"));
        (imported || is_path_separator(tokens, at + 1))
            .then(|| format!("names {word}, which only {LIBVIRT_CLIENT}… may"))
    })
}

pub fn printers(sources: &[Source]) -> Vec<String> {
    scan(
        sources,
        |path| path.starts_with("ui/"),
        |tokens, at| {
            let is_macro =
                tokens.get(at + 1) == Some(&Token::Sign('!')) && tokens.get(at + 2) != Some(&Token::Sign('='));
            let word = tokens[at].word().filter(|word| is_macro && PRINT_MACROS.contains(word));
            // A write to either may wait for its reader for ever; in ui/ nobody waits along.
            let stream = [("stdout", "io::stdout"), ("stderr", "io::stderr")]
                .into_iter()
                .find_map(|(stream, shown)| names(tokens, at, "io", stream).then_some(shown));
            word.or(stream).map(|what| format!("{what}: only ui/ prints"))
        },
    )
}

pub fn exits(sources: &[Source]) -> Vec<String> {
    let exempt = |path: &str| path == "main.rs" || path.starts_with("cli/");
    scan(sources, exempt, |tokens, at| {
        names(tokens, at, "process", "exit").then(|| "ends the process, which only main.rs may".to_owned())
    })
}

/// The frame of an operation writes a phase, and a repair what it has proved.
pub fn phases(sources: &[Source]) -> Vec<String> {
    let writers = |path: &str| match path {
        "ops/operation.rs" => ["begun", "ended"].as_slice(),
        "ops/health/repair.rs" => &["proved"],
        _ => &[],
    };
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| source.module() != "deployment") {
        let its_own = writers(&source.path);
        violations.extend(scan(
            std::slice::from_ref(source),
            |_| false,
            |tokens, at| {
                let is_call =
                    at >= 1 && tokens[at - 1] == Token::Sign('.') && tokens.get(at + 1) == Some(&Token::Open('('));
                let word = tokens[at].word().filter(|word| is_call && PHASE_VERBS.contains(word))?;
                (!its_own.contains(&word))
                    .then(|| format!("calls {word}: only the frame of an operation writes a phase"))
            },
        ));
    }
    violations
}

pub fn switched_off(sources: &[Source]) -> Vec<String> {
    let exempt = |path: &str| path == SPAWNER || path.starts_with("ui/");
    scan(sources, exempt, |tokens, at| {
        let rule = CLIPPY_RULES.into_iter().find(|rule| names(tokens, at, "clippy", rule))?;
        Some(format!("switches off clippy::{rule}"))
    })
}

pub fn clouds(sources: &[Source]) -> Vec<String> {
    let exempt = |path: &str| path.starts_with("providers/");
    scan(sources, exempt, |tokens, at| {
        // The database installer's own keys (CCC_AWS_PROFILE) are no providers of ours.
        let text = tokens[at].word().or_else(|| tokens[at].text()).filter(|text| !text.starts_with("CCC_"))?;
        let cloud = words(text).into_iter().find(|word| is_cloud(word))?;
        Some(format!("names {cloud}: what is special to a provider belongs into providers/"))
    })
}

/// `AwsRegion`, `aws_region` and `"AWS region"` are the same two words.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

/// A provider's name as a pattern or in a comparison.
pub fn provider_matches(sources: &[Source]) -> Vec<String> {
    let exempt = |path: &str| path.starts_with("providers/");
    scan(sources, exempt, |tokens, at| {
        let name = tokens[at].text().filter(|text| *text == LOCAL_PROVIDER || is_cloud(text))?;
        let sign = |index: Option<usize>, sign| index.and_then(|index| tokens.get(index)) == Some(&Token::Sign(sign));
        let equals =
            |first: Option<usize>, second: Option<usize>| (sign(first, '=') || sign(first, '!')) && sign(second, '=');
        let arm = (sign(Some(at + 1), '=') && sign(Some(at + 2), '>'))
            || sign(Some(at + 1), '|')
            || sign(at.checked_sub(1), '|') && !sign(at.checked_sub(2), '|');
        let compared = equals(Some(at + 1), Some(at + 2)) || equals(at.checked_sub(2), at.checked_sub(1));
        (arm || compared || in_matches(tokens, at))
            .then(|| format!("decides by the provider's name {name}: put a field into providers::Provider"))
    })
}

/// A provider's name, or a flag of one, anywhere in the stories of the commands: a provider of another name could
/// not follow them.
pub fn provider_names(sources: &[Source]) -> Vec<String> {
    let exempt = |path: &str| !path.starts_with("ops/");
    scan(sources, exempt, |tokens, at| {
        let Token::Literal(text) = &tokens[at] else { return None };
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let name = words.into_iter().find(|word| *word == LOCAL_PROVIDER || is_cloud(word))?;
        Some(format!("names the provider {name}: ask providers::Provider for what is particular to it"))
    })
}

/// Whether the token stands within `matches!(…)`.
fn in_matches(tokens: &[Token], at: usize) -> bool {
    let mut closed = 0;
    for index in (2..at).rev() {
        match tokens[index] {
            Token::Close(_) => closed += 1,
            Token::Open(_) if closed > 0 => closed -= 1,
            Token::Open('(') if tokens[index - 2].is_word("matches") => return true,
            Token::Open('{') => return false,
            _ => {}
        }
    }
    false
}

pub fn long_files(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.lines_without_tests() > LONGEST_FILE)
        .map(|source| format!("{}: {} lines, at most {LONGEST_FILE}", source.path, source.lines_without_tests()))
        .collect()
}

pub fn vague_names(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.path.trim_end_matches(".rs").split('/').any(|part| VAGUE.contains(&part)))
        .map(|source| format!("{}: a name that says nothing", source.path))
        .collect()
}

/// Every folder has a `mod.rs` (`src/` itself: `lib.rs`) that begins with `//!`.
pub fn silent_folders(sources: &[Source]) -> Vec<String> {
    let folder =
        |source: &Source| source.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let folders: BTreeSet<_> = sources.iter().map(folder).collect();
    folders
        .into_iter()
        .map(|folder| if folder.is_empty() { "lib.rs".to_owned() } else { format!("{folder}mod.rs") })
        .filter(|head| !sources.iter().any(|source| source.path == *head && source.text.starts_with("//!")))
        .map(|head| format!("{head}: begins with //! and says what belongs in the folder"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rule = fn(&[Source]) -> Vec<String>;

    fn breaks(rule: Rule, path: &str, text: &str) -> bool {
        !rule(&[Source::made_up(path, text)]).is_empty()
    }

    /// The rule finds each text in the wrong file and lets it pass in the right one.
    fn belongs(rule: Rule, right: &str, wrong: &str, texts: &[&str]) {
        for text in texts {
            assert!(breaks(rule, wrong, text), "not found in {wrong}: {text}");
            assert!(!breaks(rule, right, text), "found in {right}: {text}");
        }
    }

    #[test]
    fn spawning_is_found() {
        let texts = [
            "use std::process::Command;",
            "use tokio::process::{Child, Command};",
            "fn f() { std::process::Command::new(\"ls\"); }",
            "fn f() { Command::new(\"ls\"); }",
        ];
        belongs(spawners, "tools/process.rs", "tools/ssh.rs", &texts);
        let builds = "use clap::{Arg, Command};\nfn f() { Command::new(\"exasol\"); }";
        assert!(!breaks(spawners, "cli/commands.rs", builds));
        assert!(breaks(
            spawners,
            "cli/commands.rs",
            &format!("{builds} fn g() {{ std::process::Command::new(\"ls\"); }}")
        ));
        assert!(!breaks(spawners, "cli/mod.rs", "fn f() { clap::Command::new(\"x\"); // Command::new\n }"));
    }

    #[test]
    fn virt_is_found() {
        let texts = ["use virt::connect::Connect;", "fn f() { virt_sys::virConnectOpen(); }", "use virt;"];
        belongs(virt, "providers/libvirt/client.rs", "providers/libvirt/preflight.rs", &texts);
        belongs(virt, "providers/libvirt/client/forward.rs", "ops/deploy.rs", &texts);
        assert!(!breaks(virt, "ops/deploy.rs", "fn f(virt: u8) { let a = \"virt::x\"; }"));
    }

    #[test]
    fn printing_is_found() {
        belongs(
            printers,
            "ui/mod.rs",
            "ops/deploy.rs",
            &["fn f() { println!(\"x\") }", "fn f() { std::io::stdout(); }", "use std::io::{self, stderr};"],
        );
        assert!(!breaks(printers, "ops/deploy.rs", "fn f(print: u8) -> bool { print != 1 } // println!"));
        assert!(!breaks(printers, "ops/deploy.rs", "#[cfg(test)]\nmod tests { fn f() { println!() } }"));
    }

    #[test]
    fn exits_are_found() {
        let texts = ["fn f() { std::process::exit(1) }", "use std::process::{Stdio, exit};"];
        belongs(exits, "main.rs", "ops/deploy.rs", &texts);
    }

    #[test]
    fn a_phase_that_is_written_elsewhere_is_found() {
        let texts = ["fn f(d: Locked) { d.begun(p); }", "fn f(w: Work) { w.dir.ended(p, trouble) }"];
        belongs(phases, "ops/operation.rs", "ops/start.rs", &texts);
        belongs(phases, "ops/health/repair.rs", "ops/operation.rs", &["fn f(d: Locked) { d.proved(p); }"]);
        assert!(!breaks(phases, "ops/start.rs", "fn ended() { ended(); }"));
    }

    #[test]
    fn a_rule_that_is_switched_off_is_found() {
        let texts = ["#![allow(clippy::disallowed_methods)]", "#[expect(clippy::unwrap_used)]\nfn f() {}"];
        belongs(switched_off, "tools/process.rs", "sql/mod.rs", &texts);
    }

    #[test]
    fn a_cloud_is_found_in_names_and_texts() {
        let texts =
            ["struct AwsRegion;", "fn oci_shape() {}", "fn f() { \"a GCP project\"; }", "const HETZNER: u8 = 1;"];
        belongs(clouds, "providers/aws.rs", "render/mod.rs", &texts);
        assert!(!breaks(clouds, "render/mod.rs", "const KEY: &str = \"CCC_AWS_PROFILE\";"));
        assert!(!breaks(clouds, "render/mod.rs", "/// On AWS.\nfn associate() { \"https://x.amazonaws.com\"; }"));
    }

    #[test]
    fn a_decision_by_the_providers_name_is_found() {
        let texts = [
            "fn f(p: &str) { match p { \"libvirt\" => 1, _ => 2 }; }",
            "fn f(p: &str) { match p { \"x\" | \"libvirt\" => 1, _ => 2 }; }",
            "fn f(p: &str) -> bool { p == \"libvirt\" }",
            "fn f(p: &str) -> bool { \"libvirt\" != p }",
            "fn f(p: &str) -> bool { matches!(p, \"libvirt\") }",
        ];
        belongs(provider_matches, "providers/mod.rs", "ops/deploy.rs", &texts);
        assert!(!breaks(provider_matches, "ops/deploy.rs", "fn f() { find(\"libvirt\"); let p = \"libvirt\"; }"));
        let flag = ["fn f() -> String { \"exasol init with another --libvirt-image\".into() }"];
        belongs(provider_names, "providers/mod.rs", "ops/deploy.rs", &flag);
    }

    #[test]
    fn a_long_file_is_found_and_tests_are_not_counted() {
        let code = "fn f() {}\n".repeat(LONGEST_FILE);
        assert!(!breaks(long_files, "ops/deploy.rs", &code));
        assert!(!breaks(long_files, "ops/deploy.rs", &format!("{code}#[cfg(test)]\nmod tests {{\n}}\n")));
        assert!(breaks(long_files, "ops/deploy.rs", &format!("{code}fn g() {{}}\n")));
    }

    #[test]
    fn vague_names_are_found() {
        assert!(breaks(vague_names, "ops/utils.rs", ""));
        assert!(breaks(vague_names, "util/mod.rs", ""));
        assert!(!breaks(vague_names, "ops/utilization.rs", ""));
    }

    #[test]
    fn a_silent_folder_is_found() {
        let lib = || Source::made_up("lib.rs", "//! The library.");
        assert_eq!(
            silent_folders(&[lib(), Source::made_up("ops/mod.rs", "//! One file a command.")]),
            Vec::<String>::new()
        );
        assert_eq!(silent_folders(&[lib(), Source::made_up("ops/mod.rs", "mod deploy;")]).len(), 1);
        assert_eq!(silent_folders(&[lib(), Source::made_up("ops/deploy.rs", "//! No mod.rs.")]).len(), 1);
        assert_eq!(silent_folders(&[Source::made_up("lib.rs", "mod x;")]).len(), 1);
    }
}
