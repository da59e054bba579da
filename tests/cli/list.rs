//! `list` and its index: what is known, what moved, what is gone, and what costs nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::database::{self, Database, node};
use crate::support::World;

const INDEX: &str = "state/exasol/deployments.d";

fn index(world: &World) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(world.path(INDEX)).into_iter().flatten();
    let mut files: Vec<_> = listing.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn list(world: &World) -> Vec<Value> {
    let json = world.exasol("list --json").run().code(0).json();
    assert_eq!(json["schema"], 1);
    json["deployments"].as_array().unwrap().clone()
}

/// Another deployment of the same world.
fn another(world: &World, name: &str) -> PathBuf {
    let dir = world.path(name);
    world.init("").env("EXASOL_DEPLOYMENT_DIR", &dir).run().code(0);
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => std::fs::copy(entry.path(), to.join(entry.file_name())).map(drop).unwrap(),
        }
    }
}

#[test]
fn without_a_deployment_the_command_that_makes_one_is_named() {
    let world = World::new();
    world.exasol("list").run().code(0).says("No deployment is known").says("exasol init");
    assert!(list(&world).is_empty());
    assert!(!world.path("state/exasol").exists(), "list writes nothing");
}

#[test]
fn every_deployment_is_listed_with_its_live_status() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    let second = another(&world, "second");
    for tool in ["terraform", "ansible-playbook", "ssh"] {
        world.remove(tool);
    }
    let rows = list(&world);
    assert_eq!(rows.len(), 2);
    let row = |dir: &Path| rows.iter().find(|row| row["directory"] == dir.display().to_string()).unwrap();
    assert_eq!((&row(&second)["status"], &row(&second)["provider"]), (&"initialized".into(), &"libvirt".into()));
    assert_eq!((&row(&second)["db_version"], &row(&second)["cluster_size"]), (&"rehearsal".into(), &1.into()));
    let status = world.exasol("status --json").run().code(0).json();
    // The mock driver has no such machine, and the database answers all the same: whichever is faster counts.
    let live = [&row(&world.deployment())["status"], &status["status"]];
    assert!(live.iter().all(|status| **status == "degraded" || **status == "database_ready"), "{live:?}");
    assert_eq!(row(&world.deployment())["deployment"], status["deployment"]);
    world.exasol("list").run().code(0).says("STATUS").says("not deployed").says("libvirt, rehearsal");
}

#[test]
fn the_index_is_private_and_list_does_not_write_in_it() {
    let world = World::complete().initialized();
    let files = index(&world);
    assert_eq!(files.len(), 1);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&world.path(INDEX)), mode(&files[0])), (0o700, 0o600));
    let before = std::fs::read(&files[0]).unwrap();
    std::fs::remove_dir_all(world.deployment()).unwrap();
    list(&world);
    assert_eq!(std::fs::read(&files[0]).unwrap(), before);
}

#[test]
fn deployments_that_do_not_answer_are_asked_at_the_same_time() {
    // Accepts connections, and never says a word.
    let silent = database::listen();
    let world = World::complete().with_a_machine();
    let mut states = vec![world.deployment()];
    states.extend(["b", "c", "d"].map(|name| another(&world, name)));
    for dir in &states {
        let file = dir.join("deployment.json");
        let mut state: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        state["phase"] = "database_ready".into();
        state["certificate_fingerprint"] = "00".repeat(32).into();
        state["nodes"] = serde_json::json!([node("n11", &silent.local_addr().unwrap().ip().to_string())]);
        // A hypervisor that says of a machine that it is off would end the wait.
        state["spec"]["options"]["uri"] = "test:///no/such/file.xml".into();
        std::fs::write(&file, state.to_string()).unwrap();
    }
    let since = std::time::Instant::now();
    let json = world.exasol("list --json --probe-timeout 2").run().code(0).json();
    assert_eq!(json["deployments"].as_array().unwrap().len(), 4);
    let took = json["checked_in_ms"].as_u64().unwrap();
    assert!((2000..4000).contains(&took), "{:?} {json}", since.elapsed());
}

#[test]
fn a_directory_that_is_gone_is_missing_until_it_is_pruned() {
    let world = World::complete().initialized();
    let kept = another(&world, "kept");
    std::fs::remove_dir_all(world.deployment()).unwrap();
    let rows = list(&world);
    assert_eq!(rows.iter().filter(|row| row["status"] == "missing").count(), 1);
    world.exasol("list").run().code(0).says("missing").says("exasol list --prune");
    assert_eq!(index(&world).len(), 2);
    world.exasol("list --prune").run().code(0).says("dropped from the list");
    let rows = list(&world);
    assert_eq!((rows.len(), &rows[0]["directory"]), (1, &kept.display().to_string().into()));
    assert_eq!(index(&world).len(), 1);
}

#[test]
fn a_directory_that_moved_is_followed_by_the_next_command_that_locks_it() {
    let world = World::complete().initialized();
    let moved = world.path("moved");
    std::fs::rename(world.deployment(), &moved).unwrap();
    assert_eq!(list(&world)[0]["status"], "missing");
    world.exasol("init --update --owner me").env("EXASOL_DEPLOYMENT_DIR", &moved).run().code(0);
    let rows = list(&world);
    assert_eq!((rows.len(), &rows[0]["directory"]), (1, &moved.display().to_string().into()));
    assert_eq!(rows[0]["status"], "initialized");
}

#[test]
fn a_deployment_that_nobody_has_written_down_becomes_known() {
    let world = World::complete().initialized();
    std::fs::remove_dir_all(world.path(INDEX)).unwrap();
    assert!(list(&world).is_empty());
    world.exasol("init --update --owner me").run().code(0);
    assert_eq!(list(&world).len(), 1);
}

#[test]
fn copies_are_told_and_both_are_listed() {
    let world = World::complete().initialized();
    let twin = world.path("twin");
    copy(&world.deployment(), &twin);
    let update = |dir: &Path, owner: &str| {
        world.exasol(&format!("init --update --owner {owner}")).env("EXASOL_DEPLOYMENT_DIR", dir).run().code(0)
    };
    update(&twin, "a").says("are the same deployment").says(&world.deployment().display().to_string());
    update(&twin, "b").never_says("are the same deployment");
    let rows = list(&world);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["deployment"], rows[1]["deployment"]);
    world.exasol("list").run().code(0).says("the same deployment is in");
    std::fs::remove_dir_all(&twin).unwrap();
    let rows = list(&world);
    assert_eq!((rows.len(), &rows[0]["directory"]), (1, &world.deployment().display().to_string().into()));
}

#[test]
fn one_broken_deployment_is_one_row_with_its_reason() {
    let world = World::complete().initialized();
    let fine = another(&world, "fine");
    std::fs::write(world.deployment().join("deployment.json"), "{").unwrap();
    std::fs::write(world.path(INDEX).join("exasol-ffffffff.json"), "[]").unwrap();
    let rows = list(&world);
    assert_eq!(rows.len(), 3);
    let broken: Vec<_> = rows.iter().filter(|row| row["status"] == "broken").collect();
    assert_eq!(broken.len(), 2);
    assert!(broken.iter().all(|row| !row["reason"].as_str().unwrap().is_empty()));
    world.exasol("list --prune").run().code(0);
    let rows = list(&world);
    assert_eq!(rows.len(), 2, "the directory is there, and stays: {rows:?}");
    assert!(rows.iter().any(|row| row["directory"] == fine.display().to_string()));
}

#[test]
fn a_destroyed_deployment_is_listed_for_as_long_as_its_directory_is_there() {
    let world = World::complete().initialized();
    world.exasol("destroy --yes").run().code(0);
    world.exasol("list").run().code(0).says("1 destroyed, not shown (--all)");
    let json = world.exasol("list --json").run().code(0).json();
    assert_eq!((json["deployments"].as_array().unwrap().len(), &json["destroyed_hidden"]), (0, &1.into()));
    let all = world.exasol("list --all --json").run().code(0).json();
    assert_eq!(all["deployments"][0]["status"], "destroyed");
    std::fs::remove_dir_all(world.deployment()).unwrap();
    assert!(list(&world).is_empty());
    world.exasol("list --prune").run().code(0);
    assert!(index(&world).is_empty());
}

#[test]
fn an_index_that_cannot_be_written_is_a_warning() {
    let world = World::complete();
    std::fs::write(world.path("file"), "").unwrap();
    world.init("").env("XDG_STATE_HOME", world.path("file")).run().code(0).says("exasol list will not show");
    world.exasol("status").run().code(0);
    world.exasol("destroy --yes").env("XDG_STATE_HOME", world.path("file")).run().code(0).says("will not show");
}
