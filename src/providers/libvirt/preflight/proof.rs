//! What a probe with a disk in the pool and a card on the network has shown.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::client::Fault;
use super::super::distro::Package;
use super::super::options::DomainType;
use super::super::probe::{self, Disk, Lease, Trial};
use super::denied::{self, Host};
use super::{Context, silence, unanswered};
use crate::model::{Check, quote};

/// What passed the checks that look at it.
pub(super) struct Usable {
    pub pool: bool,
    pub network: Option<Network>,
}

pub(super) enum Network {
    /// Of libvirt, with DHCP.
    Tried(String),
    /// Why nothing can be tried on it.
    Not(&'static str),
}

pub(super) fn check(
    context: &Context,
    domain_type: DomainType,
    architecture: &str,
    usable: &Usable,
    checks: &mut Vec<Check>,
) {
    if context.options.uri.is_mock() || !usable.pool {
        return;
    }
    let pool = context.options.pool.as_str();
    let untried = why_untried(context, architecture, checks);
    let named = match &usable.network {
        Some(Network::Tried(name)) => Some(name.as_str()),
        _ => None,
    };
    let lately = named.filter(|_| untried.is_none()).and_then(|name| lately(context, name));
    let network = named.filter(|_| untried.is_none() && lately.is_none());
    let stop = context.input.stop;
    let (client, id) = (context.client, context.input.id);
    let ran = probe::run(&Trial { client, id, domain_type, architecture, pool: Some(pool), network, stop });
    let opened = ran.disk == Some(Disk::Opened);
    checks.extend(ran.disk.map(|disk| of_disk(context, pool, disk)));
    if let Some(Network::Not(because)) = &usable.network {
        checks.push(Check::skipped("network_answers", "the network answers a machine", *because));
    }
    let Some(network) = named else { return };
    let title = format!("network '{network}' answers a machine");
    if let Some((address, seconds)) = lately {
        let detail = format!("a probe got {address} from DHCP {seconds} s ago");
        return checks.push(Check::ok("network_answers", title, detail));
    }
    checks.push(match (ran.lease, untried) {
        (Some(lease), _) => of_lease(context, network, title, lease),
        (None, Some(because)) => Check::skipped("network_answers", title, because),
        (None, None) if opened => Check::skipped("network_answers", title, "not proven: its leases say nothing"),
        (None, None) => Check::skipped("network_answers", title, "not tried: the probe did not start"),
    });
}

/// Another machine's clock is not known.
fn lately(context: &Context, network: &str) -> Option<(IpAddr, i64)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    probe::lately(context.client, network, i64::try_from(now).ok()?).filter(|_| context.options.uri.is_local())
}

/// Asking for an address takes seconds and one address: only where the answer is needed and tells something.
fn why_untried(context: &Context, architecture: &str, checks: &[Check]) -> Option<String> {
    if context.recorded.is_some() {
        return Some("not tried again: init did, and the nodes themselves will show it".into());
    }
    if architecture != "x86_64" {
        return Some(format!("not tried: the probe's firmware for {architecture} cannot ask for an address"));
    }
    let failed = checks.iter().any(Check::is_failed);
    failed.then(|| "not tried: other checks failed first".into())
}

fn of_disk(context: &Context, pool: &str, disk: Disk) -> Check {
    let title = format!("QEMU opens disks in storage pool '{pool}'");
    match disk {
        Disk::Opened => Check::ok("pool_use", title, "a probe had a copy-on-write disk there"),
        Disk::NotMade(fault) => not_made(context, title, &fault),
        Disk::NotOpened { fault, path } => {
            let host = context.options.uri.is_local().then(|| Host::here(&path));
            let denied = denied::explain(&fault.message, &path, host.as_ref(), context.machine);
            denied.fix.into_iter().fold(Check::failed("pool_use", title, denied.cause), Check::fix)
        }
        Disk::NoMachine(fault) => {
            let detail = format!("no machine starts, with a disk or without: {}", first_line(&fault));
            Check::failed("pool_use", title, detail).fix(context.machine.restart_daemon())
        }
    }
}

fn not_made(context: &Context, title: String, fault: &Fault) -> Check {
    let words = first_line(fault);
    if words.contains("qemu-img") && !words.contains("failed") {
        let detail = format!("volumes cannot be made: {words}");
        return Check::failed("pool_use", title, detail).fix(context.machine.install(Package::Images));
    }
    if words.contains("Permission denied") || words.contains("Operation not permitted") {
        let detail = format!(
            "libvirt cannot make a volume: {words}. On NFS the cause is root_squash: the server maps root to nobody"
        );
        return Check::failed("pool_use", title, detail)
            .fix("on the NFS server: no_root_squash for this host in /etc/exports, then exportfs -ra")
            .fix("or take a pool on a disk of the host: --libvirt-pool NAME");
    }
    unanswered("pool_use", &title, fault).fix(
        context
            .virsh(&format!("pool-refresh {}   # shows whether the pool itself is well", quote(&context.options.pool))),
    )
}

fn of_lease(context: &Context, network: &str, title: String, lease: Lease) -> Check {
    match lease {
        Lease::Got { address, took } => {
            let tenths = took.as_millis() / 100;
            let detail = format!("a probe got {address} from DHCP after {}.{} s", tenths / 10, tenths % 10);
            Check::ok("network_answers", title, detail)
        }
        Lease::NothingSent => Check::skipped(
            "network_answers",
            title,
            "not shown: the probe's firmware cannot ask for an address (iPXE is missing)",
        ),
        Lease::NoCard(fault) => {
            let detail = format!("no machine starts with a card on it: {}", first_line(&fault));
            let quoted = quote(network);
            Check::failed("network_answers", title, detail).fix(context.machine.reload_networks()).fix(format!(
                "{} && {}   # if that was not enough; it cuts off guests that run there, until exasol start",
                context.virsh(&format!("net-destroy {quoted}")),
                context.virsh(&format!("net-start {quoted}"))
            ))
        }
        Lease::Silent { sent } => silence::check(context, network, title, sent),
    }
}

fn first_line(fault: &Fault) -> &str {
    fault.message.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::super::client::{Client, FaultKind};
    use super::super::super::distro::tests::debian;
    use super::super::super::options::Options;
    use super::*;
    use crate::providers::PreflightInput;

    #[test]
    fn a_network_is_mended_without_cutting_guests_off() {
        // None where the library is not installed.
        let Ok(client) = Client::open("test:///default") else { return };
        let spec = serde_json::from_value(serde_json::json!({
            "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 5, "options": {"uri": "test:///default"},
        }));
        let spec = spec.unwrap();
        let options = Options::from_spec(&spec).unwrap();
        let input = PreflightInput { spec: &spec, id: None, nodes: &[], facts: None, stop: &AtomicBool::new(false) };
        let (client, machine) = (&client, &debian());
        let context =
            Context { client, options: &options, input: &input, architecture: "x86_64", machine, recorded: None };
        let no_card = Lease::NoCard(Fault { kind: FaultKind::Other, message: "no bridge".into() });
        for lease in [Lease::Silent { sent: 4 }, no_card] {
            let fix = of_lease(&context, "default", "title".into(), lease).fix;
            assert!(fix.iter().any(|line| line.starts_with("sudo systemctl restart libvirtd")), "{fix:?}");
            let cuts_off = fix.iter().filter(|line| line.contains("net-destroy"));
            assert!(cuts_off.clone().all(|line| line.contains("exasol start")), "{fix:?}");
        }
        let modular = super::super::super::distro::Machine { modular: true, systemd: false, ..debian() };
        assert!(modular.reload_networks().starts_with("sudo pkill -HUP -x virtnetworkd"));
    }
}
