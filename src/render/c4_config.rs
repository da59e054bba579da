//! c4's configuration. Keys and forms are those of Exasol's
//! documentation and launcher, and the Bash deployer.

use std::net::IpAddr;

use super::cluster_ssh::KEY_FILE;
use super::shell::quoted;
use super::{USER, disks};
use crate::deployment::Secrets;
use crate::error::{Error, Result};
use crate::model::{ConfigKeys, Node};

/// `archive`: its absolute path on n11. `working_copy`: `@exasol-…`.
pub fn c4_config(
    nodes: &[Node],
    secrets: &Secrets,
    working_copy: &str,
    keys: ConfigKeys,
    archive: &str,
) -> Result<String> {
    // Both lists are the same, as Exasol's launcher has them on every cloud: c4 runs on a node, and a node that
    // dials its own public address, or another's, comes from outside and meets closed ports.
    let addresses = addresses(nodes.iter().map(Node::cluster_ip))?;
    // One list for all nodes; the links are the same everywhere.
    let data: Vec<_> = nodes.first().map(|n| n.plan.disks.iter().map(disks::device).collect()).unwrap_or_default();
    let db_password = quoted(&secrets.db_password, "the database password")?;
    let adminui_password = quoted(&secrets.adminui_password, "the Admin UI password")?;
    let host_password = quoted(&secrets.host_password, "the host password")?;

    let mut lines = vec![
        ("CCC_HOST_ADDRS", format!("\"{addresses}\"")),
        ("CCC_HOST_EXTERNAL_ADDRS", format!("\"{addresses}\"")),
        ("CCC_HOST_DATADISK", data.join(",")),
        ("CCC_HOST_IMAGE_USER", USER.to_owned()),
        ("CCC_HOST_IMAGE_PASSWORD", host_password),
        ("CCC_HOST_KEY_PAIR_FILE", KEY_FILE.to_owned()),
        ("CCC_PLAY_WORKING_COPY", working_copy.to_owned()),
        // c4's own form of `--from-file`; whether it fetched even so is looked up in its log.
        ("CCC_PLAY_FROM_FILE", archive.to_owned()),
        ("CCC_PLAY_RESERVE_NODES", "0".to_owned()),
        ("CCC_PLAY_DB_PASSWORD", db_password),
        // Of the administration API, and in 2025.1 of the Admin UI.
        ("CCC_PLAY_ADMIN_PASSWORD", adminui_password.clone()),
        ("CCC_ADMINUI_START_SERVER", "true".to_owned()),
        // An overlay's addresses, and those of clouds that give a guest a /32, are in no interface's network.
        ("CCC_PLAY_CORED_ALLOW_ONLY_SAME_SUBNET", "false".to_owned()),
        ("CCC_PLAY_TIMEOUT", "30m".to_owned()),
        ("CCC_AWS_PROFILE", "none".to_owned()),
    ];
    // No public configuration of a 2025.1 release has them, and c4 may refuse what it does not know.
    if keys == ConfigKeys::V2025_2 {
        lines.push(("CCC_ADMINUI_ADMIN_PASSWORD", adminui_password));
        lines.push(("CCC_PLAY_VERSION_UPDATE_CHECK", "false".to_owned()));
    }
    Ok(lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect())
}

/// Separated by spaces. c4 takes IPv4 only.
fn addresses(all: impl Iterator<Item = IpAddr>) -> Result<String> {
    let words: Result<Vec<_>> = all
        .map(|address| match address {
            IpAddr::V4(v4) => Ok(v4.to_string()),
            IpAddr::V6(v6) => Err(Error::other(format!("Exasol's nodes need IPv4 addresses, not {v6}"))),
        })
        .collect();
    Ok(words?.join(" "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::NodePlan;
    use crate::render::testing;

    const ARCHIVE: &str = "/home/exasol/exasol-release/a.tar.gz";

    fn config(db_password: &str) -> String {
        let fixture = testing::Fixture::two_nodes();
        let secrets = Secrets { db_password: db_password.into(), ..fixture.secrets() };
        c4_config(&fixture.nodes(), &secrets, "@exasol-2025.1.8", ConfigKeys::V2025_1, ARCHIVE).unwrap()
    }

    #[test]
    fn a_configuration() {
        insta::assert_snapshot!(config("it's $HOME \"`x`\" \\ #{{}}%{ }${}"));
    }

    /// On a cloud with public addresses, or a hypervisor without; `overlay` as well.
    fn nodes(count: u32, public: bool, overlay: bool) -> Vec<Node> {
        let fixture = testing::Fixture::two_nodes();
        let spec = crate::model::Spec { cluster_size: count, ..fixture.spec.clone() };
        let ip = |first: [u8; 3], plan: &NodePlan| {
            std::net::Ipv4Addr::new(first[0], first[1], first[2], 11 + plan.index as u8).into()
        };
        let node = |plan: NodePlan| Node {
            private_ip: ip([10, 0, 1], &plan),
            public_ip: if public { ip([203, 0, 113], &plan) } else { ip([10, 0, 1], &plan) },
            overlay_ip: overlay.then(|| ip([172, 20, 0], &plan)),
            machine_id: None,
            disk_links: Vec::new(),
            plan,
        };
        NodePlan::all(&fixture.id, &spec).into_iter().map(node).collect()
    }

    #[test]
    fn configurations_of_every_series_size_and_place() {
        let fixture = testing::Fixture::two_nodes();
        use ConfigKeys::{V2025_1, V2025_2};
        for (series, keys) in [("2025.1.8", V2025_1), ("2025.2.0", V2025_2), ("2026.1.0", V2025_2)] {
            for (size, place, public, overlay) in [
                (1, "libvirt", false, false),
                (4, "libvirt", false, false),
                (1, "cloud", true, false),
                (4, "cloud", true, false),
                (4, "overlay", true, true),
            ] {
                let copy = format!("@exasol-{series}");
                let archive = format!("/home/exasol/exasol-release/exasol-{series}.tar.gz");
                let text = c4_config(&nodes(size, public, overlay), &fixture.secrets(), &copy, keys, &archive).unwrap();
                // What users dial is nothing for c4.
                assert!(!text.contains("203.0.113."), "{text}");
                assert_eq!(evaluated(&text, "CCC_HOST_ADDRS"), evaluated(&text, "CCC_HOST_EXTERNAL_ADDRS"));
                insta::assert_snapshot!(format!("c4_config-{series}-{place}-{size}"), text);
            }
        }
    }

    /// What a shell makes of a configuration's key.
    fn evaluated(config: &str, key: &str) -> String {
        testing::sh(&format!("{config}\nprintf %s \"${key}\""))
    }

    #[test]
    fn a_shell_reads_the_lists() {
        let config = config("x");
        assert_eq!(evaluated(&config, "CCC_HOST_ADDRS"), "192.168.122.11 192.168.122.12");
        assert_eq!(evaluated(&config, "CCC_HOST_DATADISK"), "/dev/exadata_01,/dev/exadata_02");
    }

    #[test]
    fn a_shell_reads_hostile_passwords_as_they_are() {
        for password in testing::HOSTILE {
            assert_eq!(evaluated(&config(password), "CCC_PLAY_DB_PASSWORD"), *password);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_shell_reads_any_password_as_it_is(password in "[^\\p{Cc}]{1,40}") {
            prop_assert_eq!(evaluated(&config(&password), "CCC_PLAY_DB_PASSWORD"), password);
        }
    }

    proptest! {
        #[test]
        fn a_password_is_one_word_on_one_line(password in "[^\\p{Cc}]{1,117}") {
            let text = config(&password);
            let line = text.lines().find_map(|l| l.strip_prefix("CCC_PLAY_DB_PASSWORD=")).unwrap();
            prop_assert_eq!(testing::single_quoted(line), Some(password));
            prop_assert_eq!(text.lines().count(), 15);
        }
    }

    #[test]
    fn an_ipv6_address_is_refused() {
        assert!(addresses(["fd00::1".parse().unwrap()].into_iter()).is_err());
    }
}
