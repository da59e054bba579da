//! The nodes' firewall: one nftables table that lets strangers reach the user's ports and nothing else of
//! the machine itself. What is not for this machine (the networking of Exasol's containers) it leaves alone.
//!
//! A list of ports to close would have to know every service that the cluster brings: the Administration API
//! (4444), BucketFS (2580, 2581), confd, COS, and whatever the next release adds.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::guest_file::GuestFile;
use crate::model::Node;

/// SSH, SQL, Admin UI: open to everybody, or to `--allowed-cidr`.
const USER_PORTS: &str = "{ 22, 8563, 8443 }";

/// Where clouds answer machines about themselves: user-data with the host key and the password's hash in it, and
/// credentials of the machine's role. Azure's second address hands out extensions' settings. IPv6: AWS, Google, Oracle.
const METADATA: [&str; 2] =
    ["ip daddr { 169.254.169.254, 168.63.129.16 }", "ip6 daddr { fd00:ec2::254, fd20:ce::254, fd00:c1::a9fe:a9fe }"];

/// Closes them to everybody but root: SQL users' functions run on these machines. cloud-init and the clouds' agents
/// are root. Names (53, on Google, Oracle and Azure at the same addresses), time and DHCP (UDP) stay open.
fn metadata() -> String {
    let rules = |who: &str| -> String {
        METADATA.iter().map(|to| format!("    {who}{to} tcp dport != 53 reject with tcp reset\n")).collect()
    };
    let chain = |name: &str, hook: &str, rules: String| {
        format!("  chain {name} {{\n    type filter hook {hook} priority filter; policy accept;\n{rules}  }}\n")
    };
    chain("metadata", "output", rules("meta skuid != 0 ")) + &chain("metadata_of_containers", "forward", rules(""))
}

/// `allowed`: who may use SSH, SQL and Admin UI; empty means everybody. `deployers`: the
/// workstation's addresses, or the jump host's, as nodes see them.
///
/// `firewall.sh` adds the devices that lead outside to the set `uplinks`, tries the table, and keeps it as
/// `firewall.nft` once a new session has come through.
pub fn table(nodes: &[Node], deployers: &[IpAddr], allowed: &[IpNet], on_a_cloud: bool) -> GuestFile {
    let trusted = Families::of(trusted(nodes, deployers).map(IpNet::from));
    let users = Families::of(allowed.iter().copied());

    let mut sets = "  set uplinks {\n    type ifname\n  }\n".to_owned() + &trusted.sets("trusted");
    let mut rules = vec![
        "fib daddr type != local accept comment \"not for this machine\"".to_owned(),
        "iif lo accept".to_owned(),
        "iifname != @uplinks meta iifkind { \"bridge\", \"veth\" } accept comment \"this machine's own containers\""
            .to_owned(),
        "ct state established,related accept".to_owned(),
    ];
    rules.extend(trusted.accept("trusted", None));
    if allowed.is_empty() {
        rules.push(format!("tcp dport {USER_PORTS} accept"));
    } else {
        sets += &users.sets("users");
        rules.extend(users.accept("users", Some(USER_PORTS)));
    }
    rules.push("udp dport { 68, 546 } accept comment \"answers of DHCP\"".to_owned());
    rules.push("include \"/etc/exasol-deployer/open/*.nft\"".to_owned());
    rules.push("meta l4proto { tcp, udp } drop".to_owned());

    // Declaring the table before deleting it makes the file loadable for the first time and again,
    // and nft applies a file as a whole or not at all. The chain sees packets before any
    // translation of addresses, so a port that is forwarded into a container counts as well.
    let rules: String = rules.iter().map(|r| format!("    {r}\n")).collect();
    let metadata = if on_a_cloud { metadata() } else { String::new() };
    GuestFile::root(
        "/etc/exasol-deployer/firewall.wanted",
        format!(
            "table inet exasol\ndelete table inet exasol\n\ntable inet exasol {{\n{sets}  chain strangers {{\n    \
             type filter hook prerouting priority mangle; policy accept;\n{rules}  }}\n{metadata}}}\n"
        ),
    )
    .mode(0o600)
}

/// Whom OpenSSH 9.8 and newer never shut out for failed logins, in its own form.
pub fn never_penalized(nodes: &[Node], deployers: &[IpAddr]) -> GuestFile {
    let addresses: BTreeSet<_> = trusted(nodes, deployers).collect();
    let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    GuestFile::root("/etc/exasol-deployer/ssh-exempt", format!("{list}\n"))
}

/// Both addresses of each node: one that dials another one's public address arrives with its own.
fn trusted(nodes: &[Node], deployers: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let cluster = nodes.iter().flat_map(|n| [n.private_ip, n.public_ip].into_iter().chain(n.overlay_ip));
    cluster.chain(deployers.iter().copied())
}

/// Networks by address family, as few as possible: nft refuses overlapping ones in a set.
struct Families {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

impl Families {
    fn of(nets: impl Iterator<Item = IpNet>) -> Self {
        let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
        for net in nets {
            match net {
                IpNet::V4(net) => drop(v4.insert(net.trunc())),
                IpNet::V6(net) => drop(v6.insert(net.trunc())),
            }
        }
        Self { v4: Ipv4Net::aggregate(&v4.into_iter().collect()), v6: Ipv6Net::aggregate(&v6.into_iter().collect()) }
    }

    fn sets(&self, name: &str) -> String {
        let set = |kind: &str, suffix: &str, nets: Vec<String>| match nets.is_empty() {
            true => String::new(),
            false => format!(
                "  set {name}{suffix} {{\n    type {kind}; flags interval;\n    elements = {{ {} }}\n  }}\n",
                nets.join(", ")
            ),
        };
        set("ipv4_addr", "4", self.v4.iter().map(ToString::to_string).collect())
            + &set("ipv6_addr", "6", self.v6.iter().map(ToString::to_string).collect())
    }

    fn accept(&self, name: &str, ports: Option<&str>) -> Vec<String> {
        let ports = ports.map(|p| format!("tcp dport {p} ")).unwrap_or_default();
        let families = [("ip", "4", self.v4.is_empty()), ("ip6", "6", self.v6.is_empty())];
        let present = families.iter().filter(|(_, _, empty)| !empty);
        present.map(|(family, suffix, _)| format!("{family} saddr @{name}{suffix} {ports}accept")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing;

    #[test]
    fn open_to_users_without_allowed_cidrs() {
        let nodes = testing::Fixture::two_nodes().nodes();
        insta::assert_snapshot!(table(&nodes, &["192.168.122.1".parse().unwrap()], &[], false).content);
    }

    #[test]
    fn closed_metadata_on_a_cloud() {
        let nodes = testing::Fixture::two_nodes().nodes();
        insta::assert_snapshot!(table(&nodes, &["192.168.122.1".parse().unwrap()], &[], true).content);
    }

    #[test]
    fn restricted_with_overlapping_and_untidy_networks_of_both_families() {
        let nodes = testing::Fixture::two_nodes().nodes();
        let allowed = ["10.0.0.0/8", "10.1.2.3/16", "203.0.113.7/32", "2001:db8::/32"].map(|n| n.parse().unwrap());
        insta::assert_snapshot!(table(&nodes, &["fd00::1".parse().unwrap()], &allowed, false).content);
    }

    #[test]
    fn a_fresh_sshd_counts_no_failures_of_ours() {
        let nodes = testing::Fixture::two_nodes().nodes();
        let exempt = never_penalized(&nodes, &["fd00::1".parse().unwrap()]).content;
        assert!(exempt.contains("192.168.122.11") && exempt.contains(",fd00::1") && !exempt.contains(' '), "{exempt}");
    }
}
