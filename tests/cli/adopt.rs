//! `adopt`: a directory from what a hypervisor tells, and what every command does in it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Call, World};
use crate::sweep::{hypervisor, id};

const LOST: &str = "exasol-0000000a";

fn adopt<'a>(world: &'a World, more: &str) -> Call<'a> {
    let at = hypervisor(world, &[LOST, "exasol-0000000b"]);
    world.exasol(&format!("adopt {LOST} {at} {more}"))
}

fn adopted() -> World {
    let world = World::complete();
    adopt(&world, "").run().code(0);
    world
}

/// A key pair of this world, by the path of its private half.
fn key(world: &World, name: &str) -> PathBuf {
    let pem = deployer::deployment::keys::ed25519_key(name).unwrap();
    let file = world.path(name);
    std::fs::write(&file, &pem).unwrap();
    file
}

fn host_keys(world: &World, node: &str) -> String {
    let pem = std::fs::read_to_string(key(world, "host")).unwrap();
    let line = format!("{node} {}\n", deployer::deployment::keys::public_key(&pem).unwrap());
    std::fs::write(world.path("known"), line).unwrap();
    world.path("known").display().to_string()
}

fn with_key(world: &World) -> String {
    format!("--ssh-key {} --host-keys {}", key(world, "mine").display(), host_keys(world, "n11"))
}

fn nothing_was_written(world: &World) {
    assert!(!world.deployment().exists() && !world.path("state/exasol").exists());
}

#[test]
fn a_directory_is_made_of_what_the_hypervisor_tells() {
    let world = World::complete();
    let json = adopt(&world, "--json").run().code(0).json();
    assert_eq!(
        (&json["deployment"], &json["ssh"], &json["phase"]),
        (&LOST.into(), &false.into(), &"database_connection_failed".into())
    );
    let state = world.state();
    let spec = &state["spec"];
    assert_eq!(
        (&spec["cluster_size"], &spec["db_version"], &spec["owner"]),
        (&1.into(), &"rehearsal".into(), &"eva".into())
    );
    let sizes =
        ["root_volume_size", "data_volume_size", "data_volumes_per_node"].map(|key| spec[key].as_u64().unwrap());
    assert_eq!(sizes, [5, 2, 1]);
    assert_eq!((&spec["options"]["memory"], &spec["options"]["pool"]), (&2.into(), &"default-pool".into()));
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(world.deployment()), mode(world.deployment().join("deployment.json"))), (0o700, 0o600));
    assert!(!world.deployment().join("secrets.json").exists(), "no secret is made up");
    world.exasol("list").run().code(0).says("deployment");
    let at = format!("--libvirt-uri test://{}", world.path("host.xml").display());
    let sweep = world.exasol(&format!("sweep {at} --json")).run().code(0).json();
    assert_eq!(
        (&sweep["deployments"][0]["owner"], &sweep["deployments"][1]["owner"]),
        (&"known".into(), &"unknown".into())
    );
}

#[test]
fn status_tells_how_it_is_and_destroy_removes_it_without_terraform() {
    let world = adopted();
    world.remove("terraform");
    let status = world.exasol("status --json").run().code(0).json();
    assert_eq!(status["nodes"][0]["vm"], "running");
    assert_eq!(
        status["reason"], "its machine runs; its directory was adopted, so its passwords are not known",
        "nobody has asked the database: {status}"
    );
    assert!(
        status["next"].as_array().unwrap().iter().all(|next| !next.as_str().unwrap().contains("deploy -d")),
        "{status}"
    );
    let plan = world.exasol("destroy --dry-run --json").run().code(0).json();
    let doomed: Vec<_> = plan["removed"].as_array().unwrap().iter().map(|thing| thing.as_str().unwrap()).collect();
    assert!(
        doomed.contains(&"domain exasol-0000000a-n11") && doomed.iter().all(|thing| thing.contains(LOST)),
        "{doomed:?}"
    );
    world.exasol("destroy --yes").run().code(0).says("removed by its name");
    assert_eq!(world.state()["phase"], "destroyed");
}

#[test]
fn what_cannot_work_is_refused_and_changes_nothing() {
    let world = adopted();
    let before = world.files();
    for command in ["deploy --yes", "deploy --plan", "start", "stop", "init --update --owner x", "health --repair"] {
        world.exasol(command).run().code(3).says("adopted").says("exasol status");
    }
    world.exasol("sql -c x").run().code(3).says("passwords of deployment are not known");
    for command in ["ssh", "health"] {
        world.exasol(command).run().code(3).says("adopt");
    }
    assert_eq!(world.files(), before);
}

#[test]
fn nothing_is_adopted_twice_or_into_something_else() {
    let world = adopted();
    let before = world.files();
    adopt(&world, "").run().code(3).says("already holds a deployment");
    let second = world.path("second");
    adopt(&world, &format!("-d {}", second.display())).run().code(2).says("has a directory").says("exasol status -d");
    std::fs::create_dir(&second).unwrap();
    std::fs::write(second.join("mine"), "x").unwrap();
    adopt(&world, &format!("-d {}", second.display())).run().code(3).says("is not empty (mine)");
    assert_eq!((world.files(), std::fs::read_dir(&second).unwrap().count()), (before, 1));
    std::fs::remove_dir_all(world.deployment()).unwrap();
    adopt(&world, "").run().code(0);
}

#[test]
fn what_is_not_there_or_not_ours_is_not_adopted() {
    let world = World::complete();
    let at = hypervisor(&world, &[LOST]);
    world.exasol(&format!("adopt exasol-0000000f {at}")).run().code(2).says("nothing of exasol-0000000f").says("sweep");
    world.exasol(&format!("adopt n11 {at}")).run().code(2).says("is not a deployment id");
    world.exasol("adopt").run().code(2).says("ID");
    let host = world.path("host.xml");
    let text = std::fs::read_to_string(&host).unwrap();
    let stranger = text
        .replace(&id(LOST).mac("n11"), "52:54:00:00:09:09")
        .replace(&id(LOST).wwn("n11", 1), &id(LOST).wwn("n12", 1));
    std::fs::write(&host, stranger).unwrap();
    world.exasol(&format!("adopt {LOST} {at}")).run().code(2).says("neither the MAC address nor a disk");
    let (before, machine) = text.split_once("<domain").unwrap();
    std::fs::write(&host, [before, machine.split_once("</domain>").unwrap().1].concat()).unwrap();
    world.exasol(&format!("adopt {LOST} {at}")).run().code(2).says("no machine any more").says("sweep --remove");
    world.exasol("adopt exasol-0000000a --libvirt-uri test:///no/such/file.xml").run().code(4).says("no/such/file.xml");
    nothing_was_written(&world);
}

#[test]
fn a_wrong_key_is_refused_before_anything_is_written() {
    let world = World::complete();
    let (mine, known) = (key(&world, "mine"), host_keys(&world, "n11"));
    let mine = mine.display();
    adopt(&world, &format!("--ssh-key {mine}")).run().code(2).says("needs --host-keys").says("virt-cat");
    adopt(&world, &format!("--host-keys {known}")).run().code(2).says("of no use without --ssh-key");
    adopt(&world, &format!("--ssh-key {known} --host-keys {known}")).run().code(2).says("must be a private key");
    let locked = world.path("locked").display().to_string();
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "a phrase", "-f", &locked]).status();
    assert!(made.unwrap().success());
    adopt(&world, &format!("--ssh-key {locked} --host-keys {known}")).run().code(2).says("without a passphrase");
    adopt(&world, &format!("--ssh-key {mine} --host-keys {mine}")).run().code(2).says("in line 1");
    adopt(&world, &format!("--ssh-key /no/such --host-keys {known}")).run().code(1).says("/no/such");
    nothing_was_written(&world);
}

#[test]
fn with_a_key_that_opens_the_nodes_ssh_works() {
    let world = World::complete();
    world.fake("ssh", "echo \"$@\" >> \"$HOME/called\"; cat > /dev/null; exit 0");
    let words = with_key(&world);
    adopt(&world, &words).run().code(0);
    let ssh = |file: &str| world.deployment().join("ssh").join(file);
    assert_eq!(std::fs::metadata(ssh("id_ed25519")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(ssh("id_ed25519")).unwrap(), std::fs::read(world.path("mine")).unwrap());
    assert!(std::fs::read_to_string(ssh("config")).unwrap().contains("StrictHostKeyChecking yes"));
    let known = std::fs::read_to_string(world.path("known")).unwrap();
    let key = known.split_whitespace().nth(2).unwrap();
    assert!(std::fs::read_to_string(ssh("known_hosts")).unwrap().contains(&format!("n11 ssh-ed25519 {key}\n")));
    world.exasol("ssh n11 -- true").run().code(0);
    let called = std::fs::read_to_string(world.path("home/called")).unwrap();
    assert!(called.lines().last().unwrap().contains(&ssh("config").display().to_string()), "{called}");
}

#[test]
fn a_node_that_refuses_the_key_or_is_another_machine_is_told() {
    for (says, told) in [
        ("exasol@192.0.2.7: Permission denied (publickey).", "does not let this key in"),
        ("Host key verification failed.", "has another host key"),
    ] {
        let world = World::complete();
        world.fake("ssh", &format!("cat > /dev/null; echo '{says}' >&2; exit 255"));
        let words = with_key(&world);
        adopt(&world, &words).run().code(2).says(told);
        nothing_was_written(&world);
    }
}

#[test]
fn info_says_that_the_passwords_are_not_known() {
    let world = adopted();
    for command in ["info", "info --show-password"] {
        world.exasol(command).run().code(0).says("not known: the deployment's directory was adopted");
    }
    let json = world.exasol("info --show-password --json").run().code(0).json();
    assert!(json.get("password").is_none(), "{json}");
}
