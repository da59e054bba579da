//! Results that tell of the program itself and of what deployments share.

use crate::model::*;

pub fn cache_list() -> CacheReport {
    CacheReport {
        directory: "/home/eva/.cache/exasol".into(),
        entries: vec![
            CacheEntry {
                kind: CacheKind::Image,
                name: "ubuntu-24.04-20250805.img".into(),
                bytes: 629_145_600,
                in_use_by: None,
                note: None,
            },
            CacheEntry {
                kind: CacheKind::Warm,
                name: "a1a1a1a1a1a1a1a1.qcow2".into(),
                bytes: 2_147_483_648,
                in_use_by: None,
                note: Some("Ubuntu 24.04.3 LTS, made 3 days ago; up to date".into()),
            },
            CacheEntry {
                kind: CacheKind::Volume,
                name: "exasol-base-3f1a0c2b4d5e".into(),
                bytes: 2_147_483_648,
                in_use_by: Some("exasol-0001abff-n11-root".into()),
                note: None,
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

pub fn cache_warm() -> WarmReport {
    WarmReport {
        made: true,
        base: WarmBase {
            key: "5c".repeat(32),
            base_sha256: "d0".repeat(32),
            recipe: "7e".repeat(32),
            image_sha256: "a1".repeat(32),
            bytes: 2_147_483_648,
            disk_gb: 5,
            system: "Ubuntu 24.04.3 LTS".into(),
            packages: vec!["curl 8.5.0-2ubuntu10.6".into(), "lvm2 2.03.16-3ubuntu3.1".into()],
            without: vec!["podman".into()],
            made_at: "2026-01-02T03:04:05Z".into(),
            made_by: "0.1.0".into(),
        },
        file: "/home/eva/.cache/exasol/warm/a1a1a1a1a1a1a1a1.qcow2".into(),
        warnings: vec!["could not be installed, so every node tries it again: podman".into()],
        took_ms: 154_000,
    }
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

pub fn adopt() -> AdoptReport {
    AdoptReport {
        whose: Whose { deployment: "exasol-0123abcd".into(), name: "found".into() },
        directory: "found".into(),
        provider: "libvirt".into(),
        db_version: "exasol-2025.1.8".into(),
        cluster_size: 2,
        phase: Phase::DatabaseConnectionFailed,
        ssh: false,
        unknown: vec!["Terraform's state".into(), "an SSH key for the nodes".into()],
        warnings: vec!["n12: no address is known (its machine is off)".into()],
        next: vec!["exasol status -d found".into(), "exasol destroy --dry-run -d found".into()],
    }
}

pub fn sweep() -> SweepReport {
    let thing = |kind, name: &str| SweptThing {
        kind,
        name: name.into(),
        pool: None,
        state: None,
        bytes: None,
        changed: None,
        doubt: None,
    };
    let disk = |name: &str| SweptThing {
        pool: Some("default".into()),
        bytes: Some(2_147_483_648),
        changed: Some("2025-12-30T03:04:05Z".into()),
        ..thing(ThingKind::Volume, name)
    };
    let doubt = Some("domain rescue, which is not of this deployment, uses it".to_owned());
    SweepReport {
        provider: "libvirt".into(),
        asked: true,
        deployments: vec![
            SweptDeployment {
                deployment: "exasol-0001abff".into(),
                owner: Ownership::Known,
                directory: Some("/home/eva/demo".into()),
                phase: Some(Phase::DatabaseReady),
                things: vec![thing(ThingKind::Network, "exasol-0001abff-net")],
            },
            SweptDeployment {
                deployment: "exasol-0123abcd".into(),
                owner: Ownership::Unknown,
                directory: None,
                phase: None,
                things: vec![
                    SweptThing { state: Some(Power::Running), ..thing(ThingKind::Domain, "exasol-0123abcd-n11") },
                    SweptThing { doubt, ..disk("exasol-0123abcd-n11-root.qcow2") },
                ],
            },
        ],
        removed: vec!["domain exasol-00000001-n11".into()],
        steps: Vec::new(),
        warnings: vec!["storage pool old is not active: what is in it was not looked at".into()],
        next: vec!["exasol status -d /home/eva/demo".into(), "exasol sweep --remove exasol-0123abcd".into()],
    }
}

pub fn sweep_none() -> SweepReport {
    SweepReport { deployments: vec![], removed: vec![], warnings: vec![], next: vec![], ..sweep() }
}

pub fn sweep_of_a_cloud() -> SweepReport {
    let steps = ["moon server list --selector exasol-deployment", "in the console: label 'exasol-deployment'"];
    let next = vec!["exasol list".into()];
    SweepReport { provider: "moon".into(), asked: false, steps: steps.map(str::to_owned).into(), next, ..sweep_none() }
}
