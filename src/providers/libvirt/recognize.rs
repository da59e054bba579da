//! What a deployment whose directory is lost was asked to be, as far as its machines and disks tell.

use ipnet::Ipv4Net;
use roxmltree::Document;
use serde_json::json;

use super::client::{Answer, Volume};
use super::connection::Libvirt;
use super::definition::{child, children, kib};
use super::facts::Facts;
use super::options::DomainType;
use super::tfvars::{HYPERVISORS, ON};
use super::{marks, own_network_name};
use crate::error::{Error, Result};
use crate::model::{DISKS_MAX, DeploymentId, NodePlan, Options as Map, Spec};
use crate::providers::{Recognized, UNKNOWN_VERSION};

const GB: u64 = 1 << 30;
/// The namesake of what `tfvars` writes.
const DESCRIPTION: &str = "Exasol deployment ";

/// What is there of a deployment.
enum Found {
    Whole(Box<Recognized>),
    /// Its other machines are on other hypervisors: so many are there in all.
    Part(u32),
}

pub(super) fn recognize(host: &Libvirt, id: &DeploymentId) -> Result<Option<Recognized>> {
    match look(host, id).map_err(|f| f.during(format!("look at the machines of {id}")))? {
        None => Ok(None),
        Some(Found::Whole(recognized)) => Ok(Some(*recognized)),
        Some(Found::Part(hypervisors)) => Err(Error::Usage {
            message: format!(
                "the nodes of {id} are on {hypervisors} hypervisors, and a directory for such a cluster cannot be made anew"
            ),
            hint: Some("restore the directory from a backup; what is on this hypervisor: exasol sweep".into()),
        }),
    }
}

fn look(host: &Libvirt, id: &DeploymentId) -> Answer<Option<Found>> {
    let client = &host.client;
    let mut shapes = Vec::new();
    for name in client.domain_names()? {
        let Some((_, node)) = marks::node_of(&name).filter(|(owner, _)| owner == id) else { continue };
        let Some(xml) = client.definition(&name)? else { continue };
        shapes.extend(NodePlan::index_of(&node).zip(Shape::read(&xml)));
    }
    shapes.sort_by_key(|(index, _)| *index);
    let mut volumes = Vec::new();
    for pool in client.active_pools()? {
        // Somebody else's pool that cannot be read: its disks are not known.
        volumes.extend(client.volumes(&pool.name).unwrap_or_default().into_iter().filter(|v| id.owns(&v.name)));
    }
    let own_range = client.network(&own_network_name(id))?.and_then(|network| network.ipv4_ranges().next());
    let Some((last, first)) = shapes.last().map(|(index, _)| *index).zip(shapes.first()) else { return Ok(None) };
    let hypervisors = first.1.hypervisors();
    Ok(Some(match hypervisors {
        1 => Found::Whole(Box::new(told(&host.spec, id, (last + 1, &first.1), &volumes, own_range))),
        hypervisors => Found::Part(hypervisors),
    }))
}

/// The sizes are those of the first machine.
fn told(
    asked: &Spec,
    id: &DeploymentId,
    (cluster_size, shape): (u32, &Shape),
    volumes: &[Volume],
    own_range: Option<Ipv4Net>,
) -> Recognized {
    let (version, owner) = shape.description(id);
    let size = |part: &str| {
        let sizes = volumes.iter().filter(|v| v.name.contains(part)).map(|v| v.capacity.div_ceil(GB));
        sizes.max().and_then(|gb| u32::try_from(gb).ok()).unwrap_or(1).max(1)
    };
    let own_network = own_range.is_some() && shape.network.as_deref() == Some(&*own_network_name(id));
    let network = match own_range.filter(|_| own_network) {
        Some(range) => format!("new:{range}"),
        None => shape.network.clone().or_else(|| shape.bridge.clone()).unwrap_or_default(),
    };
    let mut options: Map = asked.options.clone();
    let root = volumes.iter().find(|v| v.name.contains("-root")).or_else(|| volumes.first());
    options.extend(root.map(|volume| ("pool".to_owned(), json!(volume.pool))));
    options.extend((!network.is_empty()).then(|| ("network".to_owned(), json!(network))));
    options.insert("memory".into(), json!(shape.memory_kib.div_ceil(GB / 1024).max(1)));
    options.insert("vcpus".into(), json!(shape.vcpus));
    options.insert("domain_type".into(), json!(shape.domain_type));
    let facts = Facts {
        domain_type: shape.domain_type,
        cpu_mode: shape.cpu_mode.clone(),
        default_vcpus: None,
        architecture: shape.architecture.clone(),
        firmware: shape.firmware.clone(),
        uri: options.get("uri").and_then(|uri| uri.as_str()).unwrap_or_default().to_owned(),
        own_network,
        network_name: shape.network.clone(),
        bridge: shape.bridge.clone(),
        network_cidr: own_range.filter(|_| own_network),
        external_addresses: shape.bridge.is_some(),
    };
    let spec = Spec {
        cluster_size,
        db_version: version,
        release: None,
        data_volume_size: size("-data-"),
        data_volumes_per_node: shape.data_disks.clamp(1, DISKS_MAX),
        root_volume_size: size("-root"),
        owner,
        options,
        ..asked.clone()
    };
    Recognized { spec, facts: facts.to_map() }
}

/// What one definition says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    memory_kib: u64,
    vcpus: u32,
    domain_type: DomainType,
    cpu_mode: String,
    architecture: String,
    firmware: Option<String>,
    /// Those with an identity.
    data_disks: u32,
    network: Option<String>,
    bridge: Option<String>,
    description: String,
}

impl Shape {
    fn read(xml: &str) -> Option<Self> {
        let document = Document::parse(xml).ok()?;
        let domain = document.root_element();
        let text = |name: &str| child(domain, name).and_then(|node| node.text()).map(|text| text.trim().to_owned());
        let devices = child(domain, "devices")?;
        let disks = children(devices, "disk").filter(|disk| child(*disk, "wwn").is_some()).count();
        let source = children(devices, "interface").find_map(|interface| child(interface, "source"));
        let system = child(domain, "os");
        let of_source = |name: &str| source.and_then(|source| source.attribute(name)).map(str::to_owned);
        let network = of_source("network");
        Some(Self {
            memory_kib: child(domain, "memory").and_then(kib)?,
            vcpus: text("vcpu").and_then(|vcpus| vcpus.parse().ok()).unwrap_or(1),
            domain_type: if domain.attribute("type") == Some("kvm") { DomainType::Kvm } else { DomainType::Qemu },
            cpu_mode: child(domain, "cpu").and_then(|cpu| cpu.attribute("mode")).unwrap_or("maximum").to_owned(),
            architecture: system
                .and_then(|os| child(os, "type")?.attribute("arch"))
                .unwrap_or(std::env::consts::ARCH)
                .to_owned(),
            firmware: system.and_then(|os| child(os, "loader")?.text()).map(|path| path.trim().to_owned()),
            data_disks: u32::try_from(disks).unwrap_or(DISKS_MAX),
            // A running network's interface names its bridge, too.
            bridge: if network.is_some() { None } else { of_source("bridge") },
            network,
            description: text("description").unwrap_or_default(),
        })
    }

    /// On how many hypervisors the nodes are.
    fn hypervisors(&self) -> u32 {
        let told = self.description.split(", owner: ").next().and_then(|told| told.split_once(ON));
        told.and_then(|(_, hosts)| hosts.strip_suffix(HYPERVISORS)?.parse().ok()).unwrap_or(1)
    }

    /// The version and the owner of the day on which the machine was made.
    fn description(&self, id: &DeploymentId) -> (String, Option<String>) {
        let rest = self.description.strip_prefix(&format!("{DESCRIPTION}{id}, database ")).unwrap_or_default();
        let (version, owner) = match rest.split_once(", owner: ") {
            Some((version, owner)) => (version, Some(owner.to_owned())),
            None => (rest, None),
        };
        let version = version.split_once(ON).map_or(version, |(version, _)| version);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = !version.is_empty() && version.chars().all(plain);
        (if is_name { version } else { UNKNOWN_VERSION }.to_owned(), owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_PATH: &str = include_str!("../../../tests/fixtures/libvirt/by-path.xml");

    fn id() -> DeploymentId {
        DeploymentId::try_from("exasol-8fa2de44".to_owned()).unwrap()
    }

    fn volume(name: &str, capacity: u64) -> Volume {
        Volume {
            pool: "fast".into(),
            name: name.into(),
            path: format!("/fast/{name}"),
            capacity,
            allocation: 0,
            physical: None,
            backing: None,
            modified: None,
        }
    }

    #[test]
    fn a_machine_tells_what_it_was_asked_to_be() {
        let shape = Shape::read(BY_PATH).unwrap();
        let volumes = [volume("exasol-8fa2de44-n11-data-01.qcow2", 2 * GB), volume("exasol-8fa2de44-n11-root", 5 * GB)];
        let asked = Spec::sample("libvirt");
        let Recognized { spec, facts } = told(&asked, &id(), (3, &shape), &volumes, None);
        assert_eq!((spec.cluster_size, spec.db_version.as_str(), spec.owner), (3, "rehearsal", None));
        assert_eq!((spec.data_volumes_per_node, spec.data_volume_size, spec.root_volume_size), (1, 2, 5));
        let expected = json!({"domain_type": "qemu", "memory": 1, "network": "default", "pool": "fast", "vcpus": 1});
        assert_eq!(serde_json::to_value(&spec.options).unwrap(), expected);
        let facts = Facts::from_map(&facts).unwrap();
        assert_eq!((facts.network_name.as_deref(), facts.bridge, facts.own_network), (Some("default"), None, false));
        assert_eq!((facts.cpu_mode.as_str(), facts.architecture.as_str()), ("maximum", "x86_64"));
    }

    #[test]
    fn a_network_of_its_own_is_one_again() {
        let shape = Shape { network: Some("exasol-8fa2de44-net".into()), ..Shape::read(BY_PATH).unwrap() };
        let range = "10.77.0.0/24".parse().ok();
        let Recognized { spec, facts } = told(&Spec::sample("libvirt"), &id(), (1, &shape), &[], range);
        assert_eq!(spec.options["network"], "new:10.77.0.0/24");
        assert!(Facts::from_map(&facts).unwrap().own_network);
        assert_eq!((spec.data_volume_size, spec.root_volume_size), (1, 1), "nothing tells: a size that is one");
    }

    #[test]
    fn a_version_is_what_the_description_says_or_unknown() {
        let of = |text: &str| Shape { description: text.into(), ..Shape::read(BY_PATH).unwrap() }.description(&id());
        let named = |version: &str, owner: Option<&str>| (version.to_owned(), owner.map(str::to_owned));
        assert_eq!(of("Exasol deployment exasol-8fa2de44, database exasol-2025.1.8"), named("exasol-2025.1.8", None));
        let owned = of("Exasol deployment exasol-8fa2de44, database rehearsal, owner: Eva, Lab 2");
        assert_eq!(owned, named("rehearsal", Some("Eva, Lab 2")));
        for odd in [
            "",
            "my machine",
            "Exasol deployment exasol-00000001, database x",
            "Exasol deployment exasol-8fa2de44, database a b",
        ] {
            assert_eq!(of(odd), named(UNKNOWN_VERSION, None), "{odd}");
        }
    }

    #[test]
    fn fuzz_domains_of_a_lost_directory() {
        crate::fuzz::text_target("domain-xml", &super::super::RECORDED, |xml| drop(Shape::read(xml)));
    }
}
