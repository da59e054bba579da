//! `sql` against a database: statements given, piped, and typed on a terminal.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rexpect::process::{Signal, WaitStatus};
use rexpect::session::PtySession;
use serde_json::{Value, json};

use crate::database::{Answer, Database, PASSWORD, node, refusal};
use crate::support::World;

/// Refuses what has DROP in it, and tells which statements came.
fn listening() -> (Database, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let statements = heard.clone();
    let database = Database::answering(move |request| {
        let text = request["sqlText"].as_str()?;
        statements.lock().unwrap().push(text.to_owned());
        text.contains("DROP").then(|| Answer::Json(refusal("42500", "not for you")))
    });
    (database, heard)
}

fn is_execute(request: &Value) -> bool {
    request["command"] == "execute"
}

#[test]
fn a_statement_is_answered_as_table_csv_and_json() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    let select = |more: &[&str]| world.exasol_with(["sql", "-c", "SELECT 1"].iter().chain(more).copied()).run().code(0);
    select(&[]).says("(1 row)");
    assert_eq!(select(&["--format", "csv"]).stdout, "1\n1\n");
    assert_eq!(select(&["--format", "json"]).json()["rows"], json!([[1]]));
    assert_eq!(select(&["--json"]).json()["rows"], json!([[1]]));
    world.exasol_with(["sql", "-c", "SELECT 1", "--format", "xml"]).run().code(2).says("csv");
}

#[test]
fn an_error_ends_a_script_with_exit_code_1() {
    let (database, heard) = listening();
    let world = World::complete().with_database(&database);
    let script = "SELECT 1; -- the first; one\n/* ; */ DROP TABLE t;\nSELECT 2";
    let answer = world.exasol("sql").stdin(script).run().code(1).says("(1 row)").says("[42500] not for you");
    assert_eq!(answer.stdout.matches("(1 row)").count(), 1);
    assert_eq!(*heard.lock().unwrap(), ["SELECT 1", "DROP TABLE t"]);
    let json = world.exasol("sql --json").stdin(script).run().code(1).json();
    assert_eq!((&json["error"]["code"], &json["error"]["exit_code"]), (&json!("sql_error"), &json!(1)));
}

#[test]
fn a_script_may_be_large_and_need_not_end_with_a_semicolon() {
    let (database, heard) = listening();
    let world = World::complete().with_database(&database);
    let long = format!("SELECT '{}'", "x;".repeat(1 << 20));
    let answer = world.exasol("sql --format csv").stdin(&format!("\u{feff}SELECT 1;\r\n{long};\r\nSELECT 3")).run();
    assert_eq!(answer.code(0).stdout, "1\n1\n".repeat(3));
    assert_eq!(*heard.lock().unwrap(), ["SELECT 1", long.as_str(), "SELECT 3"]);
}

#[test]
fn nothing_is_run_of_a_script_whose_end_is_missing() {
    let (database, heard) = listening();
    let world = World::complete().with_database(&database);
    world.exasol("sql").stdin("SELECT 1;\nSELECT 'abc;\n").run().code(2).says("' in line 2 is not closed");
    world.exasol("sql").stdin("-- nothing\n").run().code(2).says("no statement");
    assert!(heard.lock().unwrap().is_empty());
}

#[test]
fn a_wrong_password_names_the_commands_that_record_the_right_one() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    world.set_password("another");
    let answer = world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(1).never_says("another password\n");
    let dir = world.deployment().display().to_string();
    let answer = answer.says(&format!("exasol init --update --db-password-file FILE -d {dir}"));
    answer.says(&format!("exasol deploy -d {dir}")).never_says(PASSWORD);
}

/// A database, and how often it was asked for something.
fn counting() -> (Database, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let database = Database::answering(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        None
    });
    (database, asked)
}

#[test]
fn another_certificate_gets_no_password_and_the_command_that_clears_it_up() {
    let (database, asked) = counting();
    let world = World::complete().with_database(&database);
    world.edit_state(|state| state["certificate_fingerprint"] = "00".repeat(32).into());
    let answer = world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(1).says("shows another certificate");
    answer.says("No password was sent").says(&format!("exasol health --repair -d {}", world.deployment().display()));
    let json = world.exasol_with(["sql", "-c", "SELECT 1", "--json"]).run().code(1).json();
    assert_eq!(json["error"]["code"], "certificate_mismatch");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn without_a_recorded_certificate_the_node_is_asked_for_it_before_the_password_is_sent() {
    let (database, asked) = counting();
    let world = World::complete().with_database(&database);
    world.edit_state(|state| {
        state["phase"] = "database_connection_failed".into();
        state.as_object_mut().unwrap().remove("certificate_fingerprint");
    });
    let sql = || world.exasol_with(["sql", "-c", "SELECT 1"]).run();
    world.fake("ssh", "exit 255");
    sql().code(3).says("no password was sent").says(&format!("exasol deploy -d {}", world.deployment().display()));
    world.fake("ssh", &format!("echo {}", "00".repeat(32)));
    sql().code(1).says("shows another certificate");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    world.fake("ssh", &format!("echo {}", database.endpoint.fingerprint.as_deref().unwrap()));
    sql().code(0).says("(1 row)");
}

#[test]
fn the_first_node_that_answers_is_taken_and_where_none_does_each_is_named() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    let alive = node("n12", &database.endpoint.host);
    world.edit_state(|state| state["nodes"] = json!([node("n11", "127.0.0.9"), alive]));
    world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(0);
    world
        .exasol_with(["sql", "-c", "SELECT 1", "--node", "n11"])
        .run()
        .code(1)
        .says("127.0.0.9")
        .says("exasol status -d");
    world.exasol_with(["sql", "-c", "SELECT 1", "--node", "n1"]).run().code(2).says("'n1'").says("one of n11, n12");
    world.edit_state(|state| state["nodes"] = json!([node("n11", "127.0.0.9"), node("n12", "127.0.0.8")]));
    let answer = world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(1);
    answer.says("every node").says("127.0.0.9").says("127.0.0.8").says("exasol status -d");
}

#[test]
fn a_statement_is_given_up_after_its_time() {
    let database = Database::answering(|request| is_execute(request).then_some(Answer::Silence));
    let world = World::complete().with_database(&database);
    let answer = world.exasol_with(["sql", "-c", "SELECT 1", "--timeout", "1"]).run().code(1);
    answer.says("gave up after 1 s").says("--timeout SECONDS");
}

const PROMPT: &str = "exasol> ";
const CONTINUED: &str = "     -> ";

fn shell(world: &World, words: &str) -> PtySession {
    let mut shell = world.exasol(words).on_a_terminal();
    shell.exp_string(PROMPT).unwrap();
    shell
}

#[track_caller]
fn ends(shell: &PtySession, code: i32) {
    match shell.process().wait().unwrap() {
        WaitStatus::Exited(_, status) => assert_eq!(status, code),
        other => panic!("{other:?}"),
    }
}

fn history(world: &World) -> String {
    std::fs::read_to_string(world.path("state/exasol/sql_history")).unwrap_or_default()
}

#[test]
fn a_shell_runs_what_is_typed_and_goes_on_after_errors() {
    let (database, heard) = listening();
    let world = World::complete().with_database(&database);
    let mut shell = world.exasol("sql").on_a_terminal();
    let greeting = shell.exp_string(PROMPT).unwrap();
    assert!(greeting.contains("2025.1.8+rehearsal on n11") && greeting.contains("is the pinned one"), "{greeting}");
    shell.send_line("SELECT").unwrap();
    shell.exp_string(CONTINUED).unwrap();
    shell.send_line("  ';' FROM dual;").unwrap();
    shell.exp_string("(1 row)").unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_line("DROP TABLE t; SELECT 3;").unwrap();
    shell.exp_string("[42500] not for you").unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_line("\\format csv").unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_line("SELECT 4;").unwrap();
    shell.exp_string("1\r\n1\r\n").unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_line("\\?").unwrap();
    shell.exp_string("set the format of results").unwrap();
    shell.send_line("\\n n99").unwrap();
    shell.exp_string("one of n11").unwrap();
    shell.send_line("exit").unwrap();
    ends(&shell, 0);
    assert_eq!(*heard.lock().unwrap(), ["SELECT\n  ';' FROM dual", "DROP TABLE t", "SELECT 4"]);
}

#[test]
fn ctrl_c_clears_what_was_typed_and_ctrl_d_ends() {
    let (database, heard) = listening();
    let world = World::complete().with_database(&database);
    let mut shell = shell(&world, "sql");
    shell.send_line("DROP").unwrap();
    shell.exp_string(CONTINUED).unwrap();
    shell.send_control('c').unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_line("SELECT 1;").unwrap();
    shell.exp_string("(1 row)").unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_control('d').unwrap();
    ends(&shell, 0);
    assert_eq!(*heard.lock().unwrap(), ["SELECT 1"]);
}

#[test]
fn the_history_is_private_and_has_no_passwords() {
    let (database, _) = listening();
    let world = World::complete().with_database(&database);
    let mut first = shell(&world, "sql");
    for line in ["SELECT 17;", "ALTER USER sys IDENTIFIED BY \"hush-hush\"; SELECT 18;"] {
        first.send_line(line).unwrap();
        first.exp_string("(1 row)").unwrap();
        first.exp_string(PROMPT).unwrap();
    }
    first.send_line("CREATE CONNECTION c TO 'x?sig=hush-hush'").unwrap();
    first.exp_string(CONTINUED).unwrap();
    first.send_line(";").unwrap();
    first.exp_string(PROMPT).unwrap();
    first.send_line("\\q").unwrap();
    ends(&first, 0);
    let kept = history(&world);
    assert!(kept.contains("SELECT 17;") && kept.contains("SELECT 18;") && !kept.contains("hush"), "{kept}");
    let mode = |path: &str| std::fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state/exasol"), mode("state/exasol/sql_history")), (0o700, 0o600));

    let mut second = shell(&world, "sql");
    second.send("\u{1b}[A").unwrap();
    second.flush().unwrap();
    second.exp_string("SELECT 18;").unwrap();
    second.send_line("").unwrap();
    second.exp_string("(1 row)").unwrap();
    second.send_line("quit;").unwrap();
    ends(&second, 0);
}

#[test]
fn a_home_that_cannot_be_written_costs_the_history_only() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    std::fs::write(world.path("file"), "").unwrap();
    let mut shell = world.exasol("sql").env("XDG_STATE_HOME", world.path("file")).on_a_terminal();
    shell.exp_string("the history of statements is not kept").unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_line("SELECT 1;").unwrap();
    shell.exp_string("(1 row)").unwrap();
    shell.send_line("\\q").unwrap();
    ends(&shell, 0);
}

#[test]
fn ctrl_c_cancels_the_statement_that_runs() {
    let aborted = Arc::new(AtomicUsize::new(0));
    let count = aborted.clone();
    let database = Database::answering(move |request| {
        if request["command"] == "abortQuery" {
            count.fetch_add(1, Ordering::Relaxed);
            return Some(Answer::Json(refusal("40005", "aborted")));
        }
        (is_execute(request) && request["sqlText"] == "SLOW").then_some(Answer::Silence)
    });
    let world = World::complete().with_database(&database);
    let mut shell = shell(&world, "sql");
    for _ in 0..2 {
        shell.send_line("SLOW;").unwrap();
        // The line was taken: the terminal obeys Ctrl-C from now on.
        shell.exp_string("\r\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        shell.send_control('c').unwrap();
        shell.exp_string("a new one").unwrap();
        shell.exp_string(PROMPT).unwrap();
        shell.send_line("SELECT 1;").unwrap();
        shell.exp_string("on n11").unwrap();
        shell.exp_string("(1 row)").unwrap();
        shell.exp_string(PROMPT).unwrap();
    }
    assert_eq!(aborted.load(Ordering::Relaxed), 2);
    shell.send_control('d').unwrap();
    ends(&shell, 0);
}

#[test]
fn a_connection_that_broke_is_told_and_made_again() {
    let logins = Arc::new(AtomicUsize::new(0));
    let count = logins.clone();
    let database = Database::answering(move |request| {
        if request["command"] == "login" {
            count.fetch_add(1, Ordering::Relaxed);
        }
        match request["sqlText"].as_str()? {
            "BREAK" => Some(Answer::HangUp),
            "LAST" => Some(Answer::Raw(vec![
                json!({"status": "ok", "responseData": {"numResults": 1, "results":
                    [{"resultType": "rowCount", "rowCount": 5}]}})
                .to_string()
                .into(),
                tokio_tungstenite::tungstenite::Message::Close(None),
            ])),
            _ => None,
        }
    });
    let world = World::complete().with_database(&database);
    let mut shell = shell(&world, "sql");
    shell.send_line("LAST;").unwrap();
    shell.exp_string("5 rows affected").unwrap();
    shell.exp_string(PROMPT).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    shell.send_line("SELECT 1;").unwrap();
    shell.exp_string("the connection was closed meanwhile").unwrap();
    shell.exp_string("(1 row)").unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_line("BREAK;").unwrap();
    shell.exp_string("it is not known whether").unwrap();
    shell.exp_string(PROMPT).unwrap();
    shell.send_line("SELECT 1;").unwrap();
    shell.exp_string("(1 row)").unwrap();
    shell.send_line("\\q").unwrap();
    ends(&shell, 0);
    assert_eq!(logins.load(Ordering::Relaxed), 3);
}

#[test]
fn a_signal_ends_the_shell_with_its_number() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    let mut shell = shell(&world, "sql");
    shell.process_mut().signal(Signal::SIGTERM).unwrap();
    shell.exp_string("interrupted by signal 15").unwrap();
    ends(&shell, 143);
}

#[test]
fn a_shell_that_cannot_log_in_ends_with_the_reason() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    world.set_password("another");
    let mut shell = world.exasol("sql").on_a_terminal();
    shell.exp_string("init --update").unwrap();
    ends(&shell, 1);
}

/// Carries bytes to the database, as `ssh -W` would from the node.
const RELAY: &str = r#"exec /usr/bin/python3 -c '
import os, socket, sys, threading
far = socket.create_connection((sys.argv[1], 8563))
def up():
    while data := os.read(0, 65536):
        far.sendall(data)
threading.Thread(target=up, daemon=True).start()
while data := far.recv(65536):
    os.write(1, data)
' "#;

#[test]
fn behind_a_jump_host_sql_goes_through_ssh() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    world.edit_state(|state| {
        // Nobody listens there.
        state["nodes"] = json!([node("n11", "127.0.0.9")]);
        state["spec"]["options"]["uri"] = "qemu+ssh://me@127.0.0.1/system".into();
    });
    let fake = |body: &str| {
        let no_libvirt = "echo 'no libvirt here' >&2; exit 255";
        world.fake("ssh", &format!("case \"$*\" in *'-W localhost:8563 -- n11') {body} ;; esac\n{no_libvirt}"));
    };
    fake(&format!("{RELAY} {}", database.endpoint.host));
    world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(0).says("(1 row)");
    let json = world.exasol("status --json").run().code(0).json();
    assert_eq!((&json["nodes"][0]["sql"]["state"], &json["status"]), (&json!("ok"), &json!("database_ready")));
    world.exasol("info").run().code(0).says("ssh/config -N -L 8563:localhost:8563 n11");

    fake("echo 'Permission denied (publickey).' >&2; exit 255");
    world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(1).says("Permission denied (publickey).");
    fake("echo 'stdio forwarding failed' >&2; exit 255");
    world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(1).says("connection refused");
}
