//! What a hypervisor's own library does for a deployment: a row of data, and a connection that is open.
//!
//! Everything here blocks; callers use `spawn_blocking`.

use std::fmt;
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;

use crate::error::Result;
use crate::model::{BaseImage, Component, DeploymentId, Login, Machine, NodePlan, Options, Power, Spec, UnfitImage};

/// Names and values.
pub type Variables = Vec<(String, String)>;

/// What can be created, of one of several hypervisors.
pub fn on_host(what: &str, host: &str) -> String {
    format!("{what} on {host}")
}

/// The contrary of [`on_host`]: what can be created, if it is on that hypervisor.
pub fn is_on_host<'a>(what: &'a str, host: &str) -> Option<&'a str> {
    what.strip_suffix(host)?.strip_suffix(" on ")
}

/// What is known of a hypervisor without a connection, and the way to open one.
pub struct Hypervisor {
    /// Opens a connection to the hypervisor that the spec names.
    pub open: fn(&Spec) -> Result<Box<dyn Host>>,
    /// What is there for the option with that key, on the hypervisor at that address, else on the usual one: pools,
    /// networks. Nothing for other options.
    pub existing: fn(&str, Option<&str>) -> Result<Vec<String>>,
    /// The image that nodes boot from, with what `init` recorded.
    pub base_image: fn(&Spec, &Options) -> Result<BaseImage>,
    /// Why the local file cannot be used as that image; reads its headers only.
    pub check_image: fn(&Spec, &Options, &Path) -> Result<Option<UnfitImage>>,
    /// The image that nodes boot from if none is named.
    pub default_image: fn() -> Option<String>,
    /// Options, beside the disks' sizes, that [`Host::mend`] changes of a machine that is off.
    pub sizes: &'static [&'static str],
    /// Terraform types that earlier versions made and this one keeps itself: Terraform is to forget them.
    pub no_more_terraforms: &'static [&'static str],
    /// The node and address that a line of a console tells, where addresses come from outside
    /// the hypervisor (`exasol-address: n11 192.0.2.5`, printed by cloud-init).
    pub console_address: fn(&str) -> Option<(String, IpAddr)>,
    /// The command with which a person switches a machine off that does not shut down.
    pub cut_off: fn(&Spec, &NodePlan) -> Result<String>,
    /// The command with which a person has the network give a node that address from now on; None where
    /// addresses come from outside the hypervisor.
    pub keep_address: fn(&Spec, &Options, &NodePlan, IpAddr) -> Result<Option<String>>,
    /// The command that shows a person which machine has which address; None as above.
    pub show_leases: fn(&Spec, &Options) -> Result<Option<String>>,
    /// The command with which a person removes one; None for a data disk, which nobody is told to remove.
    pub removal: fn(&Spec, &Leftover) -> Result<Option<String>>,
    /// The login on the hypervisor itself, where it is remote: SSH gets to the machines through it. Nobody is asked.
    pub login: fn(&Spec) -> Result<Option<Login>>,
    /// Terraform's variables that hold for this process only: they are in no file. The hypervisor is reached for them.
    pub terraform_variables: fn(&Spec) -> Result<Variables>,
    /// Of its library and of the hypervisor where it is if nobody names another place; for bug reports.
    pub versions: fn() -> Vec<Component>,
    /// A program that its Terraform provider calls, so that nobody has to install it.
    pub stand_in: Option<StandIn>,
}

/// One open connection to a hypervisor, for one deployment: it knows the spec that it was opened with. Several
/// threads may use it at the same time.
pub trait Host: Send + Sync {
    /// Whether the connection still works. Asks for next to nothing, and waits for the answer.
    fn answers(&self) -> bool;

    /// Makes what a check called creatable (`init --create-missing`), and says what it did.
    fn create_missing(&self, what: &str) -> Result<String>;

    /// Puts a local image into the pool under a name made of its checksum, once; returns the volume's name.
    /// The callback gets bytes done and total, and returns false to give up.
    fn upload_image(&self, image: &Path, sha256: &str, progress: UploadProgress<'_>) -> Result<String>;

    /// Makes a copy of the root disk of a machine that is off, which needs no base image; it goes with the machine.
    fn flatten_root(&self, node: &NodePlan) -> Result<()>;

    /// Writes that copy to the end of a local file, and returns the SHA-256 of what it has written, lower-case hex. The
    /// callback is that of an upload.
    fn download_root(&self, node: &NodePlan, to: &mut File, progress: UploadProgress<'_>) -> Result<String>;

    /// Shared base-image volumes in the pool, with the volumes that each one backs.
    fn cached_volumes(&self) -> Result<Vec<CachedVolume>>;

    fn remove_cached_volume(&self, name: &str) -> Result<()>;

    /// State and addresses of the nodes' machines, in the nodes' order; one with power `Missing` for each that is not
    /// there.
    fn machines(&self, nodes: &[NodePlan]) -> Result<Vec<Machine>>;

    /// Switches on a machine that is off, lets one go on that was paused; one that is on stays as it is.
    fn switch_on(&self, node: &NodePlan) -> Result<()>;

    /// Asks the guest to shut down, as the button on a machine does; returns at once.
    fn shut_down(&self, node: &NodePlan) -> Result<()>;

    /// Cuts a machine off and switches it on again, as when its kernel has given up.
    fn reset(&self, node: &NodePlan) -> Result<()>;

    /// Whether the machine starts with its host.
    fn set_autostart(&self, node: &NodePlan, wanted: bool) -> Result<()>;

    /// Connects a running machine with its network again, without stopping it.
    fn replug(&self, node: &NodePlan) -> Result<()>;

    /// Brings a machine's definition to what this version and the spec make, and says what changed; one that
    /// runs goes on as it is. Disks of one that is off grow; nothing is ever made smaller.
    fn mend(&self, facts: &Options, node: &NodePlan) -> Result<Vec<String>>;

    /// How a machine that exists differs from what is asked for, in what Terraform leaves as it is.
    fn misfits(&self, facts: &Options, node: &NodePlan) -> Result<Vec<String>>;

    /// Removes such a machine with its root disk, so that Terraform makes both anew; data disks stay.
    fn discard(&self, node: &NodePlan) -> Result<()>;

    /// Puts what cloud-init reads at the first boot (`user_data`) where the machine, which is about to be made,
    /// will find it; nobody else can read it.
    fn provide_seed(&self, node: &NodePlan, user_data: &str) -> Result<()>;

    /// Whether that is still there.
    fn has_seed(&self, node: &NodePlan) -> Result<bool>;

    /// Takes it away, from a machine that runs too; false if the guest does not let go of it now.
    fn remove_seed(&self, node: &NodePlan) -> Result<bool>;

    /// A number that grows while the guest uses its disks or sends packets; None where nobody counts that.
    fn activity(&self, node: &NodePlan) -> Result<Option<u64>>;

    /// Follows the machines' serial consoles until the callback returns false. Machines that do not run or do not
    /// exist yet are waited for. While nothing is printed the callback hears so about ten times a second. Error: the
    /// hypervisor cannot be reached any more.
    fn follow_consoles(&self, nodes: &[NodePlan], read: ConsoleReader<'_>) -> Result<()>;

    /// What the hypervisor still has of this deployment: domains, volumes, networks, snapshots.
    fn leftovers(&self, id: &DeploymentId) -> Result<Vec<Leftover>>;

    /// What the hypervisor has of any deployment; nothing that only has a similar name.
    fn marked(&self) -> Result<MarkedThings>;

    /// What a deployment was asked to be, as far as its machines tell; None where it has none.
    fn recognize(&self, id: &DeploymentId) -> Result<Option<Recognized>>;

    /// Removes one of them; one that is gone already is no error.
    fn remove(&self, id: &DeploymentId, leftover: &Leftover) -> Result<()>;

    /// Addresses of this workstation, or of the jump host, as guests see them: always allowed.
    fn deployer_addresses(&self, facts: &Options) -> Result<Vec<IpAddr>>;
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

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.kind {
            LeftoverKind::Domain => write!(f, "domain {name}"),
            LeftoverKind::Seed | LeftoverKind::Volume => {
                write!(f, "volume {name} in pool {}", self.pool.as_deref().unwrap_or("?"))
            }
            LeftoverKind::Network => write!(f, "network {name}"),
        }
    }
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

/// What the machines of a deployment tell of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognized {
    /// Its version is [`UNKNOWN_VERSION`] where nothing names one.
    pub spec: Spec,
    /// As the preflight of `init` would have recorded them.
    pub facts: Options,
}

/// In the place of a version that nobody knows: no version has this name.
pub const UNKNOWN_VERSION: &str = "unknown";

/// What a hypervisor has that carries the mark of a deployment, whoever has the deployment's directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MarkedThings {
    pub things: Vec<Marked>,
    /// Where nobody could look, with the reason.
    pub unseen: Vec<String>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    pub deployment: DeploymentId,
    pub thing: Leftover,
    /// Of a machine.
    pub power: Option<Power>,
    /// Bytes that a volume takes.
    pub bytes: Option<u64>,
    /// When a volume's content last changed: seconds since 1970 by the hypervisor's clock. None: nobody can tell.
    pub changed: Option<i64>,
    /// Why it must not be removed although it has the mark's name.
    pub doubt: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedVolume {
    pub pool: String,
    pub name: String,
    pub bytes: u64,
    /// Names of volumes that need it.
    pub backs: Vec<String>,
}
