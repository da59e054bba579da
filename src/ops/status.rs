//! `status`: the recorded phase and what live probes prove, within one deadline. Writes nothing,
//! takes no lock, starts no program.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::blocking::blocking;
use super::connections::{self, SQL_USER};
use super::operation::millis;
use crate::catalog;
use crate::deployment::{DeploymentDir, LockStatus, transitions};
use crate::error::{Error, Result};
use crate::model::{Machine, Node, NodePlan, NodeStatus, Phase, Power, Probe, StatusReport};
use crate::providers;
use crate::sql::Session;

/// Every probe ends by then, whatever it waits for.
const DEADLINE: Duration = Duration::from_secs(5);

pub async fn run(root: &Path) -> Result<StatusReport> {
    let since = Instant::now();
    let dir = DeploymentDir::open(root)?;
    let lock = dir.lock_status()?;
    let nodes = probe_nodes(&dir).await;
    let state = dir.state();
    let verdict = Verdict::of(state.phase, &lock, &nodes);
    let running = matches!(lock, LockStatus::Held(_));
    let next = transitions::next_commands(state.phase, running).iter().map(|next| next.at(root)).collect();
    Ok(StatusReport {
        status: verdict.status,
        phase: state.phase,
        reason: verdict.reason,
        deployment: state.id.to_string(),
        provider: state.spec.provider.clone(),
        db_version: state.spec.db_version.clone(),
        rehearsal: catalog::find_version(&state.spec.db_version).is_ok_and(|v| v.rehearsal),
        cluster_size: state.spec.cluster_size,
        nodes,
        operation: match lock {
            LockStatus::Held(holder) => holder,
            LockStatus::Free => None,
        },
        last_error: state.last_error.clone(),
        next,
        checked_in_ms: millis(since),
    })
}

/// What phase, lock and probes together mean.
struct Verdict {
    status: String,
    reason: String,
}

impl Verdict {
    fn of(phase: Phase, lock: &LockStatus, nodes: &[NodeStatus]) -> Self {
        let verdict = |status: &str, reason: String| Self { status: status.to_owned(), reason };
        if let (true, LockStatus::Free) = (phase.is_in_progress(), lock) {
            let doing = phase.as_str().trim_end_matches("_in_progress");
            return verdict("interrupted", format!("{doing} was begun, and nobody is working on it any more"));
        }
        match phase {
            Phase::DatabaseReady => Self::of_ready(nodes),
            Phase::Initialized => verdict(phase.as_str(), "nothing has been created yet".into()),
            Phase::Destroyed => verdict(phase.as_str(), "everything has been removed".into()),
            _ if phase.is_in_progress() => verdict(phase.as_str(), "an operation is running".into()),
            _ => verdict(phase.as_str(), "recorded by the last operation".into()),
        }
    }

    /// A cluster is ready while every node accepts a login, and for no other reason.
    fn of_ready(nodes: &[NodeStatus]) -> Self {
        if nodes.iter().all(|n| n.sql.is_ok()) {
            let reason = format!("SQL login on {} of {} nodes", nodes.len(), nodes.len());
            return Self { status: Phase::DatabaseReady.to_string(), reason };
        }
        let off: Vec<_> = nodes
            .iter()
            .filter(|n| matches!(n.vm, Power::Off | Power::Crashed | Power::Missing | Power::Paused))
            .collect();
        let (status, reason) = if off.is_empty() {
            let silent = nodes
                .iter()
                .filter(|n| !n.sql.is_ok())
                .map(|n| format!("{}: {}", n.name, n.sql.reason.as_deref().unwrap_or(n.sql.state)));
            let unreachable = nodes.iter().all(|n| matches!(n.sql.state, "unreachable" | "timeout"));
            let status = if unreachable { "unreachable" } else { "degraded" };
            (status, silent.collect::<Vec<_>>().join("; "))
        } else {
            let each = off.iter().map(|n| format!("{} is {}", n.name, n.vm.as_str()));
            let all_off = off.len() == nodes.len() && off.iter().all(|n| n.vm == Power::Off);
            (if all_off { "stopped" } else { "degraded" }, each.collect::<Vec<_>>().join("; "))
        };
        Self { status: status.to_owned(), reason }
    }
}

async fn probe_nodes(dir: &DeploymentDir) -> Vec<NodeStatus> {
    let state = dir.state();
    let plans = NodePlan::all(&state.id, &state.spec);
    let (machines, probes) = tokio::join!(machines(dir, &plans), join_all(state.nodes.iter().map(|n| probe(dir, n))));
    let password_missing = || Probe::not_probed("no address is known");
    plans
        .iter()
        .map(|plan| {
            let vm = machines.iter().find(|m| m.node == plan.name).map_or(Power::Unknown, |m| m.power);
            let known = state.nodes.iter().zip(&probes).find(|(n, _)| n.plan.name == plan.name);
            let (ssh, sql) = known.map_or_else(|| (password_missing(), password_missing()), |(_, p)| p.clone());
            NodeStatus {
                name: plan.name.clone(),
                vm,
                private_ip: known.map(|(n, _)| n.private_ip.to_string()),
                public_ip: known.map(|(n, _)| n.public_ip.to_string()),
                ssh,
                sql,
            }
        })
        .collect()
}

/// The hypervisor's word; nothing where there is none or it does not answer in time.
async fn machines(dir: &DeploymentDir, plans: &[NodePlan]) -> Vec<Machine> {
    let state = dir.state();
    // Nothing was made, or everything removed: there is nobody to ask about.
    if matches!(state.phase, Phase::Initialized | Phase::Destroyed) {
        return plans
            .iter()
            .map(|p| Machine { node: p.name.clone(), power: Power::Missing, addresses: Vec::new() })
            .collect();
    }
    let Ok(Some(hypervisor)) = providers::find(&state.spec.provider).map(|p| p.hypervisor.as_ref()) else {
        return Vec::new();
    };
    let (spec, plans) = (state.spec.clone(), plans.to_vec());
    match timeout(DEADLINE, blocking(move || (hypervisor.machines)(&spec, &plans))).await {
        Ok(Ok(machines)) => machines,
        _ => Vec::new(),
    }
}

async fn probe(dir: &DeploymentDir, node: &Node) -> (Probe, Probe) {
    if dir.state().phase == Phase::Destroyed {
        return (Probe::not_probed("destroyed"), Probe::not_probed("destroyed"));
    }
    tokio::join!(probe_ssh(node), probe_sql(dir, node))
}

async fn probe_ssh(node: &Node) -> Probe {
    let since = Instant::now();
    match timeout(DEADLINE, ssh_banner((node.public_ip, connections::SSH_PORT).into())).await {
        Ok(Ok(())) => Probe::ok(millis(since)),
        Ok(Err(e)) => failed(&e, since),
        Err(_) => Probe { state: "timeout", reason: Some(no_answer()), ms: millis(since) },
    }
}

/// Whether an SSH server speaks on that address: it greets first (RFC 4253, 4.2).
async fn ssh_banner(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address).await.map_err(Error::io(format!("{address}")))?;
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).await.map_err(Error::io(format!("{address}")))?;
    if &greeting == b"SSH-" { Ok(()) } else { Err(Error::other(format!("{address} does not speak SSH"))) }
}

async fn probe_sql(dir: &DeploymentDir, node: &Node) -> Probe {
    let since = Instant::now();
    if dir.state().certificate_fingerprint.is_none() {
        return Probe::not_probed("no certificate is known yet");
    }
    let Ok(secrets) = dir.secrets() else { return Probe::not_probed("the password cannot be read") };
    let endpoint = connections::sql_endpoint(dir, node);
    let login = Session::connect(&endpoint, SQL_USER, &secrets.db_password, DEADLINE);
    match timeout(DEADLINE, login).await {
        Ok(Ok(_session)) => Probe::ok(millis(since)),
        Ok(Err(e)) => failed(&e, since),
        Err(_) => Probe { state: "timeout", reason: Some(no_answer()), ms: millis(since) },
    }
}

fn no_answer() -> String {
    format!("no answer within {} s", DEADLINE.as_secs())
}

fn failed(error: &Error, since: Instant) -> Probe {
    let state = match error {
        Error::Fingerprint { .. } => "identity_mismatch",
        Error::Timeout { .. } => "timeout",
        Error::SqlConnection { code: Some(_), .. } => "refused",
        Error::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::ConnectionRefused => "refused",
            std::io::ErrorKind::TimedOut => "timeout",
            _ => "unreachable",
        },
        _ => "failed",
    };
    Probe { state, reason: Some(error.to_string()), ms: millis(since) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(vm: Power, sql: &'static str) -> NodeStatus {
        let probe = Probe { state: sql, reason: None, ms: 1 };
        NodeStatus { name: "n11".into(), vm, private_ip: None, public_ip: None, ssh: probe.clone(), sql: probe }
    }

    fn verdict(phase: Phase, lock: &LockStatus, nodes: &[NodeStatus]) -> String {
        Verdict::of(phase, lock, nodes).status
    }

    #[test]
    fn ready_is_only_what_accepts_logins() {
        let free = LockStatus::Free;
        let ready = Phase::DatabaseReady;
        assert_eq!(verdict(ready, &free, &[node(Power::Running, "ok")]), "database_ready");
        assert_eq!(verdict(ready, &free, &[node(Power::Off, "unreachable")]), "stopped");
        assert_eq!(verdict(ready, &free, &[node(Power::Unknown, "timeout")]), "unreachable");
        assert_eq!(verdict(ready, &free, &[node(Power::Running, "refused")]), "degraded");
        let half = [node(Power::Running, "ok"), node(Power::Off, "timeout")];
        assert_eq!(verdict(ready, &free, &half), "degraded");
    }

    #[test]
    fn in_progress_without_a_holder_is_interrupted() {
        assert_eq!(verdict(Phase::DeployInProgress, &LockStatus::Free, &[]), "interrupted");
        assert_eq!(verdict(Phase::DeployInProgress, &LockStatus::Held(None), &[]), "deploy_in_progress");
        assert_eq!(verdict(Phase::DeploymentFailed, &LockStatus::Free, &[]), "deployment_failed");
    }
}
