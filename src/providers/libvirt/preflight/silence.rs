//! Why a network of libvirt does not answer its guests: its DHCP server, or a firewall of the host.

use std::fs;
use std::path::Path;

use super::super::distro::Machine;
use super::Context;
use crate::model::{Check, quote};

pub(super) fn check(context: &Context, network: &str, title: String, sent: u64) -> Check {
    let bridge = context.client.network(network).ok().flatten().and_then(|network| network.bridge);
    let suspects =
        if context.options.uri.is_local() { Suspects::here(Path::new("/"), network) } else { Suspects::default() };
    let (likely, fix) = explain(&suspects, bridge.as_deref().unwrap_or("virbr0"), context.machine);
    let detail = format!(
        "a probe asked for an address ({sent} packets sent) and got none: DHCP on the host does not hear its guests{likely}"
    );
    let check = fix.into_iter().fold(Check::failed("network_answers", title, detail), Check::fix);
    check.fix(context.machine.reload_networks())
}

/// What is on this machine that closes networks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Suspects {
    /// The network's own DHCP server has ended.
    server_gone: bool,
    ufw: bool,
    firewalld: bool,
    nftables: bool,
}

impl Suspects {
    /// Below `root`, as far as this user may read.
    fn here(root: &Path, network: &str) -> Self {
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let pid = text(&format!("run/libvirt/network/{network}.pid")).trim().parse::<u32>().ok();
        let has_line = |text: &str, wanted: &str| text.lines().any(|line| line.trim().eq_ignore_ascii_case(wanted));
        Self {
            server_gone: pid.is_some_and(|pid| !root.join(format!("proc/{pid}")).exists()),
            ufw: has_line(&text("etc/ufw/ufw.conf"), "ENABLED=yes"),
            firewalld: ["sys/fs/cgroup/system.slice/firewalld.service", "run/firewalld"]
                .iter()
                .any(|path| root.join(path).exists()),
            nftables: text("etc/nftables.conf").lines().any(|line| {
                let line = line.trim();
                !line.starts_with('#') && line.contains("hook input") && line.contains("policy drop")
            }),
        }
    }
}

/// The likely cause as the end of a sentence, and what mends it.
fn explain(suspects: &Suspects, bridge: &str, machine: &Machine) -> (&'static str, Vec<String>) {
    let quoted = quote(bridge);
    if suspects.server_gone {
        return ("; its DHCP server (dnsmasq) has ended", Vec::new());
    }
    if suspects.ufw {
        let fix = vec![
            machine.sudo(&format!("ufw allow in on {quoted} to any port 67 proto udp")),
            machine.sudo(&format!("ufw allow in on {quoted} to any port 53")),
        ];
        return ("; ufw is on here", fix);
    }
    if suspects.firewalld {
        let fix = vec![machine.sudo(&format!("firewall-cmd --zone=libvirt --change-interface={quoted}"))];
        return ("; firewalld is on here", fix);
    }
    let accept = |table: &str| {
        machine.sudo(&format!("nft insert rule {table} iifname {quoted} udp dport '{{ 53, 67 }}' accept"))
    };
    if suspects.nftables {
        return (
            "; /etc/nftables.conf drops what it does not name",
            vec![format!("{}   # table and chain: as in that file", accept("inet filter input"))],
        );
    }
    (
        "",
        vec![
            format!("{}   # which chain with \"hook input\" drops it?", machine.sudo("nft list ruleset")),
            format!("{}   # into that table and chain", accept("inet TABLE CHAIN")),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(files: &[(&str, &str)]) -> Suspects {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Suspects::here(root.path(), "default")
    }

    #[test]
    fn what_closes_networks_is_found_where_it_can_be_read() {
        assert_eq!(world(&[]), Suspects::default());
        assert!(world(&[("etc/ufw/ufw.conf", "# x\nENABLED=yes\n")]).ufw);
        assert!(!world(&[("etc/ufw/ufw.conf", "#ENABLED=yes\nENABLED=no\n")]).ufw);
        assert!(world(&[("run/firewalld/x", "")]).firewalld);
        let nft = "table inet filter {\n  chain input {\n    type filter hook input priority 0; policy drop;\n  }\n}\n";
        assert!(world(&[("etc/nftables.conf", nft)]).nftables);
        assert!(!world(&[("etc/nftables.conf", &nft.replace("policy drop", "policy accept"))]).nftables);
        assert!(world(&[("run/libvirt/network/default.pid", "77\n")]).server_gone);
        assert!(!world(&[("run/libvirt/network/default.pid", "77\n"), ("proc/77/stat", "")]).server_gone);
    }
}
