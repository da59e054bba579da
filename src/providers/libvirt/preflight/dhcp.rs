//! Whether a network of libvirt has an address for each node.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::super::client::{Fault, Network};
use super::super::probe;
use super::Context;
use crate::model::{Check, quote};

/// A probe asks for less than ten seconds.
const SHORT_DELAY: u32 = 2;

/// What was found, and whether a probe may take an address besides.
pub(super) fn check(context: &Context, network: &Network) -> Result<(Check, bool), Fault> {
    let mut spare = false;
    Ok((look(context, network, &mut spare)?, spare))
}

fn look(context: &Context, network: &Network, spare: &mut bool) -> Result<Check, Fault> {
    let name = &network.name;
    let title = format!("network '{name}' gives out addresses");
    if network.is_external() {
        return Ok(Check::ok(
            "network_dhcp",
            title,
            "they come from outside libvirt, and are read from the serial console",
        ));
    }
    let edit = context.virsh(&format!("net-edit {}", quote(name)));
    if !network.has_dhcp() {
        let detail = match network.ips.is_empty() && network.ipv6 {
            true => "it has IPv6 addresses only: nodes are reached by IPv4",
            false => "it has no DHCP range",
        };
        return Ok(Check::failed("network_dhcp", title, detail)
            .fix(format!("{edit}   # add <dhcp><range start='…' end='…'/></dhcp> to an IPv4 <ip>"))
            .fix("or give the deployment its own network: --libvirt-network new"));
    }
    // The mock driver has no leases; a network that cannot be asked counts as empty.
    let leases = context.client.leases(name, None).unwrap_or_default();
    let leases: Vec<_> = leases.iter().map(|lease| (lease.mac.as_str(), lease.address)).collect();
    let ours: Vec<_> = context.input.nodes.iter().map(|node| node.mac.as_str()).collect();
    let room = Room::of(network, &leases, &ours);
    let needed = context.spec().cluster_size as usize;
    let detail = format!("{} of {} addresses are free", room.free, room.size);
    if room.free < needed {
        let reserved = match room.reserved {
            0 => String::new(),
            count => format!(" ({count} are reserved for other machines)"),
        };
        return Ok(Check::failed("network_dhcp", title, format!("{detail}{reserved}, {needed} are needed"))
            .fix(format!("{edit}   # enlarge the range"))
            .fix("or give the deployment its own network: --libvirt-network new"));
    }
    // An address that an earlier probe has is used again.
    let waits = network.delay <= SHORT_DELAY && !network.own_dhcp_options;
    *spare = waits && (room.free > needed || leases.iter().any(|(mac, _)| *mac == probe::mac(name)));
    Ok(Check::ok("network_dhcp", title, detail))
}

/// Addresses that DHCP can give out.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    size: usize,
    /// For machines of the deployment, whether they have one already or not.
    free: usize,
    /// In the ranges, and kept for machines that are none of the deployment's.
    reserved: usize,
}

impl Room {
    /// `leases` as (MAC address, address); `ours` are MAC addresses of the deployment.
    fn of(network: &Network, leases: &[(&str, IpAddr)], ours: &[&str]) -> Self {
        let is_ours = |mac: &str| ours.iter().any(|ours| ours.eq_ignore_ascii_case(mac));
        let in_range = |address: &Ipv4Addr| {
            network.ips.iter().flat_map(|ip| &ip.ranges).any(|(first, last)| (first..=last).contains(&address))
        };
        let reservations = || network.ips.iter().flat_map(|ip| &ip.reservations);
        let others = |mac: Option<&str>| mac.is_none_or(|mac| !is_ours(mac));
        let reserved: BTreeSet<_> = reservations()
            .filter(|one| others(one.mac.as_deref()) && in_range(&one.address))
            .map(|one| one.address)
            .collect();
        let leased = leases.iter().filter(|(mac, _)| !is_ours(mac)).filter_map(|(_, address)| match address {
            IpAddr::V4(address) => Some(*address).filter(in_range),
            IpAddr::V6(_) => None,
        });
        let gateways = network.ips.iter().map(|ip| ip.address).filter(in_range);
        let taken: BTreeSet<_> = reserved.iter().copied().chain(leased).chain(gateways).collect();
        // Reserved for a machine of ours outside of the ranges: one address more.
        let kept = reservations().filter(|one| !others(one.mac.as_deref()) && !in_range(&one.address)).count();
        let size = capacity(network);
        Self { size, free: size.saturating_sub(taken.len()) + kept, reserved: reserved.len() }
    }
}

fn capacity(network: &Network) -> usize {
    let ranges = network.ips.iter().flat_map(|ip| &ip.ranges);
    ranges.map(|(first, last)| (u32::from(*last) as usize).saturating_sub(u32::from(*first) as usize) + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::libvirt::client::Network;

    fn network(inner: &str) -> Network {
        Network::parse(&format!("<network><name>x</name><ip address='10.1.1.1' prefix='24'>{inner}</ip></network>"))
            .unwrap()
    }

    #[test]
    fn an_address_that_is_kept_for_somebody_else_is_not_free() {
        let inner =
            "<dhcp><range start='10.1.1.2' end='10.1.1.2'/><host mac='52:54:00:aa:00:01' ip='10.1.1.2'/></dhcp>";
        assert_eq!(Room::of(&network(inner), &[], &[]), Room { size: 1, free: 0, reserved: 1 });
        assert_eq!(Room::of(&network(inner), &[], &["52:54:00:AA:00:01"]), Room { size: 1, free: 1, reserved: 0 });
    }

    #[test]
    fn every_taken_address_counts_once() {
        let inner = "<dhcp><range start='10.1.1.1' end='10.1.1.5'/><host name='a' ip='10.1.1.3'/>\
            <host mac='52:54:00:aa:00:01' ip='10.1.1.9'/></dhcp>";
        let lease = |last| IpAddr::from([10, 1, 1, last]);
        // The gateway, one lease at a reserved address, one outside of the range, one of ours.
        let leases = [("x", lease(3)), ("y", lease(77)), ("52:54:00:aa:00:01", lease(9))];
        let room = Room::of(&network(inner), &leases, &["52:54:00:aa:00:01"]);
        assert_eq!(room, Room { size: 5, free: 4, reserved: 1 });
    }
}
