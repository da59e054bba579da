//! c4's configuration. Keys and forms are those of Exasol's
//! documentation and launcher, and the Bash deployer.

use std::net::IpAddr;

use super::cluster_ssh::KEY_FILE;
use super::shell::quoted;
use super::{Secrets, USER, disks};
use crate::error::{Error, Result};
use crate::model::Node;

/// `archive`: its absolute path on n11. `working_copy`: `@exasol-…`.
pub fn c4_config(nodes: &[Node], secrets: &Secrets, working_copy: &str, archive: &str) -> Result<String> {
    let inside = addresses(nodes.iter().map(Node::cluster_ip))?;
    let outside = addresses(nodes.iter().map(|n| n.public_ip))?;
    // One list for all nodes; the links are the same everywhere.
    let data: Vec<_> = nodes.first().map(|n| n.plan.disks.iter().map(disks::device).collect()).unwrap_or_default();
    let db_password = quoted(secrets.db_password, "the database password")?;
    let adminui_password = quoted(secrets.adminui_password, "the Admin UI password")?;
    let host_password = quoted(secrets.host_password, "the host password")?;

    let lines = [
        ("CCC_HOST_ADDRS", format!("\"{inside}\"")),
        ("CCC_HOST_EXTERNAL_ADDRS", format!("\"{outside}\"")),
        ("CCC_HOST_DATADISK", data.join(",")),
        ("CCC_HOST_IMAGE_USER", USER.to_owned()),
        ("CCC_HOST_IMAGE_PASSWORD", host_password),
        ("CCC_HOST_KEY_PAIR_FILE", KEY_FILE.to_owned()),
        ("CCC_PLAY_WORKING_COPY", working_copy.to_owned()),
        // Seen in one script only: on the first real run prove that c4 fetched nothing.
        ("CCC_PLAY_FROM_FILE", archive.to_owned()),
        ("CCC_PLAY_RESERVE_NODES", "0".to_owned()),
        ("CCC_PLAY_DB_PASSWORD", db_password),
        // The Admin UI's password has two keys, depending on c4's version; both get it.
        ("CCC_PLAY_ADMIN_PASSWORD", adminui_password.clone()),
        ("CCC_ADMINUI_ADMIN_PASSWORD", adminui_password),
        ("CCC_ADMINUI_START_SERVER", "true".to_owned()),
        ("CCC_PLAY_TIMEOUT", "30m".to_owned()),
        ("CCC_PLAY_VERSION_UPDATE_CHECK", "false".to_owned()),
        ("CCC_AWS_PROFILE", "none".to_owned()),
    ];
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
    use crate::render::testing;

    fn config(db_password: &str) -> String {
        let fixture = testing::Fixture::two_nodes();
        let secrets = Secrets { db_password, ..fixture.secrets() };
        c4_config(&fixture.nodes(), &secrets, "@exasol-2025.1.8", "/home/exasol/exasol-release/a.tar.gz").unwrap()
    }

    #[test]
    fn a_configuration() {
        insta::assert_snapshot!(config("it's $HOME \"`x`\" \\ #{{}}%{ }${}"));
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
            prop_assert_eq!(text.lines().count(), 16);
        }
    }

    #[test]
    fn an_ipv6_address_is_refused() {
        assert!(addresses(["fd00::1".parse().unwrap()].into_iter()).is_err());
    }
}
