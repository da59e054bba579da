use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex};

use super::*;

const SIGINT: i32 = 2;
const LONG: Duration = Duration::from_secs(120);

fn sh(script: &str) -> Tool {
    Tool::new("/bin/sh").arg("-c").arg(script)
}

async fn lines_of(tool: Tool) -> (Finished, Vec<String>) {
    let mut lines = Vec::new();
    let finished = tool.run(&Interrupt::never(), &mut |line| lines.push(line.to_owned())).await.unwrap();
    (finished, lines)
}

/// Both ends of a pipe; reading the first ends when the last holder of the second is gone.
fn pipe() -> (File, OwnedFd) {
    let (read, write) = std::io::pipe().unwrap();
    (File::from(OwnedFd::from(read)), OwnedFd::from(write))
}

async fn until_all_are_gone(mut read: File, write: OwnedFd) {
    drop(write);
    tokio::task::spawn_blocking(move || read.read_to_end(&mut Vec::new()).unwrap()).await.unwrap();
}

#[tokio::test]
async fn lines_status_and_tail_of_a_run() {
    let (finished, lines) = lines_of(sh("echo one; printf 'two\\377\\r\\n' >&2; printf three; exit 3")).await;
    assert_eq!(lines, ["one", "two\u{fffd}", "three"]);
    assert_eq!(finished.tail, lines);
    assert_eq!(finished.status.code(), Some(3));
    let Error::Tool(failure) = finished.into_error(vec!["because".into()]) else { panic!() };
    assert_eq!((failure.tool.as_str(), failure.status.as_str()), ("sh", "exit status 3"));
    assert_eq!(failure.diagnostics, ["because"]);
}

#[tokio::test]
async fn much_output_arrives_whole() {
    let (finished, lines) =
        lines_of(sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo \"line $i of many\"; done")).await;
    assert_eq!(lines.len(), 20000);
    assert_eq!(lines[19999], "line 20000 of many");
    assert_eq!((finished.tail.len(), finished.tail[0].as_str()), (20, "line 19981 of many"));
}

#[tokio::test]
async fn a_log_is_appended_to_and_only_new_lines_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("tool.log");
    let (_, first) = lines_of(sh("echo first").log(&log)).await;
    let (finished, second) = lines_of(sh("echo second; echo warning >&2").log(&log)).await;
    assert_eq!((first, second), (vec!["first".to_owned()], vec!["second".to_owned(), "warning".to_owned()]));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "first\nsecond\nwarning\n");
    assert_eq!(finished.log.as_deref(), Some(log.as_path()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&log).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn each_press_reaches_the_leader_as_one_signal() {
    let (interrupt, keys) = Interrupt::manual();
    let script =
        "n=0; trap 'n=$((n+1)); echo int $n; [ $n = 2 ] && exit 5' INT; echo ready; while :; do sleep 0.02; done";
    let mut lines = Vec::new();
    let finished = sh(script)
        .run(&interrupt, &mut |line| {
            lines.push(line.to_owned());
            if line == "ready" || line == "int 1" {
                keys.press(SIGINT);
            }
        })
        .await
        .unwrap();
    assert_eq!(lines, ["ready", "int 1", "int 2"]);
    assert_eq!((finished.status.code(), finished.interrupted), (Some(5), Some(SIGINT)));
    assert!(matches!(finished.into_error(vec![]), Error::Interrupted { signal: SIGINT }));
}

#[tokio::test]
async fn the_third_press_kills_the_group_and_who_has_left_it() {
    let (interrupt, keys) = Interrupt::manual();
    let (read, write) = pipe();
    let finished = sh("trap '' INT; sleep 300 & setsid sleep 300 & echo ready; wait; wait; wait")
        .inherit_fd(&write)
        .unwrap()
        .run(&interrupt, &mut |line| {
            if line == "ready" {
                (0..3).for_each(|_| keys.press(SIGINT));
            }
        })
        .await
        .unwrap();
    assert_eq!(finished.status.signal(), Some(9));
    until_all_are_gone(read, write).await;
}

#[tokio::test]
async fn an_ssh_in_the_background_does_not_wait_for_a_terminal() {
    let (_, lines) = lines_of(sh("echo $SSH_ASKPASS_REQUIRE ${SSH_ASKPASS:-nobody}")).await;
    assert!(lines[0].starts_with("force ") && lines[0] != "force nobody", "{lines:?}");
}

#[tokio::test]
async fn nothing_is_begun_after_an_interrupt() {
    let (interrupt, keys) = Interrupt::manual();
    keys.press(15);
    let result = sh("echo never").run(&interrupt, &mut |_| panic!("it ran")).await;
    assert!(matches!(result, Err(Error::Interrupted { signal: 15 })));
}

#[tokio::test]
async fn a_lock_lasts_as_long_as_the_program_that_inherited_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".lock");
    let go = dir.path().join("go");
    let ours = File::create(&path).unwrap();
    ours.try_lock().unwrap();
    let try_lock = move || {
        let other = File::open(&path).unwrap();
        other.try_lock().is_ok()
    };

    let tool = sh("echo ready; while [ ! -e \"$0\" ]; do sleep 0.02; done").arg(&go).inherit_fd(&ours).unwrap();
    let ours = Mutex::new(Some(ours));
    let while_it_ran = Arc::new(Mutex::new(None));
    let seen = while_it_ran.clone();
    let try_now = try_lock.clone();
    tool.run(&Interrupt::never(), &mut |_| {
        ours.lock().unwrap().take();
        *seen.lock().unwrap() = Some(try_now());
        File::create(&go).unwrap();
    })
    .await
    .unwrap();
    assert_eq!(*while_it_ran.lock().unwrap(), Some(false));
    // A neighbour test between its fork and its exec may hold a copy for a moment.
    let deadline = Instant::now() + LONG;
    while !try_lock() {
        assert!(Instant::now() < deadline, "the lock is still held");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_run_beyond_its_limit_is_ended_with_its_group() {
    let (read, write) = pipe();
    let result = sh("echo begun; sleep 300 & sleep 300")
        .limit(Duration::from_millis(700))
        .inherit_fd(&write)
        .unwrap()
        .run(&Interrupt::never(), &mut |_| ())
        .await;
    assert!(matches!(result, Err(Error::Timeout { .. })), "{result:?}");
    until_all_are_gone(read, write).await;
}

#[tokio::test]
async fn a_short_command_gets_input_and_gives_output() {
    let output = sh("cat; echo problem >&2; exit 1").stdin("in\0put").output(LONG).await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr_text().as_str()), (b"in\0put".as_slice(), "problem\n"));
    let Err(Error::Tool(failure)) = output.ok() else { panic!() };
    assert_eq!(failure.diagnostics, ["problem"]);
    assert_eq!(sh("cat | wc -c").output(LONG).await.unwrap().stdout_text().trim(), "0");
}

#[tokio::test]
async fn a_pipe_that_outlives_its_program_is_not_waited_for() {
    let (read, write) = pipe();
    let output = sh("(sleep 3; echo late) & echo hi").inherit_fd(&write).unwrap().output(LONG).await.unwrap();
    assert_eq!(output.stdout_text(), "hi\n");
    until_all_are_gone(read, write).await;
}

#[tokio::test]
async fn a_dropped_or_late_short_command_is_killed_with_its_group() {
    let (read, write) = pipe();
    let script = "sleep 300 & sleep 300";
    let late = sh(script).inherit_fd(&write).unwrap().output(Duration::from_millis(100)).await;
    assert!(matches!(late, Err(Error::Timeout { .. })));
    let dropped = sh(script).inherit_fd(&write).unwrap().output(LONG);
    assert!(tokio::time::timeout(Duration::from_millis(100), dropped).await.is_err());
    until_all_are_gone(read, write).await;
}

#[tokio::test]
async fn a_waiting_program_begins_when_it_may_and_is_killed_when_it_never_will() {
    let (read, write) = pipe();
    let waiting = |script| sh(script).inherit_fd(&write).unwrap().start_waiting().unwrap();
    let mut lines = Vec::new();
    let never = Interrupt::never();
    let told = waiting("read line; echo $line").begin(&never, &mut |line| lines.push(line.to_owned())).await;
    assert!(told.unwrap().success());
    assert_eq!(lines, ["go"]);

    drop(waiting("sleep 300"));
    let (interrupt, keys) = Interrupt::manual();
    keys.press(15);
    let pressed = waiting("read line; echo never").begin(&interrupt, &mut |_| panic!("it ran")).await;
    assert!(matches!(pressed, Err(Error::Interrupted { signal: 15 })));
    until_all_are_gone(read, write).await;
}

#[tokio::test]
async fn the_environment_is_ours_but_for_what_is_withheld() {
    let text = sh("echo \"$CARGO_PKG_NAME|$CARGO_PKG_VERSION|$S\"")
        .without_env("CARGO_PKG_")
        .env("CARGO_PKG_VERSION", "given")
        .secret_env("S", "hidden")
        .output(LONG)
        .await
        .unwrap();
    assert_eq!(text.stdout_text(), "|given|hidden\n");
}

#[tokio::test]
async fn a_secret_file_is_read_by_its_path() {
    let tool = sh("cat \"$FILE\" \"$FILE\"").secret_file("FILE", b"tiger").unwrap();
    assert!(!format!("{tool:?}").contains("tiger"));
    assert_eq!(tool.output(LONG).await.unwrap().stdout_text(), "tigertiger");
}

#[test]
fn secrets_are_in_no_text() {
    let tool = Tool::new("/usr/bin/terraform").arg("plan").secret_env("TF_VAR_password", "tiger").env("A", "b");
    assert_eq!(tool.command_text(), "terraform plan");
    let debug = format!("{tool:?}");
    assert!(debug.contains("TF_VAR_password") && !debug.contains("tiger"), "{debug}");
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let error = Tool::new("/nowhere/terraform").output(LONG).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/terraform"), "{error}");
}

#[tokio::test]
async fn a_press_that_is_not_noticed_is_passed_on_again() {
    let (interrupt, keys) = Interrupt::manual();
    // The first one is swallowed, the second one ends it.
    let script = "trap 'echo once; trap \"exit 7\" INT' INT; echo ready; while :; do sleep 0.05; done";
    let mut on_line = |line: &str| {
        if line == "ready" {
            keys.press(SIGINT);
        }
    };
    let finished = sh(script).insistent().run(&interrupt, &mut on_line).await.unwrap();
    assert_eq!((finished.status.code(), finished.tail.last().map(String::as_str)), (Some(7), Some("once")));
}
