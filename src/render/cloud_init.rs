//! A node's user-data: `#cloud-config` and JSON, which is YAML. What is known before the machine
//! boots belongs here, because here it costs no connection.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::guest_file::GuestFile;
use super::{USER, address_line, disks, units, updates};
use crate::deployment::Secrets;
use crate::error::Result;
use crate::model::NodePlan;
use crate::providers::Provider;

/// The text for cloud-init. It has the host key and the password's hash in it, no password.
pub fn user_data(node: &NodePlan, provider: &Provider, secrets: &Secrets) -> Result<String> {
    let config = serde_json::to_string_pretty(&config(node, provider, secrets)?)
        .with_context(|| format!("user-data of {}", node.name))?;
    Ok(format!("#cloud-config\n{config}\n"))
}

fn config(node: &NodePlan, provider: &Provider, secrets: &Secrets) -> Result<Value> {
    let files = files(node, provider);
    Ok(json!({
        "hostname": node.name,
        "preserve_hostname": false,
        // Ansible writes the cluster's names; a line of cloud-init's would map ours to 127.0.1.1.
        "manage_etc_hosts": false,
        "locale": "C.UTF-8",
        "users": [{
            "name": USER,
            "gecos": "Exasol",
            "shell": "/bin/bash",
            "sudo": "ALL=(ALL) NOPASSWD: ALL",
            "lock_passwd": false,
            "passwd": secrets.host_password_hash,
            "ssh_authorized_keys": [secrets.public_ssh_key()?],
        }],
        "disable_root": true,
        "ssh_pwauth": false,
        // The host key is made by the deployer, so that the first connection is already verified. No RSA key beside
        // it: all who connect (OpenSSH, c4, which is Go) know ed25519, and each kind of key would have to be pinned.
        "ssh_deletekeys": true,
        "ssh_genkeytypes": [],
        "ssh_keys": {
            "ed25519_private": secrets.host_key(&node.name)?,
            "ed25519_public": secrets.public_host_key(&node.name)?,
        },
        "ssh": { "emit_keys_to_console": false },
        "no_ssh_fingerprints": true,
        "package_update": false,
        "package_upgrade": false,
        "write_files": files.iter().map(|f| f.cloud_init()).collect::<Vec<_>>(),
        // The disks were found before the rules were written.
        "runcmd": [
            ["udevadm", "control", "--reload"],
            ["udevadm", "trigger", "--subsystem-match=block", "--action=change"],
            // The host key and the login's key are written once, and must survive a power failure.
            ["sync"],
        ],
    }))
}

/// What the first boot writes.
pub(super) fn files(node: &NodePlan, provider: &Provider) -> Vec<GuestFile> {
    let mut files = vec![units::c4_ordering(node), address_line::script(&node.name)];
    files.extend(updates::files());
    // Elsewhere the disks' identities are known when they have been made; Ansible brings the rules then.
    if let Some(link) = provider.disk_link {
        files.push(disks::udev_rules(node, &node.disks.iter().map(link).collect::<Vec<_>>()));
    }
    files
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::testing;

    #[test]
    fn a_node_s_user_data() {
        let fixture = testing::Fixture::two_nodes();
        insta::assert_snapshot!(user_data(&fixture.plans[0], fixture.provider(), &fixture.secrets()).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn whatever_the_hash_is_it_arrives(hash in ".*") {
            let fixture = testing::Fixture::two_nodes();
            let secrets = Secrets { host_password_hash: hash.clone().into(), ..fixture.secrets() };
            let text = user_data(&fixture.plans[0], fixture.provider(), &secrets).unwrap();
            let json: Value = serde_json::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap();
            prop_assert_eq!(json["users"][0]["passwd"].as_str().unwrap(), hash);
        }
    }

    #[test]
    fn no_password_is_in_it() {
        let fixture = testing::Fixture::two_nodes();
        let secrets = fixture.secrets();
        let text = user_data(&fixture.plans[0], fixture.provider(), &secrets).unwrap();
        for password in [&secrets.db_password, &secrets.adminui_password, &secrets.host_password] {
            assert!(!text.contains(&**password));
        }
        assert!(!text.contains(secrets.cluster_key().lines().nth(2).unwrap()));
        assert!(!text.contains(secrets.ssh_key.lines().nth(2).unwrap()));
    }
}
