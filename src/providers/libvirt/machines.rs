//! The deployment's machines: state, addresses, consoles, and their removal.

use std::net::IpAddr;
use std::path::Path;

use super::client::{Answer, Client, DiskError, Interface, InterfaceSource, Pause};
use super::connection::Libvirt;
use super::facts::Facts;
use super::seed;
use super::site::Site;
use crate::error::{Error, Result};
use crate::model::{DeploymentId, Machine, NodePlan, Options as Map, Power, Spec, quote};
use crate::providers::{ConsoleReader, Leftover, LeftoverKind};

/// State and addresses of the nodes' machines, in the nodes' order.
pub(super) fn machines(host: &Libvirt, nodes: &[NodePlan]) -> Result<Vec<Machine>> {
    let Libvirt { client, site, .. } = host;
    nodes
        .iter()
        .map(|node| {
            let power =
                client.power(&node.machine).map_err(|f| f.during(format!("look at domain {}", node.machine)))?;
            let runs = power == Power::Running;
            let ours = if runs { interfaces(client, node) } else { None };
            let addresses = if runs { addresses(client, node, ours.as_deref()) } else { Vec::new() };
            // Only this host's own interfaces can be looked at.
            let unplugged = ours.filter(|_| site.uri.is_local()).and_then(|ours| unplugged(&ours));
            let halted = (power == Power::Paused).then(|| halted(client, &site.pool, node)).flatten();
            Ok(Machine { node: node.name.clone(), power, addresses, unplugged, halted })
        })
        .collect()
}

/// Why a machine is paused; with what its disks lack, and the room that their pool has.
fn halted(client: &Client, pool: &str, node: &NodePlan) -> Option<String> {
    let available = || Some(client.pool(pool).ok()??.available);
    match client.pause(&node.machine).ok()?? {
        Pause::Asked => Some("somebody has paused it".into()),
        Pause::Other(why) => Some(why.into()),
        Pause::Disks(errors) => Some(disks_failed(&errors, pool, available)),
    }
}

fn disks_failed(errors: &[DiskError], pool: &str, available: impl Fn() -> Option<u64>) -> String {
    let text = |error: &DiskError| match error.no_space {
        true => format!("its disk {} got an I/O error: no space left", error.disk),
        false => format!("its disk {} got an I/O error", error.disk),
    };
    let failed: Vec<_> = errors.iter().map(text).collect();
    let failed = if failed.is_empty() { "a disk of it got an I/O error".to_owned() } else { failed.join(", ") };
    let room = available().map(|free| format!("; pool '{pool}' has {} free", size(free))).unwrap_or_default();
    let advice = match errors.iter().any(|error| error.no_space) {
        true => "; make room: it does not go on by itself",
        false => "; see the hypervisor's kernel log for the disk behind the pool",
    };
    format!("{failed}{room}{advice}")
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

/// The running machine's interfaces with the deployment's address; None where it cannot be asked now.
fn interfaces(client: &Client, node: &NodePlan) -> Option<Vec<Interface>> {
    let mut all = client.interfaces(&node.machine).ok()?;
    all.retain(|interface| interface.mac.eq_ignore_ascii_case(&node.mac));
    Some(all)
}

/// A network that is stopped and started again makes its bridge anew, and leaves the taps of guests
/// that run beside it (seen with libvirt 9.0). What cannot be asked now is no finding.
fn unplugged(ours: &[Interface]) -> Option<String> {
    let Some(interface) = ours.first() else {
        return Some("it has no network interface any more".into());
    };
    let (tap, bridge) = interface.tap.as_ref()?;
    let device = Path::new("/sys/class/net").join(tap);
    let alone = device.exists() && !device.join("master").exists();
    alone.then(|| format!("its network interface {tap} is not on the bridge {bridge}: was the network restarted?"))
}

/// Puts a running machine's interface on its network again, if that is there.
pub(super) fn replug(Libvirt { client, site, .. }: &Libvirt, node: &NodePlan) -> Result<()> {
    let doing = format!("plug the network interface of {} in again", node.machine);
    let configured = client.configured_network(&node.machine, &node.mac).map_err(|f| f.during(doing.clone()))?;
    if let Some(network) = configured
        && !client.network(&network).map_err(|f| f.during(doing.clone()))?.is_some_and(|n| n.active)
    {
        return Err(Error::other(format!(
            "network '{network}' of {} is not active: virsh -c {} net-start {}",
            node.machine,
            quote(&site.uri.to_string()),
            quote(&network)
        )));
    }
    client.replug(&node.machine, &node.mac).map_err(|f| f.during(doing))
}

/// From the first source that knows one: the network's leases, the guest's agent, the hypervisor's
/// neighbours. A source that cannot be asked now is one that knows none.
fn addresses(client: &Client, node: &NodePlan, ours: Option<&[Interface]>) -> Vec<IpAddr> {
    let sources: [&dyn Fn() -> Answer<Vec<IpAddr>>; 3] = [
        &|| leased(client, node, ours.unwrap_or_default()),
        &|| client.addresses_by_agent(&node.machine, &node.mac),
        &|| client.addresses_by_arp(&node.machine, &node.mac),
    ];
    sources.iter().map(|ask| usable(ask().unwrap_or_default())).find(|found| !found.is_empty()).unwrap_or_default()
}

/// The lease that ends last is the newest: an interface has several after its range was changed.
fn leased(client: &Client, node: &NodePlan, ours: &[Interface]) -> Answer<Vec<IpAddr>> {
    let mut leases = Vec::new();
    for interface in ours {
        let InterfaceSource::Network(network) = &interface.source else { continue };
        leases.extend(client.leases(network, Some(&node.mac))?);
    }
    leases.sort_by_key(|lease| std::cmp::Reverse(lease.expires));
    Ok(leases.into_iter().map(|lease| lease.address).collect())
}

/// Addresses that others can dial, IPv4 first, each once.
fn usable(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.retain(|address| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
    });
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.dedup();
    addresses
}

pub(super) fn switch_on(client: &Client, node: &NodePlan) -> Result<()> {
    client.start(&node.machine).map_err(|f| f.during(format!("switch on {}", node.machine)))
}

pub(super) fn shut_down(client: &Client, node: &NodePlan) -> Result<()> {
    client.shut_down(&node.machine).map_err(|f| f.during(format!("shut down {}", node.machine)))
}

/// `virsh destroy` removes nothing, whatever its name says.
pub(super) fn cut_off(spec: &Spec, node: &NodePlan) -> Result<String> {
    let uri = Site::of(spec)?.uri;
    Ok(format!("virsh -c {} destroy {}", quote(&uri.to_string()), quote(&node.machine)))
}

/// libvirt refuses a second entry for a MAC or an address.
pub(super) fn keep_address(spec: &Spec, facts: &Map, node: &NodePlan, address: IpAddr) -> Result<Option<String>> {
    let uri = Site::of(spec)?.uri;
    let Some(network) = Facts::from_map(facts)?.network_name else { return Ok(None) };
    let entry = format!("<host mac='{}' ip='{address}'/>", node.mac);
    Ok(Some(format!(
        "virsh -c {} net-update {} add ip-dhcp-host {} --live --config",
        quote(&uri.to_string()),
        quote(&network),
        quote(&entry)
    )))
}

pub(super) fn show_leases(spec: &Spec, facts: &Map) -> Result<Option<String>> {
    let uri = Site::of(spec)?.uri;
    let command = |network: String| format!("virsh -c {} net-dhcp-leases {}", quote(&uri.to_string()), quote(&network));
    Ok(Facts::from_map(facts)?.network_name.map(command))
}

pub(super) fn set_autostart(client: &Client, node: &NodePlan, wanted: bool) -> Result<()> {
    client.set_autostart(&node.machine, wanted).map_err(|f| f.during(format!("set autostart of {}", node.machine)))
}

/// By pulling its plug. QEMU's own reset (7.2, emulation) was seen to leave a machine whose kernel had panicked in GRUB
/// for ever: it still held the dead kernel's translated code.
pub(super) fn reset(client: &Client, node: &NodePlan) -> Result<()> {
    client.cut_off(&node.machine).map_err(|f| f.during(format!("cut off {}", node.machine)))?;
    switch_on(client, node)
}

pub(super) fn activity(client: &Client, node: &NodePlan) -> Result<Option<u64>> {
    let taps: Vec<_> =
        interfaces(client, node).unwrap_or_default().into_iter().filter_map(|i| Some(i.tap?.0)).collect();
    client.activity(&node.machine, &taps).map_err(|f| f.during(format!("look at {}", node.machine)))
}

pub(super) fn follow_consoles(client: &Client, nodes: &[NodePlan], read: ConsoleReader<'_>) -> Result<()> {
    let domains: Vec<_> = nodes.iter().map(|node| node.machine.as_str()).collect();
    client.follow_consoles(&domains, read).map_err(|f| f.during("read the consoles"))
}

/// Domains with their snapshots, volumes in every active pool, and networks whose names are this deployment's.
pub(super) fn leftovers(Libvirt { client, site, .. }: &Libvirt, id: &DeploymentId) -> Result<Vec<Leftover>> {
    list(client, &site.pool, id).map_err(|f| f.during("look for what is left of the deployment"))
}

fn list(client: &Client, pool: &str, id: &DeploymentId) -> Answer<Vec<Leftover>> {
    let named = |kind, pool: Option<&str>, names: Vec<String>| {
        let leftover = move |name| Leftover { kind, name, pool: pool.map(str::to_owned) };
        names.into_iter().filter(|name| id.owns(name)).map(leftover).collect::<Vec<_>>()
    };
    let mut found = named(LeftoverKind::Domain, None, client.domain_names()?);
    // Looks at the folder anew: disk snapshots, for one, are files that libvirt has not seen as volumes.
    client.pool(pool)?;
    for active in client.active_pools()? {
        match client.volume_names(&active.name) {
            Ok(names) => {
                let (seeds, volumes): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| seed::is_seed(name));
                found.extend(named(LeftoverKind::Seed, Some(&active.name), seeds));
                found.extend(named(LeftoverKind::Volume, Some(&active.name), volumes));
            }
            Err(fault) if active.name == pool => return Err(fault),
            // Somebody else's pool that cannot be read: we never put anything there.
            Err(_) => {}
        }
    }
    let networks = client.networks()?.into_iter().map(|n| n.name).collect();
    found.extend(named(LeftoverKind::Network, None, networks));
    Ok(found)
}

/// Removes one; one that is gone already is no error.
pub(super) fn remove(host: &Libvirt, id: &DeploymentId, leftover: &Leftover) -> Result<()> {
    let Libvirt { client, site, .. } = host;
    let name = &leftover.name;
    if !id.owns(name) {
        return Err(Error::other(format!("{name} does not belong to {id}")));
    }
    let (removed, kind) = match leftover.kind {
        LeftoverKind::Domain => (client.remove_domain(name), "domain"),
        LeftoverKind::Seed | LeftoverKind::Volume => {
            (client.delete_volume(leftover.pool.as_deref().unwrap_or(&site.pool), name), "volume")
        }
        LeftoverKind::Network => (client.remove_network(name), "network"),
    };
    removed.map(drop).map_err(|f| f.during(format!("remove {kind} {name}")))
}

/// What a person types to remove it; None for a data disk (see the template for its name).
pub(super) fn removal(spec: &Spec, leftover: &Leftover) -> Result<Option<String>> {
    let site = Site::of(spec)?;
    let virsh = format!("virsh -c {}", quote(&site.uri.to_string()));
    let name = quote(&leftover.name);
    Ok(match leftover.kind {
        LeftoverKind::Domain => Some(format!("{virsh} destroy {name}; {virsh} undefine {name} --nvram")),
        LeftoverKind::Volume if leftover.name.contains("-data-") => None,
        LeftoverKind::Seed | LeftoverKind::Volume => {
            let pool = quote(leftover.pool.as_deref().unwrap_or(&site.pool));
            Some(format!("{virsh} vol-delete {name} --pool {pool}"))
        }
        LeftoverKind::Network => Some(format!("{virsh} net-destroy {name}; {virsh} net-undefine {name}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_addresses_that_others_can_dial_are_kept() {
        let found = usable(vec![
            ip("fe80::1"),
            ip("2001:db8::1"),
            ip("127.0.0.1"),
            ip("169.254.1.1"),
            ip("192.0.2.7"),
            ip("192.0.2.7"),
        ]);
        assert_eq!(found, [ip("192.0.2.7"), ip("2001:db8::1")]);
    }

    #[test]
    fn a_full_pool_is_named_with_its_room() {
        let error = |no_space| DiskError { disk: "exasol-1-n11-data-01.qcow2".into(), no_space };
        assert_eq!(
            disks_failed(&[error(true)], "default", || Some(0)),
            "its disk exasol-1-n11-data-01.qcow2 got an I/O error: no space left; pool 'default' has 0 B free; make room: \
             it does not go on by itself"
        );
        assert!(disks_failed(&[error(false)], "p", || Some(42_000_000)).contains("pool 'p' has 42 MB free; see the "));
        assert_eq!(&disks_failed(&[], "p", || None)[..29], "a disk of it got an I/O error");
    }

    fn spec() -> Spec {
        serde_json::from_value(serde_json::json!({
            "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 2, "options": {"uri": "test:///default"},
        }))
        .unwrap()
    }

    #[test]
    fn commands_for_people_name_everything_that_is_known() {
        let id = DeploymentId::from_random([1, 2, 3, 4]);
        let node = NodePlan::all(&id, &spec()).swap_remove(0);
        let cut_off = cut_off(&spec(), &node).unwrap();
        assert_eq!(cut_off, format!("virsh -c test:///default destroy {}", node.machine));
        let mut facts: Map = serde_json::from_value(serde_json::json!({
            "domain_type": "qemu", "cpu_mode": "maximum", "architecture": "x86_64", "uri": "test:///default",
            "own_network": false, "network_name": "default", "external_addresses": false,
        }))
        .unwrap();
        let keep = keep_address(&spec(), &facts, &node, ip("192.0.2.7")).unwrap().unwrap();
        assert!(keep.starts_with("virsh -c test:///default net-update default add ip-dhcp-host "), "{keep}");
        assert!(keep.contains(&node.mac) && keep.contains("192.0.2.7") && keep.ends_with(" --live --config"), "{keep}");
        let leases = show_leases(&spec(), &facts).unwrap().unwrap();
        assert_eq!(leases, "virsh -c test:///default net-dhcp-leases default");
        facts.remove("network_name");
        assert_eq!(show_leases(&spec(), &facts).unwrap(), None, "a bridge has none");
        assert_eq!(keep_address(&spec(), &facts, &node, ip("192.0.2.7")).unwrap(), None);
    }

    #[test]
    fn nothing_of_others_is_removed() {
        let id = DeploymentId::from_random([1, 2, 3, 4]);
        let spec = spec();
        let other = Leftover { kind: LeftoverKind::Domain, name: "test".into(), pool: None };
        // Without the client library there is no connection to ask.
        let Ok(host) = Libvirt::open(&spec) else { return };
        assert!(remove(&host, &id, &other).unwrap_err().to_string().contains("does not belong"));
    }
}
