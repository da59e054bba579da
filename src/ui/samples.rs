//! Reports with every field in use, for the tests of this folder.

use serde_json::json;

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

pub fn license() -> LicenseReport {
    LicenseReport {
        deployment: ID.into(),
        name: NAME.into(),
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
        deployment: ID.into(),
        name: NAME.into(),
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
        status: "database_ready".into(),
        phase: Phase::DatabaseReady,
        recorded_at: "2026-01-02T03:00:00Z".into(),
        update_pending: false,
        reason: "SQL answers on every node".into(),
        deployment: ID.into(),
        name: NAME.into(),
        provider: "libvirt".into(),
        db_version: "rehearsal".into(),
        rehearsal: true,
        cluster_size: 2,
        nodes: vec![
            node("n11", Power::Running, Some("192.168.122.71"), Probe::ok(31), Probe::ok(44)),
            node("n12", Power::Running, Some("192.168.122.172"), Probe::ok(33), Probe::ok(40)),
        ],
        operation: None,
        last_error: None,
        next: vec!["exasol info".into(), "exasol sql -c 'SELECT 1'".into()],
        checked_in_ms: 412,
    }
}

pub fn status_interrupted() -> StatusReport {
    let refused = Probe { state: ProbeState::Refused, reason: Some("connection refused".into()), ms: 2 };
    StatusReport {
        status: "interrupted".into(),
        phase: Phase::DeployInProgress,
        reason: "deploy was ended before it was done".into(),
        rehearsal: false,
        db_version: "exasol-2025.1.8".into(),
        nodes: vec![
            node("n11", Power::Running, Some("192.168.122.71"), refused, Probe::not_probed("SSH does not answer")),
            node("n12", Power::Missing, None, Probe::not_probed("no machine"), Probe::not_probed("no machine")),
        ],
        operation: Some(Holder {
            operation: "terraform".into(),
            pid: 4711,
            host: "desk".into(),
            since: "2026-01-02T03:04:05Z".into(),
        }),
        last_error: Some(LastError {
            operation: "deploy".into(),
            code: "tool_failed".into(),
            message: "terraform failed (exit status 1): pool is full\n  on main.tf line 3".into(),
            at: "2026-01-02T03:00:00Z".into(),
            log: Some("logs/20260102T025900Z-deploy".into()),
        }),
        next: vec!["exasol deploy".into(), "exasol destroy".into()],
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
        deployment: ID.into(),
        name: "cluster".into(),
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
        deployment: ID.into(),
        name: "demo".into(),
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
        deployment: ID.into(),
        name: "demo".into(),
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
        deployment: ID.into(),
        name: "demo".into(),
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
    DoctorReport { provider: "libvirt".into(), ok: false, checks: checks() }
}

pub fn info() -> InfoReport {
    InfoReport {
        deployment: ID.into(),
        name: NAME.into(),
        rehearsal: true,
        db_version: "rehearsal".into(),
        release: None,
        host: "192.168.122.71".into(),
        hosts: vec!["192.168.122.71".into(), "192.168.122.172".into()],
        port: 8563,
        user: "sys".into(),
        password: None,
        password_file: "secrets.json".into(),
        certificate_fingerprint: Some(FINGERPRINT.into()),
        license: Some("10 GiB of raw data built in; yours: exasol license show".into()),
        jdbc: format!("jdbc:exa:192.168.122.71/{FINGERPRINT}:8563;user=sys"),
        odbc: format!("DRIVER=EXASolution;EXAHOST=192.168.122.71/{FINGERPRINT}:8563;UID=sys"),
        dsn: "192.168.122.71:8563".into(),
        admin_ui: "https://192.168.122.71:8443".into(),
        admin_ui_password: None,
        ssh: "exasol ssh n11".into(),
        tunnel: None,
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
    let known = |id: &str, name: &str, directory: &str, status: &str, reason: &str| KnownDeployment {
        deployment: id.into(),
        name: name.into(),
        directory: directory.into(),
        provider: "libvirt".into(),
        status: status.into(),
        reason: reason.into(),
        created: Some("2025-08-05T10:00:00Z".into()),
        ..KnownDeployment::default()
    };
    let ready = KnownDeployment {
        db_version: Some("rehearsal".into()),
        rehearsal: true,
        cluster_size: Some(2),
        phase: Some(Phase::DatabaseReady),
        copies: vec!["/home/eva/demo copy".into()],
        next: vec!["exasol info -d /home/eva/demo".into()],
        ..known(ID, NAME, "/home/eva/demo", "database_ready", "every node answers")
    };
    let unreadable = KnownDeployment {
        deployment: "exasol-00000003".into(),
        name: "exasol-00000003".into(),
        status: "broken".into(),
        reason: "deployments.d/exasol-00000003.json is no entry of the index".into(),
        ..KnownDeployment::default()
    };
    DeploymentsReport {
        deployments: vec![
            ready,
            known("exasol-00000002", "exasol-00000002", "/tmp/gone\u{1b}[2J", "missing", "no deployment is there"),
            unreadable,
        ],
        pruned: vec![],
        warnings: vec![],
        next: vec!["exasol list --prune".into()],
        checked_in_ms: 140,
    }
}

pub fn deployments_none() -> DeploymentsReport {
    DeploymentsReport {
        deployments: vec![],
        pruned: vec![deployments().deployments.remove(1)],
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
        detail: detail.into(),
        hint: hint.into(),
        command: Some(hint.into()),
    };
    let start = "exasol start -d demo";
    let free = "900 MiB of 49000 MiB are free on /";
    HealthReport {
        status: "problems",
        deployment: ID.into(),
        name: NAME.into(),
        phase: Phase::DatabaseReady,
        rehearsal: false,
        nodes: vec![
            NodeHealth { name: "n11".into(), layers: n11 },
            NodeHealth { name: "n12".into(), layers: layers(LayerState::Error, LayerState::Unknown) },
        ],
        issue_count: 2,
        issues: vec![
            issue("space_low", "n11", Layer::Space, Severity::Warning, free, "exasol ssh n11 -d demo -- df -h /"),
            issue("machine_off", "n12", Layer::Vm, Severity::Error, "its machine is off", start),
        ],
        repaired: vec!["ssh/config".into()],
        operation: None,
        next: vec![start.into()],
        checked_in_ms: 2300,
    }
}

pub fn cache_list() -> CacheReport {
    CacheReport {
        directory: "/home/eva/.cache/exasol".into(),
        entries: vec![
            CacheEntry {
                kind: CacheKind::Image,
                name: "ubuntu-24.04-20250805.img".into(),
                bytes: 629_145_600,
                in_use_by: None,
            },
            CacheEntry {
                kind: CacheKind::Volume,
                name: "exasol-base-3f1a0c2b4d5e".into(),
                bytes: 2_147_483_648,
                in_use_by: Some("exasol-0001abff-n11-root".into()),
            },
        ],
        removed: vec![],
        warnings: vec!["qemu:///system cannot be asked for volumes".into()],
    }
}

pub fn cache_prune() -> CacheReport {
    let CacheReport { directory, mut entries, .. } = cache_list();
    let kept = entries.split_off(1);
    CacheReport { directory, entries: kept, removed: entries, warnings: vec![] }
}

pub fn version() -> VersionReport {
    VersionReport {
        exasol: "0.1.0",
        build: Some(BuildInfo {
            commit: Some("0c96c19a6c2a4d6f8b0e1c3a5d7f90b2c4e6a801"),
            target: "x86_64-unknown-linux-gnu",
            rustc: "rustc 1.91.0 (f8297e351 2026-01-02)",
        }),
        system: Some(SystemInfo {
            os: "Debian GNU/Linux 12 (bookworm)".into(),
            kernel: "6.1.0-18-amd64".into(),
            architecture: "x86_64".into(),
        }),
        components: vec![
            Component::found("terraform", "1.11.4").at("/usr/bin/terraform"),
            Component::missing("tofu", "not found"),
            Component::found("ansible-core", "2.19.0").at("/usr/bin/ansible-playbook").remark("Python 3.11.2"),
            Component::missing("libvirt daemon", "qemu:///system: Failed to connect socket"),
        ],
        terraform_providers: vec![PinnedProvider {
            provider: "libvirt".into(),
            source: "dmacvicar/libvirt".into(),
            version: "0.8.3".into(),
        }],
        catalog: Some(CatalogInfo {
            database_versions: vec!["exasol-2025.1.8".into(), "rehearsal".into()],
            default_version: "exasol-2025.1.8".into(),
            default_image: Some("https://images.example/noble.img".into()),
        }),
    }
}

pub fn providers() -> Vec<Listed> {
    vec![Listed { name: "libvirt".into(), detail: "libvirt/KVM, here or over SSH".into(), aliases: vec![] }]
}

pub fn versions() -> Vec<Listed> {
    vec![
        Listed { name: "exasol-2025.1.8".into(), detail: "x86_64".into(), aliases: vec!["default".into()] },
        Listed { name: "rehearsal".into(), detail: "no database".into(), aliases: vec![] },
    ]
}
