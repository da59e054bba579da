//! Names of the nodes, on the nodes.

use super::guest_file::GuestFile;
use crate::model::{DeploymentId, Node};

/// The block for /etc/hosts; prepare-node.sh puts it there between marks and leaves the rest alone.
/// A node's first name is its c4 name, the second one what avahi tells the network.
pub fn hosts(id: &DeploymentId, nodes: &[Node]) -> GuestFile {
    let line = |node: &Node| format!("{} {} {}\n", node.cluster_ip(), node.plan.name, local_name(id, node));
    GuestFile::root("/etc/exasol-deployer/hosts", nodes.iter().map(line).collect::<String>())
}

/// What avahi announces; see prepare-node.sh.
pub fn local_name(id: &DeploymentId, node: &Node) -> String {
    format!("{}.local", id.named(&node.plan.name))
}
