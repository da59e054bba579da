use super::*;
use crate::model::{Probe, ProbeState};

const FINGERPRINT: &str = "ab";

fn status() -> NodeStatus {
    NodeStatus {
        name: "n12".into(),
        vm: Power::Running,
        vm_reason: None,
        private_ip: Some("192.0.2.12".into()),
        public_ip: Some("192.0.2.12".into()),
        address_now: None,
        ssh: Probe::ok(1),
        sql: Probe::ok(1),
    }
}

fn facts() -> Facts {
    let good = "clock 1000.5\nnode exasol-1 n12\ndisk /dev/exadata_01 ok 2000 1000 3000\nspace / 9000000 5000000\n\
         unit c4.service active\ncos ok\ncertificate ab\nend\n";
    Facts::parse(good)
}

fn told(facts: Facts) -> Session {
    Session::Told { facts, before: 1000.0, after: 1002.0 }
}

fn at(stage: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("n11".into(), "d".into()), ("n12".into(), stage.into())])
}

fn judged(
    status: &NodeStatus,
    session: &Session,
    stages: Option<&BTreeMap<String, String>>,
) -> (NodeHealth, Vec<Issue>) {
    judged_where(status, session, stages, false)
}

fn judged_where(
    status: &NodeStatus,
    session: &Session,
    stages: Option<&BTreeMap<String, String>>,
    databases_run: bool,
) -> (NodeHealth, Vec<Issue>) {
    let expected = Expected {
        root: Path::new("demo"),
        deployment: "exasol-1",
        phase: Phase::DatabaseReady,
        hypervisor: true,
        cluster_size: 2,
        fingerprint: Some(FINGERPRINT),
        stages,
        databases_run,
    };
    let (health, issues) = node(&expected, status, session);
    can_be_run(&issues);
    (health, issues)
}

/// What is called a command is one, and not the beginning of a sentence.
fn can_be_run(issues: &[Issue]) {
    for command in issues.iter().filter_map(|issue| issue.command.as_deref()) {
        let words: Vec<_> = command.split(' ').map(str::to_owned).collect();
        assert!(crate::cli::accepts(&words), "{command}");
    }
}

fn kinds(issues: &[Issue]) -> Vec<&str> {
    issues.iter().map(|issue| issue.kind.as_str()).collect()
}

fn changed(change: impl FnOnce(&mut NodeStatus)) -> NodeStatus {
    let mut status = status();
    change(&mut status);
    status
}

#[test]
fn a_healthy_node_has_every_layer_ok() {
    let (health, issues) = judged(&status(), &told(facts()), Some(&at("d")));
    assert_eq!(issues, []);
    assert!(health.layers.values().all(|state| *state == LayerState::Ok), "{health:?}");
    assert_eq!(health.layers.len(), Layer::ALL.len() - 1);
}

#[test]
fn what_a_fault_hides_is_unknown() {
    let off = changed(|s| {
        s.vm = Power::Off;
        s.ssh = Probe::not_probed("its machine is not on");
        s.sql = Probe::not_probed("its machine is not on");
    });
    let (health, issues) = judged(&off, &Session::NotTried, None);
    assert_eq!(kinds(&issues), ["machine_off"]);
    assert_eq!(issues[0].hint, "exasol start -d demo");
    let others: Vec<_> = health.layers.iter().filter(|(layer, _)| **layer != Layer::Vm).collect();
    assert!(others.iter().all(|(_, state)| **state == LayerState::Unknown), "{others:?}");
}

#[test]
fn every_power_state_but_running_is_named() {
    for (power, kind) in [
        (Power::Off, "machine_off"),
        (Power::Paused, "machine_paused"),
        (Power::Crashed, "machine_crashed"),
        (Power::Missing, "machine_elsewhere"),
        (Power::Unknown, "hypervisor_silent"),
    ] {
        let (_, issues) = judged(&changed(|s| s.vm = power), &Session::NotTried, None);
        assert_eq!(kinds(&issues)[0], kind);
    }
    let (_, issues) = judged(&changed(|s| s.vm = Power::Unknown), &Session::NotTried, None);
    assert!(issues[0].command.as_deref().is_some_and(|command| command.starts_with("exasol doctor -d ")), "{issues:?}");
    // A dead hypervisor's daemon does not stop machines.
    let (_, issues) = judged(&changed(|s| s.vm = Power::Unknown), &told(facts()), None);
    assert_eq!(issues[0].severity, Severity::Warning);
}

#[test]
fn a_lost_machine_is_made_again_by_what_the_phase_allows() {
    let lost = changed(|s| {
        s.vm = Power::Missing;
        s.sql = Probe { state: ProbeState::Unreachable, reason: None, ms: 1 };
    });
    let (_, issues) = judged(&lost, &Session::NotTried, None);
    assert_eq!(issues[0].command.as_deref(), Some("exasol deploy -d demo"));
    let of = |phase| super::super::super::operation::by_deploy(Path::new("demo"), phase, "makes it again");
    assert_eq!(of(Phase::Stopped).1, "exasol start -d demo");
    assert!(of(Phase::Stopped).0.contains("exasol deploy -d demo makes it again"));
}

#[test]
fn nobody_who_has_not_tried_a_login_is_healthy() {
    let unknown = changed(|s| s.sql = Probe::not_probed("no certificate is known yet"));
    let (health, issues) = judged(&unknown, &told(facts()), None);
    assert_eq!((kinds(&issues), issues[0].severity), (vec!["sql_not_checked"], Severity::Error));
    assert_eq!(health.layers[&Layer::Sql], LayerState::Error);
    let half = Facts::parse("clock 1000.5\nnode exasol-1 n12\n");
    assert_eq!(judged(&status(), &told(half), None).1[0].severity, Severity::Error);
}

#[test]
fn a_closed_door_is_told_from_another_machine() {
    let timeout = Probe { state: ProbeState::Timeout, reason: Some("no answer in 5 s".into()), ms: 5000 };
    let (_, issues) = judged(&changed(|s| s.ssh = timeout), &Session::NotTried, None);
    assert_eq!((kinds(&issues), issues[0].detail.as_str()), (vec!["ssh_timeout"], "no answer in 5 s"));
    for (refusal, kind) in [
        (Refusal::OtherIdentity("x".into()), "ssh_identity_mismatch"),
        (Refusal::NotLetIn("x".into()), "ssh_denied"),
        (Refusal::Unreachable("x".into()), "ssh_unreachable"),
    ] {
        assert_eq!(kinds(&judged(&status(), &Session::Refused(refusal), None).1), [kind]);
    }
    let mut other = facts();
    other.identity = Some(("exasol-2".into(), "n12".into()));
    assert_eq!(kinds(&judged(&status(), &told(other), None).1), ["other_node"]);
}

#[test]
fn a_node_without_our_scripts_is_sent_to_deploy() {
    let (health, issues) = judged(&status(), &Session::Failed("exit status 127".into()), None);
    assert_eq!(kinds(&issues), ["not_prepared"]);
    assert!(issues[0].hint.starts_with("exasol deploy -d demo"));
    assert_eq!(health.layers[&Layer::Ssh], LayerState::Ok);
}

#[test]
fn only_a_clock_outside_the_time_of_asking_is_wrong() {
    for (clock, expected) in [
        (1000.0, None),
        (1002.0, None),
        (996.0, None),
        (990.0, Some((Severity::Warning, "its clock is 10 s behind this machine's"))),
        (1102.0, Some((Severity::Error, "its clock is 100 s ahead of this machine's"))),
    ] {
        let mut facts = facts();
        facts.clock = Some(clock);
        let (_, issues) = judged(&status(), &told(facts), None);
        assert_eq!(issues.first().map(|i| (i.severity, i.detail.as_str())), expected, "{clock}");
    }
}

#[test]
fn disks_space_services_and_container() {
    let of = |from: &str, to: &str| {
        let text = "node exasol-1 n12\ndisk /dev/exadata_01 ok 2000 1000 3000\nspace / 9000000 5000000\n\
             unit c4.service active\ncos ok\nend\n";
        assert!(text.contains(from));
        judged(&status(), &told(Facts::parse(&text.replace(from, to))), None).1
    };
    assert_eq!(kinds(&of("ok 2000", "missing 0")), ["disk_missing"]);
    assert_eq!(kinds(&of("ok 2000", "other 2000")), ["disk_link"]);
    assert_eq!(kinds(&of("ok 2000", "ok 4000")), ["disk_size"]);
    assert_eq!(of("5000000", "900000")[0].severity, Severity::Warning);
    assert_eq!(kinds(&of("5000000", "5000")), ["space_full"]);
    assert_eq!(of("active", "activating")[0].severity, Severity::Warning);
    assert_eq!(kinds(&of("active", "failed")), ["service_down"]);
    assert_eq!(kinds(&of("cos ok", "cos silent")), ["cos_silent"]);
    assert_eq!(kinds(&of("end\n", "")), ["half_an_answer"]);
}

#[test]
fn a_stage_below_d_is_explained() {
    let (_, issues) = judged(&status(), &told(facts()), Some(&at("b1")));
    assert_eq!(kinds(&issues), ["not_at_stage_d"]);
    assert!(issues[0].detail.contains("the container is not"));
    let (_, issues) = judged(&status(), &told(facts()), Some(&BTreeMap::new()));
    assert_eq!(kinds(&issues), ["no_stage"]);
    // Should c4 call them otherwise.
    let numbers = BTreeMap::from([("11".into(), "d".into()), ("12".into(), "c".into())]);
    assert_eq!(kinds(&judged(&status(), &told(facts()), Some(&numbers)).1), ["not_at_stage_d"]);
}

#[test]
fn a_stage_that_confd_contradicts_is_a_warning() {
    for stages in [at("a1"), BTreeMap::new()] {
        let (health, issues) = judged_where(&status(), &told(facts()), Some(&stages), true);
        assert_eq!((kinds(&issues), issues[0].severity), (vec!["stage_differs"], Severity::Warning));
        assert_eq!(health.layers[&Layer::Cluster], LayerState::Warning);
    }
    assert_eq!(judged_where(&status(), &told(facts()), Some(&at("d")), true).1, []);
}

#[test]
fn an_admin_ui_that_is_down_is_a_warning() {
    let text = "node exasol-1 n12\nunit exasol-admin-ui.service inactive\nend\n";
    let (_, issues) = judged(&status(), &told(Facts::parse(text)), None);
    assert_eq!((kinds(&issues), issues[0].severity), (vec!["admin_ui_down"], Severity::Warning));
}

#[test]
fn a_changed_certificate_is_told_from_somebody_in_between() {
    let mismatch = changed(|s| s.sql = Probe { state: ProbeState::IdentityMismatch, reason: None, ms: 1 });
    let (_, issues) = judged(&mismatch, &told(facts()), None);
    assert_eq!(kinds(&issues), ["sql_identity_mismatch", "certificate_foreign"]);
    assert!(issues.iter().all(|issue| issue.command.is_none()), "{issues:?}");
    // Whoever cannot be asked here may be asked by the repair.
    let (_, issues) = judged(&mismatch, &Session::Refused(Refusal::Unreachable("x".into())), None);
    assert_eq!(issues[1].command.as_deref(), Some("exasol health --repair -d demo"));
    let mut other = facts();
    other.certificate = Some("cd".into());
    let (_, issues) = judged(&mismatch, &told(other), None);
    assert_eq!(kinds(&issues), ["sql_identity_mismatch", "certificate_changed"]);
    assert!(issues.iter().all(|issue| issue.command.as_deref() == Some("exasol health --repair -d demo")));
}

#[test]
fn the_record_is_mended_only_where_nothing_else_is_to_do() {
    let nodes = [status()];
    let root = Path::new("demo");
    for phase in Phase::ALL {
        let proven = proven(phase, &nodes);
        let issues = record(root, phase, false, &nodes, &Files::default());
        assert_eq!(issues.is_empty(), phase == Phase::DatabaseReady, "{phase}");
        can_be_run(&issues);
        let hint = issues.first().map_or("", |issue| &issue.hint);
        assert_eq!(hint.contains("--repair"), proven.is_some(), "{phase}");
    }
    assert!(record(root, Phase::StartInProgress, true, &nodes, &Files::default()).is_empty());
    let down = [changed(|s| s.sql = Probe::not_probed("off"))];
    assert_eq!(proven(Phase::StartFailed, &down), None);
    assert_eq!(proven(Phase::StartFailed, &[]), None);
    let files = Files { stale: vec!["ssh/config".into()], edited: vec!["terraform/main.tf".into()] };
    assert_eq!(kinds(&record(root, Phase::DatabaseReady, false, &nodes, &files)), ["files_stale", "files_edited"]);
}

/// People and programs run the commands that it proposes.
#[test]
fn what_a_node_says_is_one_word_of_the_commands_that_are_proposed() {
    let facts = "node exasol-1 n12\nunit $(touch${IFS}x);reboot failed\nspace `reboot` 18446744073709551615 500\nend\n";
    let (_, issues) = judged(&status(), &told(Facts::parse(facts)), None);
    let commands: Vec<_> = issues.iter().filter_map(|issue| issue.command.as_deref()).collect();
    assert!(commands.iter().any(|command| command.contains(" -u '$(touch${IFS}x);reboot' -n 50")), "{commands:?}");
    assert!(commands.iter().any(|command| command.ends_with("df -h '`reboot`'")), "{commands:?}");
}

#[test]
fn fuzz_node_health() {
    let seed = include_str!("../../../tests/fixtures/health/n11.txt");
    let unwell = "clock 1000.5\nnode exasol-1 n12\ndisk /dev/exadata_01 other 2000 1000 3000\nspace / 9000000 500\n\
        unit c4.service failed\ncos no\nstages n11=d n12=b1\ndatabase Exasol running yes\ncertificate cd\nend\n";
    crate::fuzz::text_target("node-health", &[seed, unwell], |text| {
        let facts = Facts::parse(text);
        let stages = facts.stages.clone();
        judged(&status(), &told(facts), stages.as_ref());
    });
}
