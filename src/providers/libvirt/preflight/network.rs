//! The network: a libvirt network, a host bridge, or one of the deployment's own.

use std::path::Path;

use ipnet::Ipv4Net;

use super::super::client::{Fault, FaultKind, Network};
use super::super::create;
use super::super::options::{DEFAULT_NETWORK, WantedNetwork};
use super::super::uri::Uri;
use super::{Context, autostart, dhcp, own_network, unanswered};
use crate::model::{Check, quote};

/// What rendering needs to know.
pub(super) struct Found {
    pub own: bool,
    pub name: Option<String>,
    pub bridge: Option<String>,
    pub range: Option<Ipv4Net>,
    pub external_addresses: bool,
    /// How its packets get to another host.
    pub carries: Carries,
    /// A probe may take an address from its DHCP.
    pub spare: bool,
}

/// How packets of a node get from its host to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Carries {
    /// It is a bridge: what else is plugged in there, only the guests find out.
    Bridged,
    /// The host routes these ranges.
    Routed(Vec<Ipv4Net>),
    /// Not at all; what such a network is called.
    Nothing(&'static str),
}

impl Carries {
    fn of(network: &Network) -> Self {
        match network.forward.as_deref() {
            _ if network.is_external() => Self::Bridged,
            Some("route" | "open") => Self::Routed(network.ipv4_ranges().collect()),
            Some(_) => Self::Nothing("a NAT network"),
            None => Self::Nothing("an isolated network"),
        }
    }
}

pub(super) fn check(context: &Context, checks: &mut Vec<Check>) -> Option<Found> {
    let wanted = match &context.options.network {
        WantedNetwork::Named(name) => named(context, name, checks),
        WantedNetwork::Own(range) => match behind_the_host(&context.options.uri, "a network of its own") {
            Some(check) => {
                checks.push(check);
                return None;
            }
            None => own_network::check(context, *range, checks),
        },
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
            let detail = "the host has an interface of that name, but it is not a bridge";
            (Check::failed("network", title, detail).fix(list(context)), false)
        }
        Bridge::Missing => (missing(context, wanted, title), false),
    };
    checks.push(check);
    let found = Found {
        own: false,
        name: None,
        bridge: Some(wanted.to_owned()),
        range: None,
        external_addresses: true,
        carries: Carries::Bridged,
        spare: false,
    };
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
    let unreachable = unreachable(&context.options.uri, &network);
    let (dhcp, spare) = dhcp::check(context, &network)?;
    let usable = !dhcp.is_failed() && unreachable.is_none();
    checks.push(dhcp);
    checks.extend(unreachable);
    checks.push(autostart::network(context, &network));
    let found = Found {
        own: false,
        name: Some(name.clone()),
        bridge: None,
        range: None,
        external_addresses: external,
        carries: Carries::of(&network),
        spare,
    };
    Ok(usable.then_some(found))
}

/// A network whose guests cannot be reached from here, with the reason.
fn unreachable(uri: &Uri, network: &Network) -> Option<Check> {
    if network.is_direct() && (uri.is_local() || uri.is_ssh()) {
        let title = format!("nodes on network '{}' can be reached", network.name);
        let detail = "its guests are attached directly to a network card of the host (macvtap), so the host itself \
            cannot reach them";
        return Some(Check::failed("network_reach", title, detail).fix(
            "make a bridge over that card (CLOUD_SETUP_LIBVIRT.md, \"A bridge\"), then --libvirt-network BRIDGE",
        ));
    }
    let inside = !matches!(network.forward.as_deref(), Some("route" | "open")) && !network.is_external();
    behind_the_host(uri, &format!("network '{}'", network.name)).filter(|_| inside)
}

/// TCP and TLS carry libvirt's calls alone: there is no way through that host to a network inside it.
fn behind_the_host(uri: &Uri, network: &str) -> Option<Check> {
    if uri.is_local() || uri.is_ssh() {
        return None;
    }
    let host = uri.host.as_deref().unwrap_or_default();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let detail = format!(
        "{network} is inside {host}, and {uri} does not lead there: only an SSH address leads through that machine"
    );
    Some(
        Check::failed("network_reach", format!("nodes on {network} can be reached"), detail)
            .fix(format!("--libvirt-uri qemu+ssh://USER@{host}/system"))
            .fix("or a bridge of that host: --libvirt-network BRIDGE"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(uri: &str, inner: &str) -> Option<String> {
        let network = Network::parse(&format!("<network><name>x</name>{inner}</network>")).unwrap();
        unreachable(&Uri::parse(uri).unwrap(), &network).map(|check| check.detail)
    }

    #[test]
    fn guests_at_a_card_of_the_host_are_out_of_its_reach() {
        let direct = "<forward mode='bridge'><interface dev='eno1'/></forward>";
        assert!(refused("qemu:///system", direct).unwrap().contains("macvtap"));
        assert!(refused("qemu+ssh://me@kvm/system", direct).unwrap().contains("macvtap"));
        // From elsewhere on that LAN they are like any other machine.
        assert_eq!(refused("qemu+tls://kvm/system", direct), None);
        assert_eq!(refused("qemu:///system", "<forward mode='bridge'/><bridge name='br0'/>"), None);
    }

    #[test]
    fn a_network_inside_another_machine_needs_ssh() {
        let nat = "<forward mode='nat'/><bridge name='virbr0'/>";
        for uri in ["qemu+tcp://kvm/system", "qemu+tls://kvm/system", "qemu://kvm/system"] {
            assert!(refused(uri, nat).unwrap().contains("only an SSH"), "{uri}");
            assert!(refused(uri, "<bridge name='virbr1'/>").is_some(), "{uri}");
            assert_eq!(refused(uri, "<forward mode='route'/><bridge name='virbr1'/>"), None, "{uri}");
            assert_eq!(refused(uri, "<forward mode='bridge'/><bridge name='br0'/>"), None, "{uri}");
        }
        assert_eq!(refused("qemu+ssh://me@kvm/system", nat), None);
        assert_eq!(refused("qemu:///system", nat), None);
        let fix = behind_the_host(&Uri::parse("qemu+tcp://[fd00::1]/system").unwrap(), "x").unwrap().fix;
        assert_eq!(fix[0], "--libvirt-uri qemu+ssh://USER@[fd00::1]/system");
    }
}
