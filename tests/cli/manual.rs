//! `completions` and `man`: made of the command tree, and good for the programs that read them.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::World;

/// Whether a real shell is here to try a script.
fn has(program: &str) -> bool {
    ["/usr/bin", "/bin"].iter().any(|dir| std::path::Path::new(dir).join(program).exists())
}

/// What the program offers to bash for this line, whose last word is being typed.
fn offered(world: &World, line: &str) -> Vec<String> {
    let words: Vec<&str> = ["--"].into_iter().chain(line.split(' ')).collect();
    let index = (words.len() - 2).to_string();
    let asked = world.exasol_with(words).env("EXASOL_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", &index);
    let answer = asked.env("_CLAP_IFS", "\n").run().code(0);
    assert_eq!(answer.stderr, "", "{line}");
    answer.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn every_shell_gets_a_script_that_asks_this_program() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.exasol(&format!("completions {shell}")).run().code(0).stdout;
        assert!(script.contains("EXASOL_COMPLETE") && script.contains("exasol"), "{shell}: {script}");
    }
    world.exasol("completions tcsh").run().code(2).says("tcsh").says("elvish");
    world.exasol("completions").run().code(2).says("SHELL");
    let json = world.exasol("completions bash --json").run().code(0).json();
    assert!(json["text"].as_str().unwrap().contains("_exasol"));
}

#[test]
fn commands_options_and_their_values_are_offered() {
    let world = World::new();
    assert_eq!(offered(&world, "exasol dep"), ["deploy"]);
    assert_eq!(offered(&world, "exasol init --engine to"), ["tofu"]);
    assert_eq!(offered(&world, "exasol init --cloud-provider d"), ["digitalocean"]);
    assert_eq!(offered(&world, "exasol status --wait re"), ["ready"]);
    assert!(offered(&world, "exasol init --db-version r").contains(&"rehearsal".to_owned()));
    assert!(offered(&world, "exasol init --cluster-").contains(&"--cluster-size".to_owned()));
    let secrets = offered(&world, "exasol init --db-pass");
    assert_eq!(secrets, ["--db-password-file"], "a secret by value is never offered");
}

#[test]
fn what_exists_is_offered() {
    let world = World::complete().initialized();
    assert_eq!(offered(&world, "exasol ssh n"), ["n11"]);
    assert!(offered(&world, "exasol status depl").iter().any(|word| word.trim_end_matches('/') == "deployment"));
    assert!(offered(&world, "exasol status -d depl").iter().any(|word| word.trim_end_matches('/') == "deployment"));
    let uri = crate::support::TEST_URI;
    // Who presses Tab does not wait for a hypervisor for long; on a busy machine this one may be late.
    let in_time = |words: &str| (0..9).map(|_| offered(&world, words)).find(|offered| !offered.is_empty());
    let pool = in_time(&format!("exasol init --libvirt-uri {uri} --libvirt-pool def"));
    assert_eq!(pool.unwrap_or_default(), ["default-pool"]);
    let network = in_time(&format!("exasol init --libvirt-uri {uri} --libvirt-network def"));
    assert_eq!(network.unwrap_or_default(), ["default"]);
}

#[test]
fn what_cannot_be_found_out_is_left_out_without_a_word() {
    let world = World::new();
    for line in
        ["exasol ssh -d nowhere n", "exasol logs --step b", "exasol init --libvirt-uri nonsense --libvirt-pool d"]
    {
        assert_eq!(offered(&world, line), [""; 0], "{line}");
    }
    let unknown = world.exasol("-- exasol dep").env("EXASOL_COMPLETE", "nosuchshell").run().code(0);
    assert_eq!(unknown.stdout + &unknown.stderr, "");
}

#[test]
fn bash_asks_by_its_script() {
    let world = World::new();
    let script = world.path("completion");
    std::fs::write(&script, world.exasol("completions bash").run().code(0).stdout).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_exasol"), world.path("bin/exasol")).unwrap();
    let program = format!(
        ". {}; COMP_WORDS=(exasol dep); COMP_CWORD=1; _clap_complete_exasol exasol dep exasol; echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let output = Command::new("/bin/bash").args(["-c", &program]).env("PATH", world.path("bin")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "deploy");
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
    let init = std::fs::read_to_string(world.path("pages/exasol-init.1")).unwrap();
    assert!(init.contains("cluster\\-size") && !init.contains("db\\-password\\fR <VALUE>"));
    let sections: Vec<_> = init.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
    let at = |name: &str| sections.iter().position(|section| section.trim_matches('"') == name).unwrap();
    assert!(at("OPTIONS") < at("EXAMPLES") && at("EXAMPLES") < at("GLOBAL OPTIONS"), "{sections:?}");
    assert!(!init.contains("Possible values:") && init.contains("error, warn, info, debug, trace"), "{init}");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let world = World::new();
    std::fs::write(world.path("file"), "").unwrap();
    world.exasol("man --dir file/pages").run().code(1).says("file/pages");
}
