//! A hypervisor that does not exist, for tests: what happens to its machines is a map, every call is recorded, and it
//! hangs or breaks when it is told to. Each spec's option `world` names one of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Map;

use super::{
    CachedVolume, ConsoleReader, Host, Hypervisor, Leftover, LeftoverKind, Marked, MarkedThings, Place, Provider,
    Recognized, Resources, UploadProgress,
};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, ImageLocation, Machine, NodePlan, Options, Outcome, Power, Spec};

pub static PROVIDER: Provider = Provider {
    // Not the name of the cloud that docs/adding-a-provider.md adds.
    name: "dummy-host",
    title: "Dummy hypervisor",
    templates: |_| Vec::new(),
    options: &[],
    resources: Resources::new(&["dummy_machine"], &["dummy_disk"]),
    disk_link: Some(|disk| format!("disk/by-id/dummy-{}", disk.number)),
    size: |_, _| Ok(None),
    validate: |_| Ok(()),
    preflight: |_| Outcome { checks: Vec::new(), facts: Options::new() },
    tfvars: |_| Ok(Map::new()),
    place: Place::Hypervisor(&Hypervisor {
        open: |spec| {
            let world = World::of(spec);
            world.call("open")?;
            world.lock().opened += 1;
            Ok(Box::new(Connection { world, broken: Mutex::default() }))
        },
        base_image: |_, _| Ok(crate::model::BaseImage { location: ImageLocation::File("image".into()), sha256: None }),
        check_image: |_, _, _| Ok(None),
        existing: |_, _| Ok(Vec::new()),
        default_image: || None,
        sizes: &[],
        no_more_terraforms: &[],
        console_address: |_| None,
        cut_off: |_, node| Ok(format!("dummy cut-off {}", node.machine)),
        keep_address: |_, _, _, _| Ok(None),
        show_leases: |_, _| Ok(None),
        removal: |_, leftover| Ok(Some(format!("dummy remove {}", leftover.name))),
        login: |_| Ok(None),
        terraform_variables: |_| Ok(Vec::new()),
        versions: Vec::new,
        stand_in: None,
    }),
};

/// What a test sees and says.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Inner>>);

#[derive(Default)]
pub struct Inner {
    /// By the node's name; nothing for one that is missing.
    pub machines: BTreeMap<String, Power>,
    /// A file that Terraform makes with the machines: while it is there, a machine that nobody has switched is off.
    pub made: Option<PathBuf>,
    /// Of every machine that runs.
    pub address: Option<IpAddr>,
    pub leftovers: Vec<String>,
    /// Every call, in order, with its node: `switch_on n11`.
    pub calls: Vec<String>,
    /// Connections so far.
    pub opened: u32,
    /// A call that never returns for as long as this names it.
    pub hangs: Option<&'static str>,
    /// A call that fails once, and with it the connection.
    pub breaks: Option<&'static str>,
}

static WORLDS: LazyLock<Mutex<BTreeMap<String, World>>> = LazyLock::new(Mutex::default);

impl World {
    /// A new one, and a spec of one node in it.
    pub fn new(name: &str) -> (Self, Spec) {
        let spec = serde_json::from_value(serde_json::json!({
            "provider": PROVIDER.name, "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 2, "options": {"world": name},
        }));
        let world = Self::default();
        WORLDS.lock().unwrap().insert(name.to_owned(), world.clone());
        (world, spec.unwrap())
    }

    fn of(spec: &Spec) -> Self {
        // One of several hypervisors is named by its address.
        let name = spec.options.get("uri").unwrap_or(&spec.options["world"]);
        WORLDS.lock().unwrap()[name.as_str().unwrap()].clone()
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn call(&self, call: &str) -> Result<()> {
        self.lock().calls.push(call.to_owned());
        let is_it = |told: Option<&str>| told.is_some_and(|told| call.starts_with(told));
        while is_it(self.lock().hangs) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut inner = self.lock();
        if is_it(inner.breaks) {
            inner.breaks = None;
            return Err(Error::other("the connection is lost"));
        }
        Ok(())
    }
}

struct Connection {
    world: World,
    broken: Mutex<bool>,
}

impl Connection {
    fn call(&self, call: &str, node: &NodePlan) -> Result<MutexGuard<'_, Inner>> {
        self.ask(&format!("{call} {}", node.name))
    }

    fn ask(&self, call: &str) -> Result<MutexGuard<'_, Inner>> {
        if *self.broken.lock().unwrap() {
            return Err(Error::other("the connection was lost before"));
        }
        self.world.call(call).inspect_err(|_| *self.broken.lock().unwrap() = true)?;
        Ok(self.world.lock())
    }
}

impl Host for Connection {
    fn answers(&self) -> bool {
        self.ask("answers").is_ok()
    }

    fn create_missing(&self, what: &str) -> Result<String> {
        self.ask(&format!("create_missing {what}")).map(|_| format!("created {what}"))
    }

    fn upload_image(&self, _: &Path, sha256: &str, progress: UploadProgress<'_>) -> Result<String> {
        if !progress(0, 1) {
            return Err(Error::other("given up"));
        }
        self.ask("upload_image").map(|_| sha256.to_owned())
    }

    fn flatten_root(&self, node: &NodePlan) -> Result<()> {
        self.call("flatten_root", node).map(drop)
    }

    fn download_root(&self, node: &NodePlan, _: &mut File, progress: UploadProgress<'_>) -> Result<String> {
        if !progress(0, 1) {
            return Err(Error::other("given up"));
        }
        self.call("download_root", node).map(|_| crate::model::sha256_hex(b""))
    }

    fn cached_volumes(&self) -> Result<Vec<CachedVolume>> {
        self.ask("cached_volumes").map(|_| Vec::new())
    }

    fn remove_cached_volume(&self, name: &str) -> Result<()> {
        self.ask(&format!("remove_cached_volume {name}")).map(drop)
    }

    fn machines(&self, nodes: &[NodePlan]) -> Result<Vec<Machine>> {
        let inner = self.ask("machines")?;
        let made = inner.made.as_ref().is_some_and(|file| file.exists());
        let unswitched = if made { Power::Off } else { Power::Missing };
        let machine = |node: &NodePlan| {
            let power = inner.machines.get(&node.name).copied().unwrap_or(unswitched);
            let addresses = inner.address.filter(|_| power == Power::Running).into_iter().collect();
            Machine { addresses, ..Machine::with_power(&node.name, power) }
        };
        Ok(nodes.iter().map(machine).collect())
    }

    fn switch_on(&self, node: &NodePlan) -> Result<()> {
        self.call("switch_on", node)?.machines.insert(node.name.clone(), Power::Running);
        Ok(())
    }

    fn shut_down(&self, node: &NodePlan) -> Result<()> {
        self.call("shut_down", node)?.machines.insert(node.name.clone(), Power::Off);
        Ok(())
    }

    fn reset(&self, node: &NodePlan) -> Result<()> {
        self.call("reset", node).map(drop)
    }

    fn set_autostart(&self, node: &NodePlan, wanted: bool) -> Result<()> {
        self.call(if wanted { "autostart" } else { "no_autostart" }, node).map(drop)
    }

    fn replug(&self, node: &NodePlan) -> Result<()> {
        self.call("replug", node).map(drop)
    }

    fn mend(&self, _: &Options, node: &NodePlan) -> Result<Vec<String>> {
        self.call("mend", node).map(|_| Vec::new())
    }

    fn misfits(&self, _: &Options, node: &NodePlan) -> Result<Vec<String>> {
        self.call("misfits", node).map(|_| Vec::new())
    }

    fn discard(&self, node: &NodePlan) -> Result<()> {
        self.call("discard", node)?.machines.remove(&node.name);
        Ok(())
    }

    fn provide_seed(&self, node: &NodePlan, _: &str) -> Result<()> {
        self.call("provide_seed", node).map(drop)
    }

    fn has_seed(&self, node: &NodePlan) -> Result<bool> {
        self.call("has_seed", node).map(|_| false)
    }

    fn remove_seed(&self, node: &NodePlan) -> Result<bool> {
        self.call("remove_seed", node).map(|_| true)
    }

    fn activity(&self, node: &NodePlan) -> Result<Option<u64>> {
        self.call("activity", node).map(|_| None)
    }

    fn follow_consoles(&self, _: &[NodePlan], _: ConsoleReader<'_>) -> Result<()> {
        Ok(())
    }

    fn leftovers(&self, _: &DeploymentId) -> Result<Vec<Leftover>> {
        let left = |name: &String| Leftover { kind: LeftoverKind::Volume, name: name.clone(), pool: None };
        Ok(self.ask("leftovers")?.leftovers.iter().map(left).collect())
    }

    fn marked(&self) -> Result<MarkedThings> {
        let inner = self.ask("marked")?;
        let marked = |name: &String| {
            let thing = Leftover { kind: LeftoverKind::Volume, name: name.clone(), pool: None };
            let deployment = DeploymentId::of_name(name)?;
            Some(Marked { deployment, thing, power: None, bytes: None, changed: None, doubt: None })
        };
        Ok(MarkedThings { things: inner.leftovers.iter().filter_map(marked).collect(), unseen: Vec::new() })
    }

    fn recognize(&self, _: &DeploymentId) -> Result<Option<Recognized>> {
        self.ask("recognize").map(|_| None)
    }

    fn remove(&self, _: &DeploymentId, leftover: &Leftover) -> Result<()> {
        self.ask(&format!("remove {}", leftover.name))?.leftovers.retain(|name| *name != leftover.name);
        Ok(())
    }

    fn deployer_addresses(&self, _: &Options) -> Result<Vec<IpAddr>> {
        self.ask("deployer_addresses").map(|_| Vec::new())
    }
}
