//! The network: a libvirt network, a host bridge, or one of the deployment's own.

use std::path::Path;

use ipnet::Ipv4Net;

use super::super::client::{Fault, FaultKind, Network};
use super::super::options::{DEFAULT_NETWORK, WantedNetwork};
use super::super::routes::Routes;
use super::super::{create, own_network_name};
use super::{Context, unanswered};
use crate::model::{Check, quote};

/// What rendering needs to know.
pub(super) struct Found {
    pub own: bool,
    pub name: Option<String>,
    pub bridge: Option<String>,
    pub range: Option<Ipv4Net>,
    pub external_addresses: bool,
}

pub(super) fn check(context: &Context, checks: &mut Vec<Check>) -> Option<Found> {
    let wanted = match &context.options.network {
        WantedNetwork::Named(name) => named(context, name, checks),
        WantedNetwork::Own(range) => own(context, *range, checks),
    };
    wanted.unwrap_or_else(|fault| {
        checks.push(unanswered("network", "network", &fault));
        None
    })
}

fn named(context: &Context, wanted: &str, checks: &mut Vec<Check>) -> Result<Option<Found>, Fault> {
    if let Some(network) = resolve(context, wanted)? {
        return libvirt_network(context, wanted, network, checks);
    }
    let title = format!("network or bridge '{wanted}' is there");
    let (check, usable) = match bridge(context, wanted)? {
        Bridge::Yes => (Check::ok("network", title, "a bridge of the host: addresses come from outside"), true),
        Bridge::Unknown => {
            let detail = "libvirt has no such network, and cannot say whether the host has such a bridge";
            (Check::warning("network", title, detail).fix(list(context)), true)
        }
        Bridge::Otherwise => {
            let detail = "the host has an interface of that name, but it is no bridge";
            (Check::failed("network", title, detail).fix(list(context)), false)
        }
        Bridge::Missing => (missing(context, wanted, title), false),
    };
    checks.push(check);
    let found =
        Found { own: false, name: None, bridge: Some(wanted.to_owned()), range: None, external_addresses: true };
    Ok(usable.then_some(found))
}

enum Bridge {
    Yes,
    /// An interface of another kind.
    Otherwise,
    Missing,
    /// The hypervisor has no driver for host interfaces (a package of its own on some distributions).
    Unknown,
}

fn bridge(context: &Context, name: &str) -> Result<Bridge, Fault> {
    match context.client.is_bridge(name) {
        Ok(Some(true)) => Ok(Bridge::Yes),
        Ok(Some(false)) => Ok(Bridge::Otherwise),
        Ok(None) => Ok(Bridge::Missing),
        Err(fault) if fault.kind != FaultKind::Unsupported => Err(fault),
        Err(_) if !context.options.uri.is_local() => Ok(Bridge::Unknown),
        Err(_) => {
            let interface = Path::new("/sys/class/net").join(name);
            Ok(match (interface.exists(), interface.join("bridge").exists()) {
                (_, true) => Bridge::Yes,
                (true, false) => Bridge::Otherwise,
                (false, false) => Bridge::Missing,
            })
        }
    }
}

/// A network by its name, or the one that a bridge belongs to.
fn resolve(context: &Context, wanted: &str) -> Result<Option<Network>, Fault> {
    if let Some(network) = context.client.network(wanted)? {
        return Ok(Some(network));
    }
    let networks = context.client.networks()?;
    Ok(networks.into_iter().find(|n| n.bridge.as_deref() == Some(wanted)))
}

fn missing(context: &Context, wanted: &str, title: String) -> Check {
    let check = Check::failed("network", title, "libvirt has no such network and the host no such bridge");
    if wanted != DEFAULT_NETWORK && wanted != create::DEFAULT_NETWORK_NAME {
        return check.fix(list(context));
    }
    check
        .fix(context.virsh("net-define /usr/share/libvirt/networks/default.xml"))
        .fix(context.virsh("net-start default"))
        .fix(context.virsh("net-autostart default"))
        .creatable(create::Missing::Network(create::DEFAULT_NETWORK_NAME.to_owned()).to_token())
}

fn list(context: &Context) -> String {
    format!("{}   # see the networks there are; then --libvirt-network NAME, or new", context.virsh("net-list --all"))
}

fn libvirt_network(
    context: &Context,
    wanted: &str,
    network: Network,
    checks: &mut Vec<Check>,
) -> Result<Option<Found>, Fault> {
    let name = &network.name;
    let quoted = quote(name);
    let of = if wanted == name { String::new() } else { format!(" (bridge {wanted})") };
    let title = format!("network '{name}'{of} is active");
    if !network.active {
        let check = Check::failed("network", title, "it is defined, but not started")
            .fix(context.virsh(&format!("net-start {quoted}")))
            .fix(context.virsh(&format!("net-autostart {quoted}")))
            .creatable(create::Missing::Network(name.clone()).to_token());
        checks.push(check);
        return Ok(None);
    }
    let forward = network.forward.as_deref().unwrap_or("isolated");
    checks.push(match network.forward {
        Some(_) => Check::ok("network", title, forward),
        None => Check::warning("network", title, "isolated: nodes reach nothing outside, not even package servers"),
    });
    let external = network.is_external();
    let dhcp = addresses(context, &network)?;
    let usable = !dhcp.is_failed();
    checks.push(dhcp);
    let found = Found { own: false, name: Some(name.clone()), bridge: None, range: None, external_addresses: external };
    Ok(usable.then_some(found))
}

fn addresses(context: &Context, network: &Network) -> Result<Check, Fault> {
    let name = &network.name;
    let title = format!("network '{name}' gives out addresses");
    if network.is_external() {
        return Ok(Check::ok(
            "network_dhcp",
            title,
            "they come from outside libvirt, and are read from the serial console",
        ));
    }
    if !network.has_dhcp() {
        return Ok(Check::failed("network_dhcp", title, "it has no DHCP range")
            .fix(format!(
                "{}   # add <dhcp><range start='…' end='…'/></dhcp> to <ip>",
                context.virsh(&format!("net-edit {}", quote(name)))
            ))
            .fix("or use a network of the deployment's own: --libvirt-network new"));
    }
    let size = capacity(network);
    let ours: Vec<_> = context.input.nodes.iter().map(|node| node.mac.as_str()).collect();
    // The mock driver has no leases; a network that cannot be asked counts as empty.
    let leases = context.client.leases(name, None).unwrap_or_default();
    let taken = leases.iter().filter(|lease| !ours.contains(&lease.mac.as_str())).count() as u64;
    let free = size.saturating_sub(taken);
    let needed = u64::from(context.spec().cluster_size);
    let detail = format!("{free} of {size} addresses are free");
    if free < needed {
        return Ok(Check::failed("network_dhcp", title, format!("{detail}, {needed} are needed"))
            .fix(format!("{}   # enlarge the range", context.virsh(&format!("net-edit {}", quote(name)))))
            .fix("or use a network of the deployment's own: --libvirt-network new"));
    }
    Ok(Check::ok("network_dhcp", title, detail))
}

fn capacity(network: &Network) -> u64 {
    let ranges = network.ips.iter().flat_map(|ip| &ip.ranges);
    ranges.map(|(first, last)| u64::from(u32::from(*last)).saturating_sub(u32::from(*first).into()) + 1).sum()
}

fn own(context: &Context, wanted: Option<Ipv4Net>, checks: &mut Vec<Check>) -> Result<Option<Found>, Fault> {
    let name = context.input.id.map(own_network_name);
    let networks = context.client.networks()?;
    let existing = networks.iter().find(|n| Some(&n.name) == name.as_ref());
    let others = taken(context, networks.iter().filter(|n| Some(&n.name) != name.as_ref()));
    let recorded = context.recorded.as_ref().and_then(|facts| facts.network_cidr);
    let range = existing.and_then(range_of).or(wanted).or(recorded);
    let title = "range for a network of its own is free";
    let range = match range {
        Some(range) => range,
        None => match free_range(&others) {
            Some(range) => range,
            None => {
                checks.push(
                    Check::failed("network", title, "10.77.0.0/16 is full")
                        .fix("name another: --libvirt-network new:CIDR"),
                );
                return Ok(None);
            }
        },
    };
    // What is there already is ours, and its route is no conflict.
    if let Some(other) = others.iter().find(|o| existing.is_none() && overlap(o, &range)) {
        let free = free_range(&others).map_or("CIDR".to_owned(), |r| r.to_string());
        let detail = format!("{range} overlaps with {other}, which the host uses");
        checks.push(Check::failed("network", title, detail).fix(format!("name another: --libvirt-network new:{free}")));
        return Ok(None);
    }
    checks.push(Check::ok("network", title, range.to_string()));
    Ok(Some(Found { own: true, name, bridge: None, range: Some(range), external_addresses: false }))
}

fn range_of(network: &Network) -> Option<Ipv4Net> {
    let ip = network.ips.first()?;
    Ipv4Net::new(ip.address, ip.prefix).ok().map(|net| net.trunc())
}

/// Ranges that other networks have, running or not, and that this host has routes to if it is the hypervisor.
fn taken<'n>(context: &Context, others: impl Iterator<Item = &'n Network>) -> Vec<Ipv4Net> {
    let mut taken: Vec<_> = others.filter_map(range_of).collect();
    if context.options.uri.is_local() {
        taken.extend(Routes::here().destinations());
    }
    taken
}

fn overlap(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(other) || other.contains(one)
}

fn free_range(taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    (0..=255u8)
        .filter_map(|third| Ipv4Net::new([10, 77, third, 0].into(), 24).ok())
        .find(|candidate| !taken.iter().any(|t| overlap(t, candidate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_range_that_nobody_uses_is_free() {
        let nets = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<Ipv4Net>>();
        assert_eq!(free_range(&[]).unwrap().to_string(), "10.77.0.0/24");
        assert_eq!(free_range(&nets(&["10.77.0.0/23", "192.168.122.0/24"])).unwrap().to_string(), "10.77.2.0/24");
        assert_eq!(free_range(&nets(&["10.0.0.0/8"])), None);
    }
}
