//! Machines that are on, until each has an address and a shell.

mod console;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::operation::{Work, pause};
use super::{connections, power};
use crate::error::{Error, Result};
use crate::events::StepInfo;
use crate::model::{Machine, Node, NodePlan, Power};
use crate::providers::Hypervisor;
use crate::tools::ssh_ready::{Progress, wait_ready};

pub(super) const BOOT: StepInfo = StepInfo { id: "boot", title: "wait for the nodes to boot" };

/// A guest under emulation needs a minute to its address; a machine that has none after this has none.
const ADDRESS_LIMIT: Duration = Duration::from_secs(600);
/// A machine that boots has begun to tell so on its console by then; one that runs already tells nothing more.
const CONSOLE_LIMIT: Duration = Duration::from_secs(120);
/// Asking libvirt costs a few milliseconds a node.
const ADDRESS_POLL: Duration = Duration::from_millis(500);
/// cloud-init under emulation takes a minute; a first boot with package set-up on a slow host several.
const LOGIN_LIMIT: Duration = Duration::from_secs(900);

/// Follows the consoles, waits for addresses and then for shells; leaves the nodes in the state.
pub(super) async fn wait(work: &mut Work, cluster: &Cluster) -> Result<Vec<Node>> {
    work.begin(BOOT.id);
    let consoles = console::follow(work, cluster);
    loop {
        let nodes = match cluster.provider.hypervisor.as_ref() {
            Some(hypervisor) => from_hypervisor(work, cluster, hypervisor, &consoles).await?,
            None => from_outputs(work, cluster).await?,
        };
        work.dir.update(|state| state.nodes = nodes.clone())?;
        connections::write_ssh_files(&mut work.dir, cluster.ssh_edits)?;
        let ready = tokio::select! {
            result = shells(work) => result.map(Some),
            // A network remembers the address of a machine's former life until it has given it another.
            result = moved(work, cluster, &consoles, &nodes) => result.map(|()| None),
        };
        if let Some(seen_from) = ready.map_err(|e| consoles.explain(e))? {
            if !seen_from.is_empty() {
                work.dir.update(|state| state.seen_from = seen_from)?;
            }
            let names: Vec<_> = nodes.iter().map(|n| n.plan.name.as_str()).collect();
            work.done(format!("{} can be reached", names.join(", ")));
            return Ok(nodes);
        }
    }
}

async fn shells(work: &Work) -> Result<BTreeSet<IpAddr>> {
    let ssh = connections::ssh(&work.dir)?;
    let targets = connections::targets(&work.dir)?;
    let tell = |node: &str, progress: &Progress| work.detail(format!("{node}: {}", progress.text()));
    wait_ready(&ssh, &targets, LOGIN_LIMIT, &work.interrupt, &tell).await
}

/// Until a node has another address than it was found at.
async fn moved(work: &Work, cluster: &Cluster, consoles: &console::Consoles, nodes: &[Node]) -> Result<()> {
    let Some(hypervisor) = cluster.provider.hypervisor.as_ref() else { return std::future::pending().await };
    loop {
        tokio::time::sleep(ADDRESS_POLL).await;
        for machine in power::of_hypervisor(work, cluster, hypervisor).await? {
            refuse_dead(&machine, consoles)?;
            let before = nodes.iter().find(|n| n.plan.name == machine.node).map(|n| n.private_ip);
            if address_of(&machine, consoles).is_some_and(|now| before != Some(now)) {
                return Ok(());
            }
        }
    }
}

fn address_of(machine: &Machine, consoles: &console::Consoles) -> Option<IpAddr> {
    machine.addresses.first().copied().or_else(|| consoles.address(&machine.node))
}

async fn from_hypervisor(
    work: &Work,
    cluster: &Cluster,
    hypervisor: &'static Hypervisor,
    consoles: &console::Consoles,
) -> Result<Vec<Node>> {
    let since = Instant::now();
    let mut known: BTreeMap<String, IpAddr> = BTreeMap::new();
    loop {
        let machines = power::of_hypervisor(work, cluster, hypervisor).await?;
        for machine in &machines {
            refuse_dead(machine, consoles)?;
            if known.contains_key(&machine.node) {
                continue;
            }
            if let Some(address) = address_of(machine, consoles) {
                work.detail(format!("{} has the address {address}", machine.node));
                known.insert(machine.node.clone(), address);
            } else if !consoles.speaks(&machine.node)
                && let Some(address) = recorded(&work.dir.state().nodes, &machine.node, since.elapsed())
            {
                work.detail(format!("nobody tells the address of {}: trying the recorded {address}", machine.node));
                known.insert(machine.node.clone(), address);
            }
        }
        if known.len() == cluster.nodes.len() {
            break;
        }
        if since.elapsed() > ADDRESS_LIMIT {
            let missing: Vec<_> = cluster.nodes.iter().map(|n| &n.name).filter(|n| !known.contains_key(*n)).collect();
            let missing = missing.into_iter().cloned().collect::<Vec<_>>().join(", ");
            return Err(consoles.explain(Error::Timeout {
                what: format!("waiting for the address of {missing}"),
                limit_s: ADDRESS_LIMIT.as_secs(),
                last_seen: Some("running, without a DHCP lease".into()),
                hint: Some("see whether the network's DHCP works: virsh net-dhcp-leases".into()),
            }));
        }
        pause(&work.interrupt, ADDRESS_POLL).await?;
    }
    let state = work.dir.state();
    let node = |n: &NodePlan| known.get(&n.name).map(|ip| connections::node_at(state, cluster.provider, n, *ip));
    Ok(cluster.nodes.iter().filter_map(node).collect())
}

/// The image is recorded: a newer one never changes a machine that exists, nor what a later node is made from.
async fn from_outputs(work: &mut Work, cluster: &Cluster) -> Result<Vec<Node>> {
    let connections::Outputs { nodes, image_id } = connections::from_outputs(work, &cluster.nodes).await?;
    work.dir.update(|state| state.facts.extend(image_id.map(|id| ("image_id".to_owned(), id))))?;
    Ok(nodes)
}

/// Where addresses come from outside, a machine prints its own once a boot: of one that ran before, only the
/// record knows it. SSH proves that it is the same machine, and another address that shows up later counts more.
fn recorded(nodes: &[Node], node: &str, waited: Duration) -> Option<IpAddr> {
    let node = nodes.iter().find(|known| known.plan.name == node)?;
    (waited >= CONSOLE_LIMIT).then_some(node.private_ip)
}

fn refuse_dead(machine: &Machine, consoles: &console::Consoles) -> Result<()> {
    match machine.power {
        Power::Running | Power::Unknown => Ok(()),
        other => Err(consoles.explain(Error::other(format!(
            "the machine of {} is {} while it should boot",
            machine.node,
            other.as_str()
        )))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_ran_before_is_looked_for_where_it_was() {
        let node: Node = serde_json::from_value(serde_json::json!({
            "name": "n11", "index": 0, "machine": "x-n11", "mac": "52:54:00:00:00:01", "disks": [],
            "private_ip": "192.0.2.7", "public_ip": "192.0.2.7",
        }))
        .unwrap();
        let nodes = [node];
        assert_eq!(recorded(&nodes, "n11", Duration::ZERO), None, "one that boots tells its own");
        assert_eq!(recorded(&nodes, "n11", CONSOLE_LIMIT), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(recorded(&nodes, "n12", ADDRESS_LIMIT), None);
    }
}
