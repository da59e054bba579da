//! `doctor` without guests: what it says of a machine, and what `--fix` runs.

use crate::support::{TEST_URI, World};

fn doctor(world: &World, more: &str) -> String {
    let image = world.path("home").join("image.qcow2");
    std::fs::write(&image, crate::support::fake_image()).unwrap();
    format!(
        "doctor --db-version rehearsal --libvirt-uri {TEST_URI} --libvirt-pool default-pool --libvirt-network default \
         --libvirt-memory 1 --libvirt-image {} {more}",
        image.display()
    )
}

/// Ansible is not there; what would install it is.
fn without_ansible() -> World {
    let world = World::complete();
    std::fs::rename(world.path("bin/ansible-playbook"), world.path("home/ansible-playbook")).unwrap();
    world.fake("pipx", "echo \"installing $*\"; cp \"$HOME/ansible-playbook\" \"${0%/*}/ansible-playbook\"");
    world
}

#[test]
fn passed_checks_are_one_line_and_the_verdict_is_the_last() {
    let world = World::complete();
    let short = world.exasol(&doctor(&world, "")).run().code(0);
    assert!(short.stdout.contains("checks passed (all of them: exasol doctor -v)"), "{}", short.stdout);
    assert!(!short.stdout.contains("ansible-core 2.19.0"), "{}", short.stdout);
    world.exasol(&doctor(&world, "-v")).run().code(0).says("ansible-core 2.19.0");
    let broken = without_ansible();
    let said = broken.exasol(&doctor(&broken, "")).run().code(4).stdout;
    let (checks, verdict) = said.split_once("Not ready: 1 problem").unwrap();
    assert!(checks.contains("✗ Ansible: ansible-playbook was not found on PATH"), "{said}");
    assert!(verdict.contains("\n  pipx install ansible-core\n"), "{said}");
}

#[test]
fn fix_runs_what_it_shows_and_checks_again() {
    let world = without_ansible();
    let json = world.exasol(&doctor(&world, "--json")).run().code(4).json();
    assert!(json["fix"].as_array().unwrap().contains(&"pipx install ansible-core".into()), "{json}");
    world.exasol(&doctor(&world, "--fix --yes")).run().code(0).says("$ pipx install ansible-core").says("Ready");
    assert!(world.path("bin/ansible-playbook").exists());
}

#[test]
fn fix_asks_and_without_anybody_to_answer_it_runs_nothing() {
    let world = without_ansible();
    world.exasol(&doctor(&world, "--fix")).run().code(2).says("nobody is here to answer").says("--yes");
    assert!(!world.path("bin/ansible-playbook").exists());
    world.exasol(&doctor(&world, "--yes")).run().code(2).says("--fix");
}

#[test]
fn a_fix_that_fails_is_told_and_ends_it() {
    let world = without_ansible();
    world.fake("pipx", "echo 'no network' >&2; exit 3");
    world.exasol(&doctor(&world, "--fix --yes")).run().code(1).says("no network").says("pipx");
}
