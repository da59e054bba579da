//! Machines that are on, until each has an address and a shell; the dead among them are reset.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the story: addresses, then shells |
//! | `console` | all serial consoles, from before the machines are on |
//! | `tape` | what they print, in the log folder, bounded |
//! | `signs` | pure: what a line means |
//! | `verdict` | pure: whether a machine is dead, and why |
//! | `patience` | pure: how long one that lives is waited for |
//! | `guard` | asks those, resets, tells |
//! | `moves` | pure: addresses that change, and for how long that is borne |
//! | `earlier` | how the console of an earlier operation ended |

mod console;
mod earlier;
mod guard;
mod moves;
mod patience;
mod signs;
mod tape;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::operation::Work;
use super::{node_records, power, ssh_files};
use crate::error::{Error, Result};
use crate::events::{Event, StepInfo};
use crate::model::{Machine, Node, NodePlan};
use crate::tools::ssh::Ssh;
use crate::tools::ssh_ready::{Progress, wait_ready};
pub(super) use console::{Consoles, follow};
use guard::{Guard, Sessions};
use moves::{Move, Moves};

pub(super) const BOOT: StepInfo = StepInfo { id: "boot", title: "wait for the nodes to boot" };

/// A machine that boots has begun to tell so on its console by then; one that runs already tells nothing more.
const CONSOLE_LIMIT: Duration = Duration::from_secs(30);
/// Asking libvirt costs a few milliseconds a node.
const ADDRESS_POLL: Duration = Duration::from_millis(500);
/// In a cloud nothing is seen of a machine that boots; a first boot with package set-up takes several minutes.
const CLOUD_LIMIT: Duration = Duration::from_secs(900);
/// Where the guard decides, this one is not reached.
const LONGEST: Duration = Duration::from_secs(3600);
/// A machine without any sign of life is known by then.
const REVIVE_LIMIT: Duration = Duration::from_secs(100);
/// A network that gives one address to two nodes for a moment, while leases change.
const SHARED_LIMIT: Duration = Duration::from_secs(20);

/// Hears of each node that has a shell and is done with its boot.
pub(super) type OnReady<'a> = &'a (dyn Fn(&Ssh, &str) + Sync);

/// Waits for addresses and then for shells; leaves the nodes in the state. `consoles` were followed since before the
/// machines were on.
pub(super) async fn wait(work: &mut Work, consoles: &Consoles) -> Result<Vec<Node>> {
    wait_with(work, consoles, &|_, _| {}).await
}

/// As [`wait`], for one who can already begin with some of the nodes.
pub(super) async fn wait_with(work: &mut Work, consoles: &Consoles, on_ready: OnReady<'_>) -> Result<Vec<Node>> {
    work.begin(BOOT.id);
    let nodes = match work.cluster.hosts().cloned() {
        Some(hosts) => {
            let mut guard = Guard::new(work, &hosts, consoles);
            watched(work, &mut guard, on_ready).await?
        }
        None => {
            let nodes = from_outputs(work).await?;
            remember(work, &nodes)?;
            let seen_from = shells(work, CLOUD_LIMIT, &Sessions::default(), on_ready).await?;
            remember_from(work, seen_from)?;
            nodes
        }
    };
    let names: Vec<_> = nodes.iter().map(|n| n.plan.name.as_str()).collect();
    work.done(format!("{} can be reached", names.join(", ")));
    Ok(nodes)
}

/// Of machines that are on and do not answer, resets the dead, and waits for them. Those that live and are silent for
/// another reason stay as they are. Returns the nodes whose machines were reset.
pub(super) async fn revive(work: &mut Work, consoles: &Consoles) -> Result<Vec<String>> {
    let Some(hosts) = work.cluster.hosts().cloned() else { return Ok(Vec::new()) };
    let mut guard = Guard::new(work, &hosts, consoles);
    for node in &work.dir.state().nodes {
        guard.knows_address(&node.plan.name, node.private_ip);
    }
    let sessions = guard.sessions.clone();
    let since = Instant::now();
    let dead = async {
        while since.elapsed() < REVIVE_LIMIT {
            let machines = power::machines(work).await?;
            if guard.look(work, &machines).await? {
                return Ok(true);
            }
            work.interrupt.sleep(ADDRESS_POLL).await?;
        }
        Ok(false)
    };
    let reset = tokio::select! {
        result = shells(work, LONGEST, &sessions, &|_, _| {}) => match result {
            Err(error @ Error::Interrupted { .. }) => Err(error),
            // What is wrong with one that answers is found out by whoever looks at it.
            _ => Ok(false),
        },
        result = dead => result,
    };
    if reset? {
        watched(work, &mut guard, &|_, _| {}).await?;
    }
    Ok(guard.reset())
}

async fn watched(work: &mut Work, guard: &mut Guard<'_>, on_ready: OnReady<'_>) -> Result<Vec<Node>> {
    let mut moves = Moves::default();
    loop {
        // Nobody tries SSH while addresses are waited for: what was seen of it before is old.
        guard.sessions.forget_all();
        // A connection to a machine's former life would be silent for long.
        work.connections.close().await;
        let nodes = addresses(work, guard).await?;
        remember(work, &nodes)?;
        let sessions = guard.sessions.clone();
        let ready = tokio::select! {
            result = shells(work, LONGEST, &sessions, on_ready) => result.map(Ok),
            // A network remembers the address of a machine's former life until it has given it another.
            result = moved(work, guard, &nodes) => result.map(Err),
        };
        match ready.map_err(|error| guard.consoles.explain(error))? {
            Ok(seen_from) => {
                remember_from(work, seen_from)?;
                return Ok(nodes);
            }
            // Each round has limits of its own, and only this one ends the rounds. A reset is limited by itself.
            Err(None) => moves = Moves::default(),
            Err(Some(moved)) => moves.add(moved, Instant::now(), guard.leases(work).as_deref())?,
        }
    }
}

fn remember(work: &mut Work, nodes: &[Node]) -> Result<()> {
    work.dir.found_nodes(nodes.to_vec())?;
    ssh_files::write(work)
}

/// From where the nodes see this machine.
fn remember_from(work: &mut Work, seen_from: BTreeSet<IpAddr>) -> Result<()> {
    match seen_from.is_empty() {
        true => Ok(()),
        false => work.dir.seen_from(seen_from),
    }
}

async fn shells(work: &Work, limit: Duration, sessions: &Sessions, on_ready: OnReady<'_>) -> Result<BTreeSet<IpAddr>> {
    let ssh = work.access.ssh()?;
    let targets = work.access.targets(&work.dir.state().nodes);
    let tell = |node: &str, progress: &Progress| {
        sessions.saw(node, progress);
        if *progress == Progress::Ready {
            on_ready(&ssh, node);
        }
        if !matches!(progress, Progress::Silent(_)) {
            work.waits_for(format!("{node}: {}", progress.text()));
        }
        if work.cluster.hosts().is_none() || *progress == Progress::Ready {
            let address = targets.iter().find(|target| target.node == node).and_then(|target| target.address);
            work.sink.emit(Event::NodeWaiting {
                node: node.to_owned(),
                address: address.map(|address| address.ip().to_string()),
                waits_for: progress.text(),
                console: None,
            });
        }
    };
    wait_ready(&ssh, &targets, limit, &work.interrupt, &tell).await
}

/// Until a node has another address than it was found at, or begins another life (None).
async fn moved(work: &Work, guard: &mut Guard<'_>, nodes: &[Node]) -> Result<Option<Move>> {
    loop {
        tokio::time::sleep(ADDRESS_POLL).await;
        let machines = power::machines(work).await?;
        if guard.look(work, &machines).await? {
            return Ok(None);
        }
        for machine in machines {
            let Some(before) = nodes.iter().find(|n| n.plan.name == machine.node).map(|n| n.private_ip) else {
                continue;
            };
            if let Some(now) = address_of(&machine, guard.consoles).filter(|now| *now != before) {
                return Ok(Some(Move { node: machine.node, before, now }));
            }
        }
    }
}

fn address_of(machine: &Machine, consoles: &Consoles) -> Option<IpAddr> {
    machine.addresses.first().copied().or_else(|| consoles.address(&machine.node))
}

async fn addresses(work: &Work, guard: &mut Guard<'_>) -> Result<Vec<Node>> {
    let since = Instant::now();
    let mut known: BTreeMap<String, IpAddr> = BTreeMap::new();
    loop {
        let machines = power::machines(work).await?;
        for machine in &machines {
            let node = &machine.node;
            let recorded = || recorded(&work.dir.state().nodes, node, since.elapsed());
            let before = known.get(node).copied();
            let now = match address_of(machine, guard.consoles) {
                None if before.is_none() && !guard.consoles.speaks(node) => recorded().inspect(|address| {
                    work.detail(format!("the address of {node} is not reported: trying the recorded {address}"));
                }),
                now => now.inspect(|address| {
                    if before != Some(*address) {
                        work.detail(format!("{node} has the address {address}"));
                    }
                }),
            };
            if let Some(now) = now {
                known.insert(node.clone(), now);
                guard.knows_address(node, now);
            }
        }
        if guard.look(work, &machines).await? {
            known.clear();
        }
        let shared = shared(&known);
        if known.len() == work.cluster.nodes.len() && shared.is_none() {
            break;
        }
        if let Some((nodes, address)) = shared.filter(|_| since.elapsed() >= SHARED_LIMIT) {
            return Err(one_address(nodes, address, guard.leases(work)));
        }
        work.interrupt.sleep(ADDRESS_POLL).await?;
    }
    let state = work.dir.state();
    let node = |n: &NodePlan| known.get(&n.name).map(|ip| node_records::at(state, work.cluster.provider, n, *ip));
    Ok(work.cluster.nodes.iter().filter_map(node).collect())
}

/// The nodes that have one address, if some do.
fn shared(known: &BTreeMap<String, IpAddr>) -> Option<(Vec<String>, IpAddr)> {
    known.values().find_map(|address| {
        let nodes: Vec<_> = known.iter().filter(|(_, ip)| *ip == address).map(|(node, _)| node.clone()).collect();
        (nodes.len() > 1).then_some((nodes, *address))
    })
}

fn one_address(nodes: Vec<String>, address: IpAddr, leases: Option<String>) -> Error {
    let hint = "the image gives every machine the same identity (a fixed /etc/machine-id): empty that file in the \
        image, and create the machines again";
    let leases = leases.map(|command| format!("; see who has which lease: {command}")).unwrap_or_default();
    Error::SharedAddress { nodes, address, hint: format!("{hint}{leases}") }
}

/// The image is recorded: a newer one never changes a machine that exists, nor what a later node is made from.
async fn from_outputs(work: &mut Work) -> Result<Vec<Node>> {
    let node_records::Outputs { nodes, image_id } = node_records::from_outputs(work, &work.cluster.nodes).await?;
    if let Some(id) = image_id {
        work.dir.made_from_image(id)?;
    }
    Ok(nodes)
}

/// Where addresses come from outside, a machine prints its own once a boot: of one that ran before, only the
/// record knows it. SSH proves that it is the same machine, and another address that shows up later counts more.
fn recorded(nodes: &[Node], node: &str, waited: Duration) -> Option<IpAddr> {
    let node = nodes.iter().find(|known| known.plan.name == node)?;
    (waited >= CONSOLE_LIMIT).then_some(node.private_ip)
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
        assert_eq!(recorded(&nodes, "n12", LONGEST), None);
    }

    #[test]
    fn two_nodes_with_one_address_are_named() {
        let known = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, ip)| ((*n).into(), ip.parse().unwrap())).collect();
        assert_eq!(shared(&known(&[("n11", "192.0.2.7"), ("n12", "192.0.2.8")])), None);
        let (nodes, address) = shared(&known(&[("n11", "192.0.2.7"), ("n12", "192.0.2.7")])).unwrap();
        let error = one_address(nodes, address, None);
        assert_eq!(error.code(), "shared_address");
        assert!(error.to_string().starts_with("n11 and n12 have the same address 192.0.2.7"), "{error}");
    }
}
