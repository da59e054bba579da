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

/// libvirt's mock driver starts nothing with its host, and `virsh` would change that.
fn with_virsh(body: &str) -> World {
    let world = World::complete();
    world.fake("virsh", &format!("echo \"$*\" >>\"$HOME/virsh-calls\"; {body}"));
    world
}

fn calls(world: &World) -> String {
    std::fs::read_to_string(world.path("home/virsh-calls")).unwrap_or_default()
}

#[test]
fn passed_checks_are_one_line_and_the_verdict_is_the_last() {
    let world = World::complete();
    let short = world.exasol(&doctor(&world, "")).run().code(0);
    assert!(short.stdout.contains("checks passed (all of them: exasol doctor -v)"), "{}", short.stdout);
    assert!(!short.stdout.contains("ansible-core 2.19.0"), "{}", short.stdout);
    let (_, verdict) = short.stdout.split_once("\nReady: ").unwrap();
    assert!(verdict.contains("\n  virsh -c test:///default pool-autostart default-pool\n"), "{verdict}");
    let long = world.exasol(&doctor(&world, "-v")).run().code(0).says("ansible-core 2.19.0");
    assert!(!long.stderr.contains("ansible-core 2.19.0"), "each check once: {}", long.stderr);
    world.remove("ansible-playbook");
    let said = world.exasol(&doctor(&world, "")).run().code(4).stdout;
    let (checks, verdict) = said.split_once("Not ready: 1 problem").unwrap();
    assert!(checks.contains("✗ Ansible: ansible-playbook of ansible-core"), "{said}");
    assert!(verdict.contains("\n  exasol doctor --install-tools\n"), "{said}");
    assert!(!checks.contains("fix: #") && checks.contains("or:  pipx install"), "{checks}");
}

#[test]
fn fix_runs_what_it_shows_and_checks_again() {
    let world = with_virsh("echo done");
    let json = world.exasol(&doctor(&world, "--json")).run().code(0).json();
    let wanted = "virsh -c test:///default pool-autostart default-pool";
    assert!(json["fix"].as_array().unwrap().contains(&wanted.into()), "{json}");
    assert_eq!(calls(&world), "", "it only looks");
    let answer = world.exasol(&doctor(&world, "--fix --yes")).run().code(0).says(&format!("$ {wanted}"));
    assert!(calls(&world).contains("-c test:///default pool-autostart default-pool\n"), "{}", calls(&world));
    assert_eq!(answer.stdout.matches("Ready: ").count(), 2, "before and after: {}", answer.stdout);
}

#[test]
fn fix_asks_and_without_anybody_to_answer_it_runs_nothing() {
    let world = with_virsh("exit 0");
    world.exasol(&doctor(&world, "--fix")).run().code(2).says("nobody is here to answer").says("--yes");
    world.exasol(&doctor(&world, "--yes")).run().code(2).says("--fix");
    let mut terminal = world.exasol(&doctor(&world, "--fix --json")).on_a_terminal();
    terminal.exp_string("  virsh -c test:///default pool-autostart default-pool").unwrap();
    terminal.exp_string("[y/N]").unwrap();
    terminal.send_line("n").unwrap();
    terminal.exp_eof().unwrap();
    assert_eq!(calls(&world), "");
}

#[test]
fn a_fix_that_fails_is_told_and_ends_it() {
    let world = with_virsh("echo 'not allowed' >&2; exit 3");
    world.exasol(&doctor(&world, "--fix --yes")).run().code(1).says("not allowed").says("virsh");
    assert_eq!(calls(&world).lines().count(), 1, "{}", calls(&world));
}

#[test]
fn a_deployment_is_checked_for_what_it_needs() {
    let world = World::complete().initialized();
    let named = format!("doctor -d {}", world.deployment().display());
    let before = world.files();
    for words in [named.as_str(), "doctor"] {
        let said = world.exasol(words).run().code(0).says("This machine, for deployment: 1 node on libvirt");
        assert!(said.stdout.contains("; rehearsal"), "{}", said.stdout);
    }
    let json = world.exasol("doctor --json").run().code(0).json();
    assert_eq!((&json["name"], &json["deployment"]), (&"deployment".into(), &world.state()["id"]));
    // What would be changed is checked with it; nothing is written.
    world.exasol("doctor --cluster-size 3").run().code(0).says("for deployment: 3 nodes on libvirt");
    world.exasol(&format!("{named} --cloud-provider hetzner")).run().code(2).says("the deployment is on libvirt");
    assert_eq!(world.files(), before);
    // A provider without a directory means a new deployment.
    let new = world.exasol(&doctor(&world, "--cloud-provider libvirt --json")).run().code(0).json();
    assert!(new.get("deployment").is_none(), "{new}");
    world.exasol(&doctor(&world, "-d not-yet")).run().code(0).says("This machine, for 1 node on libvirt");
}
