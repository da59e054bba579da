use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DbVersion, Options};

/// Nodes of a cluster, and data disks of a node, at most.
pub const NODES_MAX: u32 = 64;
pub const DISKS_MAX: u32 = 16;

/// What the user asked for: everything about a deployment that people choose, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// A provider's name as in `--list-providers`.
    pub provider: String,
    /// Number of nodes, 1 or more.
    pub cluster_size: u32,
    /// A version's full name in the catalogue (aliases are resolved by `init`).
    pub db_version: String,
    /// The release of that name, where it is not one of this binary's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Box<DbVersion>>,
    /// GB (10^9 is not meant: 1 GB = 1024^3 bytes, as in the Bash deployer).
    pub data_volume_size: u32,
    pub data_volumes_per_node: u32,
    pub root_volume_size: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who may reach SSH, SQL and the Admin UI. Empty: anyone.
    #[serde(default)]
    pub allowed_cidrs: Vec<IpNet>,
    #[serde(default)]
    pub multicast_overlay: bool,
    /// The engine asked for: `terraform` or `tofu`. None: whichever is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The provider's own options, by key; checked against the provider's table by `init`.
    #[serde(default)]
    pub options: Options,
}

impl Spec {
    /// Refuses numbers that no `init` has ever written: whoever counts up to them would not end.
    pub fn check_counts(&self) -> Result<(), String> {
        let counts = [
            ("cluster_size", self.cluster_size, NODES_MAX),
            ("data_volumes_per_node", self.data_volumes_per_node, DISKS_MAX),
        ];
        match counts.into_iter().find(|(_, count, max)| !(1..=*max).contains(count)) {
            None => Ok(()),
            Some((key, count, max)) => Err(format!("cannot be read: {key} is {count}, but must be from 1 to {max}")),
        }
    }
}

/// The provider's option with the address of its hypervisor: a text, or a list of several.
const HYPERVISORS: &str = "uri";

impl Spec {
    /// The addresses of its hypervisors, as they were typed; none where the provider has another one.
    pub fn hypervisors(&self) -> Vec<&str> {
        match self.options.get(HYPERVISORS) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one],
            _ => Vec::new(),
        }
    }

    /// On how many hypervisors its nodes are; one where none is named.
    pub fn hosts(&self) -> u32 {
        u32::try_from(self.hypervisors().len()).unwrap_or(1).max(1)
    }

    /// What it asks of each of its hypervisors, in their order: that one's address, and as many nodes as are on it.
    /// Its nodes must not be counted from such a part, because their names are those of the whole.
    pub fn on_each_host(&self) -> Vec<Spec> {
        let hypervisors = self.hypervisors();
        if hypervisors.len() < 2 {
            return vec![self.clone()];
        }
        let hosts = self.hosts();
        let part = |(host, address): (u32, &str)| {
            let mut part = self.clone();
            part.options.insert(HYPERVISORS.to_owned(), Value::String(address.to_owned()));
            // As NodePlan::host has it: node by node, in turn.
            part.cluster_size = (self.cluster_size + hosts - 1 - host) / hosts;
            part
        };
        (0..).zip(hypervisors).map(part).collect()
    }
}

/// One thing that somebody asked to change in a recorded [`Spec`]: its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecChange {
    ClusterSize(u32),
    /// As it was typed. The recorded release belongs to the former one.
    DbVersion(String),
    DataVolumeSize(u32),
    DataVolumesPerNode(u32),
    RootVolumeSize(u32),
    InstanceType(Option<String>),
    Owner(Option<String>),
    AllowedCidrs(Vec<IpNet>),
    MulticastOverlay(bool),
    Engine(Option<String>),
    /// One of the provider's own, by its key.
    Option(String, Value),
}

impl Spec {
    /// This one with a change; what nobody asked to change stays.
    pub fn with(mut self, change: SpecChange) -> Spec {
        match change {
            SpecChange::ClusterSize(nodes) => self.cluster_size = nodes,
            SpecChange::DbVersion(name) => {
                self.db_version = name;
                self.release = None;
            }
            SpecChange::DataVolumeSize(gb) => self.data_volume_size = gb,
            SpecChange::DataVolumesPerNode(disks) => self.data_volumes_per_node = disks,
            SpecChange::RootVolumeSize(gb) => self.root_volume_size = gb,
            SpecChange::InstanceType(name) => self.instance_type = name,
            SpecChange::Owner(name) => self.owner = name,
            SpecChange::AllowedCidrs(networks) => self.allowed_cidrs = networks,
            SpecChange::MulticastOverlay(on) => self.multicast_overlay = on,
            SpecChange::Engine(name) => self.engine = name,
            SpecChange::Option(key, value) => {
                self.options.insert(key, value);
            }
        }
        self
    }
}

/// What one node gets, once instance type and explicit options are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeSize {
    pub memory_mb: u64,
    pub vcpus: u32,
}

#[cfg(test)]
impl Spec {
    /// For tests: two nodes with two disks for the rehearsal, and nothing that can be left out.
    pub fn sample(provider: &str) -> Spec {
        Spec {
            provider: provider.to_owned(),
            cluster_size: 2,
            db_version: "rehearsal".to_owned(),
            release: None,
            data_volume_size: 100,
            data_volumes_per_node: 2,
            root_volume_size: 50,
            instance_type: None,
            owner: None,
            allowed_cidrs: Vec::new(),
            multicast_overlay: false,
            engine: None,
            options: Options::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hypervisor_has_its_part() {
        let mut spec = Spec { cluster_size: 5, ..Spec::sample("libvirt") };
        assert_eq!((spec.hosts(), spec.on_each_host()), (1, vec![spec.clone()]));
        spec.options.insert("uri".into(), "a".into());
        assert_eq!((spec.hosts(), spec.on_each_host()), (1, vec![spec.clone()]));
        spec.options.insert("uri".into(), serde_json::json!(["a", "b"]));
        let parts = spec.on_each_host();
        let told: Vec<_> = parts.iter().map(|part| (part.hypervisors(), part.cluster_size)).collect();
        assert_eq!(told, [(vec!["a"], 3), (vec!["b"], 2)]);
    }
}
