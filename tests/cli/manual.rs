//! `completions` and `man`: made of the command tree, and good for the programs that read them.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::World;

/// Whether a real shell is here to try a script.
fn has(program: &str) -> bool {
    ["/usr/bin", "/bin"].iter().any(|dir| std::path::Path::new(dir).join(program).exists())
}

#[test]
fn every_shell_gets_a_script_that_knows_commands_and_providers() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.exasol(&format!("completions {shell}")).run().code(0).stdout;
        // clap's scripts for the last two complete no values.
        let values: &[&str] =
            if matches!(shell, "elvish" | "powershell") { &[] } else { &["hetzner", "rehearsal", "tofu"] };
        for word in ["deploy", "cluster-size"].iter().chain(values) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    world.exasol("completions tcsh").run().code(2).says("tcsh").says("elvish");
    world.exasol("completions").run().code(2).says("SHELL");
    let json = world.exasol("completions bash --json").run().code(0).json();
    assert!(json["text"].as_str().unwrap().contains("_exasol"));
}

#[test]
fn bash_completes_a_command_and_a_value() {
    let world = World::new();
    let script = world.path("completion");
    std::fs::write(&script, world.exasol("completions bash").run().code(0).stdout).unwrap();
    let complete = |words: &str| {
        let program = format!(
            ". {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _exasol exasol \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let output = Command::new("bash").args(["-c", &program]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("exasol dep").trim(), "deploy");
    assert_eq!(complete("exasol init --engine to").trim(), "tofu");
    assert!(complete("exasol init --cloud-provider d").contains("digitalocean"));
}

#[test]
fn fish_and_zsh_accept_their_scripts() {
    let world = World::new();
    for shell in ["fish", "zsh"].into_iter().filter(|shell| has(shell)) {
        let script = world.path("completion");
        std::fs::write(&script, world.exasol(&format!("completions {shell}")).run().code(0).stdout).unwrap();
        let status = Command::new(shell).arg("-n").arg(&script).status().unwrap();
        assert!(status.success(), "{shell}");
    }
}

#[test]
fn the_main_page_goes_to_standard_output_and_all_pages_into_a_folder() {
    let world = World::new();
    let page = world.exasol("man").run().code(0).stdout;
    assert!(page.contains(".TH exasol 1") && page.contains("exasol\\-init(1)"), "{page}");
    let json = world.exasol("man --dir pages --json").run().code(0).json();
    let files: Vec<_> = json["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    assert_eq!(files[0], "exasol.1");
    for name in ["exasol-init.1", "exasol-deploy.1", "exasol-cache-prune.1", "exasol-man.1"] {
        assert!(files.contains(&name), "{name}: {files:?}");
        let mode = std::fs::metadata(world.path("pages").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{name}");
    }
    assert!(!files.iter().any(|name| name.contains("help")), "{files:?}");
    let init = std::fs::read_to_string(world.path("pages/exasol-init.1")).unwrap();
    assert!(init.contains("cluster\\-size") && !init.contains("db\\-password\\fR <VALUE>"));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let world = World::new();
    std::fs::write(world.path("file"), "").unwrap();
    world.exasol("man --dir file/pages").run().code(1).says("file/pages");
}
