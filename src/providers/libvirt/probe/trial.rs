//! A probe with a disk in the pool and a card on the network: does QEMU open the one, does anybody answer on the other?
//!
//! QEMU opens the disk and what it stands on before the machine starts, as its own user and under its
//! own label or profile: a start is the proof. On the network the firmware's PXE asks for an address
//! (QEMU's virtio card brings iPXE along), as a node will; a lease is the proof that DHCP hears and
//! answers guests. Measured under emulation: below a second without the network, 5 to 9 s with it, of which a
//! bridge's spanning tree takes 4.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::super::client::{Answer, Client, Ended, Fault};
use super::super::options::DomainType;
use super::disk::ProbeDisk;
use super::{PAUSE, name, volumes_of, xml};
use crate::model::DeploymentId;

/// iPXE asks at 0, 1, 3 and 7 seconds, and gives up after about ten.
const LEASE_LIMIT: Duration = Duration::from_secs(30);
/// So long after the first packet a request for an address has been sent several times.
const ASKED: Duration = Duration::from_secs(12);

/// A lease of dnsmasq, unless a network says otherwise.
const LEASE_SECONDS: i64 = 3600;
/// From `doctor` to `init`.
const LATELY_SECONDS: i64 = 180;

pub(in super::super) struct Trial<'a> {
    pub client: &'a Client,
    /// Of the deployment whose preflight this is; None before `init` has made one.
    pub id: Option<&'a DeploymentId>,
    pub domain_type: DomainType,
    /// As `uname -m` says it on the hypervisor.
    pub architecture: &'a str,
    pub pool: Option<&'a str>,
    /// A network of libvirt, with DHCP of its own.
    pub network: Option<&'a str>,
    /// Set once nobody waits for the answer any more.
    pub stop: &'a AtomicBool,
}

/// What was seen; None for what was not tried.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Ran {
    pub disk: Option<Disk>,
    pub lease: Option<Lease>,
}

#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Disk {
    Opened,
    /// The volumes could not be made.
    NotMade(Fault),
    /// A machine with them does not start, one without them does.
    NotOpened {
        fault: Fault,
        path: String,
    },
    /// No machine starts, with a disk or without.
    NoMachine(Fault),
}

#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Lease {
    Got {
        address: IpAddr,
        took: Duration,
    },
    /// So many packets were sent, and DHCP gave nothing.
    Silent {
        sent: u64,
    },
    /// The firmware has sent nothing: it cannot boot from a network.
    NothingSent,
    /// A machine with that card does not start, one without it does.
    NoCard(Fault),
}

/// Blocks for a second, and with a network for up to half a minute. Nothing is left of it.
pub(in super::super) fn run(trial: &Trial) -> Ran {
    if trial.stop.load(Ordering::Relaxed) {
        return Ran::default();
    }
    let name = name();
    let disk = match trial.pool.map(|pool| ProbeDisk::make(trial.client, pool, &volumes_of(&name, trial.id))) {
        Some(Err(fault)) => return Ran { disk: Some(Disk::NotMade(fault)), lease: None },
        Some(Ok(disk)) => Some(disk),
        None => None,
    };
    let path = disk.as_ref().map(|disk| disk.path.as_str());
    let seen = start_and_watch(trial, &name, path);
    // Before its volumes go. If it has ended, there is nothing to remove.
    let _ = trial.client.remove_domain(&name);
    seen
}

fn start_and_watch(trial: &Trial, name: &str, path: Option<&str>) -> Ran {
    let start = |path: Option<&str>, network: Option<&str>| {
        let devices =
            format!("{}{}", path.map(disk_xml).unwrap_or_default(), network.map(card_xml).unwrap_or_default());
        trial.client.start_transient(&xml(name, trial.domain_type, trial.architecture, &devices))
    };
    let began = Instant::now();
    let Err(fault) = start(path, trial.network) else {
        let lease = trial.network.and_then(|network| wait_for_lease(trial, name, network, began));
        return started(path, lease);
    };
    let disk = |of: fn(Fault, &str) -> Disk, fault| path.map(|path| of(fault, path));
    if path.is_some() && trial.network.is_some() {
        match start(path, None) {
            Ok(()) => return Ran { disk: Some(Disk::Opened), lease: Some(Lease::NoCard(fault)) },
            Err(fault) => return Ran { disk: disk(whose(start(None, None)), fault), lease: None },
        }
    }
    Ran { disk: disk(whose(start(None, None)), fault), lease: None }
}

/// A start is the proof: when the guest's code runs says how busy the host is, and nothing of the disk.
fn started(path: Option<&str>, lease: Option<Lease>) -> Ran {
    Ran { disk: path.map(|_| Disk::Opened), lease }
}

/// Whose fault a start was, by whether a machine without a disk starts.
fn whose(without: Answer<()>) -> fn(Fault, &str) -> Disk {
    match without {
        Ok(()) => |fault, path| Disk::NotOpened { fault, path: path.to_owned() },
        Err(_) => |fault, _| Disk::NoMachine(fault),
    }
}

/// None where leases cannot be read, where an earlier probe's never ends (a new one could not be told from it),
/// and where nobody waits any more.
fn wait_for_lease(trial: &Trial, name: &str, network: &str, began: Instant) -> Option<Lease> {
    let client = trial.client;
    let mac = mac(network);
    // Of an earlier probe: a new one has another end.
    let lease = || client.leases(network, Some(&mac)).unwrap_or_default().into_iter().next();
    client.leases(network, Some(&mac)).ok()?;
    let before = lease().map(|lease| lease.expires);
    if before == Some(0) {
        return None;
    }
    let mut sent = 0;
    let mut first_sent = None;
    while !trial.stop.load(Ordering::Relaxed) {
        let ended = matches!(client.has_ended(name), Ok(Ended::Gone));
        if let Some(lease) = lease().filter(|lease| Some(lease.expires) != before) {
            return Some(Lease::Got { address: lease.address, took: began.elapsed() });
        }
        if let Ok(count) = client.packets_sent(name, &mac) {
            sent = count;
        }
        if sent > 0 && first_sent.is_none() {
            first_sent = Some(Instant::now());
        }
        let asked = first_sent.is_some_and(|first| first.elapsed() > ASKED);
        match (ended || began.elapsed() > LEASE_LIMIT, sent) {
            (true, 0) => return Some(Lease::NothingSent),
            (true, _) => return Some(Lease::Silent { sent }),
            (false, _) if asked => return Some(Lease::Silent { sent }),
            _ => thread::sleep(PAUSE * 5),
        }
    }
    None
}

fn disk_xml(path: &str) -> String {
    let path = super::super::client::escape(path);
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>\
         <target dev='vda' bus='virtio'/></disk>"
    )
}

fn card_xml(network: &str) -> String {
    let (mac, network) = (mac(network), super::super::client::escape(network));
    format!(
        "<interface type='network'><mac address='{mac}'/><source network='{network}'/><model type='virtio'/>\
         <boot order='1'/></interface>"
    )
}

/// The address that a probe got so lately that there is no need to ask again, and how long ago that was.
/// `now` in seconds since 1970, by the hypervisor's clock.
pub(in super::super) fn lately(client: &Client, network: &str, now: i64) -> Option<(IpAddr, i64)> {
    let leases = client.leases(network, Some(&mac(network))).unwrap_or_default();
    leases.into_iter().find_map(|lease| Some((lease.address, age(lease.expires, now)?)))
}

/// Of a lease; None where it is not new, or where the network's leases do not last as long as usual.
fn age(expires: i64, now: i64) -> Option<i64> {
    let age = now.checked_sub(expires.checked_sub(LEASE_SECONDS)?)?;
    (0..LATELY_SECONDS).contains(&age).then_some(age)
}

/// Always the same on one network, so that many probes take one address of its range, and not one each.
pub(in super::super) fn mac(network: &str) -> String {
    let digest = Sha256::digest(format!("exasol-probe {network}"));
    format!("52:54:00:{:02x}:{:02x}:{:02x}", digest[0], digest[1], digest[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_s_probe_has_one_address_and_paths_are_escaped() {
        assert_eq!(mac("default"), mac("default"));
        assert_ne!(mac("default"), mac("lan2"));
        assert!(disk_xml("/a'b&c").contains("'/a&apos;b&amp;c'"));
        assert!(card_xml("<x>").contains("network='&lt;x&gt;'"));
    }

    #[test]
    fn nothing_is_started_for_somebody_who_no_longer_waits() {
        let Ok(client) = Client::open("test:///default") else { return };
        let stop = AtomicBool::new(true);
        let (client, pool) = (&client, Some("default-pool"));
        let trial = Trial {
            client,
            id: None,
            domain_type: DomainType::Qemu,
            architecture: "x86_64",
            pool,
            network: None,
            stop: &stop,
        };
        assert_eq!(run(&trial), Ran::default());
        let with_network = Trial { network: Some("default"), ..trial };
        assert_eq!(wait_for_lease(&with_network, "probe", "default", Instant::now()), None);
    }

    #[test]
    fn only_a_new_lease_of_the_usual_length_counts() {
        assert_eq!(age(3600 + 1000, 1020), Some(20));
        assert_eq!(age(3600 + 1000, 1500), None);
        assert_eq!((age(7200 + 1000, 1020), age(0, 1020), age(i64::MIN, 0)), (None, None, None));
    }

    #[test]
    fn a_disk_was_opened_once_a_machine_with_it_has_started() {
        assert_eq!(started(Some("/p"), None), Ran { disk: Some(Disk::Opened), lease: None });
        assert_eq!(started(Some("/p"), Some(Lease::NothingSent)).disk, Some(Disk::Opened));
        assert_eq!(started(None, None).disk, None);
    }

    #[test]
    fn a_fault_is_the_disk_s_only_if_a_machine_without_it_starts() {
        let fault = || Fault { kind: super::super::super::client::FaultKind::Other, message: "m".into() };
        assert!(matches!(whose(Ok(()))(fault(), "/p"), Disk::NotOpened { path, .. } if path == "/p"));
        assert_eq!(whose(Err(fault()))(fault(), "/p"), Disk::NoMachine(fault()));
    }
}
