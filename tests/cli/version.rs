//! `version --verbose`: what a bug report needs, also where nothing is installed.

use serde_json::Value;

use crate::support::{TEST_URI, World};

fn component<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["components"].as_array().unwrap();
    all.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

fn verbose(world: &World) -> Value {
    world.exasol("version --verbose --json").env("LIBVIRT_DEFAULT_URI", TEST_URI).run().code(0).json()
}

#[test]
fn tools_are_named_with_version_and_path() {
    let world = World::complete();
    world.fake("tofu", "echo '{\"terraform_version\":\"1.5.0\"}'");
    world.fake("ssh", "echo OpenSSH_9.2p1 >&2");
    world.fake(
        "ansible-playbook",
        "echo 'ansible-playbook [core 2.19.0]'; echo '  python version = 3.11.2 (main) (/usr/bin/python3)'",
    );
    let report = verbose(&world);
    assert_eq!(component(&report, "terraform")["version"], "1.11.4");
    assert_eq!(component(&report, "terraform")["path"], world.path("bin/terraform").to_str().unwrap());
    assert!(component(&report, "tofu")["remark"].as_str().unwrap().contains("1.5.0; needed: tofu 1.6"));
    assert_eq!(component(&report, "ansible-core")["version"], "2.19.0");
    assert!(component(&report, "ansible-core")["remark"].as_str().unwrap().contains("3.11.2"));
    assert_eq!(component(&report, "ssh")["version"], "OpenSSH_9.2p1");
    assert!(component(&report, "libvirt library")["version"].is_string());
    assert_eq!(component(&report, "TEST")["remark"], TEST_URI);
    assert!(report["system"]["kernel"].is_string() && report["build"]["target"].is_string());
    let pinned = report["terraform_providers"].as_array().unwrap();
    assert!(pinned.iter().any(|p| p["provider"] == "libvirt" && p["source"] == "dmacvicar/libvirt"));
    let versions = report["catalog"]["database_versions"].as_array().unwrap();
    assert!(versions.contains(&"rehearsal".into()) && versions.contains(&report["catalog"]["default_version"]));
    assert!(report["catalog"]["default_image"].as_str().unwrap().starts_with("https://"));
}

#[test]
fn what_is_missing_is_said_and_is_no_error() {
    let world = World::new();
    let answer = world.exasol("version --verbose").env("LIBVIRT_DEFAULT_URI", "qemu+unix:///none").run().code(0);
    for name in ["terraform", "tofu", "ansible-core", "ssh"] {
        let line = answer.stdout.lines().find(|line| line.trim().starts_with(name));
        assert!(line.is_some_and(|line| line.ends_with("not found")), "{name}: {}", answer.stdout);
    }
    let report = world.exasol("-v --json version").env("EXASOL_LIBVIRT_URI", "nonsense").run().code(0).json();
    assert_eq!(component(&report, "libvirt daemon")["version"], Value::Null);
}

#[test]
fn a_tool_that_hangs_keeps_nobody() {
    let world = World::complete();
    world.fake("ssh", "exec sleep 600");
    let remark = component(&verbose(&world), "ssh")["remark"].as_str().unwrap().to_owned();
    assert!(remark.contains("gave up after 5 s"), "{remark}");
}

#[test]
fn without_verbose_nothing_is_asked() {
    let world = World::complete();
    let report = world.exasol("version --json").run().code(0).json();
    assert_eq!(report.as_object().unwrap().keys().collect::<Vec<_>>(), ["schema", "exasol"]);
    assert!(!world.path("home/terraform-calls").exists());
}
