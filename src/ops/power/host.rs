//! Machines of a hypervisor, switched by its own library.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::super::host::{ACTION_LIMIT, HostConnection};
use super::super::hosts::{self, Hosts};
use super::super::operation::{Work, in_dir};
use super::super::{links, mend};
use super::{OFF_LIMIT, all, is_proof, names, refuse_missing, tell, wait};
use crate::error::{Error, Result};
use crate::model::{Machine, NodePlan, Power};
use crate::providers::Host;

const AUTOSTART: &str = "setting the autostart of";

/// Asking a hypervisor costs milliseconds.
const LOCAL_POLL: Duration = Duration::from_millis(500);

/// A server that limits new connections counts half a minute back.
const LOST_LIMIT: Duration = Duration::from_secs(90);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(16);

/// What the hypervisors say of the machines, each of its own.
pub(super) async fn machines(work: &Work, hosts: &Hosts) -> Result<Vec<Machine>> {
    let nodes = &work.cluster.nodes;
    let asked = hosts.with_nodes(nodes).into_iter().map(|(host, nodes)| on_one(work, host, nodes));
    Ok(hosts::in_order(nodes, try_join_all(asked).await?))
}

/// It is asked again and again, so a connection that was lost and comes back within a while is no failure.
async fn on_one(work: &Work, host: &HostConnection, plans: Vec<NodePlan>) -> Result<Vec<Machine>> {
    let login = (host.row().login)(host.spec())?;
    let since = Instant::now();
    let mut wait = FIRST_RETRY;
    loop {
        let nodes = plans.clone();
        let answer = host.ask(move |host| host.machines(&nodes)).await;
        let lost = || login.as_ref().is_some_and(links::was_open) && since.elapsed() < LOST_LIMIT;
        match answer {
            Err(error @ (Error::LibvirtUnreachable { .. } | Error::Other(_) | Error::Timeout { .. })) if lost() => {
                work.detail(format!("{error}: asking again in {} s", wait.as_secs()));
                work.interrupt.sleep(wait).await?;
                wait = (wait * 2).min(LAST_RETRY);
            }
            answer => return answer.map_err(|error| host.named(error)),
        }
    }
}

/// Switches on what is off, and connects again what is cut off from its network.
pub(super) async fn on(work: &mut Work, hosts: &Hosts, seen: Option<Vec<Machine>>) -> Result<()> {
    let machines = match seen {
        Some(machines) => machines,
        None => self::machines(work, hosts).await?,
    };
    refuse_missing(work, &machines)?;
    mend::definitions(work).await?;
    let off = names(&machines, Power::is_at_rest);
    if !off.is_empty() {
        work.changes();
    }
    each(work, hosts, &off, "switching on", |host, node| host.switch_on(node)).await?;
    // One that was paused may have been cut off meanwhile.
    let machines = if off.is_empty() { machines } else { self::machines(work, hosts).await? };
    replug(work, hosts, &machines).await?;
    // Also those that were on: `stop` may have failed in between.
    work.changes();
    each(work, hosts, &all(work), AUTOSTART, |host, node| host.set_autostart(node, true)).await?;
    tell(work, &off);
    Ok(())
}

/// Machines that were paused go on, so that they can shut down by themselves.
pub(super) async fn wake(work: &Work, hosts: &Hosts, machines: &[Machine]) -> Result<()> {
    let paused = names(machines, |power| power == Power::Paused);
    if !paused.is_empty() {
        work.changes();
    }
    each(work, hosts, &paused, "switching on", |host, node| host.switch_on(node)).await
}

/// Machines that run cut off from their network are connected again. Returns their nodes.
pub(super) async fn replug(work: &Work, hosts: &Hosts, machines: &[Machine]) -> Result<Vec<String>> {
    let mut connected = Vec::new();
    for machine in machines {
        let Some(why) = &machine.unplugged else { continue };
        work.changes();
        work.detail(format!("{}: {why}: connecting it again", machine.node));
        let node = BTreeSet::from([machine.node.clone()]);
        each(work, hosts, &node, "connecting", |host, node| host.replug(node)).await?;
        connected.push(machine.node.clone());
    }
    Ok(connected)
}

/// Asks the guests to shut down, and waits until they have.
pub(super) async fn off(work: &mut Work, hosts: &Hosts) -> Result<()> {
    let machines = machines(work, hosts).await?;
    let there = names(&machines, |power| power != Power::Missing);
    if !there.is_empty() {
        work.changes();
    }
    each(work, hosts, &there, AUTOSTART, |host, node| host.set_autostart(node, false)).await?;
    let on = names(&machines, |power| power == Power::Running);
    // For a guest that shuts down already it changes nothing.
    each(work, hosts, &on, "shutting down", |host, node| host.shut_down(node)).await?;
    let ask = async || self::machines(work, hosts).await;
    if let Err(error) = wait(work, &all(work), Power::Off, (OFF_LIMIT, LOCAL_POLL), ask).await {
        return Err(advised(work, hosts, error).await);
    }
    work.done("every machine is off");
    Ok(())
}

/// Whether it was seen that guests do not shut down. Of a hypervisor that does not answer nothing was seen, and its
/// error has a hint of its own.
fn is_guests(error: &Error) -> bool {
    matches!(error, Error::Timeout { last_seen: Some(_), hint: None, .. })
}

/// A guest that does not shut down: how it is switched off without its help.
async fn advised(work: &Work, hosts: &Hosts, error: Error) -> Error {
    if !is_guests(&error) {
        return error;
    }
    let Error::Timeout { what, limit_s, last_seen, .. } = error else { return error };
    let machines = machines(work, hosts).await.unwrap_or_default();
    let on = names(&machines, |power| !is_proof(power, Power::Off));
    let plans = work.cluster.nodes.iter().filter(|plan| on.contains(&plan.name));
    let commands: Vec<_> =
        plans.filter_map(|plan| (hosts.row().cut_off)(hosts.of_node(plan).spec(), plan).ok()).collect();
    let hint = (!commands.is_empty()).then(|| {
        let again = in_dir("exasol stop", work.dir.named());
        let commands = commands.join("\n");
        format!("the guest does not shut down by itself; this cuts its power:\n{commands}\n{again}")
    });
    Error::Timeout { what, limit_s, last_seen, hint }
}

/// Does something to each of these machines, in order. `what` is said where one hangs: "switching on n11".
async fn each(
    work: &Work,
    hosts: &Hosts,
    wanted: &BTreeSet<String>,
    what: &str,
    action: impl Fn(&dyn Host, &NodePlan) -> Result<()> + Copy + Send + 'static,
) -> Result<()> {
    for node in work.cluster.nodes.iter().filter(|plan| wanted.contains(&plan.name)) {
        let (what, node) = (format!("{what} {}", node.name), node.clone());
        let host = hosts.of_node(&node).clone();
        host.act(ACTION_LIMIT, what, move |host| action(host, &node)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::blocking::no_answer;
    use super::*;

    #[test]
    fn a_hypervisor_that_hangs_is_not_taken_for_a_guest() {
        let hung = no_answer("asking the hypervisor".into(), ACTION_LIMIT);
        assert!(!is_guests(&hung) && hung.hint().is_some());
        let (what, seen) = ("waiting until every machine is off".into(), Some("n11 is running".into()));
        assert!(is_guests(&Error::Timeout { what, limit_s: 240, last_seen: seen, hint: None }));
    }
}
