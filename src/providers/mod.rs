//! The providers, one row each. Adding one: a folder of templates, a file here, a line in [`ALL`].
//!
//! Only this file knows which providers there are. A row is data and a few functions; it spawns
//! nothing and fetches nothing (a hypervisor's own client library is the one exception, in
//! `libvirt/client/`).

use std::sync::atomic::AtomicBool;

use serde_json::{Map, Value};

use crate::error::Result;
use crate::model::{DataDisk, DeploymentId, InvalidValue, NodePlan, NodeSize, OptionDef, Options, Outcome, Spec};

mod addresses;
mod aws;
mod azure;
pub mod cloud;
mod dial;
mod digitalocean;
#[cfg(test)]
pub mod dummy_host;
mod exoscale;
mod gcp;
mod hetzner;
mod hypervisor;
pub mod libvirt;
mod oci;

pub use cloud::{Cloud, CredentialInput, Credentials};
pub use dial::dial_with;
pub use hypervisor::{
    CachedVolume, ConsoleNews, ConsoleReader, Host, Hypervisor, Leftover, LeftoverKind, Marked, MarkedThings,
    Recognized, StandIn, UNKNOWN_VERSION, UploadProgress, Variables, is_on_host, on_host,
};

/// A place where machines can be made.
pub struct Provider {
    /// As in `--cloud-provider`.
    pub name: &'static str,
    pub title: &'static str,
    /// Folders below `templates/`, by the provider's name. A file of a later folder replaces its namesake; the last
    /// folder also has `permissions.json`.
    pub templates: fn(&str) -> Vec<String>,
    /// Options that only this provider has.
    pub options: &'static [OptionDef],
    /// What one node gets, by the facts that preflight has found (none yet: as far as is known without); None for
    /// a machine type that the catalogue does not know.
    pub size: fn(&Spec, &Options) -> Result<Option<NodeSize>>,
    /// Rejects values that are wrong whatever the target looks like. Exit 2 errors only.
    pub validate: fn(&Spec) -> Result<()>,
    /// Looks at the target: every check, never the first failure only. Blocking; changes nothing.
    pub preflight: fn(&PreflightInput) -> Outcome,
    /// Variables for Terraform beside those that all providers share.
    pub tfvars: fn(&TfvarsInput) -> Result<Map<String, Value>>,
    pub resources: Resources,
    /// A data disk's own name below `/dev` on a node, where it is known before the disk is made; elsewhere
    /// Terraform's output `data_disks` tells it.
    pub disk_link: Option<fn(&DataDisk) -> String>,
    /// Where its machines are, and what only such a place has.
    pub place: Place,
}

/// The types of Terraform's resources that the plan guard protects.
pub struct Resources {
    /// A node's machine, and what stands and falls with it. The first is the machine itself.
    pub machines: &'static [&'static str],
    pub data_disks: &'static [&'static str],
    /// Attributes, as (type, path of names), whose change in place destroys what the machine holds: the plan
    /// guard refuses it like a replacement.
    pub frozen: &'static [(&'static str, &'static [&'static str])],
}

impl Resources {
    /// Without frozen attributes.
    const fn new(machines: &'static [&'static str], data_disks: &'static [&'static str]) -> Self {
        Self { machines, data_disks, frozen: &[] }
    }

    /// Terraform's type of the machine itself.
    pub fn machine(&self) -> &'static str {
        self.machines.first().copied().unwrap_or_default()
    }
}

/// A provider is one of these two.
pub enum Place {
    /// Its own library gets at the machines directly, without Terraform.
    Hypervisor(&'static Hypervisor),
    /// Machines are rented: there is an account with credentials, and only Terraform or an API gets at them.
    Cloud(Cloud),
}

impl Provider {
    pub const fn hypervisor(&self) -> Option<&'static Hypervisor> {
        match &self.place {
            Place::Hypervisor(hypervisor) => Some(hypervisor),
            Place::Cloud(_) => None,
        }
    }

    pub const fn cloud(&self) -> Option<&Cloud> {
        match &self.place {
            Place::Hypervisor(_) => None,
            Place::Cloud(cloud) => Some(cloud),
        }
    }

    pub const fn is_cloud(&self) -> bool {
        matches!(self.place, Place::Cloud(_))
    }

    pub fn template_folders(&self) -> Vec<String> {
        (self.templates)(self.name)
    }

    /// The flag of one of its own options, by the option's key: `--libvirt-image`.
    pub fn flag(&self, key: &str) -> Option<String> {
        self.options.iter().find(|def| def.key == key).map(|def| format!("--{}", def.flag))
    }

    /// Whether the root disk is as big as the machine type says, and cannot be chosen.
    pub const fn has_fixed_root_disk(&self) -> bool {
        matches!(self.place, Place::Cloud(Cloud { fixed_root_disk: true, .. }))
    }
}

pub struct PreflightInput<'a> {
    pub spec: &'a Spec,
    /// None before `init` has made one.
    pub id: Option<&'a DeploymentId>,
    pub nodes: &'a [NodePlan],
    /// What an earlier preflight found out and `init` recorded, and what credentials tell; None before.
    pub facts: Option<&'a Options>,
    /// Set once nobody waits for the answer any more: what takes long ends then, and leaves nothing behind.
    pub stop: &'a AtomicBool,
}

pub struct TfvarsInput<'a> {
    pub id: &'a DeploymentId,
    pub spec: &'a Spec,
    /// What preflight found out and `init` recorded.
    pub facts: &'a Options,
    pub nodes: &'a [NodePlan],
    /// Name of the base image's volume, once it is uploaded; empty while only planning.
    pub base_volume: &'a str,
    /// The deployer's public key, as one line.
    pub ssh_public_key: &'a str,
    /// Whether the machines shall be on; for providers whose Terraform switches them.
    pub powered: bool,
}

/// The provider when none is named: the workstation itself.
pub const DEFAULT: &str = "libvirt";

/// All providers, in the order of `--list-providers`.
pub static ALL: &[&Provider] = &[
    &libvirt::PROVIDER,
    &aws::PROVIDER,
    &azure::PROVIDER,
    &gcp::PROVIDER,
    &hetzner::PROVIDER,
    &digitalocean::PROVIDER,
    &exoscale::PROVIDER,
    &oci::PROVIDER,
];

/// The provider of that name.
pub fn find(name: &str) -> Result<&'static Provider> {
    #[cfg(test)]
    if name == dummy_host::PROVIDER.name {
        return Ok(&dummy_host::PROVIDER);
    }
    ALL.iter()
        .copied()
        .find(|p| p.name == name)
        .ok_or_else(|| InvalidValue::none_of("--cloud-provider", name, &names()).into())
}

/// The names of all providers.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|provider| provider.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_cloud_answers() {
        let seeds = [
            &br#"{"server": {"id": 7, "status": "running", "locked": false}}"#[..],
            br#"{"droplet": {"status": "off"}, "state": "stopped", "lifecycleState": "STOPPED"}"#,
            br#"{"statuses": [{"code": "PowerState/running"}, {"code": "ProvisioningState/succeeded"}], "access_token": "x"}"#,
        ];
        crate::fuzz::target("cloud-answers", &seeds, |bytes| {
            let Ok(answer) = serde_json::from_slice(bytes) else { return };
            for provider in ALL {
                if let Some(cloud::PowerControl::Api(api)) = provider.cloud().map(|cloud| &cloud.power) {
                    (api.state)(&answer);
                }
            }
        });
    }
}
