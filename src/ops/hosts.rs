//! The hypervisors of a deployment: a connection to each, and the way from a node to its own.

use std::fmt;
use std::net::IpAddr;

use futures_util::future::{join_all, try_join_all};

use super::host::HostConnection;
use crate::error::{Error, Result};
use crate::model::{DeploymentId, Machine, NodePlan, Options, Spec, quote};
use crate::providers::{Hypervisor, Leftover, Provider};
use crate::signal::Interrupt;

/// One or more, in the order in which the nodes are on them. Clones share the connections.
#[derive(Clone)]
pub(super) struct Hosts {
    first: HostConnection,
    further: Vec<HostConnection>,
}

/// Something of a deployment, and where it is.
#[derive(Clone)]
pub(super) struct Found {
    pub thing: Leftover,
    pub host: HostConnection,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.thing)?;
        self.host.name().map_or(Ok(()), |name| write!(f, " on {name}"))
    }
}

impl Hosts {
    /// Connects nothing yet.
    pub(super) fn new(row: &'static Hypervisor, spec: &Spec, interrupt: &Interrupt) -> Self {
        let parts = spec.on_each_host();
        let is_one = parts.len() == 1;
        let connection = |part: &Spec| {
            let name = part.hypervisors().first().filter(|_| !is_one).map(|name| (*name).to_owned());
            HostConnection::new(row, part, name, interrupt)
        };
        let first = connection(parts.first().unwrap_or(spec));
        Self { first, further: parts.iter().skip(1).map(connection).collect() }
    }

    /// None for a cloud.
    pub(super) fn of(provider: &Provider, spec: &Spec, interrupt: &Interrupt) -> Option<Self> {
        provider.hypervisor().map(|row| Self::new(row, spec, interrupt))
    }

    /// What is known without a connection.
    pub(super) fn row(&self) -> &'static Hypervisor {
        self.first.row()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &HostConnection> {
        std::iter::once(&self.first).chain(&self.further)
    }

    pub(super) fn first(&self) -> &HostConnection {
        &self.first
    }

    pub(super) fn are_several(&self) -> bool {
        !self.further.is_empty()
    }

    /// For a command that looks at one.
    pub(super) fn refuse_several(&self, provider: &Provider, command: &str) -> Result<()> {
        if !self.are_several() {
            return Ok(());
        }
        // It refuses what no address may have, such as a password, before they are shown.
        self.all().try_for_each(|host| (host.row().login)(host.spec()).map(drop))?;
        let flag = provider.flag("uri").unwrap_or_default();
        let each = self.all().filter_map(HostConnection::name);
        let each: Vec<_> = each.map(|name| format!("{command} {flag} {}", quote(name))).collect();
        Err(Error::Usage {
            message: format!("{flag}: several hypervisors are named, and {command} looks at one at a time"),
            hint: Some(each.join("\n")),
        })
    }

    /// That of a node.
    pub(super) fn of_node(&self, node: &NodePlan) -> &HostConnection {
        self.all().nth(node.host as usize).unwrap_or(&self.first)
    }

    /// Each with those of the nodes that are on it.
    pub(super) fn with_nodes(&self, nodes: &[NodePlan]) -> Vec<(&HostConnection, Vec<NodePlan>)> {
        let mut parts: Vec<(&HostConnection, Vec<NodePlan>)> = self.all().map(|host| (host, Vec::new())).collect();
        for node in nodes {
            let at = if (node.host as usize) < parts.len() { node.host as usize } else { 0 };
            parts[at].1.push(node.clone());
        }
        parts
    }

    /// What all of them have of the deployment.
    ///
    /// # Errors
    /// Of the first that does not answer.
    pub(super) async fn leftovers(&self, id: &DeploymentId) -> Result<Vec<Found>> {
        let asked = self.all().map(async |host| {
            let id = id.clone();
            let things = host.ask(move |host| host.leftovers(&id)).await.map_err(|error| host.named(error))?;
            Ok::<_, Error>(things.into_iter().map(|thing| Found { thing, host: host.clone() }).collect::<Vec<_>>())
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    /// Those that do not answer, with the reason and the nodes that are there; and what the others have.
    pub(super) async fn silent(
        &self,
        id: &DeploymentId,
        nodes: &[NodePlan],
    ) -> (Vec<(Error, Vec<NodePlan>)>, Vec<Found>) {
        let asked = self.with_nodes(nodes).into_iter().map(async |(host, nodes)| {
            let id = id.clone();
            (host, nodes, host.ask(move |host| host.leftovers(&id)).await)
        });
        let (mut silent, mut found) = (Vec::new(), Vec::new());
        for (host, nodes, answer) in join_all(asked).await {
            match answer {
                Ok(things) => found.extend(things.into_iter().map(|thing| Found { thing, host: host.clone() })),
                Err(error) => silent.push((host.named(error), nodes)),
            }
        }
        (silent, found)
    }

    /// From where the nodes see this machine: through the hypervisor that leads to them.
    pub(super) async fn deployer_addresses(&self, facts: &Options) -> Result<Vec<IpAddr>> {
        let is_straight = |host: &&HostConnection| matches!((host.row().login)(host.spec()), Ok(None));
        let way_in = self.all().find(is_straight).unwrap_or(&self.first);
        way_in.deployer_addresses(facts).await
    }
}

/// Machines that were asked for host by host, in the order of the nodes.
pub(super) fn in_order(nodes: &[NodePlan], machines: Vec<Vec<Machine>>) -> Vec<Machine> {
    let mut machines: Vec<Machine> = machines.into_iter().flatten().collect();
    machines.sort_by_key(|machine| nodes.iter().position(|node| node.name == machine.node));
    machines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::dummy_host::{PROVIDER, World};

    fn two(name: &str, nodes: u32) -> ([World; 2], Hosts, Vec<NodePlan>) {
        let names = [format!("{name} a"), format!("{name} b")];
        let worlds = names.each_ref().map(|name| World::new(name).0);
        let (_, mut spec) = World::new(name);
        spec.cluster_size = nodes;
        spec.options.insert("uri".into(), serde_json::json!(names));
        let plans = NodePlan::all(&DeploymentId::from_random([1, 2, 3, 4]), &spec);
        (worlds, Hosts::of(&PROVIDER, &spec, &Interrupt::never()).unwrap(), plans)
    }

    #[tokio::test]
    async fn each_node_is_asked_for_on_its_own_hypervisor() {
        let (worlds, hosts, nodes) = two("asked for on its own", 3);
        worlds[0].lock().machines =
            [("n11".into(), crate::model::Power::Running), ("n13".into(), crate::model::Power::Off)].into();
        for node in &nodes {
            let plan = node.clone();
            hosts.of_node(node).ask(move |host| host.switch_on(&plan)).await.unwrap();
        }
        let calls = |world: &World| {
            world.lock().calls.iter().filter(|call| call.starts_with("switch_on")).cloned().collect::<Vec<_>>()
        };
        assert_eq!(calls(&worlds[0]), ["switch_on n11", "switch_on n13"]);
        assert_eq!(calls(&worlds[1]), ["switch_on n12"]);
        let parts = hosts.with_nodes(&nodes);
        let names: Vec<Vec<_>> =
            parts.iter().map(|(_, nodes)| nodes.iter().map(|n| n.name.as_str()).collect()).collect();
        assert_eq!(names, [vec!["n11", "n13"], vec!["n12"]]);
    }

    #[tokio::test]
    async fn what_is_left_names_its_hypervisor() {
        let (worlds, hosts, nodes) = two("left on two", 2);
        worlds[1].lock().leftovers = vec!["its-machine".into()];
        let id = DeploymentId::from_random([1, 2, 3, 4]);
        let found = hosts.leftovers(&id).await.unwrap();
        assert_eq!(found[0].to_string(), "volume its-machine in pool ? on left on two b");
        worlds[0].lock().breaks = Some("leftovers");
        let (silent, found) = hosts.silent(&id, &nodes).await;
        assert_eq!((silent.len(), found.len()), (1, 1));
        assert_eq!((silent[0].0.code(), silent[0].0.exit_code()), ("libvirt_unreachable", 4));
        assert!(silent[0].0.to_string().contains("left on two a"), "{}", silent[0].0);
        assert_eq!(silent[0].1[0].name, "n11");
    }
}
