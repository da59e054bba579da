use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{DeploymentId, Spec};

/// The first node is n11: c4 numbers nodes from 11, and our names follow it.
const FIRST_NODE: u32 = 11;

/// A node as it will be made: everything that is known before it boots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// n11, n12, …: also the guest's hostname.
    pub name: String,
    /// Position in the cluster, from 0.
    pub index: u32,
    /// The position of its hypervisor among those of the deployment, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub host: u32,
    /// The machine's name outside: `<deployment>-n11`.
    pub machine: String,
    pub mac: String,
    pub disks: Vec<DataDisk>,
}

/// What earlier versions have recorded names no hypervisor: there was one.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde calls it so
fn is_first(host: &u32) -> bool {
    *host == 0
}

/// A data disk, numbered from 1, with the identity under which the guest knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataDisk {
    pub number: u32,
    pub size_gb: u32,
    /// 16 hex digits without prefix; `/dev/disk/by-id/wwn-0x…` in the guest (libvirt).
    pub wwn: String,
}

/// A node that has been made and has addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    #[serde(flatten)]
    pub plan: NodePlan,
    /// The address that the nodes use among themselves.
    pub private_ip: IpAddr,
    /// The address that this workstation and users dial; the private one where there is no other.
    pub public_ip: IpAddr,
    /// In the overlay network, where the deployment has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay_ip: Option<IpAddr>,
    /// What the provider's API calls the machine, where that is needed to switch it on and off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// By data disk, in their order: its name below `/dev` that comes from the disk's identity
    /// (`disk/by-id/wwn-0x5000…`). As udev matches names: globs, and alternatives divided by `|`.
    #[serde(default)]
    pub disk_links: Vec<String>,
}

impl Node {
    /// The address under which the other nodes know it: Exasol's own traffic goes there.
    pub fn cluster_ip(&self) -> IpAddr {
        self.overlay_ip.unwrap_or(self.private_ip)
    }
}

/// What the names of Terraform's resources on a hypervisor end in, by its position from 0: nothing on the first, `_2` on
/// the second. So the resources of a deployment with one hypervisor have the names that they always had.
pub fn host_suffix(host: u32) -> String {
    if host == 0 { String::new() } else { format!("_{}", host + 1) }
}

impl NodePlan {
    /// The position in the cluster of a node with that name; None for a name that no node has.
    pub fn index_of(name: &str) -> Option<u32> {
        let digits = name.strip_prefix('n').filter(|digits| digits.len() == 2 && !digits.starts_with('+'))?;
        digits.parse::<u32>().ok()?.checked_sub(FIRST_NODE)
    }

    /// The nodes of a deployment, in order, derived from its id and spec alone.
    pub fn all(id: &DeploymentId, spec: &Spec) -> Vec<NodePlan> {
        (0..spec.cluster_size)
            .map(|index| {
                let name = format!("n{}", FIRST_NODE + index);
                NodePlan {
                    machine: id.named(&name),
                    mac: id.mac(&name),
                    disks: (1..=spec.data_volumes_per_node)
                        .map(|number| DataDisk { number, size_gb: spec.data_volume_size, wwn: id.wwn(&name, number) })
                        .collect(),
                    name,
                    index,
                    host: index % spec.hosts(),
                }
            })
            .collect()
    }
}
