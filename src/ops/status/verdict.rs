//! What phase, lock and probes together mean: one word and its reason.

use crate::deployment::LockStatus;
use crate::model::{NodeStatus, Phase, Power};

pub(super) struct Verdict {
    pub status: String,
    pub reason: String,
}

impl Verdict {
    pub fn of(phase: Phase, lock: &LockStatus, nodes: &[NodeStatus]) -> Self {
        let verdict = |status: &str, reason: String| Self { status: status.to_owned(), reason };
        if let (true, LockStatus::Free) = (phase.is_in_progress(), lock) {
            let doing = phase.as_str().trim_end_matches("_in_progress");
            return verdict("interrupted", format!("{doing} was begun, and nobody is working on it any more"));
        }
        match phase {
            Phase::DatabaseReady => Self::of_ready(nodes),
            Phase::Stopped => Self::of_stopped(nodes),
            Phase::Initialized => verdict(phase.as_str(), "nothing has been created yet".into()),
            Phase::Destroyed => verdict(phase.as_str(), "everything has been removed".into()),
            _ if phase.is_in_progress() => verdict(phase.as_str(), "an operation is running".into()),
            _ => verdict(phase.as_str(), format!("recorded by the last operation; now: {}", seen(nodes))),
        }
    }

    /// Stopped on purpose; somebody else may have switched machines on since.
    fn of_stopped(nodes: &[NodeStatus]) -> Self {
        let on: Vec<_> = nodes.iter().filter(|n| n.vm == Power::Running || n.sql.is_ok()).collect();
        let (status, reason) = if on.is_empty() {
            (Phase::Stopped.as_str(), "stopped by the last operation".to_owned())
        } else if on.len() == nodes.len() && nodes.iter().all(|n| n.sql.is_ok()) {
            (Phase::DatabaseReady.as_str(), format!("stopped was recorded, but: {}", seen(nodes)))
        } else {
            let names: Vec<_> = on.iter().map(|n| n.name.as_str()).collect();
            ("degraded", format!("stopped was recorded, but {} runs", names.join(", ")))
        };
        Self { status: status.to_owned(), reason }
    }

    /// A cluster is ready while every node accepts a login, and for no other reason.
    fn of_ready(nodes: &[NodeStatus]) -> Self {
        if nodes.iter().all(|n| n.sql.is_ok()) {
            let reason = format!("SQL login on {} of {} nodes", nodes.len(), nodes.len());
            return Self { status: Phase::DatabaseReady.to_string(), reason };
        }
        let off: Vec<_> = nodes.iter().filter(|n| n.vm.is_at_rest() || n.vm == Power::Missing).collect();
        let (status, reason) = if off.is_empty() {
            let silent = nodes.iter().filter(|n| !n.sql.is_ok()).map(|n| format!("{}: {}", n.name, why_silent(n)));
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

/// A machine's own trouble says more than that nothing answers.
fn why_silent(node: &NodeStatus) -> &str {
    let of_machine = node.vm_reason.as_deref().filter(|_| node.vm == Power::Running);
    of_machine.or(node.sql.reason.as_deref()).unwrap_or(node.sql.state)
}

/// How many nodes are on and take logins, in words.
fn seen(nodes: &[NodeStatus]) -> String {
    let all = nodes.len();
    let count = |what: &dyn Fn(&NodeStatus) -> bool| nodes.iter().filter(|n| what(n)).count();
    let logins = format!("SQL login on {} of {all} nodes", count(&|n| n.sql.is_ok()));
    match count(&|n| n.vm == Power::Unknown) {
        0 => format!("{} of {all} machines run, {logins}", count(&|n| n.vm == Power::Running)),
        _ => logins,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::model::Probe;

    fn node(vm: Power, sql: &'static str) -> NodeStatus {
        testing::node(vm, Probe { state: sql, reason: None, ms: 1 })
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
    fn stopped_is_what_nobody_has_switched_on_again() {
        let of = |nodes: &[NodeStatus]| verdict(Phase::Stopped, &LockStatus::Free, nodes);
        assert_eq!(of(&[node(Power::Off, "unreachable")]), "stopped");
        assert_eq!(of(&[node(Power::Unknown, "timeout")]), "stopped");
        assert_eq!(of(&[node(Power::Running, "refused"), node(Power::Off, "timeout")]), "degraded");
        assert_eq!(of(&[node(Power::Running, "ok")]), "database_ready");
    }

    #[test]
    fn in_progress_without_a_holder_is_interrupted() {
        assert_eq!(verdict(Phase::DeployInProgress, &LockStatus::Free, &[]), "interrupted");
        assert_eq!(verdict(Phase::DeployInProgress, &LockStatus::Held(None), &[]), "deploy_in_progress");
        assert_eq!(verdict(Phase::DeploymentFailed, &LockStatus::Free, &[]), "deployment_failed");
    }
}
