//! `cache`: what deployments share; nothing that is in use is removed.

use crate::support::{TEST_URI, World};

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
    let json = cache(&world, "list");
    assert_eq!(names(&json["entries"]), ["new.img.part", "old.img", "rehearsal"]);
    assert_eq!(json["entries"][1]["bytes"], 2048);
    assert_eq!(json["entries"][0]["in_use_by"], "a download");
}

#[test]
fn prune_removes_what_nobody_needs_and_keeps_a_running_download() {
    let world = with_files();
    let json = cache(&world, "prune --dry-run");
    assert_eq!(names(&json["removed"]), ["old.img", "rehearsal"]);
    assert!(world.path("cache/exasol/images/old.img").exists());
    let json = cache(&world, "prune");
    assert_eq!(names(&json["removed"]), ["old.img", "rehearsal"]);
    assert!(!world.path("cache/exasol/images/old.img").exists());
    assert!(world.path("cache/exasol/images/new.img.part").exists());
    assert_eq!(names(&cache(&world, "list")["entries"]), ["new.img.part"]);
}

#[test]
fn a_hypervisor_that_cannot_be_asked_is_a_warning_not_a_failure() {
    let world = with_files();
    let words = "cache list --libvirt-uri test:///absent/file.xml";
    world.exasol(words).run().code(0).says("old.img").says("base images in the pool");
}
