//! `cache`: what deployments share; nothing that is in use is removed.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::support::{TEST_URI, World};

/// As a process that works there: locked as long as it is held.
fn at_work(lock: &Path) -> File {
    let file = File::create(lock).unwrap();
    flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}

fn with_files() -> World {
    let world = World::complete();
    let images = world.path("cache/exasol/images");
    std::fs::create_dir_all(&images).unwrap();
    std::fs::write(images.join("old.img"), vec![0; 2048]).unwrap();
    std::fs::write(images.join("new.img.part"), vec![0; 10]).unwrap();
    let release = world.path("cache/exasol/artifacts/rehearsal");
    std::fs::create_dir_all(&release).unwrap();
    std::fs::write(release.join("c4"), "x").unwrap();
    world
}

fn cache(world: &World, words: &str) -> serde_json::Value {
    let words = format!("cache {words} --libvirt-uri {TEST_URI} --libvirt-pool default-pool --json");
    world.exasol(&words).run().code(0).json()
}

fn names(list: &serde_json::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[test]
fn the_list_has_sizes_and_says_what_is_in_use() {
    let world = with_files();
    let _download = at_work(&world.path("cache/exasol/images/new.img.lock"));
    let json = cache(&world, "list");
    assert_eq!(names(&json["entries"]), ["new.img.lock", "new.img.part", "old.img", "rehearsal"]);
    assert_eq!(json["entries"][2]["bytes"], 2048);
    assert_eq!(json["entries"][1]["in_use_by"], "a download");
}

#[test]
fn what_a_killed_download_left_goes_at_once() {
    let world = with_files();
    let images = world.path("cache/exasol/images");
    for file in ["new.img", "new.img.lock"] {
        std::fs::write(images.join(file), "x").unwrap();
    }
    cache(&world, "prune");
    assert_eq!(std::fs::read_dir(images).unwrap().count(), 0);
}

#[test]
fn a_list_makes_nothing() {
    let world = with_files();
    std::fs::create_dir_all(world.path("cache/exasol/plugins/registry")).unwrap();
    cache(&world, "list");
    assert!(!world.path("cache/exasol/plugins.lock").exists());
}

#[test]
fn prune_removes_what_nobody_needs_and_keeps_running_downloads() {
    let world = with_files();
    let release = world.path("cache/exasol/artifacts/2025.1.8");
    std::fs::create_dir(&release).unwrap();
    for file in ["c4", "exasol.tar.gz.part"] {
        std::fs::write(release.join(file), "x").unwrap();
    }
    let download = at_work(&release.join("exasol.tar.gz.lock"));
    let removed = ["new.img.part", "old.img", "rehearsal"];
    assert_eq!(names(&cache(&world, "prune --dry-run")["removed"]), removed);
    assert!(world.path("cache/exasol/images/old.img").exists());
    let json = cache(&world, "prune");
    assert_eq!(names(&json["removed"]), removed);
    assert_eq!(json["entries"][0]["in_use_by"], "a download");
    assert!(release.join("exasol.tar.gz.part").exists() && release.join("exasol.tar.gz.lock").exists());
    assert!(!world.path("cache/exasol/images/old.img").exists());
    drop(download);
    assert_eq!(names(&cache(&world, "prune")["removed"]), ["2025.1.8"]);
    assert!(!release.exists());
}

#[test]
fn nothing_is_removed_from_under_a_deploy() {
    let world = with_files();
    let deploy = File::create(world.path("cache/exasol/files.used")).unwrap();
    flock(&deploy, FlockOperation::NonBlockingLockShared).unwrap();
    for words in ["list", "prune --dry-run", "prune"] {
        let json = cache(&world, words);
        assert_eq!(names(&json["removed"]), Vec::<&str>::new(), "{words}");
        assert_eq!(json["entries"][1]["in_use_by"], "a deploy", "{words}");
    }
    assert!(world.path("cache/exasol/images/old.img").exists());
    drop(deploy);
    assert_eq!(names(&cache(&world, "prune")["removed"]), ["new.img.part", "old.img", "rehearsal"]);
}

#[test]
fn plugins_stay_while_an_init_links_to_them() {
    let world = with_files();
    let plugins = world.path("cache/exasol/plugins/registry.terraform.io");
    std::fs::create_dir_all(&plugins).unwrap();
    let init = at_work(&world.path("cache/exasol/plugins.lock"));
    let json = cache(&world, "prune");
    assert_eq!(json["entries"][0]["in_use_by"], "terraform init");
    assert!(plugins.exists());
    drop(init);
    assert_eq!(names(&cache(&world, "prune")["removed"]), ["registry.terraform.io"]);
    assert!(!plugins.exists());
}

#[test]
fn a_hypervisor_that_cannot_be_asked_is_a_warning_not_a_failure() {
    let world = with_files();
    let words = "cache list --libvirt-uri test:///absent/file.xml";
    world.exasol(words).run().code(0).says("old.img").says("base images in the pool");
}
