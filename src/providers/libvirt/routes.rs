//! This machine's IPv4 routes, from /proc/net/route.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use ipnet::Ipv4Net;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Routes(Vec<Route>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub interface: String,
    pub net: Ipv4Net,
    /// The router on the way; none where the network is at the interface itself.
    pub gateway: Option<Ipv4Addr>,
}

impl Routes {
    pub fn here() -> Self {
        Self::parse(&fs::read_to_string("/proc/net/route").unwrap_or_default())
    }

    /// One route a line, addresses as the kernel's own 32-bit numbers in hex.
    pub fn parse(text: &str) -> Self {
        let route = |line: &str| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let address =
                |at: usize| Some(Ipv4Addr::from(u32::from_str_radix(fields.get(at)?, 16).ok()?.to_ne_bytes()));
            let prefix = ipnet::ipv4_mask_to_prefix(address(7)?).ok()?;
            Some(Route {
                interface: (*fields.first()?).to_owned(),
                net: Ipv4Net::new(address(1)?, prefix).ok()?,
                gateway: address(2).filter(|gateway| !gateway.is_unspecified()),
            })
        };
        Self(text.lines().skip(1).filter_map(route).collect())
    }

    /// Routes to somewhere: not the default route, nor the two halves in which VPNs lay it.
    pub fn specific(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().filter(|route| route.net.prefix_len() > 1)
    }

    /// Routers of all routes.
    pub fn gateways(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.0.iter().filter_map(|route| route.gateway)
    }

    /// The network behind an interface.
    pub fn behind(&self, interface: &str) -> Option<Ipv4Net> {
        self.0.iter().find(|route| route.interface == interface && route.net.prefix_len() > 0).map(|route| route.net)
    }
}

/// The address from which this machine would speak to `target`. Nothing is sent.
pub(super) fn source_towards(target: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect((target, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_table_is_read() {
        // As a little-endian machine writes it: a default route, and virbr0 on 192.168.122.0/24.
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            virbr0\t007AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let routes = Routes::parse(text);
        let network: Ipv4Net = "192.168.122.0/24".parse().unwrap();
        assert_eq!(routes.specific().map(|route| route.net).collect::<Vec<_>>(), [network]);
        assert_eq!(routes.gateways().collect::<Vec<_>>(), [Ipv4Addr::new(192, 168, 1, 1)]);
        assert_eq!(routes.behind("virbr0"), Some(network));
        assert_eq!(routes.behind("eth0"), None);
    }

    #[test]
    fn the_halves_of_a_vpn_s_default_route_lead_nowhere_in_particular() {
        let text = "Iface\nt0\t00000000\t0\t1\t0\t0\t0\t00000080\nt0\t00000080\t0\t1\t0\t0\t0\t00000080\n\
            t0\t0000000A\t0\t1\t0\t0\t0\t000000FF\n";
        let routes = Routes::parse(text);
        assert_eq!(routes.specific().map(|r| r.net.to_string()).collect::<Vec<_>>(), ["10.0.0.0/8"]);
    }

    #[test]
    fn loopback_speaks_from_loopback() {
        assert_eq!(source_towards(IpAddr::from([127, 0, 0, 1])), Some(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn fuzz_kernel_routes() {
        let seed = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n";
        crate::fuzz::text_target("kernel-routes", &[seed], |text| {
            let routes = Routes::parse(text);
            let _ = (routes.specific().count(), routes.gateways().count(), routes.behind("eth0"));
        });
    }
}
