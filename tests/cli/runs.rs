//! `run`: a cluster for one command, destroyed whatever happens, with a whole cluster of fakes.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::database::PASSWORD;
use crate::support::{Answer, Call};

const RUN: [&str; 7] =
    ["run", "--cloud-provider", "exoscale", "--db-version", "rehearsal", "--allowed-cidr", "192.0.2.0/24"];

/// The fakes; the deployment that comes with them is not needed.
fn cluster() -> Option<Cluster> {
    let cluster = Cluster::initialized()?;
    std::fs::remove_dir_all(cluster.world.deployment()).unwrap();
    cluster.world.exasol("list --prune").run().code(0);
    Some(cluster)
}

fn call<'a>(cluster: &'a Cluster, options: &[&'a str], script: &'a str) -> Call<'a> {
    let words = RUN.into_iter().chain(options.iter().copied()).chain(["--", "sh", "-c", script]);
    cluster.account(cluster.world.exasol_with(words)).env("EXASOL_DB_PASSWORD", PASSWORD)
}

fn runs(cluster: &Cluster) -> PathBuf {
    cluster.world.path("state/exasol/runs")
}

fn left(cluster: &Cluster) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(runs(cluster)).into_iter().flatten().flatten();
    listing.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn power(cluster: &Cluster) -> String {
    std::fs::read_to_string(cluster.world.path("home/power")).unwrap().trim().to_owned()
}

fn listed(cluster: &Cluster) -> Vec<Value> {
    cluster.world.exasol("list --json").run().code(0).json()["deployments"].as_array().unwrap().clone()
}

fn nothing_is_left(cluster: &Cluster) {
    assert_eq!((power(cluster).as_str(), left(cluster)), ("none", Vec::new()));
    assert!(listed(cluster).is_empty());
    assert_eq!(std::fs::read_dir(runs(cluster)).unwrap().count(), 0);
}

fn wait_for(file: &Path) {
    let end = Instant::now() + Duration::from_secs(180);
    while !file.exists() {
        assert!(Instant::now() < end, "no {}", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ended(child: Child) -> Answer {
    let output = child.wait_with_output().unwrap();
    Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn the_command_gets_the_connection_and_its_exit_code_is_ours() {
    let Some(cluster) = cluster() else { return };
    let script = r#"for value in "$EXASOL_DSN" "$EXASOL_HOST" "$EXASOL_PORT" "$EXASOL_USER" "$EXASOL_PASSWORD" \
            "$EXASOL_FINGERPRINT" "$MINE"; do printf '%s\n' "$value"; done
        ls "$EXASOL_DEPLOYMENT_DIR" >"$HOME/seen"; exit 7"#;
    let answer = call(&cluster, &[], script).env("MINE", "kept").run().code(7);
    let fingerprint = std::fs::read_to_string(cluster.world.path("home/fingerprint")).unwrap();
    let words: Vec<_> = answer.stdout.lines().collect();
    let (dsn, host) = (words[0], words[1]);
    assert_eq!(dsn, format!("{host}/{}:8563", fingerprint.trim().to_uppercase()));
    assert_eq!(words[2..], ["8563", "sys", PASSWORD, fingerprint.trim(), "kept"]);
    assert!(!answer.stderr.contains(PASSWORD));
    assert!(std::fs::read_to_string(cluster.world.path("home/seen")).unwrap().contains("deployment.json"));
    nothing_is_left(&cluster);
}

#[test]
fn programs_get_the_result_as_the_last_line_and_the_commands_output_beside_it() {
    let Some(cluster) = cluster() else { return };
    let file = cluster.world.path("result.json");
    let answer = call(&cluster, &["--result", file.to_str().unwrap()], "echo hello; exit 7").run().code(7);
    assert_eq!(answer.stdout, "hello\n");
    answer.says("the command ended with 7;").says("is destroyed");
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((&kept["exit_code"], &kept["destroyed"]), (&7.into(), &true.into()));
    let answer = call(&cluster, &["--json", "--name", "ci-7"], "echo hello").run().code(0);
    let json = answer.json();
    assert_eq!((&json["name"], &json["exit_code"], &json["destroyed"]), (&"ci-7".into(), &0.into(), &true.into()));
    assert!(answer.stderr.contains("hello") && answer.stdout.lines().all(|line| line.starts_with('{')));
    nothing_is_left(&cluster);
}

#[test]
fn a_failed_deployment_is_destroyed_and_the_command_does_not_run() {
    let Some(cluster) = cluster() else { return };
    cluster.tell("fails", "ansible-playbook");
    let told = call(&cluster, &[], "touch ran").run().code(1).says("told so");
    // Its directory is gone: no command can be run there.
    told.says("run --logs DIR would keep the logs").never_says(" -d ").never_says("exasol support");
    assert!(!cluster.world.path("ran").exists());
    nothing_is_left(&cluster);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_made() {
    let Some(cluster) = cluster() else { return };
    let words = RUN.into_iter().chain(["--", "no-such-program"]);
    cluster.account(cluster.world.exasol_with(words)).run().code(2).says("no-such-program").says("nothing was created");
    call(&cluster, &["-d", "somewhere"], "true").run().code(2).says("exasol up -d DIR");
    cluster.exasol("run --db-version rehearsal").run().code(2).says("CMD");
    assert_eq!((power(&cluster).as_str(), left(&cluster)), ("none", Vec::new()));
}

#[test]
fn with_keep_a_failure_stays_there_to_be_looked_at() {
    let Some(cluster) = cluster() else { return };
    call(&cluster, &["--keep"], "exit 0").run().code(0);
    nothing_is_left(&cluster);
    let answer = call(&cluster, &["--keep", "--name", "kept"], "exit 3").run().code(3);
    answer.says("exasol destroy -d");
    assert_eq!(power(&cluster), "running");
    assert_eq!(listed(&cluster)[0]["name"], "kept");
    cluster.account(cluster.world.exasol("destroy --yes -d kept")).run().code(0);
    assert_eq!(power(&cluster), "none");
}

#[test]
fn a_signal_reaches_the_command_and_then_all_is_destroyed() {
    let Some(cluster) = cluster() else { return };
    for (sent, code) in [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::INT, 130)] {
        let begun = cluster.world.path("home/begun");
        let script =
            "trap 'touch \"$HOME/told\"; exit 0' TERM INT; touch \"$HOME/begun\"; while :; do sleep 0.05; done";
        let child = call(&cluster, &[], script).start();
        wait_for(&begun);
        signal(child.id(), sent);
        ended(child).code(code);
        assert!(cluster.world.path("home/told").exists());
        nothing_is_left(&cluster);
        for file in ["begun", "told"] {
            std::fs::remove_file(cluster.world.path("home").join(file)).unwrap();
        }
    }
}

#[test]
fn a_command_that_ignores_the_signal_is_killed_after_the_grace() {
    let Some(cluster) = cluster() else { return };
    let script = "trap '' TERM; touch \"$HOME/begun\"; while :; do sleep 0.05; done";
    let child = call(&cluster, &["--grace", "1s"], script).start();
    wait_for(&cluster.world.path("home/begun"));
    signal(child.id(), rustix::process::Signal::TERM);
    ended(child).code(143);
    nothing_is_left(&cluster);
}

#[test]
fn a_destroy_that_fails_is_told_with_the_directory_and_can_be_made_up_for() {
    let Some(cluster) = cluster() else { return };
    let fails = "echo terraform >\"$HOME/fails\"";
    // The command's own exit code goes before that of the destroy.
    for (script, code) in [(fails.to_owned(), 1), (format!("{fails}; exit 7"), 7)] {
        let answer = call(&cluster, &["--name", "left"], &script).run().code(code);
        answer.says("NOT DESTROYED").says("exasol destroy -d");
        assert_eq!(left(&cluster).len(), 1);
        cluster.tell("fails", "");
        let clean = cluster.account(cluster.world.exasol("run --clean --json")).run().code(0).json();
        assert_eq!(clean["destroyed"], serde_json::json!(["left"]));
        nothing_is_left(&cluster);
    }
    cluster.exasol("run --clean").run().code(0).says("no run has left a cluster");
}

#[test]
fn what_a_killed_run_leaves_is_listed_and_cleaned_but_not_what_is_at_work() {
    let Some(cluster) = cluster() else { return };
    let script = "echo $$ >\"$HOME/pid.part\"; mv \"$HOME/pid.part\" \"$HOME/pid\"; while :; do sleep 0.05; done";
    let mut child = call(&cluster, &["--name", "victim"], script).start();
    let pid = cluster.world.path("home/pid");
    wait_for(&pid);
    let working = cluster.account(cluster.world.exasol("run --clean --json")).run().code(0).json();
    assert_eq!((&working["destroyed"], &working["at_work"][0]), (&serde_json::json!([]), &"victim".into()));
    call(&cluster, &["--name", "victim"], "true").run().code(2).says("is at work");
    child.kill().unwrap();
    child.wait().unwrap();
    signal(std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap(), rustix::process::Signal::KILL);
    assert_eq!(listed(&cluster)[0]["name"], "victim");
    let clean = cluster.account(cluster.world.exasol("run --clean --json")).run().code(0).json();
    assert_eq!(clean["destroyed"], serde_json::json!(["victim"]));
    nothing_is_left(&cluster);
}

#[test]
fn logs_are_kept_without_passwords_and_github_is_told_what_to_mask() {
    let Some(cluster) = cluster() else { return };
    let options = ["--logs", "kept/logs"];
    let answer = call(&cluster, &options, "true").env("GITHUB_ACTIONS", "true").run().code(0);
    assert!(answer.stderr.contains(&format!("::add-mask::{}\n", PASSWORD.replace('%', "%25"))), "{}", answer.stderr);
    let mut folders = vec![cluster.world.path("kept/logs")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    files += 1;
                    let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
                    assert!(!text.contains(PASSWORD), "{}", entry.path().display());
                }
            }
        }
    }
    assert!(files > 2, "{files}");
    nothing_is_left(&cluster);
}
