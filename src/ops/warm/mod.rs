//! `cache warm`: makes a warm base of an image, for all later deployments of that image on this workstation.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the story: a deployment of one machine, which is destroyed whatever happens |
//! | `make` | what happens to the machine |
//! | `node` | pure: what it says |
//! | `store` | the warm bases in the cache |
//! | `choose` | which one a deploy takes |

mod choose;
mod make;
mod node;
mod store;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::hosts::Hosts;
use super::init::{self, Asked, InitRequest};
use super::operation::{in_dir, millis};
use super::run::{self, Place};
use super::user_dirs::CacheDirs;
use super::{Confirm, Context, CreateMissing, Given, Passwords, ReleaseRequest};
use crate::deployment::DeploymentDir;
use crate::error::Result;
use crate::model::{Options, Spec, WarmReport};
use crate::providers;

pub(super) use choose::choose;
pub(super) use store::{Shelf, age, is_old};

/// Unless an image needs more. Every root disk can be at least as large as this one, whose file system grows at each
/// node's first boot.
const ROOT_GB: u32 = 5;
/// Nothing of a release is used.
const RELEASE: &str = "rehearsal";
/// What apt and dnf need to unpack Podman.
const MEMORY_GB: u64 = 2;

pub struct WarmRequest<'a> {
    /// Says how to reach the hypervisor, and which image; the rest does not count.
    pub spec: Spec,
    /// The size of its disk.
    pub root_gb: Option<u32>,
    pub place: Place,
    /// Make it anew even if it is up to date.
    pub renew: bool,
    /// Where copies of the logs go.
    pub logs: Option<PathBuf>,
    pub confirm: Confirm<'a>,
}

/// # Errors
/// [`crate::error::Error::Usage`] for a cloud; those of a deployment; of the destroy, if the base was made.
pub async fn run(context: &Context, request: WarmRequest<'_>) -> Result<WarmReport> {
    let since = Instant::now();
    let WarmRequest { spec, root_gb, place, renew, logs, confirm } = request;
    let provider = providers::find(&spec.provider)?;
    let Some(hosts) = Hosts::of(provider, &spec, &context.interrupt) else { return Err(make::no_hypervisor()) };
    hosts.refuse_several(provider, "exasol cache warm")?;
    let root = place.dir.clone();
    let init = InitRequest {
        dir: root.clone(),
        name: Some(place.name.clone()),
        spec: Asked::Spec(of_one_machine(spec, root_gb)),
        release: ReleaseRequest::default(),
        me: false,
        passwords: Passwords::default(),
        credentials: Given::new(),
        warnings: Vec::new(),
        create_missing: CreateMissing::Ask(confirm),
        confirm,
    };
    let made = in_place(context, &root, init, renew).await;
    let mut trouble = None;
    if DeploymentDir::open(&root).is_ok() {
        trouble = run::destroy(context, &root).await.err();
        run::save_logs(context, &root, logs.as_deref());
    }
    match &trouble {
        None => run::clear(&root)?,
        Some(error) => {
            let again = in_dir("exasol destroy", &root);
            context.sink.warn(format!("its machine is NOT DESTROYED: {error}; try again: {again}"));
        }
    }
    drop(place);
    let (made, base) = made.map_err(|error| {
        if root.exists() { error } else { run::of_what_is_gone(error, what_would_be_left(logs.as_deref())) }
    })?;
    if let Some(error) = trouble {
        return Err(error);
    }
    let warnings = match base.without.is_empty() {
        true => Vec::new(),
        false => vec![format!("could not be installed, so every node tries it again: {}", base.without.join(", "))],
    };
    let file = Shelf::of(&CacheDirs::of_user()?).image(&base);
    Ok(WarmReport { made, base, file, warnings, took_ms: millis(since) })
}

async fn in_place(
    context: &Context,
    root: &Path,
    init: InitRequest<'_>,
    renew: bool,
) -> Result<(bool, crate::model::WarmBase)> {
    // What it warns of is about a cluster, or is told again by the check of the machine.
    context.interrupt.run(init::run(context, init)).await??;
    make::make(context, root, renew).await
}

/// The least that a rehearsal takes, without anything of a cluster.
fn of_one_machine(spec: Spec, root_gb: Option<u32>) -> Spec {
    let mut options: Options = spec.options;
    options.insert("memory".into(), MEMORY_GB.into());
    options.insert("vcpus".into(), 1.into());
    Spec {
        provider: spec.provider,
        cluster_size: 1,
        db_version: RELEASE.into(),
        release: None,
        data_volume_size: 1,
        data_volumes_per_node: 1,
        root_volume_size: root_gb.unwrap_or(ROOT_GB),
        instance_type: None,
        owner: None,
        allowed_cidrs: Vec::new(),
        multicast_overlay: false,
        engine: spec.engine,
        options,
    }
}

fn what_would_be_left(logs: Option<&Path>) -> String {
    match logs {
        Some(logs) => format!("{} has the logs", logs.display()),
        None => "exasol cache warm --logs DIR would keep the logs".to_owned(),
    }
}
