//! Names of the nodes, on the nodes.

use super::guest_file::GuestFile;
use crate::model::{DeploymentId, Node};

/// The block for /etc/hosts; prepare-node.sh puts it there between marks and leaves the rest alone.
/// A node's first name is its c4 name, the second one what avahi tells the network.
pub fn hosts(id: &DeploymentId, nodes: &[Node]) -> GuestFile {
    let line = |node: &Node| format!("{} {} {}.local\n", node.private_ip, node.plan.name, id.named(&node.plan.name));
    GuestFile::root("/etc/exasol-deployer/hosts", nodes.iter().map(line).collect::<String>())
}
