//! The storage pool: there, active, of files, with room.

use std::path::Path;

use super::super::client::{FaultKind, Pool};
use super::super::default_image;
use super::super::site::DEFAULT_POOL;
use super::super::{base_volume, create};
use super::{Context, autostart, gb, unanswered};
use crate::catalog::{self, needs};
use crate::model::{Check, ImageLocation, Spec, quote};

/// Pools whose volumes are files: only those can hold copy-on-write layers over a shared image.
const FILE_POOLS: [&str; 4] = ["dir", "fs", "netfs", "vstorage"];
/// What a fresh node writes besides its image: the layer over it, logs, packages.
const THIN_NODE_BYTES: u64 = 1 << 30;

/// What is written until a node is ready: an installation in the home beside that.
fn begin(context: &Context) -> u64 {
    // Where `init` has looked already, the disks may be there, and full.
    if context.input.id.is_some() { THIN_NODE_BYTES } else { fresh(context.spec()) }
}

fn fresh(spec: &Spec) -> u64 {
    let installed = u64::from(needs::HOME_FREE_GB) << 30;
    THIN_NODE_BYTES + if catalog::is_rehearsal(&spec.db_version) { 0 } else { installed }
}

/// Whether machines can be tried there.
pub(super) fn check(context: &Context, checks: &mut Vec<Check>) -> bool {
    let before = checks.len();
    look(context, checks);
    !checks[before..].iter().any(Check::is_failed)
}

fn look(context: &Context, checks: &mut Vec<Check>) {
    let name = &context.options.pool;
    let title = format!("storage pool '{name}' is there");
    let pool = match context.client.pool(name) {
        Ok(Some(pool)) => pool,
        Ok(None) => return checks.push(missing(context, title)),
        Err(fault) if fault.kind == FaultKind::Unsupported => {
            let check = Check::failed("pool", title, "the hypervisor has no storage driver");
            return checks.push(check.fix(context.machine.install(super::super::distro::Package::Daemon)));
        }
        Err(fault) => return checks.push(unanswered("pool", &title, &fault)),
    };
    checks.push(Check::ok("pool", title, pool.path.clone().unwrap_or_default()));
    checks.push(kind(context, &pool));
    if !pool.active {
        return checks.push(inactive(context, &pool));
    }
    checks.push(autostart::pool(context, &pool));
    checks.push(room(&pool, context.spec(), begin(context), image_bytes(context)));
}

fn missing(context: &Context, title: String) -> Check {
    let name = &context.options.pool;
    let quoted = quote(name);
    if name != DEFAULT_POOL {
        return Check::failed("pool", title, "there is no pool of that name").fix(format!(
            "{}   # see the pools there are; then --libvirt-pool NAME",
            context.virsh("pool-list --all")
        ));
    }
    Check::failed("pool", title, "there is no pool of that name")
        .fix(context.virsh(&format!("pool-define-as {quoted} dir --target {}", create::POOL_DIRECTORY)))
        .fix(context.virsh(&format!("pool-build {quoted}")))
        .fix(context.virsh(&format!("pool-start {quoted}")))
        .fix(context.virsh(&format!("pool-autostart {quoted}")))
        .creatable(create::Missing::Pool(name.clone()).to_token())
}

fn inactive(context: &Context, pool: &Pool) -> Check {
    let quoted = quote(&pool.name);
    let folder = pool.path.as_deref().filter(|_| pool.kind == "dir");
    let gone = folder.filter(|path| context.options.uri.is_local() && is_missing(Path::new(path)));
    let detail = match gone {
        Some(path) => format!(
            "it is defined, but not started, and its folder {path} is not there: was it on a disk that is not mounted?"
        ),
        None => "it is defined, but not started".to_owned(),
    };
    let mut check = Check::failed("pool_active", format!("storage pool '{}' is active", pool.name), detail);
    if gone.is_some() {
        check = check.fix(format!("{}   # makes the folder", context.virsh(&format!("pool-build {quoted}"))));
    }
    check
        .fix(context.virsh(&format!("pool-start {quoted}")))
        .fix(context.virsh(&format!("pool-autostart {quoted}")))
        .creatable(create::Missing::Pool(pool.name.clone()).to_token())
}

/// Known to be missing: a folder that this user may not look into may be there.
fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

fn kind(context: &Context, pool: &Pool) -> Check {
    let title = format!("storage pool '{}' holds files", pool.name);
    if FILE_POOLS.contains(&pool.kind.as_str()) {
        return Check::ok("pool_type", title, pool.kind.clone());
    }
    let detail = format!(
        "its type is {}: nodes are copy-on-write layers over one image, which needs {}",
        pool.kind,
        FILE_POOLS.join(", ")
    );
    Check::failed("pool_type", title, detail)
        .fix(context.virsh("pool-define-as exasol dir --target /var/lib/libvirt/images/exasol"))
        .fix(context.virsh("pool-build exasol"))
        .fix(context.virsh("pool-start exasol"))
        .fix("then --libvirt-pool exasol")
}

/// What the image adds to the pool: nothing where it is already there.
fn image_bytes(context: &Context) -> u64 {
    let Ok(image) = context.options.image.on(context.architecture) else { return 0 };
    if let Some(sha256) = image.sha256.as_deref()
        && matches!(base_volume::find(context.client, &context.options.pool, sha256), Ok(Some(_)))
    {
        return 0;
    }
    let known = match &image.location {
        ImageLocation::File(path) => path.metadata().ok().map(|m| m.len()),
        ImageLocation::Url(url) => default_image::at(url).map(|image| image.download_bytes),
    };
    known.unwrap_or(1 << 30)
}

/// `begin`: bytes that a node writes until it is ready.
fn room(pool: &Pool, spec: &Spec, begin: u64, image: u64) -> Check {
    let nodes = u64::from(spec.cluster_size);
    let node =
        u64::from(spec.root_volume_size) + u64::from(spec.data_volume_size) * u64::from(spec.data_volumes_per_node);
    let full = image.saturating_add(nodes.saturating_mul(node).saturating_mul(1 << 30));
    let thin = image.saturating_add(nodes.saturating_mul(begin));
    let title = format!("room in storage pool '{}'", pool.name);
    let advice = "free some space, choose another pool with --libvirt-pool, or smaller disks with --data-volume-size and --root-volume-size";
    let free = gb(pool.available);
    if thin > pool.available {
        let detail =
            format!("{free} free, at least {} needed to begin with ({} once the disks are full)", gb(thin), gb(full));
        return Check::failed("pool_room", title, detail).fix(advice);
    }
    if full > pool.available {
        let detail = format!("{free} free: enough to begin with, but the disks can grow to {}", gb(full));
        return Check::warning("pool_room", title, detail).fix(advice);
    }
    Check::ok("pool_room", title, format!("{free} free, {} when the disks are full", gb(full)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckStatus;

    fn status(db_version: &str, available_gb: u64) -> CheckStatus {
        let spec = serde_json::from_value(serde_json::json!({
            "provider": "libvirt", "cluster_size": 2, "db_version": db_version, "data_volume_size": 10,
            "data_volumes_per_node": 2, "root_volume_size": 20,
        }))
        .unwrap();
        let pool = Pool {
            name: "p".into(),
            kind: "dir".into(),
            path: None,
            active: true,
            autostart: Some(true),
            available: available_gb << 30,
        };
        room(&pool, &spec, fresh(&spec), 1 << 30).status
    }

    #[test]
    fn room_is_thin_or_full() {
        assert_eq!(status("rehearsal", 2), CheckStatus::Failed);
        assert_eq!(status("rehearsal", 3), CheckStatus::Warning);
        assert_eq!(status("rehearsal", 80), CheckStatus::Warning);
        assert_eq!(status("rehearsal", 81), CheckStatus::Ok);
    }

    #[test]
    fn a_database_s_installation_is_counted() {
        assert_eq!(status("exasol-2025.1.8", 42), CheckStatus::Failed);
        assert_eq!(status("exasol-2025.1.8", 43), CheckStatus::Warning);
    }
}
