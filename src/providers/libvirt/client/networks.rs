//! Virtual networks and their leases.

use std::ffi::{CStr, CString, c_char};
use std::net::{IpAddr, Ipv4Addr};
use std::ptr;

use ipnet::Ipv4Net;
use virt::network::Network as Handle;
use virt_sys as sys;

use super::{Answer, Client, Fault, FaultKind, found, xml};

/// Of elements that are handed to the DHCP server as they are.
const DNSMASQ: &str = "http://libvirt.org/schemas/network/dnsmasq/1.0";

/// A libvirt network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Network {
    pub name: String,
    pub active: bool,
    /// Whether it is started with its host; none for a network without a definition, which is gone after that.
    pub autostart: Option<bool>,
    /// The host's bridge that it is; none for direct (macvtap) networks.
    pub bridge: Option<String>,
    /// Seconds for which a port of that bridge listens, and again learns, before it forwards; the kernel takes at least 2.
    pub delay: u32,
    /// Whether its definition has options of its own for the DHCP server: it may answer some machines only.
    pub own_dhcp_options: bool,
    /// `nat`, `route`, `open`, `bridge`, `private`, …; none for an isolated network.
    pub forward: Option<String>,
    /// The host's own IPv4 addresses on it; a network may have several.
    pub ips: Vec<NetworkIp>,
    /// Whether the host has an IPv6 address on it.
    pub ipv6: bool,
    /// Other ranges that its definition has the host route into it.
    pub routed: Vec<Ipv4Net>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct NetworkIp {
    pub address: Ipv4Addr,
    pub prefix: u8,
    /// First and last address that DHCP gives out.
    pub ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
    pub reservations: Vec<Reservation>,
}

/// An address that DHCP gives to one machine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Reservation {
    /// None where the machine is known by its name only.
    pub mac: Option<String>,
    pub address: Ipv4Addr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Lease {
    pub mac: String,
    pub address: IpAddr,
    /// Seconds since 1970, by the hypervisor's clock.
    pub expires: i64,
}

impl Network {
    /// What a definition says: that of a network which does not run.
    pub fn parse(text: &str) -> Answer<Self> {
        parse(text)
    }

    /// Whether libvirt itself gives out addresses on it.
    pub fn has_dhcp(&self) -> bool {
        self.ips.iter().any(|ip| !ip.ranges.is_empty())
    }

    /// Whether its guests hang directly at a network card of the host (macvtap): the host itself cannot reach them.
    pub fn is_direct(&self) -> bool {
        self.bridge.is_none() && self.is_external() && self.forward.as_deref() != Some("hostdev")
    }

    /// Ranges that it takes, running or not.
    pub fn ipv4_ranges(&self) -> impl Iterator<Item = Ipv4Net> + '_ {
        let own = self.ips.iter().filter_map(|ip| Ipv4Net::new(ip.address, ip.prefix).ok());
        own.map(|net| net.trunc()).chain(self.routed.iter().copied())
    }

    /// Whether it only names a bridge or a device that is managed elsewhere, addresses included.
    pub fn is_external(&self) -> bool {
        matches!(self.forward.as_deref(), Some("bridge" | "private" | "vepa" | "passthrough" | "hostdev"))
    }
}

impl Client {
    pub fn network(&self, name: &str) -> Answer<Option<Network>> {
        match found(Handle::lookup_by_name(&self.connect, name))? {
            Some(network) => describe(&network).map(Some),
            None => Ok(None),
        }
    }

    pub fn networks(&self) -> Answer<Vec<Network>> {
        self.connect.list_all_networks(0)?.iter().map(describe).collect()
    }

    pub fn define_network(&self, xml: &str) -> Answer<()> {
        Handle::define_xml(&self.connect, xml)?;
        Ok(())
    }

    /// Starts a network that is defined, now and at every boot.
    pub fn start_network(&self, name: &str) -> Answer<()> {
        let network = Handle::lookup_by_name(&self.connect, name)?;
        if !network.is_active()? {
            network.create()?;
        }
        network.set_autostart(true)?;
        Ok(())
    }

    /// Ends a network and its definition; true if it was there.
    pub fn remove_network(&self, name: &str) -> Answer<bool> {
        let Some(network) = found(Handle::lookup_by_name(&self.connect, name))? else { return Ok(false) };
        let persistent = network.is_persistent()?;
        if network.is_active()? {
            network.destroy()?;
        }
        if persistent {
            network.undefine()?;
        }
        Ok(true)
    }

    /// Leases that libvirt's DHCP has given out on that network, to that interface only where one is named.
    pub fn leases(&self, network: &str, mac: Option<&str>) -> Answer<Vec<Lease>> {
        let network = Handle::lookup_by_name(&self.connect, network)?;
        let mac = mac
            .map(CString::new)
            .transpose()
            .map_err(|_| Fault { kind: FaultKind::Other, message: "a MAC address has a zero byte".into() })?;
        let mut array: *mut sys::virNetworkDHCPLeasePtr = ptr::null_mut();
        // SAFETY: the network is open, `mac` is null or a C string, libvirt fills the array.
        let count = unsafe {
            sys::virNetworkGetDHCPLeases(
                network.as_ptr(),
                mac.as_ref().map_or(ptr::null(), |m| m.as_ptr()),
                &mut array,
                0,
            )
        };
        if count < 0 {
            return Err(virt::error::Error::last_error().into());
        }
        let mut leases = Vec::new();
        for index in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: libvirt said that the array has `count` elements; each is ours to free.
            unsafe {
                let lease = *array.add(index);
                leases.extend(read_lease(&*lease));
                sys::virNetworkDHCPLeaseFree(lease);
            }
        }
        // SAFETY: allocated by libvirt with malloc for us.
        unsafe { super::domains::free(array.cast()) };
        Ok(leases)
    }
}

/// SAFETY: the pointers in `lease` are null or C strings.
unsafe fn read_lease(lease: &sys::virNetworkDHCPLease) -> Option<Lease> {
    let text = |pointer: *const c_char| {
        // SAFETY: as above.
        (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
    };
    Some(Lease { mac: text(lease.mac)?, address: text(lease.ipaddr)?.parse().ok()?, expires: lease.expirytime })
}

fn describe(network: &Handle) -> Answer<Network> {
    let active = network.is_active()?;
    let autostart = if network.is_persistent()? { Some(network.get_autostart()?) } else { None };
    Ok(Network { active, autostart, ..Network::parse(&network.get_xml_desc(0)?)? })
}

fn parse(text: &str) -> Answer<Network> {
    xml::read(text, |root| Network {
        name: xml::text(root, &["name"]).unwrap_or_default(),
        active: false,
        autostart: None,
        bridge: xml::attribute(root, &["bridge"], "name"),
        delay: xml::attribute(root, &["bridge"], "delay").and_then(|delay| delay.parse().ok()).unwrap_or(0),
        own_dhcp_options: root.children().any(|child| child.tag_name().namespace() == Some(DNSMASQ)),
        forward: xml::at(root, &["forward"]).map(|f| f.attribute("mode").unwrap_or("nat").to_owned()),
        ips: xml::all(root, &[], "ip").into_iter().filter_map(parse_ip).collect(),
        ipv6: xml::all(root, &[], "ip").iter().any(|ip| ip.attribute("family") == Some("ipv6")),
        routed: xml::all(root, &[], "route").into_iter().filter_map(parse_route).collect(),
    })
}

/// IPv4 only; libvirt writes the length of the prefix or the mask.
fn parse_ip(node: roxmltree::Node) -> Option<NetworkIp> {
    let address = node.attribute("address")?.parse().ok()?;
    let prefix = prefix_of(node)?;
    let range = |r: roxmltree::Node| Some((r.attribute("start")?.parse().ok()?, r.attribute("end")?.parse().ok()?));
    let ranges = xml::all(node, &["dhcp"], "range").into_iter().filter_map(range).collect();
    let reservation = |host: roxmltree::Node| {
        let mac = host.attribute("mac").map(str::to_ascii_lowercase);
        Some(Reservation { mac, address: host.attribute("ip")?.parse().ok()? })
    };
    let reservations = xml::all(node, &["dhcp"], "host").into_iter().filter_map(reservation).collect();
    Some(NetworkIp { address, prefix, ranges, reservations })
}

fn parse_route(node: roxmltree::Node) -> Option<Ipv4Net> {
    Ipv4Net::new(node.attribute("address")?.parse().ok()?, prefix_of(node)?).ok().map(|net| net.trunc())
}

fn prefix_of(node: roxmltree::Node) -> Option<u8> {
    match (node.attribute("prefix"), node.attribute("netmask")) {
        (Some(prefix), _) => prefix.parse().ok(),
        (None, Some(mask)) => ipnet::ipv4_mask_to_prefix(mask.parse().ok()?).ok(),
        (None, None) => Some(24),
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    // `virsh net-dumpxml default`, libvirt 9.0.
    const DEFAULT: &str = "<network>
  <name>default</name>
  <uuid>04a769a2-2c69-4a0f-9aa0-1a7d0bc7b814</uuid>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:92:01:32'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>";

    #[test]
    fn the_default_network_is_read() {
        let network = parse(DEFAULT).unwrap();
        assert_eq!((network.name.as_str(), network.bridge.as_deref()), ("default", Some("virbr0")));
        assert_eq!(network.forward.as_deref(), Some("nat"));
        assert!(network.has_dhcp() && !network.is_external());
        assert_eq!(network.ips[0].address, Ipv4Addr::new(192, 168, 122, 1));
        assert_eq!(network.ips[0].prefix, 24);
        assert_eq!(network.ips[0].ranges, [(Ipv4Addr::new(192, 168, 122, 2), Ipv4Addr::new(192, 168, 122, 254))]);
    }

    #[test]
    fn a_network_over_a_host_bridge_has_no_addresses_of_its_own() {
        let text = "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>";
        let network = parse(text).unwrap();
        assert!(network.is_external() && !network.has_dhcp());
        assert_eq!(network.bridge.as_deref(), Some("br0"));
    }

    #[test]
    fn guests_at_a_card_of_the_host_are_told_from_guests_on_a_bridge() {
        let of = |inner: &str| parse(&format!("<network><name>x</name>{inner}</network>")).unwrap();
        assert!(of("<forward mode='bridge'><interface dev='eno1'/></forward>").is_direct());
        assert!(of("<forward dev='eno1' mode='private'/>").is_direct());
        assert!(!of("<forward mode='bridge'/><bridge name='br0'/>").is_direct());
        assert!(!of("<forward mode='hostdev'/>").is_direct());
        assert!(!of("<ip address='10.1.1.1' prefix='28'/>").is_direct());
    }

    #[test]
    fn every_range_and_every_reservation_is_read() {
        let text = "<network><name>x</name><ip address='10.1.1.1' prefix='24'><dhcp>\
            <range start='10.1.1.2' end='10.1.1.2'/><host mac='52:54:00:AA:00:01' name='a' ip='10.1.1.2'/>\
            <host name='b' ip='10.1.1.3'/></dhcp></ip>\
            <ip address='10.77.0.1' netmask='255.255.255.0'/><ip family='ipv6' address='fd00::1' prefix='64'/>\
            <route address='10.9.0.0' prefix='16' gateway='10.1.1.9'/></network>";
        let network = parse(text).unwrap();
        let ranges: Vec<_> = network.ipv4_ranges().map(|net| net.to_string()).collect();
        assert_eq!(ranges, ["10.1.1.0/24", "10.77.0.0/24", "10.9.0.0/16"]);
        let reserved = &network.ips[0].reservations;
        assert_eq!(reserved[0].mac.as_deref(), Some("52:54:00:aa:00:01"));
        let options = "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>x</name>\
            <dnsmasq:options><dnsmasq:option value='dhcp-ignore=tag:!known'/></dnsmasq:options></network>";
        assert!(parse(options).unwrap().own_dhcp_options && !network.own_dhcp_options);
        assert_eq!((reserved[1].mac.as_deref(), reserved[1].address), (None, Ipv4Addr::new(10, 1, 1, 3)));
        assert!(network.ipv6);
    }

    #[test]
    fn an_isolated_network_has_no_forward() {
        let text = "<network><name>x</name><bridge name='virbr3'/><ip address='10.1.1.1' prefix='28'/></network>";
        let network = parse(text).unwrap();
        assert_eq!(network.forward, None);
        assert_eq!((network.ips[0].prefix, network.has_dhcp()), (28, false));
    }

    #[test]
    fn fuzz_networks() {
        crate::fuzz::text_target("network-xml", &[DEFAULT], |xml| {
            if let Ok(network) = Network::parse(xml) {
                let _ = (network.has_dhcp(), network.is_direct());
            }
        });
    }
}
