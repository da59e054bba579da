//! Output that nobody reads: a pager on its first page, a terminal after Ctrl-S, a CI system that hangs. The tools are
//! looked after all the same, and a signal ends the program.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::support::World;

/// More than a pipe holds (64 KiB), which nobody reads in these tests.
const WARNINGS: usize = 3000;

/// Its plan warns that often. It waits to be interrupted if the test says so.
fn talkative_terraform(world: &World) {
    let usual = std::fs::read_to_string(world.path("bin").join("terraform")).unwrap();
    let usual = usual.trim_start_matches("#!/bin/sh\n");
    let speak = r#"
if [ "$1" = plan ]; then
  trap 'touch "$HOME/terraform-was-interrupted"; exit 1' INT
  number=0
  while [ $number -lt WARNINGS ]; do
    number=$((number + 1))
    echo '{"@level":"warn","@message":"Warning: old","type":"diagnostic","diagnostic":{"severity":"warning","summary":"argument '$number'","detail":"is deprecated and will be removed in the next version"}}'
  done
  touch "$HOME/terraform-has-spoken"
  while [ -e "$HOME/terraform-waits" ]; do sleep 0.05; done
fi
"#;
    world.fake("terraform", &format!("{}{usual}", speak.replace("WARNINGS", &WARNINGS.to_string())));
}

fn wait_for(world: &World, file: &str, limit: Duration) {
    let end = Instant::now() + limit;
    while !world.path("home").join(file).exists() {
        assert!(Instant::now() < end, "{file} did not come within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(child: &Child, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn code_within(child: &mut Child, limit: Duration) -> Option<i32> {
    status_within(child, limit).code()
}

fn status_within(child: &mut Child, limit: Duration) -> ExitStatus {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("still there after {limit:?}");
}

/// What was written to a pipe whose writer has ended.
fn written(pipe: &mut Option<impl Read>) -> String {
    let mut text = String::new();
    pipe.as_mut().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The events of the last operation, as its log has them. A last line without its end is still being written.
fn logged(world: &World) -> Vec<serde_json::Value> {
    let logs = std::fs::read_dir(world.deployment().join("logs")).unwrap().map(|entry| entry.unwrap().path());
    let last = logs.max().unwrap();
    let lines = std::fs::read_to_string(last.join("events.jsonl")).unwrap();
    let whole = lines.rfind('\n').map_or("", |end| &lines[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_complete(events: &[serde_json::Value]) {
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert!(count("warning") >= WARNINGS, "{} warnings", count("warning"));
    assert_eq!(events.first().unwrap()["event"], "operation_started");
    assert_eq!(events.last().unwrap()["event"], "operation_finished");
}

#[test]
fn a_signal_reaches_the_tool_although_nobody_reads_its_progress() {
    for words in ["deploy", "deploy --json"] {
        let world = World::complete().with_a_machine();
        talkative_terraform(&world);
        std::fs::write(world.path("home").join("terraform-waits"), "").unwrap();
        let mut child = world.exasol(words).start();
        wait_for(&world, "terraform-has-spoken", Duration::from_secs(60));
        send(&child, "-TERM");
        wait_for(&world, "terraform-was-interrupted", Duration::from_secs(10));
        assert_eq!(code_within(&mut child, Duration::from_secs(10)), Some(143), "{words}");
        assert_eq!(world.state()["last_error"]["code"], "interrupted");
        is_complete(&logged(&world));
    }
}

#[test]
fn progress_that_nobody_reads_does_not_keep_a_finished_program() {
    let Some(cluster) = Cluster::initialized() else { return };
    talkative_terraform(&cluster.world);
    let mut child = cluster.exasol("deploy").start();
    assert_eq!(code_within(&mut child, Duration::from_secs(60)), Some(0));
    assert!(written(&mut child.stdout).contains(" is ready ("), "the result is there");
    is_complete(&logged(&cluster.world));
}

/// The events in what a command with `--json` wrote. The last line is its result or its error.
fn events_before_the_result(lines: &str) -> Vec<serde_json::Value> {
    let mut events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.pop().unwrap();
    assert!(last["schema"] == 1, "{last}");
    events
}

#[test]
fn a_reader_that_comes_back_gets_all_events_however_slowly_it_reads() {
    // The second takes longer for all of them than the program waits for one that takes nothing.
    for pause in [Duration::ZERO, Duration::from_millis(2)] {
        let world = World::complete().with_a_machine();
        talkative_terraform(&world);
        std::fs::write(world.path("home").join("terraform-waits"), "").unwrap();
        let mut child = world.exasol("deploy --json").start();
        wait_for(&world, "terraform-has-spoken", Duration::from_secs(60));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let lines = stdout.lines().map(|line| line.unwrap() + "\n");
            lines.inspect(|_| std::thread::sleep(pause)).collect::<String>()
        });
        std::fs::remove_file(world.path("home").join("terraform-waits")).unwrap();
        // The mock driver lets no domain run.
        assert!(code_within(&mut child, Duration::from_secs(60)).is_some());
        is_complete(&events_before_the_result(&reader.join().unwrap()));
    }
}

#[test]
fn a_reader_that_comes_back_late_gets_the_result_last() {
    for words in ["deploy", "deploy --json"] {
        let world = World::complete().with_a_machine();
        talkative_terraform(&world);
        let mut child = world.exasol(words).start();
        wait_for(&world, "terraform-has-spoken", Duration::from_secs(60));
        let end = Instant::now() + Duration::from_secs(60);
        while logged(&world).last().is_none_or(|event| event["event"] != "operation_finished") {
            assert!(Instant::now() < end, "{words}: it never finished");
            std::thread::sleep(Duration::from_millis(10));
        }
        // It waits 2 s for a reader that takes nothing, and 3 s for threads. The error waits for as long as it takes.
        std::thread::sleep(Duration::from_secs(7));
        let shown = if words.contains("json") { written(&mut child.stdout) } else { written(&mut child.stderr) };
        assert!(code_within(&mut child, Duration::from_secs(10)).is_some());
        let left_out = "events are not shown here";
        assert_eq!(shown.matches(left_out).count(), 1, "{words}");
        if words.contains("json") {
            let events = events_before_the_result(&shown);
            assert_eq!(events.last().unwrap()["event"], "operation_finished");
        } else {
            assert!(shown.find(left_out) < shown.find("\nerror: "), "{}", shown.split_at(shown.len() - 2000).1);
        }
    }
}

/// A pipe that takes nothing more. The reader must live as long as the test.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let usual = rustix::fs::fcntl_getfl(&writer).unwrap();
    rustix::fs::fcntl_setfl(&writer, usual | rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, usual).unwrap();
    (reader, writer)
}

#[test]
fn what_was_logged_is_written_before_the_process_becomes_ssh() {
    let world = crate::connect::ready();
    world.fake(
        "ssh",
        r#"case "$*" in
  *"-T -- n11-cos sh -s") cat >/dev/null; touch "$HOME/ssh-was-tried" ;;
  *) echo 'ssh speaks' >&2 ;;
esac"#,
    );
    let (mut reader, writer) = full_pipe();
    let mut child = world.exasol("ssh n11-cos --log-level debug").start_telling(writer);
    wait_for(&world, "ssh-was-tried", Duration::from_secs(60));
    // Time enough to become ssh for a process that does not wait for the reader.
    std::thread::sleep(Duration::from_millis(100));
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    assert_eq!(code_within(&mut child, Duration::from_secs(10)), Some(0));
    let logged = told.find("program started").expect("it is logged that ssh was tried");
    assert!(Some(logged) < told.find("ssh speaks"), "{}", told.trim_start_matches('x'));
}

/// Waits until a thread of it waits for the reader of its pipe.
fn wait_until_it_is_stuck(child: &mut Child, words: &str) {
    let threads = format!("/proc/{}/task", child.id());
    let is_stuck = || {
        let mut threads = std::fs::read_dir(&threads).into_iter().flatten().flatten();
        threads.any(|thread| {
            std::fs::read_to_string(thread.path().join("wchan")).is_ok_and(|place| place.contains("pipe_write"))
        })
    };
    let end = Instant::now() + Duration::from_secs(60);
    while !is_stuck() {
        assert!(child.try_wait().unwrap().is_none(), "{words}: {}", written(&mut child.stderr));
        assert!(Instant::now() < end, "{words}: it never wrote");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_ends_a_program_whose_result_nobody_reads() {
    let Some(cluster) = Cluster::deployed() else { return };
    let commands =
        ["status", "status --json", "status --watch", "logs", "logs --follow", "health", "info", "completions bash"];
    for words in commands {
        let (_reader, writer) = full_pipe();
        let mut child = cluster.exasol(words).start_writing_to(writer);
        wait_until_it_is_stuck(&mut child, words);
        send(&child, "-TERM");
        let status = status_within(&mut child, Duration::from_secs(10));
        // `info` and `completions` leave signals to the system.
        assert!(status.code() == Some(143) || status.signal() == Some(libc::SIGTERM), "{words}: {status:?}");
    }
}
