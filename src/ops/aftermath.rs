//! After an operation that has not done its work: what exists now, what the machines look like, what to run next.

use std::path::Path;
use std::time::Duration;

use super::operation::Work;
use super::switcher::Switcher;
use super::{power, terraform_dir};
use crate::deployment::transitions::{self, Cause, Next};
use crate::error::{Aftermath, Error};
use crate::model::{Machine, Operation, Phase, Power};
use crate::signal::Interrupt;

/// A hypervisor answers at once, a cloud's API within seconds. Somebody who has pressed Ctrl-C waits for less.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
const STOPPED_LIMIT: Duration = Duration::from_secs(1);
/// The steps that need machines which run: where they fail, a machine may be the cause.
const NEED_MACHINES: [&str; 8] =
    ["boot", "addresses", "install", "database_start", "login", "database_stop", "services_stop", "power_on"];

/// The error of an operation, with all that is known now. `unrecorded`: why its end could not be written down.
pub(super) async fn explain(
    work: &mut Work,
    root: &Path,
    operation: Operation,
    step: &str,
    cause: Error,
    unrecorded: Option<Error>,
) -> Error {
    let mut after =
        Aftermath { name: work.dir.name(), directory: root.to_owned(), step: step.to_owned(), ..Aftermath::default() };
    let mut missing: Vec<String> = match &cause {
        // Of a cloud, what was asked at a wrong address proves nothing.
        Error::MachinesMissing { nodes, all } if !all || !work.cluster.provider.is_cloud() => nodes.clone(),
        _ => Vec::new(),
    };
    after.nodes = machines_that_exist(work);
    after.nodes.retain(|node| !missing.contains(node));
    after.costs = work.cluster.provider.is_cloud() && !exists_nothing(work);
    let is_stopped = matches!(cause, Error::Interrupted { .. });
    if (is_stopped && !after.nodes.is_empty()) || NEED_MACHINES.contains(&step) {
        let machines = look(work, if is_stopped { STOPPED_LIMIT } else { LOOK_LIMIT }).await;
        after.running = !machines.is_empty() && machines.iter().all(|machine| machine.power == Power::Running);
        missing.extend(machines.iter().filter(|m| m.power == Power::Missing).map(|m| m.node.clone()));
        // A machine's death explains itself, as does that it is not there.
        if !is_stopped && !matches!(cause, Error::MachineDead { .. } | Error::MachinesMissing { .. }) {
            after.machines = machines.iter().filter_map(|machine| trouble(machine, step)).collect();
        }
    }
    let mut now = terraform_dir::what_exists(&work.dir, work.cluster.provider.resources.machine(), &missing);
    if let Some(error) = unrecorded {
        now.push_str(&format!("; the state could not be written ({error})"));
    }
    let next = match (&cause, Cause::from(&cause)) {
        (Error::MachinesMissing { all, .. }, _) => {
            let again = Next::run(operation, "if this was asked at a wrong address or with a wrong account");
            remaking(work.dir.state().phase).into_iter().chain(all.then_some(again)).collect()
        }
        (Error::Declined { .. }, _) => vec![Next::run(operation, "asks again")],
        (_, Cause::Connection | Cause::Other) if !work.has_changed() => {
            vec![Next::run(operation, "once that is fixed")]
        }
        _ => transitions::next_commands(work.dir.state().phase, false),
    };
    after.why = next.iter().map(|next| next.why).collect();
    let next = next.iter().map(|next| next.at(root)).collect();
    Error::Operation { operation, cause: Box::new(cause), now, next, after: Box::new(after) }
}

/// What makes lost machines again: from some phases start has to come before.
fn remaking(phase: Phase) -> Vec<Next> {
    let deploy = Next::run(Operation::Deploy, "makes them again, with data disks that are left");
    match transitions::allowed(Operation::Deploy, phase) {
        Ok(()) => vec![deploy],
        Err(_) => vec![Next::run(Operation::Start, "finds the same, and lets deploy run then"), deploy],
    }
}

/// What is seen of the machines; nothing where nobody answers in time.
async fn look(work: &mut Work, limit: Duration) -> Vec<Machine> {
    // The work is over: a signal that has ended it does not end this.
    let never = Interrupt::never();
    work.cluster.switcher = Switcher::of(work.cluster.provider, &work.dir.state().spec, &never);
    work.interrupt = never;
    let machines = tokio::time::timeout(limit, power::machines(work)).await;
    machines.ok().and_then(Result::ok).unwrap_or_default()
}

/// Why a machine may be what the operation failed at.
fn trouble(machine: &Machine, step: &str) -> Option<String> {
    let node = &machine.node;
    match machine.power {
        Power::Running => match &machine.unplugged {
            Some(why) => Some(format!("{node}'s machine is cut off from its network: {why}")),
            None if step == "boot" && machine.addresses.is_empty() => {
                Some(format!("{node}'s machine runs, but has got no address (no DHCP lease)"))
            }
            None => None,
        },
        Power::Unknown | Power::Absent => None,
        Power::Missing => Some(format!("{node}'s machine does not exist any more")),
        Power::Off | Power::Paused | Power::Crashed => Some(format!("{node}'s machine is {}", machine.state())),
    }
}

fn exists_nothing(work: &Work) -> bool {
    terraform_dir::resources(&work.dir.terraform_dir()).is_some_and(|known| known.is_empty())
}

/// The nodes whose machines Terraform has made.
fn machines_that_exist(work: &Work) -> Vec<String> {
    let made = terraform_dir::of_types(&work.dir.terraform_dir(), &[work.cluster.provider.resources.machine()]);
    let is_made = |name: &str| made.iter().any(|address| address.contains(&format!("[\"{name}\"]")));
    work.cluster.nodes.iter().map(|plan| plan.name.clone()).filter(|name| is_made(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_lost_machines_again_is_deploy() {
        let commands = |phase| remaking(phase).into_iter().map(|next| next.command).collect::<Vec<_>>();
        assert_eq!(commands(Phase::DatabaseReady), ["exasol deploy"]);
        assert_eq!(commands(Phase::StartFailed), ["exasol deploy"]);
        assert_eq!(commands(Phase::Stopped), ["exasol start", "exasol deploy"]);
    }

    #[test]
    fn a_machine_that_explains_a_failure_is_named() {
        let machine = |power| Machine::with_power("n11", power);
        assert_eq!(trouble(&machine(Power::Off), "install").unwrap(), "n11's machine is off");
        assert_eq!(trouble(&machine(Power::Missing), "install").unwrap(), "n11's machine does not exist any more");
        assert_eq!(trouble(&machine(Power::Unknown), "install"), None);
        assert_eq!(trouble(&machine(Power::Running), "install"), None);
        assert!(trouble(&machine(Power::Running), "boot").unwrap().contains("no DHCP lease"));
        let known = Machine { addresses: vec!["192.0.2.7".parse().unwrap()], ..machine(Power::Running) };
        assert_eq!(trouble(&known, "boot"), None);
        let halted = Machine { halted: Some("its disk got an I/O error".into()), ..machine(Power::Paused) };
        assert_eq!(trouble(&halted, "login").unwrap(), "n11's machine is paused: its disk got an I/O error");
    }
}
