//! Reports with every field in use, for the tests of this folder.

use serde_json::json;

pub use super::sample_programs::*;
use crate::model::*;

pub const ID: &str = "exasol-0001abff";
const NAME: &str = "demo";
const FINGERPRINT: &str = "3f1a0c2b4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

fn node(name: &str, vm: Power, ip: Option<&str>, ssh: Probe, sql: Probe) -> NodeStatus {
    let address = ip.map(str::to_owned);
    NodeStatus {
        name: name.into(),
        vm,
        vm_reason: None,
        private_ip: address.clone(),
        public_ip: address,
        address_now: None,
        ssh,
        sql,
    }
}

fn whose() -> Whose {
    Whose { deployment: ID.into(), name: NAME.into() }
}

pub fn license() -> LicenseReport {
    LicenseReport {
        whose: whose(),
        rehearsal: false,
        uploaded: Some("1234.exasol_license".into()),
        license: json!({"Contract": {"expiration_date": "2027-12-31", "license_id": 1234}, "Limits": {"max_nodes_per_cluster": "Unlimited"}}),
        warnings: Vec::new(),
        next: Vec::new(),
    }
}

pub fn certificate() -> CertificateReport {
    let why = Some("its SQL port shows no certificate".to_owned());
    CertificateReport {
        whose: whose(),
        recorded: Some(FINGERPRINT.into()),
        nodes: vec![
            NodeCertificate { name: "n11".into(), fingerprint: Some(FINGERPRINT.into()), why: None },
            NodeCertificate { name: "n12".into(), fingerprint: None, why },
        ],
        changed: true,
        warnings: Vec::new(),
        next: vec!["exasol info".into()],
    }
}

fn recorded(file: &str) -> RecordedFile {
    RecordedFile {
        file: file.into(),
        at: Some("2026-01-02T01:14:07Z".into()),
        same: false,
        problem: None,
        phase: None,
        nodes: None,
        serial: None,
        resources: None,
    }
}

pub fn state_show() -> StateReport {
    let state = |file: &str, phase: Phase, nodes: usize| RecordedFile {
        phase: Some(phase),
        nodes: Some(nodes),
        ..recorded(file)
    };
    StateReport {
        directory: "/home/eva/demo".into(),
        deployment: Some(ID.into()),
        name: Some(NAME.into()),
        files: vec![
            state("deployment.json", Phase::DatabaseReady, 3),
            RecordedFile { same: true, ..state("previous/deployment.json.1", Phase::DatabaseReady, 3) },
            state("previous/deployment.json.2", Phase::Initialized, 0),
            recorded("secrets.json"),
            RecordedFile {
                problem: Some("is cut off at line 1 column 1".into()),
                ..recorded("previous/secrets.json.1")
            },
            RecordedFile { at: None, ..recorded("terraform/terraform.tfstate") },
            RecordedFile { serial: Some(7), resources: Some(12), ..recorded("previous/terraform.tfstate.1") },
        ],
        next: vec!["exasol status -d demo".into()],
    }
}

fn state_problems() -> Vec<StateProblem> {
    let problem = |kind, file: &str, detail: &str| StateProblem {
        kind,
        file: file.into(),
        detail: detail.into(),
        fix: "exasol state repair -d demo".into(),
        repairable: true,
    };
    vec![
        problem(StateProblemKind::Permissions, ".", "has mode 0755 instead of 0700: others may use it"),
        problem(StateProblemKind::Unreadable, "deployment.json", "cannot be read: EOF at line 1 column 0"),
        StateProblem {
            fix: "put it back from a backup: /home/eva/demo/secrets.json".into(),
            repairable: false,
            ..problem(StateProblemKind::Missing, "secrets.json", "is missing, and there is no copy of it")
        },
    ]
}

pub fn state_verify() -> StateCheck {
    StateCheck {
        directory: "/home/eva/demo".into(),
        sound: false,
        problems: state_problems(),
        edited: vec!["terraform/main.tf".into()],
        operation: Some(Holder {
            operation: "deploy".into(),
            pid: 4711,
            host: "workstation".into(),
            since: "2026-01-02T01:14:07Z".into(),
        }),
        next: vec![
            "exasol state repair -d demo".into(),
            "put it back from a backup: /home/eva/demo/secrets.json".into(),
        ],
    }
}

pub fn state_repair() -> StateRepair {
    StateRepair {
        directory: "/home/eva/demo".into(),
        sound: false,
        repaired: vec!["the directory has mode 0700 again".into()],
        left: state_problems().split_off(2),
        warnings: vec!["deploy began after this copy was written".into()],
        next: vec!["put it back from a backup: /home/eva/demo/secrets.json".into()],
    }
}

pub fn support() -> SupportReport {
    SupportReport {
        archive: "exasol-support-exasol-0001abff-20260102T030405Z.tar.gz".into(),
        deployment: Some(ID.into()),
        bytes: 123_456,
        files: 42,
        cut: vec!["nodes/n11/play.log".into()],
        missing: vec![MissingEvidence {
            what: "nodes/n12".into(),
            why: "connect to host 192.0.2.12: timed out".into(),
        }],
        warnings: Vec::new(),
    }
}

pub fn html_report() -> HtmlReport {
    HtmlReport {
        file: "exasol-report-exasol-0001abff-20260102T030405Z.html".into(),
        deployment: ID.into(),
        bytes: 45_678,
        operations: 3,
        missing: vec![MissingEvidence { what: "live health".into(), why: "no node can be examined now".into() }],
        warnings: Vec::new(),
    }
}

pub fn status_ready() -> StatusReport {
    StatusReport {
        status: Phase::DatabaseReady.into(),
        phase: Phase::DatabaseReady,
        recorded_at: "2026-01-02T00:04:05Z".into(),
        reason: "SQL answers on 2 of 2 nodes".into(),
        whose: whose(),
        directory: "/home/eva/demo".into(),
        provider: "libvirt".into(),
        db_version: "rehearsal".into(),
        rehearsal: true,
        cluster_size: 2,
        node_size: Some(NodeSize { memory_mb: 1536, vcpus: 1 }),
        instance_type: None,
        allowed_cidrs: vec![],
        update_pending: true,
        nodes: vec![
            node("n11", Power::Running, Some("192.168.122.71"), Probe::ok(3), Probe::ok(41)),
            node("n12", Power::Running, Some("192.168.122.172"), Probe::ok(4), Probe::ok(40)),
        ],
        operation: None,
        step: None,
        since: Some("2026-01-02T00:04:05.000Z".into()),
        last_good: Some("2026-01-02T00:04:05.000Z".into()),
        last_error: None,
        next: vec!["exasol info -d demo".into(), "exasol sql -d demo".into()],
        next_does: vec!["shows how to connect", "opens an SQL shell"],
        checked_in_ms: 412,
    }
}

/// One machine of two is off.
pub fn status_degraded() -> StatusReport {
    let mut report = status_ready();
    report.status = Status::Degraded;
    report.reason = "n12 is off".into();
    report.update_pending = false;
    report.nodes[1].vm = Power::Off;
    report.nodes[1].ssh = Probe::not_probed("its machine is off");
    report.nodes[1].sql = Probe::not_probed("its machine is off");
    report.last_good = Some("2026-01-02T01:14:00Z".into());
    report.next = vec!["exasol start -d demo".into(), "exasol health -d demo".into()];
    report.next_does = vec!["switches on and connects what was lost", "examines every layer of every node"];
    report
}

/// An operation is at work.
pub fn status_running() -> StatusReport {
    StatusReport {
        status: Phase::DeployInProgress.into(),
        phase: Phase::DeployInProgress,
        reason: "an operation is running".into(),
        update_pending: false,
        nodes: vec![node("n11", Power::Absent, None, Probe::not_probed("no address is known"), Probe::not_probed("x"))],
        operation: Some(Holder {
            operation: "deploy".into(),
            pid: 8598,
            host: "desk".into(),
            since: "2026-01-02T01:57:00Z".into(),
        }),
        step: Some(StepAt {
            id: "install".into(),
            title: "install Exasol".into(),
            number: 7,
            of: 10,
            since: "2026-01-02T01:58:30.000Z".into(),
        }),
        next: vec!["exasol logs --follow -d demo".into()],
        next_does: vec!["shows what it does, until it is done"],
        ..status_ready()
    }
}

pub fn status_interrupted() -> StatusReport {
    let refused = Probe { state: ProbeState::Refused, reason: Some("connection refused".into()), ms: 2 };
    StatusReport {
        status: Status::Interrupted,
        phase: Phase::DeployInProgress,
        reason:
            "deploy was begun, but nothing is working on it any more; now: n12 is missing; SQL answers on 0 of 2 nodes"
                .into(),
        rehearsal: false,
        db_version: "exasol-2025.1.8".into(),
        allowed_cidrs: vec!["192.0.2.0/24".into()],
        nodes: vec![
            node("n11", Power::Running, Some("192.168.122.71"), refused, Probe::not_probed("SSH does not answer")),
            node("n12", Power::Missing, None, Probe::not_probed("no machine"), Probe::not_probed("no machine")),
        ],
        step: status_running().step,
        last_error: Some(LastError {
            operation: "deploy".into(),
            code: "tool_failed".into(),
            message: "terraform failed (exit status 1): pool is full\n  on main.tf line 3".into(),
            at: "2026-01-02T01:48:00Z".into(),
            log: Some("logs/20260102T025900Z-deploy".into()),
        }),
        next: vec!["exasol deploy".into(), "exasol destroy".into()],
        next_does: vec!["resumes where it was interrupted", "removes what exists"],
        checked_in_ms: 5000,
        ..status_ready()
    }
}

pub fn status_two_addresses() -> StatusReport {
    let mut report = status_ready();
    report.nodes[0].private_ip = Some("10.77.0.11".into());
    report.nodes[1].sql =
        Probe { state: ProbeState::IdentityMismatch, reason: Some("another certificate".into()), ms: 9 };
    report
}

pub fn checks() -> Vec<Check> {
    vec![
        Check::ok("libvirt_connect", "libvirt answers", "9.0.0 at qemu:///system"),
        Check::warning("kvm", "KVM runs guests", "it does not here: emulation is slow")
            .fix("sudo chmod 660 /dev/kvm")
            .fix("sudo chgrp kvm /dev/kvm"),
        Check::failed("pool_active", "storage pool 'default' is active", "it exists, but is not running")
            .fix("virsh --connect qemu:///system pool-start default")
            .creatable("pool"),
        Check::skipped("pool_room", "the pool has room", "the pool is not active"),
    ]
}

pub fn init() -> InitReport {
    InitReport {
        whose: Whose { name: "cluster".into(), ..whose() },
        directory: "/home/eva/cluster".into(),
        provider: "libvirt".into(),
        db_version: "rehearsal".into(),
        rehearsal: true,
        cluster_size: 2,
        warnings: vec!["SSH, SQL and Admin UI are reachable from anywhere: narrow it with --allowed-cidr".into()],
        checks: checks().into_iter().filter(|check| !check.is_failed()).collect(),
        next: vec!["exasol deploy -d /home/eva/cluster".into()],
    }
}

pub fn deploy() -> DeployReport {
    let address = |name: &str, ip: &str| NodeAddress { name: name.into(), private_ip: ip.into(), public_ip: ip.into() };
    DeployReport {
        whose: whose(),
        directory: "demo".into(),
        admin_ui: "https://192.168.122.71:8443".into(),
        status: Phase::DatabaseReady,
        rehearsal: true,
        nodes: vec![address("n11", "192.168.122.71"), address("n12", "192.168.122.172")],
        certificate_fingerprint: FINGERPRINT.into(),
        took_ms: 95_400,
        next: vec!["exasol info".into(), "exasol sql -c 'SELECT 1'".into()],
    }
}

pub fn start() -> PowerReport {
    PowerReport {
        whose: whose(),
        status: Phase::DatabaseReady,
        nodes: vec!["n11".into(), "n12".into()],
        remark: None,
        took_ms: 51_000,
        next: vec!["exasol status -d demo".into(), "exasol info -d demo".into()],
    }
}

pub fn stop() -> PowerReport {
    PowerReport {
        status: Phase::Stopped,
        remark: Some("still paid for: disks".into()),
        next: vec!["exasol start -d demo".into()],
        ..start()
    }
}

pub fn plan() -> PlanReport {
    let create = |kind: &str, name: &str| PlannedChange {
        action: ChangeAction::Create,
        address: format!("{kind}.{name}"),
        kind: kind.into(),
    };
    PlanReport {
        create: 3,
        update: 0,
        replace: 0,
        delete: 0,
        changes: vec![
            create("libvirt_volume", "root[\"n11\"]"),
            create("libvirt_volume", "data[\"n11-1\"]"),
            create("libvirt_domain", "node[\"n11\"]"),
        ],
        summary: vec![
            "open to anyone: 22 SSH, 8563 SQL, 8443 Admin UI".into(),
            "open to 192.168.122.1 only: 20002, 20003, 2581".into(),
        ],
    }
}

pub fn destroy() -> DestroyReport {
    DestroyReport {
        whose: whose(),
        status: Phase::Destroyed,
        dry_run: false,
        removed: vec!["domain exasol-0001abff-n11".into(), "volume exasol-0001abff-n11-root (pool default)".into()],
        kept: vec!["deployment.json".into(), "logs/".into(), "README.md".into()],
        took_ms: 2_500,
    }
}

pub fn destroy_dry_run() -> DestroyReport {
    DestroyReport { status: Phase::DatabaseReady, dry_run: true, took_ms: 120, ..destroy() }
}

pub fn doctor() -> DoctorReport {
    DoctorReport {
        whose: None,
        provider: "libvirt".into(),
        wanted: "1 node on libvirt: 4 GB, 2 CPUs and 150 GB of disk; exasol-2025.1.8".into(),
        ok: false,
        checks: checks(),
        fix: vec![
            "virsh --connect qemu:///system pool-start default".into(),
            "sudo chmod 660 /dev/kvm".into(),
            "sudo chgrp kvm /dev/kvm".into(),
        ],
    }
}

pub fn info() -> InfoReport {
    InfoReport {
        whose: whose(),
        clients: "exasol info --for pyexasol -d demo   (or dbeaver, exaplus, jdbc, odbc, env)".into(),
        show_password: "exasol info --show-password -d demo".into(),
        rehearsal: true,
        db_version: "rehearsal".into(),
        release: None,
        host: "192.168.122.71".into(),
        hosts: vec!["192.168.122.71".into(), "192.168.122.172".into()],
        port: 8563,
        user: "sys".into(),
        unknown_passwords: None,
        password: None,
        password_file: "secrets.json".into(),
        certificate_fingerprint: Some(FINGERPRINT.into()),
        license: Some("10 GiB of raw data built in; yours: exasol license show".into()),
        warm_base: Some(WarmUse {
            key: "5c".repeat(32),
            image_sha256: "a1".repeat(32),
            made_at: "2026-01-02T03:04:05Z".into(),
        }),
        jdbc: format!("jdbc:exa:192.168.122.71/{FINGERPRINT}:8563;user=sys"),
        odbc: format!("DRIVER={{Exasol}};EXAHOST=192.168.122.71/{FINGERPRINT}:8563;UID=sys"),
        dsn: "192.168.122.71:8563".into(),
        admin_ui: "https://192.168.122.71:8443".into(),
        admin_ui_password: None,
        ssh: "exasol ssh n11".into(),
        tunnel: None,
    }
}

pub fn info_for_env() -> ClientReport {
    ClientReport {
        whose: whose(),
        client: "env".into(),
        text: "export EXASOL_HOST=192.168.122.71\nexport EXASOL_PORT=8563\n".into(),
    }
}

pub fn info_with_password() -> InfoReport {
    InfoReport {
        password: Some("p$w '#{{}}%{ }${}".into()),
        admin_ui_password: Some("other".into()),
        certificate_fingerprint: None,
        license: None,
        tunnel: Some("ssh -F demo/ssh/config -N -L 8563:localhost:8563 n11".into()),
        ..info()
    }
}

pub fn sql_rows() -> SqlReport {
    SqlReport {
        columns: vec!["ID".into(), "NAME".into(), "PAID".into()],
        rows: vec![
            vec![json!(1), json!("Zoë\tO'Neil"), json!(true)],
            vec![json!(22), json!(null), json!(false)],
            vec![json!(null), json!("日本"), json!(null)],
        ],
        row_count: None,
    }
}

pub fn deployments() -> DeploymentsReport {
    let known = |id: &str, directory: &str, status: Status, reason: &str| KnownDeployment {
        whose: Whose { deployment: id.into(), name: directory.rsplit('/').next().unwrap_or(id).into() },
        directory: directory.into(),
        provider: "libvirt".into(),
        db_version: None,
        rehearsal: false,
        cluster_size: None,
        status,
        phase: None,
        reason: reason.into(),
        since: None,
        created: Some("2025-08-05T10:00:00Z".into()),
        tried: false,
        copies: Vec::new(),
        next: Vec::new(),
    };
    let failed = KnownDeployment {
        provider: "hetzner".into(),
        cluster_size: Some(3),
        phase: Some(Phase::DeploymentFailed),
        since: Some("2026-01-02T01:00:00Z".into()),
        ..known("exasol-00000004", "/srv/clusters/of/the/analytics/team/prod", Phase::DeploymentFailed.into(), "no")
    };
    let ready = KnownDeployment {
        db_version: Some("rehearsal".into()),
        rehearsal: true,
        cluster_size: Some(2),
        phase: Some(Phase::DatabaseReady),
        copies: vec!["/home/eva/demo copy".into()],
        next: vec!["exasol info -d /home/eva/demo".into()],
        ..known("exasol-0001abff", "/home/eva/demo", Phase::DatabaseReady.into(), "every node answers")
    };
    let unreadable = KnownDeployment {
        directory: "".into(),
        provider: String::new(),
        created: None,
        ..known(
            "exasol-00000003",
            "exasol-00000003",
            Status::Broken,
            "deployments.d/exasol-00000003.json is no entry of the index",
        )
    };
    DeploymentsReport {
        deployments: vec![
            ready,
            failed,
            known("exasol-00000002", "/tmp/gone\u{1b}[2J", Status::Missing, "no deployment is there"),
            unreadable,
        ],
        destroyed_hidden: 2,
        pruned: vec![],
        warnings: vec![],
        next: vec!["exasol sweep".into(), "exasol list --prune".into()],
        checked_in_ms: 140,
    }
}

pub fn deployments_none() -> DeploymentsReport {
    DeploymentsReport {
        deployments: vec![],
        destroyed_hidden: 0,
        pruned: vec![deployments().deployments.remove(2)],
        warnings: vec!["nothing is known".into()],
        next: vec!["exasol init --cloud-provider libvirt -d DIR".into()],
        checked_in_ms: 1,
    }
}

pub fn sql_without_rows() -> SqlReport {
    SqlReport { columns: vec![], rows: vec![], row_count: Some(1) }
}

pub fn health() -> HealthReport {
    let layers = |vm, above| {
        let state = |layer: Layer| (layer, if layer == Layer::Vm { vm } else { above });
        Layer::ALL.into_iter().filter(|layer| *layer != Layer::Record).map(state).collect()
    };
    let mut n11: std::collections::BTreeMap<_, _> = layers(LayerState::Ok, LayerState::Ok);
    n11.insert(Layer::Space, LayerState::Warning);
    let issue = |kind: &str, node: &str, layer, severity, detail: &str, hint: &str| Issue {
        kind: kind.into(),
        node: Some(node.into()),
        layer,
        severity,
        follows_from: None,
        detail: detail.into(),
        hint: hint.into(),
        command: Some(hint.into()),
    };
    let follows = |node: &str, layer, kind: &str, detail: &str| Issue {
        follows_from: Some("n12".into()),
        ..issue(kind, node, layer, Severity::Error, detail, "exasol start -d demo")
    };
    let start = "exasol start -d demo";
    let free = "900 MiB of 49000 MiB are free on /";
    HealthReport {
        status: HealthStatus::Problems,
        whose: whose(),
        phase: Phase::DatabaseReady,
        rehearsal: false,
        nodes: vec![
            NodeHealth { name: "n11".into(), layers: n11 },
            NodeHealth { name: "n12".into(), layers: layers(LayerState::Error, LayerState::Unknown) },
        ],
        issue_count: 4,
        issues: vec![
            issue("machine_off", "n12", Layer::Vm, Severity::Error, "its machine is off", start),
            issue("space_low", "n11", Layer::Space, Severity::Warning, free, "exasol ssh n11 -d demo -- df -h /"),
            follows(
                "n11",
                Layer::Cluster,
                "not_at_stage_d",
                "it is at stage c: the container is up, the database is not",
            ),
            follows("n11", Layer::Sql, "sql_refused", "nothing listens on the SQL port"),
        ],
        repaired: vec!["ssh/config".into()],
        operation: None,
        next: vec![start.into()],
        checked_in_ms: 2300,
    }
}
