//! What phase, lock and probes together mean: one word and its reason.

use crate::deployment::LockStatus;
use crate::model::{NodeStatus, Phase, Power, ProbeState, Status, count};

pub(super) struct Verdict {
    pub status: Status,
    pub reason: String,
}

impl Verdict {
    pub fn of(phase: Phase, lock: &LockStatus, nodes: &[NodeStatus]) -> Self {
        let verdict = |reason: String| Self { status: phase.into(), reason };
        if let (true, LockStatus::Free) = (phase.is_in_progress(), lock) {
            let doing = phase.as_str().trim_end_matches("_in_progress");
            let reason = format!("{doing} was begun, but nothing is working on it any more; now: {}", seen(nodes));
            return Self { status: Status::Interrupted, reason };
        }
        match phase {
            Phase::DatabaseReady => Self::of_ready(nodes),
            Phase::Stopped => Self::of_stopped(nodes),
            Phase::Initialized => verdict("nothing has been created yet".into()),
            Phase::Destroyed => verdict("everything has been removed".into()),
            _ if phase.is_in_progress() => verdict("an operation is running".into()),
            _ => verdict(seen(nodes)),
        }
    }

    /// Of one that was adopted: nobody knows a certificate by which its database could be asked.
    pub fn of_adopted(phase: Phase, nodes: &[NodeStatus]) -> Self {
        let reason =
            format!("{}; its directory was adopted, so its passwords are not known", machines(nodes).join("; "));
        let status = if phase == Phase::Stopped { phase.into() } else { Status::Unknown };
        Self { status, reason }
    }

    /// Stopped on purpose; somebody else may have switched machines on since, or removed some.
    fn of_stopped(nodes: &[NodeStatus]) -> Self {
        let runs = |n: &NodeStatus| n.vm == Power::Running || (n.sql.is_ok() && !n.vm.is_at_rest());
        let on = names(nodes, runs);
        let lost: Vec<_> = nodes.iter().filter(|n| is_lost(n)).collect();
        let lost = together(&lost, nodes.len(), |_| "missing".to_owned());
        let unseen = names(nodes, |n| n.vm == Power::Unknown);
        let (status, reason) = if all_ready(nodes) {
            (Phase::DatabaseReady.into(), format!("stopped was recorded, but: {}", seen(nodes)))
        } else if on.is_empty() && lost.is_empty() {
            let reason = match unseen.is_empty() {
                true => "stopped by the last operation".to_owned(),
                false => format!("recorded by the last operation; the machine of {unseen} could not be asked"),
            };
            (Phase::Stopped.into(), reason)
        } else {
            let way = "exasol start finds the same, and after that exasol deploy creates it again";
            let mut found: Vec<_> = (!on.is_empty()).then(|| format!("{on} runs")).into_iter().collect();
            found.extend((!lost.is_empty()).then(|| format!("{} ({way})", lost.join("; "))));
            (Status::Degraded, format!("stopped was recorded, but {}", found.join("; ")))
        };
        Self { status, reason }
    }

    /// A cluster is ready while every node accepts a login and no machine is seen at rest. Which of the two
    /// answers came first must not matter.
    fn of_ready(nodes: &[NodeStatus]) -> Self {
        if all_ready(nodes) {
            let reason = format!("{}{}", sql_answers(nodes), elsewhere(nodes));
            return Self { status: Phase::DatabaseReady.into(), reason };
        }
        let off: Vec<_> = nodes.iter().filter(|n| n.vm.is_at_rest() || is_lost(n)).collect();
        let (status, reason) = if off.is_empty() {
            let silent = nodes.iter().filter(|n| !n.sql.is_ok()).map(|n| format!("{}: {}", n.name, why_silent(n)));
            let unreachable =
                nodes.iter().all(|n| matches!(n.sql.state, ProbeState::Unreachable | ProbeState::Timeout));
            let status = if unreachable { Status::Unreachable } else { Status::Degraded };
            (status, silent.collect::<Vec<_>>().join("; "))
        } else {
            let why = |n: &NodeStatus| n.vm_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let each = together(&off, nodes.len(), |n| format!("{}{}", n.vm.as_str(), why(n)));
            let all_off = off.len() == nodes.len() && off.iter().all(|n| n.vm == Power::Off);
            (if all_off { Phase::Stopped.into() } else { Status::Degraded }, each.join("; "))
        };
        Self { status, reason }
    }
}

pub(super) fn all_ready(nodes: &[NodeStatus]) -> bool {
    nodes.iter().all(|node| node.sql.is_ok() && !node.vm.is_at_rest())
}

/// Missing where it should be, and not answering from elsewhere either.
pub(super) fn is_lost(node: &NodeStatus) -> bool {
    node.vm == Power::Missing && !node.sql.is_ok()
}

/// One clause for each state: `n11 is off`, `3 of 4 machines are missing`.
fn together(some: &[&NodeStatus], all: usize, state: impl Fn(&NodeStatus) -> String) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for node in some {
        let state = state(node);
        match groups.iter_mut().find(|(known, _)| *known == state) {
            Some((_, names)) => names.push(&node.name),
            None => groups.push((state, vec![&node.name])),
        }
    }
    let clause = |(state, names): (String, Vec<&str>)| match names.as_slice() {
        [one] => format!("{one} is {state}"),
        [one, other] if all > 2 => format!("{one} and {other} are {state}"),
        several => format!("{} of {all} machines are {state}", several.len()),
    };
    groups.into_iter().map(clause).collect()
}

fn names(nodes: &[NodeStatus], which: impl Fn(&NodeStatus) -> bool) -> String {
    nodes.iter().filter(|node| which(node)).map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A machine's own trouble says more than that nothing answers.
fn why_silent(node: &NodeStatus) -> &str {
    let of_machine = node.vm_reason.as_deref().filter(|_| node.vm == Power::Running);
    of_machine.or(node.sql.reason.as_deref()).unwrap_or(node.sql.state.as_str())
}

fn sql_answers(nodes: &[NodeStatus]) -> String {
    let (ok, all) = (nodes.iter().filter(|node| node.sql.is_ok()).count(), nodes.len());
    format!("SQL answers on {ok} of {}", count(all, "node"))
}

/// Which machines are not as they should be, and how many nodes take logins, in words.
fn seen(nodes: &[NodeStatus]) -> String {
    if nodes.iter().all(|node| node.vm == Power::Absent) {
        return "no machine exists".to_owned();
    }
    let mut seen = machines(nodes);
    seen.push(sql_answers(nodes));
    seen.join("; ") + &elsewhere(nodes)
}

/// Which machines are not as they should be, or that all of them run.
fn machines(nodes: &[NodeStatus]) -> Vec<String> {
    let off = |node: &&NodeStatus| node.vm.is_at_rest() || node.vm == Power::Absent || is_lost(node);
    let off: Vec<_> = nodes.iter().filter(off).collect();
    let mut seen = together(&off, nodes.len(), |node| node.vm.as_str().to_owned());
    if seen.is_empty() && nodes.iter().all(|node| node.vm == Power::Running) {
        seen.push(if nodes.len() == 1 {
            "its machine runs".into()
        } else {
            format!("all {} machines run", nodes.len())
        });
    }
    seen
}

/// A database answers where no machine is known: nothing is lost, and nobody should make it again.
fn elsewhere(nodes: &[NodeStatus]) -> String {
    match names(nodes, |n| n.vm == Power::Missing && n.sql.is_ok()) {
        names if names.is_empty() => names,
        names => format!(
            "; the hypervisor or cloud has no machine for {names}, but its database answers: was the target changed, \
            or the machine migrated?"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::model::Probe;

    fn node(vm: Power, sql: ProbeState) -> NodeStatus {
        testing::node(vm, Probe { state: sql, reason: None, ms: 1 })
    }

    fn verdict(phase: Phase, lock: &LockStatus, nodes: &[NodeStatus]) -> String {
        Verdict::of(phase, lock, nodes).status.to_string()
    }

    #[test]
    fn ready_is_only_what_accepts_logins() {
        let free = LockStatus::Free;
        let ready = Phase::DatabaseReady;
        assert_eq!(verdict(ready, &free, &[node(Power::Running, ProbeState::Ok)]), "database_ready");
        assert_eq!(verdict(ready, &free, &[node(Power::Off, ProbeState::Unreachable)]), "stopped");
        assert_eq!(verdict(ready, &free, &[node(Power::Unknown, ProbeState::Timeout)]), "unreachable");
        assert_eq!(verdict(ready, &free, &[node(Power::Running, ProbeState::Refused)]), "degraded");
        let half = [node(Power::Running, ProbeState::Ok), node(Power::Off, ProbeState::Timeout)];
        assert_eq!(verdict(ready, &free, &half), "degraded");
    }

    #[test]
    fn which_answer_came_first_does_not_matter() {
        let of = |nodes: &[NodeStatus]| Verdict::of(Phase::DatabaseReady, &LockStatus::Free, nodes);
        for vm in [Power::Off, Power::Paused, Power::Crashed] {
            for sql in [ProbeState::Ok, ProbeState::NotProbed] {
                let found = of(&[node(Power::Running, ProbeState::Ok), node(vm, sql)]);
                assert_eq!((found.status, found.reason), (Status::Degraded, format!("n11 is {}", vm.as_str())));
            }
        }
        assert_eq!(of(&[node(Power::Off, ProbeState::Ok)]).status.as_str(), "stopped");
        let elsewhere = of(&[node(Power::Missing, ProbeState::Ok)]);
        assert_eq!(elsewhere.status, Status::from(Phase::DatabaseReady));
        assert!(elsewhere.reason.contains("has no machine for n11"), "{}", elsewhere.reason);
        assert_eq!(of(&[node(Power::Missing, ProbeState::Unreachable)]).status.as_str(), "degraded");
    }

    #[test]
    fn a_paused_machine_is_told_with_its_reason() {
        let why = "its disk x got an I/O error: no space left";
        let paused = NodeStatus { vm_reason: Some(why.into()), ..node(Power::Paused, ProbeState::Timeout) };
        let found = Verdict::of(Phase::DatabaseReady, &LockStatus::Free, &[paused]);
        assert_eq!(found.reason, format!("n11 is paused: {why}"));
    }

    #[test]
    fn a_lost_machine_is_told_in_every_phase() {
        let lost = [
            node(Power::Off, ProbeState::Unreachable),
            NodeStatus { name: "n12".into(), ..node(Power::Missing, ProbeState::Timeout) },
        ];
        let of = |phase| Verdict::of(phase, &LockStatus::Free, &lost);
        assert_eq!(of(Phase::Stopped).status, Status::Degraded);
        assert!(of(Phase::Stopped).reason.contains("n12 is missing"));
        assert!(of(Phase::StopFailed).reason.contains("n11 is off; n12 is missing; SQL answers on 0 of 2 nodes"));
    }

    #[test]
    fn machines_in_the_same_state_are_counted() {
        let node = |name: &str, vm| NodeStatus { name: name.into(), ..node(vm, ProbeState::Timeout) };
        let reason = |nodes: &[NodeStatus]| Verdict::of(Phase::DatabaseReady, &LockStatus::Free, nodes).reason;
        let (gone, off) = (Power::Missing, Power::Off);
        assert_eq!(reason(&[node("n11", gone), node("n12", gone), node("n13", gone)]), "3 of 3 machines are missing");
        assert_eq!(
            reason(&[node("n11", gone), node("n12", off), node("n13", gone)]),
            "n11 and n13 are missing; n12 is off"
        );
        assert_eq!(reason(&[node("n11", off), node("n12", off)]), "2 of 2 machines are off");
    }

    #[test]
    fn stopped_is_what_nobody_has_switched_on_again() {
        let of = |nodes: &[NodeStatus]| verdict(Phase::Stopped, &LockStatus::Free, nodes);
        assert_eq!(of(&[node(Power::Off, ProbeState::Unreachable)]), "stopped");
        assert_eq!(of(&[node(Power::Unknown, ProbeState::Timeout)]), "stopped");
        let unseen = Verdict::of(Phase::Stopped, &LockStatus::Free, &[node(Power::Unknown, ProbeState::Timeout)]);
        assert!(unseen.reason.contains("the machine of n11 could not be asked"), "{}", unseen.reason);
        assert_eq!(of(&[node(Power::Running, ProbeState::Refused), node(Power::Off, ProbeState::Timeout)]), "degraded");
        assert_eq!(of(&[node(Power::Running, ProbeState::Ok)]), "database_ready");
    }

    #[test]
    fn in_progress_without_a_holder_is_interrupted() {
        assert_eq!(verdict(Phase::DeployInProgress, &LockStatus::Free, &[]), "interrupted");
        assert_eq!(verdict(Phase::DeployInProgress, &LockStatus::Held(None), &[]), "deploy_in_progress");
        assert_eq!(verdict(Phase::DeploymentFailed, &LockStatus::Free, &[]), "deployment_failed");
    }
}
