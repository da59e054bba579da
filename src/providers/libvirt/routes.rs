//! This machine's IPv4 routes, from /proc/net/route.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use ipnet::Ipv4Net;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Routes(Vec<(String, Ipv4Net)>);

impl Routes {
    pub fn here() -> Self {
        Self::parse(&fs::read_to_string("/proc/net/route").unwrap_or_default())
    }

    /// One route a line, addresses as the kernel's own 32-bit numbers in hex.
    fn parse(text: &str) -> Self {
        let route = |line: &str| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let address =
                |at: usize| Some(Ipv4Addr::from(u32::from_str_radix(fields.get(at)?, 16).ok()?.to_ne_bytes()));
            let prefix = ipnet::ipv4_mask_to_prefix(address(7)?).ok()?;
            Some(((*fields.first()?).to_owned(), Ipv4Net::new(address(1)?, prefix).ok()?))
        };
        Self(text.lines().skip(1).filter_map(route).collect())
    }

    /// Where routes lead, but for the default route.
    pub fn destinations(&self) -> impl Iterator<Item = Ipv4Net> + '_ {
        self.0.iter().map(|(_, net)| *net).filter(|net| net.prefix_len() > 0)
    }

    /// The network behind an interface.
    pub fn behind(&self, interface: &str) -> Option<Ipv4Net> {
        self.0.iter().find(|(name, net)| name == interface && net.prefix_len() > 0).map(|(_, net)| *net)
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
        assert_eq!(routes.destinations().collect::<Vec<_>>(), [network]);
        assert_eq!(routes.behind("virbr0"), Some(network));
        assert_eq!(routes.behind("eth0"), None);
    }

    #[test]
    fn loopback_speaks_from_loopback() {
        assert_eq!(source_towards(IpAddr::from([127, 0, 0, 1])), Some(IpAddr::from([127, 0, 0, 1])));
    }
}
