//! `logs`: what was printed, in order; while it is printed; and nothing else.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;

use crate::support::World;

const FOLDER: &str = "20260102T030000Z-deploy";

/// A deployment of two nodes with the log of one deploy.
fn logged() -> World {
    let world = World::complete();
    world.init("--cluster-size 2").run().code(0);
    let folder = world.deployment().join("logs").join(FOLDER);
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, lines: &[&str]| std::fs::write(folder.join(name), lines.join("\n") + "\n").unwrap();
    write(
        "events.jsonl",
        &[
            r#"{"at":"2026-01-02T03:00:00.000Z","event":"operation_started","operation":"deploy","deployment":"exasol-01020304","name":"demo","directory":"d","provider":"libvirt","nodes":2,"db_version":"rehearsal","rehearsal":true,"steps":[{"id":"apply","title":"create"},{"id":"boot","title":"wait"}]}"#,
            r#"{"at":"2026-01-02T03:00:00.500Z","event":"usual_times","source":"measured","total_ms":9,"steps":[{"step":"apply","ms":9}]}"#,
            r#"{"at":"2026-01-02T03:00:01.000Z","event":"step_started","step":"apply"}"#,
            r#"{"at":"2026-01-02T03:00:03.000Z","event":"step_finished","step":"apply","outcome":"done","elapsed_ms":2000,"detail":null}"#,
            r#"{"at":"2026-01-02T03:00:04.000Z","event":"step_started","step":"boot"}"#,
            r#"{"at":"2026-01-02T03:00:05.000Z","event":"step_detail","step":"boot","message":"n12 has the address 192.0.2.12"}"#,
            r#"{"at":"2026-01-02T03:00:06.000Z","event":"operation_finished","operation":"deploy","ok":false,"elapsed_ms":6000}"#,
        ],
    );
    write("terraform.jsonl", &[r#"{"@level":"info","@message":"2 to add","@timestamp":"2026-01-02T03:00:02Z"}"#]);
    write("console-n11.log", &["console of n11"]);
    write("console-n12.log", &["\u{1b}[2Jcloud-init of n12\r"]);
    world
}

#[test]
fn lines_of_all_files_come_in_the_order_of_time() {
    let world = logged();
    let before = world.files();
    let shown = world.exasol("logs").run().code(0).never_says("console of n11").stdout;
    let words = ["deploy demo", "begins", "2 to add", "done 2.0s", "192.0.2.12", "failed after"];
    let places: Vec<_> =
        words.iter().map(|word| shown.find(word).unwrap_or_else(|| panic!("{word}: {shown}"))).collect();
    assert!(places.is_sorted(), "{shown}");
    assert!(shown.contains("03:00:02  apply        -    terraform: 2 to add\n"), "{shown}");
    assert_eq!(world.files(), before);
}

#[test]
fn a_node_has_its_console_and_a_step_its_lines() {
    let world = logged();
    let node = world.exasol("logs --node n12").run().code(0).says("192.0.2.12").says("\\u{1b}[2Jcloud-init of n12");
    assert!(!node.stdout.contains("n11") && !node.stdout.contains("2 to add"), "{}", node.stdout);
    let step = world.exasol("logs --step apply").run().code(0).says("2 to add").says("done 2.0s");
    assert!(!step.stdout.contains("boot") && !step.stdout.contains("deploy demo"), "{}", step.stdout);
    world.exasol("logs --step apply --node n12").run().code(0).never_says("cloud-init");
}

#[test]
fn programs_get_the_lines_as_they_are_stored() {
    let world = logged();
    let answer = world.exasol("logs --json").run().code(0);
    let lines: Vec<serde_json::Value> = answer.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[3]["@message"], "2 to add");
    assert_eq!(lines[7]["event"], "operation_finished");
    let console = world.exasol("logs --json --node n12").run().code(0).stdout;
    assert!(console.contains(r#"{"source":"console","node":"n12","line":"\u001b[2Jcloud-init of n12"}"#), "{console}");
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let world = logged();
    world.exasol("logs --step aply").run().code(2).says("one of apply, boot").says("Did you mean apply?");
    world.exasol("logs --node n13").run().code(2).says("one of n11, n12");
    world.exasol("logs --operation depoly").run().code(2).says("Did you mean deploy?");
    let json = world.exasol("logs --operation stop --json").run().code(3).json();
    assert_eq!(json["error"]["code"], "not_yet");
    assert!(json["error"]["hint"].as_str().unwrap().contains("exasol logs --list"), "{json}");
    let fresh = World::complete().initialized();
    fresh.exasol("logs").run().code(3).says("nothing has been logged").says("exasol deploy");
    fresh.exasol("logs --follow").run().code(3);
}

#[test]
fn the_list_says_how_operations_ended_and_any_can_be_asked_for() {
    let world = logged();
    let stop = world.deployment().join("logs/20260102T040000Z-stop");
    std::fs::create_dir(&stop).unwrap();
    std::fs::write(stop.join("events.jsonl"), "{\"event\":\"step_started\",\"step\":\"x\"}\n{\"ev").unwrap();
    let json = world.exasol("logs --list --json").run().code(0).json();
    assert_eq!(json["operations"][0]["outcome"], "failed");
    assert_eq!(json["operations"][0]["took_ms"], 6000);
    assert_eq!(json["operations"][1]["outcome"], "interrupted");
    world.exasol("logs --list").env("TZ", "UTC").run().code(0).says("2 Jan 2026 04:00 (").says("20260102T040000Z-stop");
    world.exasol("logs").run().code(0).never_says("2 to add");
    world.exasol("logs --operation deploy").run().code(0).says("2 to add");
    world.exasol(&format!("logs --operation {FOLDER}")).run().code(0).says("2 to add");
}

/// A deploy that hangs in Terraform's plan until it is interrupted.
fn running() -> (World, Child) {
    let world = World::complete().with_a_machine();
    std::fs::write(world.path("home").join("terraform-hangs"), "plan").unwrap();
    let deploy = world.exasol("deploy").start();
    (world, deploy)
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

/// Everything that a child printed until a line had that word.
fn until(child: &mut Child, word: &str) -> BufReader<std::process::ChildStdout> {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "ended without {word}");
    }
    lines
}

#[test]
fn a_running_operation_is_followed_to_its_end() {
    let (world, mut deploy) = running();
    while !world.path("home").join("terraform-is-running").exists() {
        std::thread::yield_now();
    }
    let none = world.exasol("info").run().code(3).says("is not ready yet: deploy is running (step ");
    assert!(none.stderr.contains("exasol logs --follow") && !none.stderr.contains("exasol deploy"), "{}", none.stderr);
    // Not what a question would be about: somebody works here.
    world.exasol("destroy").run().code(75).never_says("--yes");
    world.exasol("init").run().code(3).says("already holds a deployment: deploy is running");
    let mut logs = world.exasol("logs -f").start();
    let mut rest = until(&mut logs, "plan");
    interrupt(&deploy);
    let mut end = String::new();
    rest.read_to_string(&mut end).unwrap();
    assert!(end.contains("deploy stopped after"), "{end}");
    assert_eq!(logs.wait().unwrap().code(), Some(0));
    assert_eq!(deploy.wait().unwrap().code(), Some(130));
}

#[test]
fn ctrl_c_ends_the_following_and_not_the_operation() {
    let (world, mut deploy) = running();
    while !world.path("home").join("terraform-is-running").exists() {
        std::thread::yield_now();
    }
    let mut logs = world.exasol("logs --follow").start();
    let _rest = until(&mut logs, "plan");
    interrupt(&logs);
    assert_eq!(logs.wait().unwrap().code(), Some(130));
    // It is the way to end it, and no error.
    let mut said = String::new();
    logs.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    assert!(deploy.try_wait().unwrap().is_none());
    interrupt(&deploy);
    deploy.wait().unwrap();
}

#[test]
fn a_failed_step_has_its_error_in_the_log() {
    let world = World::complete();
    world.init("").run().code(0);
    let failed = world.exasol("deploy --json").run();
    let error = serde_json::from_str::<serde_json::Value>(failed.stdout.lines().last().unwrap()).unwrap();
    let (step, message) = (error["error"]["step"].as_str().unwrap(), error["error"]["message"].as_str().unwrap());
    let first = message.lines().next().unwrap();
    world.exasol(&format!("logs --step {step}")).run().code(0).says(first);
    world.exasol("logs --step foo").run().code(2).says("one of preflight, ");
    // Nothing was made, and it is told that something was tried.
    if world.state()["phase"] == "initialized" {
        world.exasol("status").run().code(0).says("the first deploy failed").says(first);
        world.exasol("list").run().code(0).says("deploy failed");
        let json = world.exasol("status --json").run().code(0).json();
        assert_eq!(json["status"], "initialized");
    }
}

#[test]
fn an_operation_keeps_its_debug_messages() {
    let world = World::complete();
    world.init("").run().code(0);
    let shown = world.exasol("deploy").run();
    assert!(!shown.stderr.contains("program started"), "only --log-level shows them: {}", shown.stderr);
    let folder = std::fs::read_dir(world.deployment().join("logs")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(folder.join("debug.log")).unwrap();
    for told in [
        "DEBUG",
        "operation begins operation=deploy from=initialized",
        "step begins step=\"preflight\"",
        "program started",
        "program ended",
        "state written",
        "step ends step=\"preflight\" outcome=Done",
        "operation ends operation=deploy ok=",
        "terraform",
    ] {
        assert!(text.contains(told), "no {told} in {text}");
    }
}
