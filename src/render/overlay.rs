//! The overlay network: a VXLAN between the nodes, for clouds whose own network passes neither
//! broadcasts nor multicasts. Every node knows all others, so nothing has to be learned or flooded
//! by the network below.

use super::guest_file::GuestFile;
use crate::model::Node;

/// What overlay.sh reads; None where the node has no overlay address.
pub fn overlay_conf(me: &Node, nodes: &[Node]) -> Option<GuestFile> {
    let address = me.overlay_ip?;
    let peers: Vec<_> =
        nodes.iter().filter(|n| n.plan.name != me.plan.name).map(|n| n.private_ip.to_string()).collect();
    let text = format!("ADDRESS={address}/24\nLOCAL={}\nPEERS='{}'\n", me.private_ip, peers.join(" "));
    Some(GuestFile::root("/etc/exasol-deployer/overlay.conf", text))
}
