//! What carries the mark of any deployment on a hypervisor, for somebody who has no directory that says so.
//!
//! `destroy` knows its deployment's id from the directory, and takes what has a name of it. Here the name is all
//! that there is, so more is asked: the name has a form that exasol gives, a machine has the MAC address or a disk's
//! identity that follow from the id, and no machine of somebody else uses the volume or the network.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use super::client::{Answer, Client};
use super::connection::Libvirt;
use super::{own_network_name, seed};
use crate::error::Result;
use crate::model::{DISKS_MAX, DeploymentId, NODES_MAX, NodePlan};
use crate::providers::{Leftover, LeftoverKind, Marked, MarkedThings};

pub(super) fn marked(Libvirt { client, .. }: &Libvirt) -> Result<MarkedThings> {
    look(client).map_err(|f| f.during("look for what deployments have"))
}

fn look(client: &Client) -> Answer<MarkedThings> {
    let mut found = MarkedThings::default();
    let mut others = Vec::new();
    for name in client.domain_names()? {
        // Gone since it was listed.
        let Some(xml) = client.definition(&name)? else { continue };
        let Some((id, node)) = node_of(&name) else {
            others.push((name, Uses::read(&xml)));
            continue;
        };
        let foreign = !has_identity(&xml, &id, &node);
        if foreign {
            others.push((name.clone(), Uses::read(&xml)));
        }
        let power = Some(client.power(&name)?);
        let doubt = foreign.then(|| "it has neither the MAC address nor a disk of this deployment".to_owned());
        found.things.push(Marked { power, doubt, ..bare(id, LeftoverKind::Domain, name, None) });
    }
    volumes(client, &mut found)?;
    for network in client.networks()? {
        let id = DeploymentId::of_name(&network.name).filter(|id| own_network_name(id) == network.name);
        found.things.extend(id.map(|id| bare(id, LeftoverKind::Network, network.name, None)));
    }
    for one in found.things.iter_mut().filter(|one| one.thing.kind != LeftoverKind::Domain) {
        let user = others.iter().find(|(_, uses)| uses.has(&one.thing));
        one.doubt = user.map(|(domain, _)| format!("domain {domain}, which is not of this deployment, uses it"));
    }
    Ok(found)
}

fn volumes(client: &Client, found: &mut MarkedThings) -> Answer<()> {
    for pool in client.pools()? {
        if !pool.active {
            found.unseen.push(format!("storage pool {} is not active", pool.name));
            continue;
        }
        // A folder on another machine may never answer: what libvirt remembers of it has to do.
        let volumes = if pool.kind == "dir" { client.pool(&pool.name).map(drop) } else { Ok(()) };
        match volumes.and_then(|()| client.volumes(&pool.name)) {
            Ok(volumes) => found.things.extend(volumes.into_iter().filter_map(|volume| {
                let kind = if seed::is_seed(&volume.name) { LeftoverKind::Seed } else { LeftoverKind::Volume };
                let id = volume_of(&volume.name)?;
                let (bytes, changed) = (Some(volume.allocation), volume.modified);
                Some(Marked { bytes, changed, ..bare(id, kind, volume.name, Some(volume.pool)) })
            })),
            Err(fault) => found.unseen.push(format!("storage pool {} cannot be read: {fault}", pool.name)),
        }
    }
    Ok(())
}

fn bare(deployment: DeploymentId, kind: LeftoverKind, name: String, pool: Option<String>) -> Marked {
    let thing = Leftover { kind, name, pool };
    Marked { deployment, thing, power: None, bytes: None, changed: None, doubt: None }
}

/// The deployment and the node of a machine's name: `exasol-1a2b3c4d-n11`.
pub(super) fn node_of(machine: &str) -> Option<(DeploymentId, String)> {
    let id = DeploymentId::of_name(machine)?;
    let node = machine.strip_prefix(&id.named(""))?;
    is_node(node).then(|| (id.clone(), node.to_owned()))
}

/// The deployment of a volume's name: `exasol-1a2b3c4d-n11-root.qcow2`.
fn volume_of(name: &str) -> Option<DeploymentId> {
    let id = DeploymentId::of_name(name)?;
    let (node, _) = name.strip_prefix(&id.named(""))?.split_once('-')?;
    is_node(node).then_some(id)
}

/// A node's name: `n11` and so on.
fn is_node(word: &str) -> bool {
    NodePlan::index_of(word).is_some_and(|index| index < NODES_MAX)
}

/// Whether a definition has the MAC address or a data disk that follow from the deployment's id.
fn has_identity(xml: &str, id: &DeploymentId, node: &str) -> bool {
    let Ok(document) = Document::parse(xml) else { return false };
    let mac = id.mac(node);
    let wwns: Vec<_> = (1..=DISKS_MAX).map(|disk| id.wwn(node, disk)).collect();
    document.descendants().any(|element| match element.tag_name().name() {
        "mac" => element.attribute("address").is_some_and(|found| found.eq_ignore_ascii_case(&mac)),
        "wwn" => element.text().is_some_and(|found| wwns.iter().any(|wwn| found.eq_ignore_ascii_case(wwn))),
        _ => false,
    })
}

/// What a machine uses: names of its disks' files or volumes, and of its networks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uses {
    disks: BTreeSet<String>,
    networks: BTreeSet<String>,
}

impl Uses {
    fn read(xml: &str) -> Self {
        let Ok(document) = Document::parse(xml) else { return Self::default() };
        let sources = || document.descendants().filter(|element| element.has_tag_name("source"));
        let file = |source: Node| {
            let path = ["file", "volume", "dev"].into_iter().find_map(|name| source.attribute(name))?;
            path.rsplit('/').next().map(str::to_owned)
        };
        Self {
            disks: sources().filter_map(file).collect(),
            networks: sources().filter_map(|source| source.attribute("network")).map(str::to_owned).collect(),
        }
    }

    fn has(&self, thing: &Leftover) -> bool {
        match thing.kind {
            LeftoverKind::Domain => false,
            LeftoverKind::Seed | LeftoverKind::Volume => self.disks.contains(&thing.name),
            LeftoverKind::Network => self.networks.contains(&thing.name),
        }
    }
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
