//! Deployment directories as earlier versions wrote them: every later version opens them.
//!
//! `tests/fixtures/frozen/schema-N/` is a directory of the first version that wrote schema N. It is never written again:
//! if a test fails here, the code has forgotten something. What belongs to one machine alone has a placeholder in it.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use deployer::model::Phase;

use crate::cluster::Cluster;
use crate::database::{Database, PASSWORD};
use crate::support::World;

/// Of the directory: playbooks and logs are not in it, so that it stays small. `deploy` renders them again.
const KEPT: [&str; 8] =
    ["deployment.json", "secrets.json", ".lock", "README.md", "terraform", "ssh", "ansible/inventory.json", "previous"];
/// Terraform's own, and of the fakes.
const LEFT_OUT: [&str; 3] = ["terraform/tfplan", "terraform/tfplan.word", "terraform/.terraform"];
/// These have placeholders. Other files are compared with the hashes in deployment.json, byte by byte.
const WITH_PLACEHOLDERS: [&str; 2] = ["deployment.json", "secrets.json"];

fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/frozen")
}

/// Files below a folder, relative to it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path.strip_prefix(folder).unwrap().to_owned()) }
        }
    }
    found.sort();
    found
}

fn has_placeholders(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    WITH_PLACEHOLDERS.iter().any(|with| name.starts_with(with))
}

fn placeholders(cluster: &Cluster) -> [(&'static str, String); 3] {
    [
        ("@ADDRESS@", cluster.address().to_owned()),
        ("@FINGERPRINT@", cluster.fingerprint().to_owned()),
        ("@PASSWORD@", PASSWORD.to_owned()),
    ]
}

/// A cluster whose directory is that fixture, with its machine on.
fn thawed(fixture: &Path) -> Option<Cluster> {
    let cluster = Cluster::around(World::complete(), Database::usual())?;
    for file in files(fixture) {
        let mut content = fs::read(fixture.join(&file)).unwrap();
        if has_placeholders(&file) {
            let text = String::from_utf8(content).unwrap();
            let put = |text: String, (name, value): (&str, String)| text.replace(name, &value);
            content = placeholders(&cluster).into_iter().fold(text, put).into_bytes();
        }
        let target = cluster.world.deployment().join(&file);
        DirBuilder::new().recursive(true).mode(0o700).create(target.parent().unwrap()).unwrap();
        fs::write(&target, content).unwrap();
        fs::set_permissions(target, Permissions::from_mode(0o600)).unwrap();
    }
    cluster.tell("power", "running");
    Some(cluster)
}

fn fixtures() -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(frozen()).unwrap().flatten().map(|entry| entry.path()).collect();
    all.retain(|path| path.is_dir());
    all.sort();
    all
}

#[test]
fn a_directory_of_every_earlier_version_opens_deploys_and_is_destroyed() {
    for fixture in fixtures() {
        let Some(cluster) = thawed(&fixture) else { return };
        let told = fixture.display();
        assert_eq!(
            fixture.file_name().unwrap().to_str().unwrap(),
            format!("schema-{}", cluster.world.state()["schema"])
        );
        cluster.world.exasol("state verify").run().code(0).says("sound");
        let shown = cluster.world.exasol("state show --json").run().code(0).json();
        assert_eq!(shown["files"][0]["phase"], "database_ready", "{told}: {shown}");
        let status = cluster.exasol("status --json").run().code(0).json();
        assert_eq!((&status["phase"], &status["cluster_size"]), (&"database_ready".into(), &1.into()), "{status}");
        cluster.world.exasol("info --show-password").run().code(0).says(PASSWORD);
        cluster.exasol("deploy").run().code(0);
        assert_eq!(cluster.phase(), Phase::DatabaseReady, "{told}");
        cluster.exasol("stop").run().code(0);
        cluster.exasol("start").run().code(0);
        cluster.world.exasol("state verify").run().code(0).says("sound");
        cluster.exasol("destroy --yes").run().code(0);
        assert_eq!(cluster.phase(), Phase::Destroyed, "{told}");
    }
}

#[test]
fn a_frozen_directory_can_be_destroyed_at_once_and_repaired() {
    for fixture in fixtures() {
        let Some(cluster) = thawed(&fixture) else { return };
        let state = fs::read(cluster.world.deployment().join("deployment.json")).unwrap();
        fs::write(cluster.world.deployment().join("deployment.json"), "").unwrap();
        cluster.world.exasol("state repair --yes").run().code(0);
        assert_eq!(fs::read(cluster.world.deployment().join("deployment.json")).unwrap(), state);
        cluster.exasol("destroy --yes").run().code(0);
        assert_eq!(cluster.phase(), Phase::Destroyed);
    }
}

#[test]
fn todays_schema_is_frozen() {
    let world = World::complete().initialized();
    let folder = frozen().join(format!("schema-{}", world.state()["schema"]));
    let make = "cargo test --test cli -- --ignored freezes_a_directory_of_todays_schema";
    assert!(folder.is_dir(), "{} is missing: {make}", folder.display());
}

/// Writes the fixture of a schema that has none yet.
#[test]
#[ignore = "it writes a fixture: once for each schema"]
fn freezes_a_directory_of_todays_schema() {
    let cluster = Cluster::around(World::complete_at("exasol-frozen"), Database::usual()).unwrap();
    cluster.exasol("init --cloud-provider exoscale --db-version rehearsal --allowed-cidr 192.0.2.0/24").run().code(0);
    cluster.world.give_cluster_key();
    cluster.exasol("deploy").run().code(0);
    let fixture = frozen().join(format!("schema-{}", cluster.world.state()["schema"]));
    assert!(!fixture.exists(), "{} is frozen already", fixture.display());
    let root = cluster.world.deployment();
    let is_kept = |file: &&PathBuf| {
        KEPT.iter().any(|kept| file.starts_with(kept)) && !LEFT_OUT.iter().any(|left| file.starts_with(left))
    };
    for file in files(&root).iter().filter(is_kept) {
        let mut content = fs::read(root.join(file)).unwrap();
        if has_placeholders(file) {
            let text = String::from_utf8(content).unwrap();
            let take = |text: String, (name, value): (&str, String)| text.replace(&value, name);
            content = placeholders(&cluster).into_iter().fold(text, take).into_bytes();
        }
        fs::create_dir_all(fixture.join(file).parent().unwrap()).unwrap();
        fs::write(fixture.join(file), if file.ends_with(".lock") { Vec::new() } else { content }).unwrap();
    }
}
