//! A whole life of a deployment on a hypervisor that only the tests have: what `providers/` says of it is enough.
//!
//! The programs and folders are those of the environment, so the test runs itself again in a process of its own.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::Passwords;
use super::deploy::DeployRequest;
use super::destroy::DestroyRequest;
use super::init::{Asked, InitRequest};
use super::start::StartRequest;
use super::status::StatusRequest;
use super::stop::StopRequest;
use super::{Context, CreateMissing, Given, ReleaseRequest};
use crate::deployment::{EditPolicy, Secrets};
use crate::events::EventSink;
use crate::model::{Power, Spec};
use crate::providers::dummy_host::World;
use crate::signal::Interrupt;
use crate::sql::fake;

/// Set in the process that does the work: its home.
const HOME: &str = "EXASOL_TEST_SECOND_HYPERVISOR";
/// sshd's port is for root alone on most machines.
const SSH_PORT: u16 = 22;
const SQL_PORT: u16 = 8563;

#[test]
fn a_second_hypervisor_goes_through_a_whole_life() {
    match std::env::var_os(HOME) {
        None => in_a_process_of_its_own("a_second_hypervisor_goes_through_a_whole_life"),
        Some(home) => tokio::runtime::Runtime::new().unwrap().block_on(life(Path::new(&home))),
    }
}

#[test]
fn what_a_terraform_that_hangs_leaves_is_removed_by_name() {
    match std::env::var_os(HOME) {
        None => in_a_process_of_its_own("what_a_terraform_that_hangs_leaves_is_removed_by_name"),
        Some(home) => tokio::runtime::Runtime::new().unwrap().block_on(destroy_by_name(Path::new(&home))),
    }
}

fn in_a_process_of_its_own(test: &str) {
    let home = tempfile::tempdir().unwrap();
    let programs = home.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    for (name, text) in [("terraform", TERRAFORM), ("ssh", SSH), ("ansible-playbook", ANSIBLE)] {
        let program = programs.join(name);
        std::fs::write(&program, format!("#!/bin/sh\n{text}")).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }
    std::fs::write(home.path().join("image"), "an image").unwrap();
    #[allow(clippy::disallowed_types, clippy::disallowed_methods)]
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("ops::second_hypervisor::{test}"), "--nocapture"])
        .current_dir(home.path())
        .env(HOME, home.path())
        .env("HOME", home.path())
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .env("XDG_STATE_HOME", home.path().join("state"))
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn life(home: &Path) {
    let address = Ipv4Addr::new(127, 99, 99, 1);
    let Ok(sshd) = TcpListener::bind((address, SSH_PORT)) else {
        assert!(std::env::var_os("CI").is_none(), "port {SSH_PORT} of {address} cannot be listened on");
        return;
    };
    std::thread::spawn(move || {
        for session in sshd.incoming() {
            let _ = session.and_then(|mut session| std::io::Write::write_all(&mut session, b"SSH-2.0-fake\r\n"));
        }
    });
    let sql = tokio::net::TcpListener::bind((address, SQL_PORT)).await.unwrap();
    let database = fake::serve_on(sql, |_| None);
    std::fs::write(home.join("fingerprint"), database.fingerprint.unwrap()).unwrap();
    let (world, spec) = World::new("a whole life");
    world.lock().made = Some(home.join("made"));
    world.lock().address = Some(IpAddr::V4(address));
    let context = Context { sink: EventSink::silent(), interrupt: Interrupt::never() };
    let dir = home.join("deployment");
    init(&context, &dir, spec).await;
    // `deploy` would make an RSA key, which takes a minute in instrumented code.
    let secrets_file = dir.join("secrets.json");
    let mut secrets: Secrets = serde_json::from_slice(&std::fs::read(&secrets_file).unwrap()).unwrap();
    secrets.cluster_key = Some(secrets.ssh_key.clone());
    std::fs::write(secrets_file, serde_json::to_vec(&secrets).unwrap()).unwrap();
    let deploy = DeployRequest {
        dir: dir.clone(),
        allow_replace: Vec::new(),
        edits: EditPolicy::Refuse,
        warm: true,
        offline: true,
        passwords: Passwords::default(),
        credentials: Given::new(),
        confirm: None,
    };
    let report = super::deploy::run(&context, deploy).await.unwrap();
    assert_eq!(report.nodes[0].public_ip, address.to_string());
    let status = async || {
        let request = StatusRequest { deadline: Duration::from_secs(20), ..StatusRequest::usual(&dir) };
        let report = super::status::run(&context, &request).await.unwrap();
        (report.status.to_string(), report.nodes[0].vm)
    };
    assert_eq!(status().await, ("database_ready".to_owned(), Power::Running));
    super::stop::run(&context, StopRequest { dir: dir.clone() }).await.unwrap();
    assert_eq!(status().await, ("stopped".to_owned(), Power::Off));
    super::start::run(&context, StartRequest { dir: dir.clone() }).await.unwrap();
    assert_eq!(status().await, ("database_ready".to_owned(), Power::Running));
    let destroy = DestroyRequest { dir: dir.clone(), dry_run: false, confirm: None };
    super::destroy::run(&context, destroy).await.unwrap();
    assert!(!home.join("made").exists());
    let calls = &world.lock().calls;
    for call in ["upload_image", "switch_on n11", "shut_down n11", "leftovers"] {
        assert!(calls.iter().any(|made| made.starts_with(call)), "no {call} in {calls:?}");
    }
}

async fn init(context: &Context, dir: &Path, spec: Spec) {
    let request = InitRequest {
        dir: dir.to_owned(),
        name: None,
        spec: Asked::Spec(spec),
        release: ReleaseRequest::default(),
        me: false,
        passwords: Passwords { db: Some(fake::PASSWORD.into()), ..Passwords::default() },
        credentials: Given::new(),
        warnings: Vec::new(),
        create_missing: CreateMissing::Yes,
        confirm: &|_| None,
    };
    super::init::run(context, request).await.unwrap();
}

async fn destroy_by_name(home: &Path) {
    let (world, spec) = World::new("destroy by name");
    let context = Context { sink: EventSink::silent(), interrupt: Interrupt::never() };
    let dir = home.join("deployment");
    init(&context, &dir, spec).await;
    let state =
        r#"{"version":4,"resources":[{"mode":"managed","type":"dummy_machine","name":"node","instances":[{}]}]}"#;
    std::fs::write(dir.join("terraform/terraform.tfstate"), state).unwrap();
    std::fs::write(home.join("hang"), "").unwrap();
    world.lock().leftovers = vec!["its-machine".into()];
    let destroy = || DestroyRequest { dir: dir.clone(), dry_run: false, confirm: None };
    super::destroy::run(&context, destroy()).await.unwrap();
    assert!(world.lock().leftovers.is_empty());
    assert!(world.lock().calls.contains(&"remove its-machine".to_owned()));
}

/// Makes one machine: the file `made`. Its plan file has one word.
const TERRAFORM: &str = r#"
change() {
  echo '{"format_version":"1.2","resource_changes":[{"address":"dummy_machine.node[\"n11\"]","mode":"managed",
    "type":"dummy_machine","name":"node","index":"n11","change":{"actions":["'"$1"'"],"before":{},"after":{}}}]}'
}
case "$1" in
  version) echo '{"terraform_version":"1.11.4"}' ;;
  validate) echo '{"valid":true,"diagnostics":[]}' ;;
  output) echo '{}' ;;
  plan)
    word=create
    [ ! -e "$HOME/made" ] || word=nothing
    case "$*" in *-destroy*) word=delete ;; esac
    echo "$word" > tfplan.word
    for word in "$@"; do case "$word" in -out=*) cp tfplan.word "${word#-out=}" ;; esac; done ;;
  show)
    case "$(cat tfplan.word)" in
      nothing) echo '{"format_version":"1.2","resource_changes":[]}' ;;
      *) change "$(cat tfplan.word)" ;;
    esac ;;
  apply)
    [ ! -e "$HOME/hang" ] || exec sleep 60
    machine=
    case "$(cat tfplan.word)" in
      delete) rm -f "$HOME/made" ;;
      *) touch "$HOME/made"
        machine='{"mode":"managed","type":"dummy_machine","name":"node","instances":[{"index_key":"n11","attributes":{"name":"x"}}]}' ;;
    esac
    echo '{"version":4,"resources":['"$machine"']}' > terraform.tfstate ;;
esac
"#;

const SSH: &str = r#"
case "$*" in *"sh -s"*) asked=$(cat) ;; *) asked=$* ;; esac
case "$asked" in
  *'exasol: session'*) echo 'exasol: session' ;;
  *certificate.sh*) cat "$HOME/fingerprint" ;;
  *'database.sh up'*) echo 'ready: n11 at stage d' ;;
esac
"#;

const ANSIBLE: &str = r#"
case "$*" in *--version*) echo 'ansible-playbook [core 2.19.0]' ;; esac
# The files that it copies are in use.
[ -z "$EXASOL_C4_FILE" ] || ! flock -n -x "$HOME/cache/exasol/files.used" true
"#;
