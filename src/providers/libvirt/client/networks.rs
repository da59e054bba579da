//! Virtual networks and their leases.

use std::ffi::{CStr, CString, c_char};
use std::net::{IpAddr, Ipv4Addr};
use std::ptr;

use virt::network::Network as Handle;
use virt_sys as sys;

use super::{Answer, Client, Fault, FaultKind, found, xml};

/// A libvirt network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Network {
    pub name: String,
    pub active: bool,
    /// The host's bridge that it is; none for direct (macvtap) networks.
    pub bridge: Option<String>,
    /// `nat`, `route`, `open`, `bridge`, `private`, …; none for an isolated network.
    pub forward: Option<String>,
    /// The host's own IPv4 addresses on it.
    pub ips: Vec<NetworkIp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct NetworkIp {
    pub address: Ipv4Addr,
    pub prefix: u8,
    /// First and last address that DHCP gives out.
    pub ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Lease {
    pub mac: String,
    pub address: IpAddr,
    /// Seconds since 1970, by the hypervisor's clock.
    pub expires: i64,
}

impl Network {
    /// Whether libvirt itself gives out addresses on it.
    pub fn has_dhcp(&self) -> bool {
        self.ips.iter().any(|ip| !ip.ranges.is_empty())
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
    parse(&network.get_xml_desc(0)?, active)
}

fn parse(text: &str, active: bool) -> Answer<Network> {
    xml::read(text, |root| Network {
        name: xml::text(root, &["name"]).unwrap_or_default(),
        active,
        bridge: xml::attribute(root, &["bridge"], "name"),
        forward: xml::at(root, &["forward"]).map(|f| f.attribute("mode").unwrap_or("nat").to_owned()),
        ips: xml::all(root, &[], "ip").into_iter().filter_map(parse_ip).collect(),
    })
}

/// IPv4 only; libvirt writes the length of the prefix or the mask.
fn parse_ip(node: roxmltree::Node) -> Option<NetworkIp> {
    let address = node.attribute("address")?.parse().ok()?;
    let prefix = match (node.attribute("prefix"), node.attribute("netmask")) {
        (Some(prefix), _) => prefix.parse().ok()?,
        (None, Some(mask)) => ipnet::ipv4_mask_to_prefix(mask.parse().ok()?).ok()?,
        (None, None) => 24,
    };
    let range = |r: roxmltree::Node| Some((r.attribute("start")?.parse().ok()?, r.attribute("end")?.parse().ok()?));
    let ranges = xml::all(node, &["dhcp"], "range").into_iter().filter_map(range).collect();
    Some(NetworkIp { address, prefix, ranges })
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
        let network = parse(DEFAULT, true).unwrap();
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
        let network = parse(text, true).unwrap();
        assert!(network.is_external() && !network.has_dhcp());
        assert_eq!(network.bridge.as_deref(), Some("br0"));
    }

    #[test]
    fn an_isolated_network_has_no_forward() {
        let text = "<network><name>x</name><bridge name='virbr3'/><ip address='10.1.1.1' prefix='28'/></network>";
        let network = parse(text, false).unwrap();
        assert_eq!(network.forward, None);
        assert_eq!((network.ips[0].prefix, network.has_dhcp()), (28, false));
    }
}
