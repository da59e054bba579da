//! `health` where no guest is needed: what cannot be examined, what is broken, what is repaired.

use crate::support::World;

/// A deployment that deploy has left ready; its one node's machine is gone.
fn ready() -> World {
    let world = World::complete().with_a_machine();
    world.edit_state(|state| {
        state["phase"] = "database_ready".into();
        state["certificate_fingerprint"] = "00".repeat(32).into();
        state["nodes"] = serde_json::json!([{
            "name": "n11", "index": 0, "machine": "x-n11", "mac": "52:54:00:00:00:01", "disks": [],
            "private_ip": "127.0.0.9", "public_ip": "127.0.0.9",
        }]);
    });
    world
}

fn history(world: &World) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(world.deployment().join("logs/health.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn without_nodes_there_is_nothing_to_examine() {
    let world = World::complete().initialized();
    let json = world.exasol("health --json").run().code(3).json();
    assert_eq!(json["error"]["code"], "not_yet");
    assert!(json["error"]["hint"].as_str().unwrap().starts_with("exasol deploy -d"), "{json}");
    world.exasol("health --repair").run().code(3);
    assert!(history(&world).is_empty());
    for (phase, words) in [
        ("destroyed", "it was destroyed"),
        ("destroy_failed", "destroy failed"),
        ("destroy_in_progress", "destroy was interrupted"),
    ] {
        let world = ready();
        world.edit_state(|state| state["phase"] = phase.into());
        world.exasol("health").run().code(3).says(words);
    }
}

#[test]
fn every_issue_is_counted_and_a_look_leaves_a_line() {
    let world = ready();
    world.exasol("health --repair").run().code(1);
    let before = world.files();
    let json = world.exasol("health --json").run().code(1).json();
    assert_eq!((&json["schema"], &json["status"]), (&1.into(), &"problems".into()));
    let issues = json["issues"].as_array().unwrap();
    assert_eq!(json["issue_count"], issues.len());
    assert_eq!(issues[0]["type"], "machine_missing");
    for issue in issues {
        for key in ["type", "layer", "severity", "detail", "hint"] {
            assert!(issue[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {issue}");
        }
    }
    assert_eq!(json["nodes"][0]["layers"]["vm"], "error");
    assert_eq!(json["nodes"][0]["layers"]["disks"], "unknown");
    assert_eq!(world.files(), before, "only the history is written");
    world.exasol("health").run().code(1).says(": problems.").says("machine does not exist").says("exasol deploy -d");
    let next = json["next"][0].as_str().unwrap();
    assert_eq!(next, format!("exasol deploy -d {}", world.deployment().display()), "a command and nothing else");
    let lines = history(&world);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["status"], "problems");
    assert_eq!(lines[2]["issues"][0]["type"], "machine_missing");
}

#[test]
fn a_hypervisor_that_is_silent_is_looked_at_where_it_is() {
    let world = ready();
    world.edit_state(|state| {
        state["spec"]["options"]["uri"] = "test:///nowhere/at/all.xml".into();
        state["certificate_fingerprint"] = serde_json::Value::Null;
    });
    let json = world.exasol("health --json").run().code(1).json();
    let kinds: Vec<_> = json["issues"].as_array().unwrap().iter().map(|issue| &issue["type"]).collect();
    assert!(kinds.contains(&&"hypervisor_silent".into()) && kinds.contains(&&"sql_not_checked".into()), "{json}");
    let next = json["next"][0].as_str().unwrap();
    assert!(next.starts_with("exasol doctor -d "), "{next}");
    // It asks where the deployment is, not where a new one would be.
    let words = next.trim_start_matches("exasol ");
    world.exasol(words).run().code(4).says("test:///nowhere/at/all.xml").says("This machine, for deployment: 1 node");
}

#[test]
fn what_is_derived_is_said_to_be_stale_and_repaired() {
    let world = ready();
    world.exasol("health --repair").run().code(1);
    let config = world.deployment().join("ssh/config");
    let right = std::fs::read(&config).unwrap();
    std::fs::write(&config, "Host *\n").unwrap();
    let json = world.exasol("health --json").run().code(1).json();
    let stale = json["issues"].as_array().unwrap().iter().find(|issue| issue["type"] == "files_stale").unwrap();
    assert!(stale["detail"].as_str().unwrap().contains("ssh/config"), "{stale}");
    assert!(stale["hint"].as_str().unwrap().contains("health --repair"), "{stale}");
    let last = world.exasol("health --repair --json").run().code(1).stdout;
    let report: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(report["repaired"], serde_json::json!(["ssh/config"]));
    assert_eq!(std::fs::read(&config).unwrap(), right);
}

#[test]
fn a_repair_does_not_invent_a_phase_and_keeps_the_trouble_before_it() {
    let world = ready();
    world.edit_state(|state| {
        state["phase"] = "start_failed".into();
        state["last_error"] = serde_json::json!({"operation": "start", "code": "timeout", "message": "gave up", "at": "2026-01-02T03:04:05Z"});
    });
    world.exasol("health --repair").run().code(1);
    assert_eq!(world.state()["phase"], "start_failed");
    assert_eq!(world.state()["last_error"]["code"], "timeout");
}

#[test]
fn waiting_ends_with_its_time() {
    let world = ready();
    let json = world.exasol("health --wait-for ssh --timeout 1s --json").run().code(1).json();
    assert_eq!(json["status"], "problems");
    world.exasol("health --wait-for nonsense").run().code(2).says("must be one of healthy, vm");
    world.exasol("health --timeout 5s").run().code(2).says("--wait-for");
    world.remove("ssh");
    let json = world.exasol("health --json").run().code(4).json();
    assert_eq!(json["error"]["code"], "tool_missing");
}
