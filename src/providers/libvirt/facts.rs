//! What the preflight finds out, `init` records, and rendering needs. What there is none of is null,
//! since templates may not name what is not there.

use anyhow::Context as _;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::options::DomainType;
use crate::error::{Error, Result};
use crate::model::Options as Map;

/// Recorded under these names in the deployment, and seen by templates as `facts.…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub domain_type: DomainType,
    /// `host-passthrough` or `maximum`.
    pub cpu_mode: String,
    /// Processors of a node for which nobody has said how many; none recorded: the usual default.
    #[serde(default)]
    pub default_vcpus: Option<u32>,
    /// As `uname -m` says it on the hypervisor.
    pub architecture: String,
    /// File of the UEFI firmware on the hypervisor; none where machines have a PC's firmware.
    #[serde(default)]
    pub firmware: Option<String>,
    pub uri: String,
    /// Terraform makes (and destroys) the network.
    pub own_network: bool,
    /// Name of the network that nodes are attached to; none on a bridge. Of an own network only
    /// the preflight of `deploy` knows it, since it carries the deployment's id.
    #[serde(default)]
    pub network_name: Option<String>,
    /// A host bridge that is attached directly.
    #[serde(default)]
    pub bridge: Option<String>,
    /// Range of an own network.
    #[serde(default)]
    pub network_cidr: Option<Ipv4Net>,
    /// Addresses come from outside libvirt, and are read from the serial console.
    pub external_addresses: bool,
}

impl Facts {
    pub fn to_map(&self) -> Map {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map.into_iter().collect(),
            _ => Map::new(),
        }
    }

    pub fn from_map(map: &Map) -> Result<Self> {
        serde_json::to_value(map)
            .and_then(serde_json::from_value)
            .context("what init recorded about libvirt is incomplete")
            .map_err(Error::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_being_recorded() {
        let facts = Facts {
            domain_type: DomainType::Qemu,
            cpu_mode: "maximum".into(),
            default_vcpus: Some(1),
            architecture: "x86_64".into(),
            firmware: None,
            uri: "qemu:///system".into(),
            own_network: true,
            network_name: None,
            bridge: None,
            network_cidr: Some("10.77.0.0/24".parse().unwrap()),
            external_addresses: false,
        };
        let map = facts.to_map();
        assert_eq!(map["domain_type"], "qemu");
        assert_eq!(map["network_cidr"], "10.77.0.0/24");
        assert_eq!(Facts::from_map(&map).unwrap(), facts);
        assert!(Facts::from_map(&Map::new()).is_err());
    }
}
