//! Pure: the commands that lead on from what is recorded and from what was seen.

use super::verdict::{all_ready, is_lost};
use crate::deployment::transitions::{self, Next, next_commands};
use crate::model::{NodeStatus, Operation, Phase, Power};

/// The most useful first.
pub(super) fn commands(phase: Phase, running: bool, update_pending: bool, nodes: &[NodeStatus]) -> Vec<Next> {
    let elsewhere = |node: &NodeStatus| node.vm == Power::Missing && !is_lost(node);
    let mut next = match phase {
        _ if running => return next_commands(phase, running),
        // A machine made again beside the one that answers would be a second one.
        Phase::DatabaseReady if all_ready(nodes) && nodes.iter().any(elsewhere) => {
            vec![Next::look("exasol health", "examines every layer of every node")]
        }
        Phase::DatabaseReady if !all_ready(nodes) => mending(nodes),
        Phase::Stopped if all_ready(nodes) => vec![
            Next::run(Operation::Start, "records that it runs, and lets it start with its host"),
            Next::run(Operation::Stop, "stops it again"),
        ],
        Phase::Stopped if nodes.iter().any(|node| node.vm == Power::Running) => {
            vec![Next::run(Operation::Stop, "stops what runs"), Next::run(Operation::Start, "starts the rest")]
        }
        phase => next_commands(phase, running),
    };
    // `start` cannot switch on what does not exist.
    if nodes.iter().any(is_lost) && transitions::allowed(Operation::Deploy, phase).is_ok() {
        put_first(&mut next, Next::run(Operation::Deploy, "creates the lost machines again"));
    }
    let failed = phase.is_in_progress() || phase.as_str().ends_with("_failed");
    if failed {
        next.push(Next::look("exasol logs", "shows what the tools printed"));
    }
    if update_pending && transitions::allowed(Operation::Deploy, phase).is_ok() {
        let why = match () {
            () if phase == Phase::Destroyed => "creates it anew, with the changed options",
            () if nodes.iter().any(is_lost) => "creates the lost machines again, and applies the changed options",
            () => "applies the changed options",
        };
        put_first(&mut next, Next::run(Operation::Deploy, why));
    }
    next
}

/// Of one that was adopted: nothing needs its passwords or Terraform's state.
pub(super) fn of_adopted(has_key: bool) -> Vec<Next> {
    let ssh = has_key.then(|| Next::look("exasol ssh", "opens a shell on a node"));
    ssh.into_iter().chain([Next::run(Operation::Destroy, "removes the cluster")]).collect()
}

fn put_first(next: &mut Vec<Next>, first: Next) {
    next.retain(|next| next.operation != first.operation);
    next.insert(0, first);
}

/// For a cluster that was ready and is not any more.
fn mending(nodes: &[NodeStatus]) -> Vec<Next> {
    let start = Next::run(Operation::Start, "switches on and connects what was lost");
    let health = Next::look("exasol health", "examines every layer of every node");
    let cut_off = |node: &NodeStatus| node.vm_reason.is_some() || node.address_now.is_some();
    let lost = |node: &NodeStatus| node.vm.is_at_rest() || (node.vm == Power::Running && cut_off(node));
    if nodes.iter().any(is_lost) {
        vec![health]
    } else if nodes.iter().any(lost) {
        vec![start, health]
    } else {
        vec![health, start]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testing;
    use super::*;
    use crate::model::Probe;

    fn node(vm: Power, ready: bool) -> NodeStatus {
        testing::node(vm, if ready { Probe::ok(1) } else { Probe::not_probed("it is silent") })
    }

    fn first(phase: Phase, vm: Power, ready: bool) -> &'static str {
        commands(phase, false, false, &[node(Power::Running, true), node(vm, ready)])[0].command
    }

    #[test]
    fn what_was_seen_decides() {
        let ready = Phase::DatabaseReady;
        assert_eq!(first(ready, Power::Running, true), "exasol info");
        assert_eq!(first(ready, Power::Missing, false), "exasol deploy");
        assert_eq!(first(ready, Power::Missing, true), "exasol health");
        assert_eq!(first(Phase::StartFailed, Power::Missing, false), "exasol deploy");
        assert_eq!(first(ready, Power::Off, false), "exasol start");
        assert_eq!(first(ready, Power::Off, true), "exasol start");
        assert_eq!(first(ready, Power::Paused, false), "exasol start");
        assert_eq!(first(ready, Power::Running, false), "exasol health");
        assert_eq!(first(Phase::Stopped, Power::Running, true), "exasol start");
        assert_eq!(first(Phase::Stopped, Power::Off, false), "exasol stop");
        let unplugged = NodeStatus { vm_reason: Some("no bridge".into()), ..node(Power::Running, false) };
        assert_eq!(commands(ready, false, false, &[unplugged])[0].command, "exasol start");
        assert_eq!(commands(Phase::Stopped, false, false, &[node(Power::Off, false)])[0].command, "exasol start");
    }

    #[test]
    fn whatever_was_seen_only_allowed_operations_are_named() {
        let powers =
            [Power::Running, Power::Off, Power::Paused, Power::Crashed, Power::Missing, Power::Absent, Power::Unknown];
        for phase in Phase::ALL {
            for vm in powers {
                for (ready, pending) in [(true, true), (true, false), (false, true), (false, false)] {
                    let next = commands(phase, false, pending, &[node(vm, ready)]);
                    assert!(!next.is_empty());
                    for command in next.iter().map(|next| next.at(Path::new("demo"))) {
                        let words: Vec<_> = command.split(' ').map(str::to_owned).collect();
                        assert!(crate::cli::accepts(&words), "{command}");
                    }
                    for operation in next.iter().filter_map(|next| next.operation) {
                        assert!(transitions::allowed(operation, phase).is_ok(), "{operation} from {phase}");
                    }
                }
            }
        }
    }
}
