//! The nodes as `deployment.json` records them: what is recorded of each, and what is said where none is.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value};

use super::operation::{Work, in_dir};
use super::{engine, status, workdir};
use crate::deployment::{DeploymentDir, LockStatus, State, transitions};
use crate::error::{Error, Result};
use crate::model::{Node, NodePlan, Operation, Phase};
use crate::providers::Provider;

/// n11 has .11, as in a network of its own.
const FIRST_OVERLAY_HOST: u32 = 11;

/// The recorded nodes, for commands that need some.
///
/// # Errors
/// [`Error::NotYet`] before there are any, and for a destroyed deployment, whose record keeps them.
pub(super) fn of(dir: &DeploymentDir) -> Result<&[Node]> {
    let state = dir.state();
    match state.phase == Phase::Destroyed || state.nodes.is_empty() {
        true => Err(none(dir)),
        false => Ok(&state.nodes),
    }
}

/// For commands that need nodes, before there are any and after.
pub(super) fn none(dir: &DeploymentDir) -> Error {
    let (root, phase) = (dir.named(), dir.state().phase);
    let running = phase.is_in_progress() && matches!(dir.lock_status(), Ok(LockStatus::Held(_)));
    let step = status::step_of(dir).filter(|_| running);
    let step = step.map(|step| format!(" (step {} of {})", step.number, step.of)).unwrap_or_default();
    let what = if running { "is not ready yet" } else { "has no nodes" };
    let message = format!("{} {what}: {}{step}", root.display(), phase.clause(running));
    let hint = match running {
        true => Some(format!("{}  or  {}", in_dir("exasol status", root), in_dir("exasol logs --follow", root))),
        false => next(dir),
    };
    Error::NotYet { message, hint }
}

/// The command that leads on to a database.
pub(super) fn next(dir: &DeploymentDir) -> Option<String> {
    let (root, phase) = (dir.named(), dir.state().phase);
    if dir.state().adopted.is_some() && phase != Phase::Destroyed {
        return Some(in_dir("exasol status", root));
    }
    match transitions::allowed(Operation::Deploy, phase) {
        Ok(()) => Some(in_dir("exasol deploy", root)),
        Err(_) => transitions::next_commands(phase, false).first().map(|next| next.at(root)),
    }
}

/// What Terraform's outputs tell of the machines, for providers without another way.
pub(super) struct Outputs {
    pub nodes: Vec<Node>,
    /// The image that the machines were made from.
    pub image_id: Option<Value>,
}

pub(super) async fn from_outputs(work: &Work, plans: &[NodePlan]) -> Result<Outputs> {
    let outputs = workdir::of(work, &engine::of_work(work).await?).await?.outputs().await?;
    let state = work.dir.state();
    let nodes = plans.iter().map(|plan| node_from(&outputs, plan, overlay_ip(state, plan))).collect::<Result<_>>()?;
    Ok(Outputs { nodes, image_id: outputs.get("image_id").cloned() })
}

fn node_from(outputs: &Map<String, Value>, plan: &NodePlan, overlay_ip: Option<IpAddr>) -> Result<Node> {
    let of_node = |name: &str| outputs.get(name).and_then(|v| v.get(&plan.name));
    let missing = |name: &str| Error::other(format!("Terraform's output {name} has nothing for {}", plan.name));
    let address = |name: &str| of_node(name).and_then(|v| v.as_str()?.parse().ok()).ok_or_else(|| missing(name));
    let links = of_node("data_disks").cloned().and_then(|v| serde_json::from_value::<Vec<String>>(v).ok());
    let links = links.filter(|links| links.len() == plan.disks.len()).ok_or_else(|| missing("data_disks"))?;
    // They become part of udev rules and of a file that a root shell reads.
    if let Some(odd) = links.iter().find(|link| !is_disk_link(link)) {
        return Err(Error::other(format!(
            "Terraform's output data_disks has {odd:?} for {}, which is no name of a disk below /dev",
            plan.name
        )));
    }
    Ok(Node {
        private_ip: address("private_ips")?,
        public_ip: address("public_ips")?,
        overlay_ip,
        machine_id: of_node("machine_ids").and_then(|v| v.as_str()).map(str::to_owned),
        disk_links: links,
        plan: plan.clone(),
    })
}

/// `disk/by-id/scsi-0HC_Volume_1`, or several with `|` between them; udev's patterns may be in it.
fn is_disk_link(link: &str) -> bool {
    !link.is_empty() && link.chars().all(|c| c.is_ascii_alphanumeric() || "/_.:*|-".contains(c))
}

/// A node of a hypervisor: everything but its address is known before.
pub(super) fn at(state: &State, provider: &Provider, plan: &NodePlan, address: IpAddr) -> Node {
    Node {
        private_ip: address,
        public_ip: address,
        overlay_ip: overlay_ip(state, plan),
        machine_id: None,
        disk_links: provider.disk_link.map(|link| plan.disks.iter().map(link).collect()).unwrap_or_default(),
        plan: plan.clone(),
    }
}

/// In a network that follows from the deployment's id: nothing outside the cluster ever sees it.
fn overlay_ip(state: &State, plan: &NodePlan) -> Option<IpAddr> {
    let [a, b] = state.id.network_bytes("overlay");
    let host = u8::try_from(FIRST_OVERLAY_HOST + plan.index).ok()?;
    state.spec.multicast_overlay.then(|| Ipv4Addr::new(172, 28 + a % 4, b, host).into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{DeploymentId, Spec};

    #[test]
    fn a_disk_s_name_cannot_be_something_else() {
        let plan: NodePlan = serde_json::from_value(json!({
            "name": "n11", "index": 0, "machine": "x-n11", "mac": "52:54:00:00:00:01", "disks": [],
        }))
        .unwrap();
        let plan =
            NodePlan { disks: vec![crate::model::DataDisk { number: 1, size_gb: 10, wwn: String::new() }], ..plan };
        let with = |link: &str| {
            let outputs = json!({
                "private_ips": {"n11": "192.0.2.7"}, "public_ips": {"n11": "192.0.2.8"}, "data_disks": {"n11": [link]},
            });
            node_from(outputs.as_object().unwrap(), &plan, None)
        };
        for usual in [
            "disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123",
            "disk/azure/data/by-lun/1|disk/azure/scsi1/lun1",
            "disk/by-id/virtio-0a1b2c3d-4e5f-6a7*",
            "oracleoci/oraclevdb",
        ] {
            assert_eq!(with(usual).unwrap().disk_links, [usual]);
        }
        for odd in ["", "x'; reboot; '", "x $(reboot)", "x\ny", "x\", RUN+=\"reboot"] {
            let error = with(odd).unwrap_err().to_string();
            assert!(error.contains("data_disks") && error.contains("no name of a disk"), "{error}");
        }
    }

    #[test]
    fn fuzz_terraform_outputs() {
        let seed = br#"{"private_ips": {"n11": "10.0.0.11"}, "public_ips": {"n11": "192.0.2.11"}, "machine_ids": {"n11": "i-1"},
            "data_disks": {"n11": ["disk/by-id/scsi-0HC_Volume_1"]}, "image_id": "ami-1"}"#;
        crate::fuzz::target("terraform-outputs", &[seed], |bytes| {
            let Ok(outputs) = serde_json::from_slice(bytes) else { return };
            let plans = NodePlan::all(&DeploymentId::from_random([1, 2, 3, 4]), &Spec::sample("hetzner"));
            for node in plans.iter().filter_map(|plan| node_from(&outputs, plan, None).ok()) {
                assert!(node.disk_links.iter().all(|link| is_disk_link(link)));
            }
        });
    }
}
