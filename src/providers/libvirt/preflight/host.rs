//! Memory, processors and architecture of the hypervisor's machine against the cluster.

use super::super::client::HostInfo;
use super::{Context, gb, unanswered};
use crate::catalog;
use crate::model::{Check, NodeSize, Spec};

/// Returns the architecture.
pub(super) fn check(context: &Context, checks: &mut Vec<Check>) -> Option<String> {
    let host = match context.client.host() {
        Ok(host) => host,
        Err(fault) => {
            checks.push(unanswered("host_memory", "memory of the host", &fault));
            return None;
        }
    };
    let nodes = context.spec().cluster_size;
    checks.push(memory(&host, context.options.size, nodes));
    checks.push(cpus(&host, context.options.size, nodes));
    if context.options.uri.is_mock() {
        return Some(host.architecture);
    }
    checks.push(architecture(&host, context.spec()));
    Some(host.architecture)
}

fn memory(host: &HostInfo, size: NodeSize, nodes: u32) -> Check {
    let title = format!("memory for {nodes} x {} GB", size.memory_mb / 1024);
    let needed = size.memory_mb.saturating_mul(u64::from(nodes)) << 20;
    let total = host.memory << 10;
    let advice = "smaller or fewer nodes: --libvirt-memory GB, --cluster-size N";
    if needed > total {
        let detail = format!("{} needed, the host has {}", gb(needed), gb(total));
        return Check::failed("host_memory", title, detail).fix(advice);
    }
    match host.available.map(|kib| kib << 10) {
        Some(available) if needed > available => {
            let detail = format!(
                "{} needed, {} of {} are free now: guests may be slow, or be killed",
                gb(needed),
                gb(available),
                gb(total)
            );
            Check::warning("host_memory", title, detail).fix(advice)
        }
        Some(available) => Check::ok("host_memory", title, format!("{} free of {}", gb(available), gb(total))),
        None => Check::ok("host_memory", title, format!("the host has {}", gb(total))),
    }
}

fn cpus(host: &HostInfo, size: NodeSize, nodes: u32) -> Check {
    let title = format!("processors for {nodes} x {}", size.vcpus);
    let needed = u64::from(size.vcpus) * u64::from(nodes);
    let has = host.cpus;
    if needed > u64::from(has) {
        let detail = format!("{needed} virtual processors share the host's {has}");
        return Check::warning("host_cpus", title, detail)
            .fix("fewer processors or nodes: --libvirt-vcpus N, --cluster-size N");
    }
    Check::ok("host_cpus", title, format!("the host has {has}"))
}

fn architecture(host: &HostInfo, spec: &Spec) -> Check {
    let title = format!("database version {} runs on the host", spec.db_version);
    match catalog::of_spec(spec) {
        Ok(known) if known.runs_on(&host.architecture) => Check::ok("architecture", title, host.architecture.clone()),
        Ok(known) => {
            let detail = format!("the host is {}, the version is for {}", host.architecture, known.arch);
            Check::failed("architecture", title, detail).fix("see the versions there are: exasol init --list-versions")
        }
        Err(unknown) => {
            let mut check =
                Check::failed("architecture", title, format!("the version is unknown: it {}", unknown.problem));
            check.exit_code = 2;
            check
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckStatus;

    const SIZE: NodeSize = NodeSize { memory_mb: 4096, vcpus: 2 };

    fn host() -> HostInfo {
        HostInfo { architecture: "x86_64".into(), cpus: 4, memory: 16 << 20, available: Some(9 << 20) }
    }

    #[test]
    fn more_memory_than_the_host_has_fails_and_more_than_is_free_warns() {
        assert_eq!(memory(&host(), SIZE, 2).status, CheckStatus::Ok);
        assert_eq!(memory(&host(), SIZE, 3).status, CheckStatus::Warning);
        let failed = memory(&host(), SIZE, 5);
        assert_eq!(failed.status, CheckStatus::Failed);
        assert_eq!(failed.detail, "20 GB needed, the host has 16 GB");
    }

    #[test]
    fn shared_processors_are_a_warning() {
        assert_eq!(cpus(&host(), SIZE, 2).status, CheckStatus::Ok);
        assert_eq!(cpus(&host(), SIZE, 3).status, CheckStatus::Warning);
    }

    #[test]
    fn the_version_s_architecture_must_be_the_host_s() {
        let of = |version: &str| {
            let spec = serde_json::from_value(serde_json::json!({
                "provider": "libvirt", "cluster_size": 1, "db_version": version, "data_volume_size": 1,
                "data_volumes_per_node": 1, "root_volume_size": 4,
            }));
            architecture(&host(), &spec.unwrap())
        };
        assert!(!of("exasol-2025.1.8").is_failed());
        assert!(of("exasol-2025.2.0-arm64dev.1").is_failed());
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        let huge = NodeSize { memory_mb: u64::MAX / 2, vcpus: u32::MAX };
        assert!(cpus(&host(), huge, u32::MAX).detail.contains("share"));
    }
}
