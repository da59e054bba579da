//! Tells the program what it was built from, for `exasol version --verbose`.
//!
//! Nothing here is needed to build: without a checkout there is no commit. `EXASOL_COMMIT` names it
//! for builds from a source archive, so that they are equal to those from the checkout.

// The house's rules are for the program: this talks to cargo, and runs before it.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=EXASOL_COMMIT");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    println!("cargo::rustc-env=EXASOL_BUILD_TARGET={}", var("TARGET"));
    println!("cargo::rustc-env=EXASOL_BUILD_RUSTC={}", rustc(&var("RUSTC")));
    let commit = match var("EXASOL_COMMIT") {
        // Else every commit would compile a developer's debug build again.
        none if none.is_empty() && var("PROFILE") != "release" => String::new(),
        none if none.is_empty() => head(Path::new(&var("CARGO_MANIFEST_DIR"))).unwrap_or_default(),
        given => given,
    };
    println!("cargo::rustc-env=EXASOL_BUILD_COMMIT={commit}");
}

fn rustc(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}

/// The commit that is checked out, read from git's files: `git` itself need not be there.
fn head(checkout: &Path) -> Option<String> {
    let dot_git = checkout.join(".git");
    // In a worktree it is a file that names the folder.
    let folder = match std::fs::read_to_string(&dot_git) {
        Ok(text) => checkout.join(text.strip_prefix("gitdir:")?.trim()),
        Err(_) => dot_git,
    };
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).ok()?;
        println!("cargo::rerun-if-changed={}", path.display());
        Some(text.trim().to_owned())
    };
    let head = read(folder.join("HEAD"))?;
    // Every commit adds a line: the branch's own file may not be there yet.
    read(folder.join("logs/HEAD"));
    let Some(name) = head.strip_prefix("ref: ") else { return Some(head) };
    let common = match read(folder.join("commondir")) {
        Some(path) => folder.join(path),
        None => folder.clone(),
    };
    read(common.join(name)).or_else(|| {
        let packed = read(common.join("packed-refs"))?;
        packed.lines().find_map(|line| Some(line.strip_suffix(name)?.trim().to_owned()))
    })
}
