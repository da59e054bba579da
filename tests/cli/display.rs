//! What people, CI systems and programs see of an operation, each in its own form.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::deploy::{send, wait_for};
use crate::support::World;

/// A world in which Terraform fails at that verb.
fn failing(verb: &str) -> World {
    let world = World::complete().with_a_machine();
    std::fs::write(world.path("home").join("terraform-fails"), verb).unwrap();
    world
}

fn object(file: &std::path::Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_result_is_written_beside_the_text() {
    let world = World::complete().initialized();
    let file = world.path("result.json");
    let answer = world.exasol("status").env("EXASOL_RESULT", &file).run().code(0);
    assert!(!answer.stdout.contains("\"schema\""), "people read text: {}", answer.stdout);
    assert_eq!((&object(&file)["schema"], &object(&file)["status"]), (&1.into(), &"initialized".into()));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    world.exasol(&format!("version --json --result {}", file.display())).run().code(0).says("\"exasol\":");
    assert!(object(&file)["exasol"].is_string(), "both at once");
    world.exasol("version --result none/such/file").run().code(2).says("--result: 'none/such/file'");
}

#[test]
fn an_error_is_written_there_too_even_if_nothing_was_understood() {
    let world = failing("plan");
    let file = world.path("result.json");
    let with_file = |words: &str| world.exasol(&format!("{words} --result {}", file.display())).run();
    with_file("frobnicate").code(2).says("frobnicate");
    assert_eq!(object(&file)["error"]["exit_code"], 2);
    with_file("deploy").code(1).says("no such thing");
    let error = &object(&file)["error"];
    assert_eq!(
        (&error["code"], &error["step"], &error["costs"]),
        (&"tool_failed".into(), &"plan".into(), &false.into())
    );
    assert_eq!(error["operation"], "deploy");
}

#[test]
fn github_gets_groups_a_marked_failure_and_a_summary() {
    let world = failing("plan");
    let summary = world.path("summary.md");
    std::fs::write(&summary, "# Earlier steps\n").unwrap();
    let call = world.exasol("deploy").env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    let answer = call.run().code(1);
    assert!(answer.stderr.contains("::group::[ 1/10] check this machine\n"), "{}", answer.stderr);
    assert_eq!(answer.stderr.matches("::group::").count(), answer.stderr.matches("::endgroup::").count());
    let marked = answer.stderr.lines().find(|line| line.starts_with("::error ")).unwrap();
    assert!(marked.contains("title=exasol deploy failed::") && marked.contains("no such thing"), "{marked}");
    let written = std::fs::read_to_string(&summary).unwrap();
    assert!(written.starts_with("# Earlier steps\n### exasol deploy "), "{written}");
    assert!(written.contains("| plan the infrastructure | **failed** |"), "{written}");
}

#[test]
fn a_pipe_gets_one_line_a_step_and_quiet_none() {
    let world = failing("plan");
    let told = world.exasol("deploy").run().code(1).stderr;
    assert_eq!(told.matches("] check this machine").count(), 1, "{told}");
    assert!(!told.contains('\u{1b}') && !told.contains("::"), "{told}");
    let quiet = world.exasol("deploy --quiet").run().code(1).stderr;
    assert!(!quiet.contains("check this machine") && quiet.contains("error: terraform"), "{quiet}");
}

#[test]
fn a_failure_says_what_exists_what_to_try_and_where_the_details_are() {
    let world = failing("plan");
    let told = world.exasol("deploy").run().code(1).stderr;
    let dir = world.deployment().display().to_string();
    for line in [
        "  Exists now  the machine of n11; no cost".to_owned(),
        format!("  Try         exasol deploy -d {dir}"),
        format!("  Details     exasol logs -d {dir} --step plan"),
        format!("  Help        exasol support -d {dir}"),
    ] {
        assert!(told.lines().any(|told| told.starts_with(&line)), "{line}\n{told}");
    }
    assert!(!told.contains("destroy") && !told.contains("{\""), "{told}");
    // What it names leads there.
    world.exasol("logs --step plan").run().code(0).says("plan         -    failed");
}

#[test]
fn a_terminal_gets_a_block_that_is_redrawn_and_nothing_of_it_stays() {
    let world = failing("plan");
    // What is read here is taken for Latin-1; in this locale all signs are ASCII.
    let mut session = world.exasol("deploy").env("LC_ALL", "C").on_a_terminal();
    let told = session.exp_eof().unwrap();
    assert!(told.contains("Deploying ") && told.contains("Ctrl-C stops safely"), "{told}");
    assert!(told.contains("x plan the infrastructure"), "{told}");
    assert!(told.rsplit("Ctrl-C stops safely").next().unwrap().contains("error: terraform"), "{told}");
}

#[test]
fn ctrl_c_is_no_failure() {
    let world = World::complete().with_a_machine();
    std::fs::write(world.path("home").join("terraform-hangs"), "plan").unwrap();
    let child = world.exasol("deploy").start();
    wait_for(&world, "terraform-is-running");
    send(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("Stopping: Terraform finishes what it has begun (Ctrl-C again to hurry it)\n"), "{told}");
    assert!(told.contains("] plan the infrastructure … stopped after "), "{told}");
    assert!(told.contains("\nStopped. n11 exists.") && told.contains("Nothing is lost."), "{told}");
    assert!(
        told.contains("  go on  exasol deploy -d ") && !told.contains("error:") && !told.contains("failed"),
        "{told}"
    );
    let list = world.exasol("logs --list --json").run().code(0).json();
    let last = list["operations"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["outcome"], "stopped");
}
