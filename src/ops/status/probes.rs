//! The probes of a deployment's nodes, all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::access::{Access, SQL_USER, SSH_PORT};
use super::super::host::HostConnection;
use super::super::hosts::Hosts;
use super::super::operation::millis;
use super::super::recorded;
use crate::deployment::{DeploymentDir, Secrets};
use crate::model::{Machine, Node, NodePlan, NodeStatus, Phase, Power, Probe, ProbeState};
use crate::signal::Interrupt;
use crate::sql;
use crate::tools::ssh_scan;

/// What is true of every node now. `refreshed`: what a cloud has just said, where it was asked.
pub(in crate::ops) async fn nodes(
    dir: &DeploymentDir,
    plans: &[NodePlan],
    refreshed: Option<Vec<Machine>>,
    deadline: Duration,
) -> Vec<NodeStatus> {
    let state = dir.state();
    let secrets = dir.secrets().ok();
    let (tell, off) = watch::channel(BTreeSet::new());
    let since = Instant::now();
    let access = &Access::to(dir).map_err(|error| error.to_string());
    let known = match refreshed {
        Some(machines) => Some(Machines::known(machines)),
        // What is asked beside it goes through the connection that this opens.
        None if access.as_ref().is_ok_and(|access| access.route().is_some()) => match state.spec.hosts() {
            1 => Some(machines(dir, plans, deadline).await),
            _ => {
                open_way_in(dir, deadline).await;
                None
            }
        },
        None => None,
    };
    let left = deadline.saturating_sub(since.elapsed());
    let probes =
        state.nodes.iter().map(|node| unless_off(&off, node, probe(dir, access, secrets.as_ref(), node, left)));
    let machines = async {
        let machines = match known {
            Some(machines) => machines,
            None => machines(dir, plans, left).await,
        };
        tell.send_replace(machines.off());
        machines
    };
    let (machines, probes) = tokio::join!(machines, join_all(probes));
    plans
        .iter()
        .map(|plan| {
            let known = state.nodes.iter().zip(&probes).find(|(n, _)| n.plan.name == plan.name);
            let unknown = || Probe::not_probed("no address is known");
            let (ssh, sql) = known.map_or_else(|| (unknown(), unknown()), |(_, p)| p.clone());
            let (vm, vm_reason) = machines.of(&plan.name);
            NodeStatus {
                name: plan.name.clone(),
                vm,
                vm_reason,
                private_ip: known.map(|(n, _)| n.private_ip.to_string()),
                public_ip: known.map(|(n, _)| n.public_ip.to_string()),
                address_now: known.and_then(|(n, _)| machines.moved(n)).map(|ip| ip.to_string()),
                ssh,
                sql,
            }
        })
        .collect()
}

/// What is known of the machines, and by node why nothing is.
#[derive(Default)]
struct Machines {
    known: Vec<Machine>,
    unknown: BTreeMap<String, String>,
}

impl Machines {
    fn known(machines: Vec<Machine>) -> Self {
        Self { known: machines, ..Self::default() }
    }

    fn unknown(nodes: &[NodePlan], why: &str) -> Self {
        let unknown = nodes.iter().map(|node| (node.name.clone(), why.to_owned())).collect();
        Self { unknown, ..Self::default() }
    }

    /// The nodes whose machines cannot answer. One that is missing may be elsewhere.
    fn off(&self) -> BTreeSet<String> {
        let silent = |m: &&Machine| matches!(m.power, Power::Off | Power::Crashed);
        self.known.iter().filter(silent).map(|m| m.node.clone()).collect()
    }

    fn of(&self, node: &str) -> (Power, Option<String>) {
        match self.known.iter().find(|m| m.node == node) {
            Some(machine) => (machine.power, machine.halted.clone().or_else(|| machine.unplugged.clone())),
            None => (Power::Unknown, self.unknown.get(node).cloned()),
        }
    }

    fn moved(&self, node: &Node) -> Option<IpAddr> {
        let running = self.known.iter().find(|m| m.node == node.plan.name && m.power == Power::Running)?;
        moved_to(&running.addresses, node.private_ip)
    }
}

/// The address that a running machine has instead of the recorded one. Leases outlive their use, so the
/// recorded one counts for as long as it is among them.
pub(in crate::ops) fn moved_to(addresses: &[IpAddr], recorded: IpAddr) -> Option<IpAddr> {
    addresses.first().copied().filter(|_| !addresses.contains(&recorded))
}

/// A probe, given up as soon as the hypervisor says that there is nobody to answer it.
async fn unless_off(
    off: &watch::Receiver<BTreeSet<String>>,
    node: &Node,
    probe: impl Future<Output = (Probe, Probe)>,
) -> (Probe, Probe) {
    let mut off = off.clone();
    let is_off = async {
        if off.wait_for(|off| off.contains(&node.plan.name)).await.is_err() {
            // Everybody has been told, and this one is on.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        answers = probe => answers,
        () = is_off => (Probe::not_probed("its machine is not on"), Probe::not_probed("its machine is not on")),
    }
}

/// Where nothing was made, or everything removed: there is nobody to ask about.
pub(super) fn none_made(phase: Phase, plans: &[NodePlan]) -> Option<Vec<Machine>> {
    let absent = |plan: &NodePlan| Machine::with_power(&plan.name, Power::Absent);
    matches!(phase, Phase::Initialized | Phase::Destroyed).then(|| plans.iter().map(absent).collect())
}

async fn machines(dir: &DeploymentDir, plans: &[NodePlan], deadline: Duration) -> Machines {
    let state = dir.state();
    if let Some(machines) = none_made(state.phase, plans) {
        return Machines::known(machines);
    }
    let provider = match recorded::provider(dir) {
        Ok(provider) => provider,
        Err(error) => return Machines::unknown(plans, &error.to_string()),
    };
    // Whoever waits for the probes minds signals.
    let Some(hosts) = Hosts::of(provider, &state.spec, &Interrupt::never()) else {
        return Machines::unknown(plans, "the cloud is asked only with --refresh");
    };
    let never_made = state.nodes.is_empty() && !state.installed;
    let asked = hosts.with_nodes(plans).into_iter().map(|(host, plans)| on_host(host, plans, deadline));
    let mut all = Machines::default();
    for part in join_all(asked).await {
        all.known.extend(part.known);
        all.unknown.extend(part.unknown);
    }
    for machine in all.known.iter_mut().filter(|m| never_made && m.power == Power::Missing) {
        machine.power = Power::Absent;
    }
    all
}

/// Of several hypervisors the first leads to the nodes; the others may be silent for as long as they like.
async fn open_way_in(dir: &DeploymentDir, deadline: Duration) {
    let state = dir.state();
    if let Ok(provider) = recorded::provider(dir)
        && let Some(hosts) = Hosts::of(provider, &state.spec, &Interrupt::never())
    {
        on_host(hosts.first(), Vec::new(), deadline).await;
    }
}

/// One that does not answer leaves the others their answers.
async fn on_host(host: &HostConnection, plans: Vec<NodePlan>, deadline: Duration) -> Machines {
    let asked = plans.clone();
    match timeout(deadline, host.call(move |host| host.machines(&asked))).await {
        Ok(Ok(machines)) => Machines::known(machines),
        Ok(Err(error)) => Machines::unknown(&plans, &host.named(error).to_string()),
        Err(_) => {
            let name = host.name().map(|name| format!(" {name}")).unwrap_or_default();
            let why = format!("the hypervisor{name} gave no answer within {} s", deadline.as_secs());
            Machines::unknown(&plans, &why)
        }
    }
}

/// Its SSH server and its SQL port. `access`: or why nobody knows the way.
async fn probe(
    dir: &DeploymentDir,
    access: &Result<Access, String>,
    secrets: Option<&Secrets>,
    node: &Node,
    deadline: Duration,
) -> (Probe, Probe) {
    if dir.state().phase == Phase::Destroyed {
        return (Probe::not_probed("destroyed"), Probe::not_probed("destroyed"));
    }
    match access {
        Ok(access) => {
            tokio::join!(
                probe_ssh(access, host_key(dir, secrets, node), node, deadline),
                probe_sql(dir, access, secrets, node, deadline)
            )
        }
        Err(why) => (Probe::not_probed(why.clone()), Probe::not_probed(why.clone())),
    }
}

/// The public half of the key that the node was made with, or that was given to `adopt`.
fn host_key(dir: &DeploymentDir, secrets: Option<&Secrets>, node: &Node) -> Option<String> {
    let name = &node.plan.name;
    let given = dir.state().adopted.as_ref().and_then(|adopted| adopted.host_keys.get(name).cloned());
    given.or_else(|| secrets.and_then(|secrets| secrets.public_host_key(name).ok()))
}

/// Whether the node's own SSH server answers on its address: another machine there shows another host key.
async fn probe_ssh(access: &Access, expected: Option<String>, node: &Node, deadline: Duration) -> Probe {
    let since = Instant::now();
    if access.route().is_some() {
        return Probe::not_probed("behind a jump host; exasol health checks it");
    }
    let seen = ssh_scan::host_key((node.public_ip, SSH_PORT).into(), deadline).await;
    match (seen, expected) {
        (Ok(seen), Some(expected)) if seen != expected => Probe {
            state: ProbeState::IdentityMismatch,
            reason: Some("it shows another SSH host key than the one made for this node".into()),
            ms: millis(since),
        },
        (Ok(_), _) => Probe::ok(millis(since)),
        (Err(silence), _) => Probe { state: silence.state(), reason: Some(silence.reason()), ms: millis(since) },
    }
}

async fn probe_sql(
    dir: &DeploymentDir,
    access: &Access,
    secrets: Option<&Secrets>,
    node: &Node,
    deadline: Duration,
) -> Probe {
    if dir.state().certificate_fingerprint.is_none() {
        return Probe::not_probed("no certificate is known yet");
    }
    let endpoint = match access.sql(dir.state(), node) {
        Ok(endpoint) => endpoint,
        Err(error) => return Probe::not_probed(error.to_string()),
    };
    match secrets {
        Some(secrets) => sql::lets_in(&endpoint, SQL_USER, &secrets.db_password, deadline).await,
        // Without the password a refusal proves as much: only a database that is up can refuse.
        None => sql::accepts_logins(&endpoint, deadline).await,
    }
}
