//! A network of the deployment's own: a range that neither a network nor a route of the host has.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::super::client::{Fault, Network};
use super::super::own_network_name;
use super::super::routes::{Route, Routes, source_towards};
use super::Context;
use super::network::{Carries, Found};
use crate::model::Check;

const TITLE: &str = "range for a network of its own is free";

pub(super) fn check(
    context: &Context,
    wanted: Option<Ipv4Net>,
    checks: &mut Vec<Check>,
) -> Result<Option<Found>, Fault> {
    let name = context.input.id.map(own_network_name);
    let networks = context.client.networks()?;
    let existing = networks.iter().find(|n| Some(&n.name) == name.as_ref());
    let others = networks.iter().filter(|n| Some(&n.name) != name.as_ref());
    // Another machine's routes are not seen from here.
    let routes = if context.options.uri.is_local() { Routes::here() } else { Routes::parse("") };
    let surroundings = Surroundings::new(others, routes);
    let recorded = context.recorded.as_ref().and_then(|facts| facts.network_cidr);
    let range = existing.and_then(|network| network.ipv4_ranges().next()).or(wanted).or(recorded);
    let Some(range) = range.or_else(|| surroundings.free_range()) else {
        let detail = "10.77.0.0/16, 172.16.0.0/12 and 192.168.0.0/16 are all in use";
        checks.push(Check::failed("network", TITLE, detail).fix("name another: --libvirt-network new:CIDR"));
        return Ok(None);
    };
    // What is there already is ours, and its route is no conflict.
    let verdict = if existing.is_some() { Verdict::Free } else { surroundings.judge(range) };
    let found = Found {
        own: true,
        name,
        bridge: None,
        range: Some(range),
        external_addresses: false,
        carries: Carries::Nothing("a NAT network"),
        spare: false,
    };
    checks.push(match verdict {
        Verdict::Free => Check::ok("network", TITLE, range.to_string()),
        Verdict::Shadows(route) => {
            let detail = format!(
                "{range} is part of {}, to which the host has a route ({}): machines there with an address of {range} \
                could not be reached from the host any more",
                route.net, route.interface
            );
            Check::warning("network", TITLE, detail)
                .fix("name another, if something there is needed: --libvirt-network new:CIDR")
        }
        Verdict::Taken(by) => {
            let free = surroundings.free_range().map_or("CIDR".to_owned(), |r| r.to_string());
            let fix = format!("name another: --libvirt-network new:{free}");
            checks.push(Check::failed("network", TITLE, format!("{range} overlaps with {by}")).fix(fix));
            return Ok(None);
        }
    });
    Ok(Some(found))
}

/// What the host has already.
struct Surroundings {
    /// Networks of libvirt, running or not.
    networks: Vec<(String, Ipv4Net)>,
    routes: Routes,
    /// The host's own addresses, and its routers': a network over one of them would cut the host off.
    needed: Vec<Ipv4Addr>,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Free,
    /// A route to a wider network. The network of its own would win, since it is the more exact one.
    Shadows(Route),
    /// By what.
    Taken(String),
}

impl Surroundings {
    fn new<'n>(networks: impl Iterator<Item = &'n Network>, routes: Routes) -> Self {
        let ranges =
            |network: &Network| network.ipv4_ranges().map(|net| (network.name.clone(), net)).collect::<Vec<_>>();
        let towards = |route: &Route| match source_towards(IpAddr::V4(route.net.hosts().next()?))? {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        let needed = routes.specific().filter_map(towards).chain(routes.gateways()).collect();
        Self { networks: networks.flat_map(ranges).collect(), routes, needed }
    }

    fn judge(&self, range: Ipv4Net) -> Verdict {
        if let Some((name, net)) = self.networks.iter().find(|(_, net)| overlap(net, &range)) {
            return Verdict::Taken(format!("{net}, the network '{name}' of libvirt"));
        }
        if let Some(address) = self.needed.iter().find(|address| range.contains(*address)) {
            return Verdict::Taken(format!("{address}, which is the host's own address or its router's"));
        }
        let mut on_the_way = self.routes.specific().filter(|route| overlap(&route.net, &range)).collect::<Vec<_>>();
        on_the_way.sort_by_key(|route| std::cmp::Reverse(route.net.prefix_len()));
        match on_the_way.first() {
            None => Verdict::Free,
            Some(route) if route.net.prefix_len() < range.prefix_len() => Verdict::Shadows((*route).clone()),
            Some(route) => {
                Verdict::Taken(format!("{}, to which the host has a route ({})", route.net, route.interface))
            }
        }
    }

    /// The first range that nothing overlaps with; if there is none, the first that is only part of a wider one.
    fn free_range(&self) -> Option<Ipv4Net> {
        let mut shadows = None;
        for range in candidates() {
            match self.judge(range) {
                Verdict::Free => return Some(range),
                Verdict::Shadows(_) => shadows = shadows.or(Some(range)),
                Verdict::Taken(_) => {}
            }
        }
        shadows
    }
}

fn overlap(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(other) || other.contains(one)
}

/// Private networks of 256 addresses; first those that hardly anybody else takes.
fn candidates() -> impl Iterator<Item = Ipv4Net> {
    let blocks = [(10, 77..=77), (172, 16..=31), (192, 168..=168)];
    blocks
        .into_iter()
        .flat_map(|(first, seconds)| {
            seconds.flat_map(move |second| (0..=255).map(move |third| [first, second, third, 0]))
        })
        .filter_map(|address| Ipv4Net::new(address.into(), 24).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    /// Networks of libvirt, and routes as (network, router).
    fn surroundings(networks: &[&str], routes: &[(&str, &str)]) -> Surroundings {
        let hex = |address: Ipv4Addr| format!("{:08X}", u32::from_ne_bytes(address.octets()));
        let line = |(to, router): &(&str, &str)| {
            let (to, router) = (net(to), router.parse().unwrap());
            format!("tun0\t{}\t{}\t1\t0\t0\t0\t{}\n", hex(to.network()), hex(router), hex(to.netmask()))
        };
        let text: String = std::iter::once("Iface\n".to_owned()).chain(routes.iter().map(line)).collect();
        let routes = Routes::parse(&text);
        let needed = routes.gateways().collect();
        Surroundings { networks: networks.iter().map(|n| ("x".into(), net(n))).collect(), routes, needed }
    }

    fn free(networks: &[&str], routes: &[(&str, &str)]) -> String {
        surroundings(networks, routes).free_range().unwrap().to_string()
    }

    #[test]
    fn the_first_range_that_nobody_uses_is_free() {
        assert_eq!(free(&[], &[]), "10.77.0.0/24");
        assert_eq!(free(&["10.77.0.0/23", "192.168.122.0/24"], &[]), "10.77.2.0/24");
        assert_eq!(free(&["10.0.0.0/8"], &[]), "172.16.0.0/24");
        assert_eq!(free(&["10.0.0.0/8", "172.16.0.0/12"], &[("192.168.0.0/24", "0.0.0.0")]), "192.168.1.0/24");
    }

    #[test]
    fn a_vpn_does_not_make_a_network_impossible() {
        let halves = [("0.0.0.0/1", "10.8.0.1"), ("128.0.0.0/1", "10.8.0.1")];
        assert_eq!(free(&[], &halves), "10.77.0.0/24");
        assert_eq!(free(&[], &[("10.0.0.0/8", "0.0.0.0")]), "172.16.0.0/24");
        let all = [("10.0.0.0/8", "0.0.0.0"), ("172.16.0.0/12", "0.0.0.0"), ("192.168.0.0/16", "0.0.0.0")];
        assert_eq!(free(&[], &all), "10.77.0.0/24");
        let wide = surroundings(&[], &all);
        assert!(matches!(wide.judge(net("10.77.5.0/24")), Verdict::Shadows(route) if route.net == net("10.0.0.0/8")));
    }

    #[test]
    fn what_the_host_needs_is_not_taken_from_it() {
        let wide =
            surroundings(&[], &[("10.0.0.0/8", "0.0.0.0"), ("0.0.0.0/0", "10.77.0.254"), ("10.77.3.0/24", "10.1.0.1")]);
        assert!(matches!(wide.judge(net("10.77.0.0/24")), Verdict::Taken(by) if by.contains("10.77.0.254")));
        assert!(matches!(wide.judge(net("10.77.3.0/24")), Verdict::Taken(by) if by.contains("route")));
        assert!(matches!(wide.judge(net("10.77.0.0/16")), Verdict::Taken(_)));
    }
}
