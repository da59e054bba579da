//! `state show`, `verify` and `repair`, and the copies that operations keep.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::support::World;

const FILES: [&str; 3] = ["deployment.json", "secrets.json", "terraform/terraform.tfstate"];

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn kinds(report: &Value) -> Vec<(String, String)> {
    let problems = report.get("problems").or(report.get("left")).unwrap().as_array().unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    problems.iter().map(|problem| (word(&problem["file"]), word(&problem["kind"]))).collect()
}

/// What happens to a file on a disk.
fn damage(file: &Path, how: &str) {
    let content = fs::read(file).unwrap();
    match how {
        "empty" => fs::write(file, "").unwrap(),
        "cut off" => fs::write(file, &content[..content.len() / 2]).unwrap(),
        "zeros" => fs::write(file, vec![0; content.len()]).unwrap(),
        "missing" => fs::remove_file(file).unwrap(),
        "folder" => {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_operation_keeps_copies_of_what_it_found_and_of_what_it_leaves() {
    let Some(cluster) = Cluster::initialized() else { return };
    let root = cluster.world.deployment();
    assert!(!root.join("previous").exists());
    cluster.exasol("start").run().code(3);
    assert!(!root.join("previous").exists(), "what is refused writes nothing");
    cluster.world.give_cluster_key();
    cluster.exasol("deploy").run().code(0);
    cluster.exasol("stop").run().code(0);
    let kept = names(&root.join("previous"));
    for name in ["deployment.json.1", "deployment.json.2", "deployment.json.3", "secrets.json.1", "terraform.tfstate.1"]
    {
        assert!(kept.iter().any(|kept| kept == name), "{name}: {kept:?}");
        assert_eq!(mode(&root.join("previous").join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&root.join("previous")), 0o700);
    for file in FILES {
        let copy = root.join("previous").join(format!("{}.1", Path::new(file).file_name().unwrap().display()));
        assert_eq!(fs::read(root.join(file)).unwrap(), fs::read(copy).unwrap(), "{file}");
    }
    for _ in 0..6 {
        cluster.exasol("start").run().code(0);
        cluster.exasol("stop").run().code(0);
    }
    let states = names(&root.join("previous")).into_iter().filter(|name| name.starts_with("deployment.json."));
    assert_eq!(states.count(), 10);

    let shown = cluster.world.exasol("state show --json").run().code(0).json();
    let files = shown["files"].as_array().unwrap();
    let row = |name: &str| files.iter().find(|file| file["file"] == name).unwrap();
    assert_eq!(
        (row("deployment.json")["phase"].as_str(), row("deployment.json")["nodes"].as_u64()),
        (Some("stopped"), Some(1))
    );
    assert_eq!(row("previous/deployment.json.1")["same"], true);
    assert_eq!(row("previous/deployment.json.2")["phase"], "database_ready");
    assert_eq!(row("terraform/terraform.tfstate")["resources"], 1);
    cluster.world.exasol("state show").run().code(0).says("the same as now").says("database_ready, 1 node");

    cluster.exasol("destroy --yes").run().code(0);
    assert!(!root.join("previous").exists(), "destroy removes the secrets, wherever they are");
    cluster.world.exasol("state verify").run().code(0).says("sound");
}

#[test]
fn whatever_was_damaged_a_copy_takes_its_place_and_nothing_is_lost() {
    let Some(cluster) = Cluster::deployed() else { return };
    let root = cluster.world.deployment();
    cluster.world.exasol("state verify").run().code(0).says("sound");
    for file in FILES {
        for how in ["empty", "cut off", "zeros", "missing", "folder"] {
            let told = format!("{file}: {how}");
            let before = fs::read(root.join(file)).unwrap();
            damage(&root.join(file), how);
            let check = cluster.world.exasol("state verify --json").run().code(1).json();
            assert_eq!(kinds(&check)[0].0, file, "{told}: {check}");
            assert_eq!(check["problems"][0]["repairable"], true, "{told}: {check}");
            let fix = check["next"][0].as_str().unwrap();
            assert!(fix.starts_with("exasol state repair -d "), "{told}: {check}");
            cluster.world.exasol("state show").run().code(0);
            let mended = cluster.world.exasol("state repair --yes --json").run().code(0).json();
            assert!(mended["repaired"].as_array().unwrap().len() == 1, "{told}: {mended}");
            assert_eq!(fs::read(root.join(file)).unwrap(), before, "{told}");
            assert_eq!(mode(&root.join(file)), 0o600, "{told}");
            cluster.world.exasol("state verify").run().code(0);
        }
    }
    let broken = names(&root.join("previous")).into_iter().filter(|name| name.contains(".broken-"));
    assert_eq!(broken.count(), 12, "everything but what was missing");
    assert_eq!(cluster.next(), ["exasol info", "exasol sql"]);
    cluster.exasol("destroy --yes").run().code(0);
    assert!(!root.join("previous").exists());
}

#[test]
fn several_at_once_are_repaired_in_the_order_in_which_they_follow_from_each_other() {
    let Some(cluster) = Cluster::deployed() else { return };
    let root = cluster.world.deployment();
    let (key, config) = (root.join("ssh/id_ed25519"), root.join("ssh/config"));
    let before = (fs::read(&key).unwrap(), fs::read(root.join("ssh/known_hosts")).unwrap());
    FILES.iter().for_each(|file| damage(&root.join(file), "zeros"));
    damage(&key, "cut off");
    damage(&root.join("ssh/known_hosts"), "missing");
    fs::write(&config, format!("{}# mine\n", fs::read_to_string(&config).unwrap())).unwrap();
    for (name, bits) in [("", 0o755), ("logs", 0o750)] {
        fs::set_permissions(root.join(name), Permissions::from_mode(bits)).unwrap();
    }
    let check = cluster.world.exasol("state verify --json").run().code(1).json();
    assert!(kinds(&check).contains(&(".".into(), "permissions".into())), "{check}");
    let answer = cluster.world.exasol("state repair -y").run().code(0);
    answer.says("mode 0700").says("ssh/id_ed25519 was damaged").says("ssh/known_hosts was rendered again");
    assert_eq!((fs::read(&key).unwrap(), fs::read(root.join("ssh/known_hosts")).unwrap()), before);
    assert_eq!((mode(&root), mode(&root.join("logs"))), (0o700, 0o700));
    assert!(fs::read_to_string(&config).unwrap().ends_with("# mine\n"), "people's own lines stay");
    cluster.world.exasol("state verify").run().code(0).says("edited by hand").says("ssh/config");
    cluster.exasol("deploy --overwrite-edits").run().code(0);
}

#[test]
fn it_asks_first_and_changes_nothing_without_need() {
    let Some(cluster) = Cluster::deployed() else { return };
    let root = cluster.world.deployment();
    let sound = cluster.world.files();
    cluster.world.exasol("state repair").run().code(0).says("nothing is wrong");
    assert_eq!(cluster.world.files(), sound);
    damage(&root.join("deployment.json"), "cut off");
    let broken = cluster.world.files();
    cluster.world.exasol("state repair").run().code(2).says("--yes");
    assert_eq!(cluster.world.files(), broken);
    let mut terminal = cluster.world.exasol("state repair").on_a_terminal();
    terminal.exp_string("previous/deployment.json.1 takes its place").unwrap();
    terminal.exp_string("[y/N]").unwrap();
    terminal.send_line("n").unwrap();
    terminal.exp_string("nothing was changed").unwrap();
    terminal.exp_eof().unwrap();
    assert_eq!(cluster.world.files(), broken);
    let mut terminal = cluster.world.exasol("state repair").on_a_terminal();
    terminal.exp_string("[y/N]").unwrap();
    terminal.send_line("y").unwrap();
    terminal.exp_string("repaired:").unwrap();
    terminal.exp_eof().unwrap();
    cluster.world.exasol("state verify").run().code(0);
}

#[test]
fn every_command_names_the_repair_where_a_copy_can_help() {
    let Some(cluster) = Cluster::deployed() else { return };
    let root = cluster.world.deployment();
    let repair = "exasol state repair -d ";
    let sound = fs::read(root.join("deployment.json")).unwrap();
    for how in ["cut off", "missing"] {
        damage(&root.join("deployment.json"), how);
        for words in ["status", "info", "deploy", "destroy --yes", "up"] {
            cluster.exasol(words).run().code(3).says(repair);
        }
        fs::write(root.join("deployment.json"), &sound).unwrap();
    }
    let secrets = fs::read(root.join("secrets.json")).unwrap();
    damage(&root.join("secrets.json"), "zeros");
    cluster.exasol("stop").run().says(repair);
    fs::write(root.join("secrets.json"), secrets).unwrap();
    damage(&root.join("terraform/terraform.tfstate"), "zeros");
    cluster.exasol("destroy --yes").run().code(1).says(repair);
}

#[test]
fn a_state_of_a_later_version_is_left_to_that_version() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.world.edit_state(|state| state["schema"] = 2.into());
    let newer = cluster.world.files();
    cluster.world.exasol("status").run().code(3).says("use a newer one").never_says("state repair");
    let check = cluster.world.exasol("state verify --json").run().code(1).json();
    assert_eq!(kinds(&check), [("deployment.json".to_owned(), "newer_schema".to_owned())]);
    cluster.world.exasol("state repair --yes").run().code(1).says("newer");
    assert_eq!(cluster.world.files(), newer);
}

#[test]
fn what_only_people_can_decide_is_left_with_the_command_for_it() {
    let Some(cluster) = Cluster::deployed() else { return };
    let root = cluster.world.deployment();
    let state = root.join("terraform/terraform.tfstate");
    // Interrupted: the copies are of the beginning.
    cluster.world.edit_state(|state| state["phase"] = "deploy_in_progress".into());
    damage(&state, "zeros");
    let answer = cluster.world.exasol("state repair --yes").run().code(1);
    answer.says("before the operation that was interrupted").says("cp -p ").says("previous/terraform.tfstate.1");
    fs::copy(root.join("previous/terraform.tfstate.1"), &state).unwrap();
    cluster.exasol("deploy").run().code(0);
    // A copy that lists nothing says nothing of what exists.
    for name in names(&root.join("previous")).iter().filter(|name| name.starts_with("terraform.tfstate.")) {
        fs::write(root.join("previous").join(name), r#"{"version":4,"serial":1,"resources":[]}"#).unwrap();
    }
    damage(&state, "missing");
    cluster.world.exasol("state repair --yes").run().code(1).says("no copy of it that lists anything").says("backup");
    assert!(!state.exists());
}

#[test]
fn a_copy_from_before_the_last_operation_is_said_to_be_one() {
    let Some(cluster) = Cluster::deployed() else { return };
    let root = cluster.world.deployment();
    let first = names(&root.join("previous")).into_iter().rfind(|name| name.starts_with("deployment.json.")).unwrap();
    let initialized = fs::read_to_string(root.join("previous").join(first)).unwrap();
    let mut initialized: Value = serde_json::from_str(&initialized).unwrap();
    initialized["updated_at"] = "2026-01-02T03:04:05Z".into();
    for name in names(&root.join("previous")).iter().filter(|name| name.starts_with("deployment.json.")) {
        fs::write(root.join("previous").join(name), initialized.to_string()).unwrap();
    }
    damage(&root.join("deployment.json"), "zeros");
    let answer = cluster.world.exasol("state repair --yes").run();
    answer.says("deploy began at").says("is not recorded").says("exasol logs");
}

#[test]
fn while_an_operation_runs_nothing_is_repaired() {
    let world = World::complete().with_a_machine();
    fs::set_permissions(world.deployment().join("secrets.json"), Permissions::from_mode(0o644)).unwrap();
    fs::write(world.path("home/terraform-hangs"), "plan").unwrap();
    let mut deploy = world.exasol("destroy --yes").start();
    while !world.path("home/terraform-is-running").exists() {
        assert!(deploy.try_wait().unwrap().is_none(), "destroy has ended");
        std::thread::yield_now();
    }
    world.exasol("state verify").run().code(1).says("destroy runs since").says("secrets.json has mode 0644");
    world.exasol("state repair --yes").run().code(75).says("destroy is running here");
    assert_eq!(mode(&world.deployment().join("secrets.json")), 0o644);
    let pid: i32 = fs::read_to_string(world.path("home/terraform-is-running")).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    deploy.wait().unwrap();
}

#[test]
fn what_is_in_the_way_is_named_and_never_followed() {
    let Some(cluster) = Cluster::deployed() else { return };
    let (root, outside) = (cluster.world.deployment(), cluster.world.path("outside"));
    fs::create_dir(&outside).unwrap();
    fs::remove_dir_all(root.join("previous")).unwrap();
    symlink(&outside, root.join("previous")).unwrap();
    cluster.exasol("stop").run().code(0);
    assert_eq!(names(&outside), Vec::<String>::new());
    let check = cluster.world.exasol("state verify --json").run().code(1).json();
    assert_eq!(kinds(&check), [("previous".to_owned(), "in_the_way".to_owned())]);
    assert!(check["next"][0].as_str().unwrap().starts_with("mv "), "{check}");
    fs::remove_file(root.join(".lock")).unwrap();
    symlink(outside.join("lock"), root.join(".lock")).unwrap();
    cluster.world.exasol("state verify").run().code(1).says(".lock is a symbolic link");
    assert_eq!(names(&outside), Vec::<String>::new());
    fs::remove_file(root.join(".lock")).unwrap();
    cluster.exasol("destroy --yes").run().code(0);
    assert!(root.join("previous").is_symlink(), "somebody else's");
}

#[test]
fn what_is_no_deployment_is_named_for_what_it_is() {
    let world = World::complete();
    for action in ["show", "verify", "repair --yes"] {
        world.exasol(&format!("state {action}")).run().code(3).says("is not a deployment directory");
    }
    world.exasol("state").run().code(2);
    let initialized = World::complete().initialized();
    initialized.exasol("state verify").run().code(0);
    damage(&initialized.deployment().join("deployment.json"), "empty");
    initialized.exasol("state repair --yes").run().code(1).says("there is no copy of it").says("backup");
    initialized.exasol("status").run().code(3).never_says("state repair");
}

#[test]
fn an_archive_for_others_has_no_copies() {
    let Some(cluster) = Cluster::deployed() else { return };
    let password = "the one before this";
    let copy = cluster.world.deployment().join("previous/secrets.json.1");
    let mut secrets: Value = serde_json::from_slice(&fs::read(&copy).unwrap()).unwrap();
    secrets["db_password"] = password.into();
    fs::write(&copy, secrets.to_string()).unwrap();
    let log = fs::read_dir(cluster.world.deployment().join("logs")).unwrap().flatten().find(|e| e.path().is_dir());
    fs::write(log.unwrap().path().join("said.log"), format!("it was {password}\n")).unwrap();
    cluster.world.exasol("support --no-nodes --file support.tar.gz").run().code(0);
    let archive = cluster.world.path("support.tar.gz");
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()), &mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    assert!(!text.contains(password) && text.contains("it was [masked"), "a password of before is a password");
    let inside = text.matches("/previous/").count();
    assert_eq!(inside, 0, "names of copies are only in the list of files");
}
