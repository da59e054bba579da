//! The providers, one row each. Adding one: a folder of templates, a file here, a line in [`ALL`].
//!
//! Only this file knows which providers there are. A row is data and a few functions; it spawns
//! nothing and fetches nothing (a hypervisor's own client library is the one exception, in
//! `libvirt/client/`).

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::{Map, Value};

use crate::error::Result;
use crate::model::{
    BaseImage, Component, DataDisk, DeploymentId, InvalidValue, Login, Machine, NodePlan, NodeSize, OptionDef, Options,
    Outcome, Spec, UnfitImage,
};

mod addresses;
mod aws;
mod azure;
pub mod cloud;
mod dial;
mod digitalocean;
mod exoscale;
mod gcp;
mod hetzner;
pub mod libvirt;
mod oci;

pub use cloud::{Cloud, CredentialInput, Credentials};
pub use dial::dial_with;

/// A place where machines can be made.
pub struct Provider {
    /// As in `--cloud-provider`.
    pub name: &'static str,
    pub title: &'static str,
    /// Folders below `templates/`; a file of a later one replaces its namesake.
    pub templates: &'static [&'static str],
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
    /// Terraform resource types that are a node's machine, and a data disk: the plan guard protects them.
    pub machine_types: &'static [&'static str],
    pub disk_types: &'static [&'static str],
    /// Attributes, as (type, path of names), whose change in place destroys what the machine holds: the plan
    /// guard refuses it like a replacement.
    pub frozen: &'static [(&'static str, &'static [&'static str])],
    /// A data disk's own name below `/dev` on a node, where it is known before the disk is made; elsewhere
    /// Terraform's output `data_disks` tells it.
    pub disk_link: Option<fn(&DataDisk) -> String>,
    /// What an account needs so that everything works, as `--show-permissions` prints it: JSON.
    pub permissions: &'static str,
    /// Where its machines are, and what only such a place has.
    pub place: Place,
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

/// Gets bytes done and total; false: give up.
pub type UploadProgress<'a> = &'a mut dyn FnMut(u64, u64) -> bool;
/// Gets what consoles printed; false: stop following.
pub type ConsoleReader<'a> = &'a mut dyn FnMut(ConsoleNews<'_>) -> bool;

/// What happens on the consoles that are followed, each with the position of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleNews<'a> {
    Opened(usize),
    /// The machine runs, and its console cannot be read; why.
    Refused(usize, &'a str),
    Printed(usize, &'a [u8]),
    /// On none of them, for a tenth of a second.
    Nothing,
}

/// Names and values.
pub type Variables = Vec<(String, String)>;

/// Blocking functions on the hypervisor itself. `Spec` says which one and how to reach it.
pub struct Hypervisor {
    /// Makes what a check called creatable (`init --create-missing`).
    pub create_missing: fn(&Spec, &str) -> Result<String>,
    /// The image that nodes boot from, with what `init` recorded.
    pub base_image: fn(&Spec, &Options) -> Result<BaseImage>,
    /// Why the local file cannot be used as that image; reads its headers only.
    pub check_image: fn(&Spec, &Options, &Path) -> Result<Option<UnfitImage>>,
    /// Puts a local image into the pool under a name made of its checksum, once; returns the volume's name.
    /// The callback gets bytes done and total, and returns false to give up.
    pub upload_image: fn(&Spec, &Path, &str, UploadProgress<'_>) -> Result<String>,
    /// State and addresses of the deployment's machines; one with power `Missing` for each that is not there.
    pub machines: fn(&Spec, &[NodePlan]) -> Result<Vec<Machine>>,
    /// Connects a running machine with its network again, without stopping it.
    pub replug: fn(&Spec, &NodePlan) -> Result<()>,
    /// Brings a machine's definition to what this version and the spec make, and says what changed; one that
    /// runs goes on as it is. Disks of one that is off grow; nothing is ever made smaller.
    pub mend: fn(&Spec, &Options, &NodePlan) -> Result<Vec<String>>,
    /// How a machine that exists differs from what is asked for, in what Terraform leaves as it is.
    pub misfits: fn(&Spec, &Options, &NodePlan) -> Result<Vec<String>>,
    /// Removes such a machine with its root disk, so that Terraform makes both anew; data disks stay.
    pub discard: fn(&Spec, &NodePlan) -> Result<()>,
    /// Options, beside the disks' sizes, that `mend` changes of a machine that is off.
    pub sizes: &'static [&'static str],
    /// Puts what cloud-init reads at the first boot (`user_data`) where the machine, which is about to be made,
    /// will find it; nobody else can read it.
    pub provide_seed: fn(&Spec, &NodePlan, &str) -> Result<()>,
    /// Whether that is still there.
    pub has_seed: fn(&Spec, &NodePlan) -> Result<bool>,
    /// Takes it away, from a machine that runs too; false if the guest does not let go of it now.
    pub remove_seed: fn(&Spec, &NodePlan) -> Result<bool>,
    /// Terraform types that earlier versions made and this one keeps itself: Terraform is to forget them.
    pub no_more_terraforms: &'static [&'static str],
    /// Switches on a machine that is off, lets one go on that was paused; one that is on stays as it is.
    pub switch_on: fn(&Spec, &NodePlan) -> Result<()>,
    /// Asks the guest to shut down, as the button on a machine does; returns at once.
    pub shut_down: fn(&Spec, &NodePlan) -> Result<()>,
    /// The command with which a person switches a machine off that does not shut down.
    pub cut_off: fn(&Spec, &NodePlan) -> Result<String>,
    /// The command with which a person has the network give a node that address from now on; None where
    /// addresses come from outside the hypervisor.
    pub keep_address: fn(&Spec, &Options, &NodePlan, IpAddr) -> Result<Option<String>>,
    /// The command that shows a person which machine has which address; None as above.
    pub show_leases: fn(&Spec, &Options) -> Result<Option<String>>,
    /// Whether the machine starts with its host.
    pub set_autostart: fn(&Spec, &NodePlan, bool) -> Result<()>,
    /// Cuts a machine off and switches it on again, as when its kernel has given up.
    pub reset: fn(&Spec, &NodePlan) -> Result<()>,
    /// A number that grows while the guest uses its disks or sends packets; None where nobody counts that.
    pub activity: fn(&Spec, &NodePlan) -> Result<Option<u64>>,
    /// Follows the machines' serial consoles, over one connection, until the callback returns false. Machines that
    /// do not run or do not exist yet are waited for. While nothing is printed the callback hears so about ten
    /// times a second. Error: the hypervisor cannot be reached any more.
    pub follow_consoles: fn(&Spec, &[NodePlan], ConsoleReader<'_>) -> Result<()>,
    /// The node and address that a line of a console tells, where addresses come from outside
    /// the hypervisor (`exasol-address: n11 192.0.2.5`, printed by cloud-init).
    pub console_address: fn(&str) -> Option<(String, IpAddr)>,
    /// What the hypervisor still has of this deployment: domains, volumes, networks, snapshots.
    pub leftovers: fn(&Spec, &DeploymentId) -> Result<Vec<Leftover>>,
    /// Removes one of them.
    pub remove: fn(&Spec, &DeploymentId, &Leftover) -> Result<()>,
    /// The command with which a person removes one; None for a data disk, which nobody is told to remove.
    pub removal: fn(&Spec, &Leftover) -> Result<Option<String>>,
    /// The login on the hypervisor itself, where it is remote: SSH gets to the machines through it. Nobody is asked.
    pub login: fn(&Spec) -> Result<Option<Login>>,
    /// Terraform's variables that hold for this process only: they are in no file. The hypervisor is reached for them.
    pub terraform_variables: fn(&Spec) -> Result<Variables>,
    /// Addresses of this workstation, or of the jump host, as guests see them: always allowed.
    pub deployer_addresses: fn(&Spec, &Options) -> Result<Vec<IpAddr>>,
    /// Shared base-image volumes in the pool, with the volumes that each one backs.
    pub cached_volumes: fn(&Spec) -> Result<Vec<CachedVolume>>,
    pub remove_cached_volume: fn(&Spec, &str) -> Result<()>,
    /// Of its library and of the hypervisor where it is if nobody names another place; for bug reports.
    pub versions: fn() -> Vec<Component>,
    /// The image that nodes boot from if none is named.
    pub default_image: fn() -> Option<String>,
    /// A program that its Terraform provider calls, so that nobody has to install it.
    pub stand_in: Option<StandIn>,
}

/// A program that exasol stands in for, under its name on Terraform's PATH.
pub struct StandIn {
    pub program: &'static str,
    /// Options that change nothing of what it prints.
    pub options: &'static [&'static str],
    /// What it prints, given the content of its two files; None: the real program is needed.
    pub transform: fn(&str, &str) -> Option<String>,
}

/// Something of a deployment that the hypervisor has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub kind: LeftoverKind,
    pub name: String,
    /// A volume's pool.
    pub pool: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftoverKind {
    /// In the order in which they are removed.
    Domain,
    /// A volume of data for a first boot: exasol's own, not Terraform's, and nothing that anybody needs later.
    Seed,
    Volume,
    Network,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedVolume {
    pub pool: String,
    pub name: String,
    pub bytes: u64,
    /// Names of volumes that need it.
    pub backs: Vec<String>,
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
    ALL.iter().copied().find(|p| p.name == name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|p| p.name).collect();
        InvalidValue::none_of("--cloud-provider", name, &names).into()
    })
}
