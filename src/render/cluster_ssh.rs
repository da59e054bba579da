//! How the nodes log in to each other: c4 on n11 does so with the user's key on every node, itself
//! included.

use super::guest_file::GuestFile;
use super::{USER, hosts};
use crate::deployment::Secrets;
use crate::error::Result;
use crate::model::{DeploymentId, Node};

/// Port of the SSH server in COS, the cluster operating system's container.
pub const COS_PORT: u16 = 20002;

/// c4 looks for it in ~/.ssh.
pub const KEY_FILE: &str = "id_rsa";

/// Files of `me` for SSH within the cluster.
pub fn files(
    id: &DeploymentId,
    me: &Node,
    nodes: &[Node],
    secrets: &Secrets,
    rehearsal: bool,
) -> Result<Vec<GuestFile>> {
    let cluster_key = secrets.public_cluster_key()?;
    let authorized = [secrets.public_ssh_key()?, cluster_key.clone()];
    let home = format!("/home/{USER}");
    Ok(vec![
        GuestFile::user(format!("{home}/.ssh/{KEY_FILE}"), secrets.cluster_key()),
        GuestFile::user(format!("{home}/.ssh/{KEY_FILE}.pub"), format!("{cluster_key} {USER}\n")).mode(0o644),
        GuestFile::user(format!("{home}/.ssh/config"), config()),
        // Lines that must be in authorized_keys and known_hosts; both may have others.
        GuestFile::root("/etc/exasol-deployer/authorized_keys", authorized.map(|key| format!("{key}\n")).concat()),
        GuestFile::root("/etc/exasol-deployer/known_hosts", known_hosts(id, me, nodes, secrets, rehearsal)?),
    ])
}

/// `ssh cos` on a node is its own COS. What its host key is can't be known before it runs, and the
/// connection does not leave the machine.
fn config() -> String {
    format!(
        "Host cos\n  HostName localhost\n  Port {COS_PORT}\n  User root\n  IdentityFile ~/.ssh/{KEY_FILE}\n  \
         HostKeyAlias cos\n  StrictHostKeyChecking accept-new\n"
    )
}

/// All names and addresses under which a node is dialled from `me`. The rehearsal's COS shows the
/// node's own host key; what the real one shows is not known, and a wrong line is worse than none.
fn known_hosts(id: &DeploymentId, me: &Node, nodes: &[Node], secrets: &Secrets, rehearsal: bool) -> Result<String> {
    let mut text = String::new();
    for node in nodes {
        let mut names = vec![node.plan.name.clone(), hosts::local_name(id, node), node.private_ip.to_string()];
        names.extend(node.overlay_ip.map(|address| address.to_string()));
        if node.public_ip != node.private_ip {
            names.push(node.public_ip.to_string());
        }
        if node.plan.name == me.plan.name {
            names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        }
        if rehearsal {
            let cos: Vec<_> = names.iter().map(|name| format!("[{name}]:{COS_PORT}")).collect();
            names.extend(cos);
        }
        text += &format!("{} {}\n", names.join(","), secrets.public_host_key(&node.plan.name)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing;

    #[test]
    fn every_name_of_every_node_is_known() {
        let fixture = testing::Fixture::two_nodes();
        let nodes = fixture.nodes();
        insta::assert_snapshot!(known_hosts(&fixture.id, &nodes[1], &nodes, &fixture.secrets(), true).unwrap());
    }

    #[test]
    fn a_real_cos_is_not_given_a_key_that_it_may_not_have() {
        let fixture = testing::Fixture::two_nodes();
        let nodes = fixture.nodes();
        assert!(!known_hosts(&fixture.id, &nodes[0], &nodes, &fixture.secrets(), false).unwrap().contains("20002"));
    }
}
