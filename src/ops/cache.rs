//! `cache list` and `cache prune`: what deployments share, and who still needs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::host::{HostConnection, REMOVAL_LIMIT};
use super::hosts::Hosts;
use super::user_dirs::CacheDirs;
use super::{cache_use, warm};
use crate::error::{Error, Result};
use crate::model::{CacheEntry, CacheKind, CacheReport, Spec};
use crate::providers::{self, CachedVolume};
use crate::render;
use crate::signal::Interrupt;
use crate::tools::fetched::{self, Turn};
use crate::tools::{http, plugin_cache};

/// Whoever may be using all that is there.
const A_DEPLOY: &str = "a deploy";

pub struct CacheRequest {
    /// A spec that says how to reach the hypervisor; only its provider and options count.
    pub spec: Spec,
    pub prune: bool,
    pub dry_run: bool,
}

pub async fn run(request: CacheRequest) -> Result<CacheReport> {
    let dirs = CacheDirs::of_user()?;
    let mut report =
        CacheReport { directory: dirs.root.clone(), entries: Vec::new(), removed: Vec::new(), warnings: Vec::new() };
    // Held until all is removed; to look needs none.
    let removes = request.prune && !request.dry_run && dirs.root.exists();
    let lock = if removes { cache_use::take_if_idle(&dirs)? } else { None };
    let deploying = if removes { lock.is_none() } else { cache_use::is_in_use(&dirs) };
    let is_used = |path: &Path| if deploying { Ok(true) } else { is_being_fetched(path) };
    let user = if deploying { A_DEPLOY } else { "a download" };
    let notes = warm_notes(&dirs)?;
    for (kind, dir) in
        [(CacheKind::Image, dirs.images()), (CacheKind::Warm, dirs.warm()), (CacheKind::Artifact, dirs.artifacts())]
    {
        let shelf = Shelf { kind, dir: &dir, user, is_used: &is_used, remove: &remove_fetched, notes: &notes };
        local(&shelf, &request, &mut report)?;
    }
    plugins(&dirs.plugins(), &request, &mut report)?;
    tools(&dirs.tools(), &request, &mut report)?;
    let provider = providers::find(&request.spec.provider)?;
    // A signal ends the command itself: see `until_signal`.
    let hosts = Hosts::of(provider, &request.spec, &Interrupt::never());
    for host in hosts.iter().flat_map(Hosts::all) {
        if let Err(error) = volumes(host, deploying, &request, &mut report).await {
            report.warnings.push(format!("base images in the pool were not looked at: {error}"));
        }
    }
    Ok(report)
}

/// A folder of the cache.
struct Shelf<'a> {
    kind: CacheKind,
    dir: &'a Path,
    /// Who may be using an entry.
    user: &'static str,
    is_used: &'a dyn Fn(&Path) -> Result<bool>,
    /// False: somebody has begun to use it.
    remove: &'a dyn Fn(&Path) -> Result<bool>,
    notes: &'a Notes,
}

/// What is said of an entry, by its path.
type Notes = BTreeMap<PathBuf, String>;

/// Of the warm bases: one image may serve several records.
fn warm_notes(dirs: &CacheDirs) -> Result<Notes> {
    let (shelf, recipe) = (warm::Shelf::of(dirs), render::warm_recipe()?);
    let mut notes = Notes::new();
    for base in shelf.all() {
        let state = match () {
            () if base.recipe != recipe => "outdated: another recipe; not used",
            () if warm::is_old(&base) => "old: renew it with exasol cache warm",
            () => "up to date",
        };
        let note = format!("{}, {}; {state}", base.system, warm::age(&base.made_at));
        notes.insert(shelf.image(&base), note.clone());
        notes.insert(shelf.record(&base.key), note);
    }
    Ok(notes)
}

fn local(shelf: &Shelf<'_>, request: &CacheRequest, report: &mut CacheReport) -> Result<()> {
    for path in children(shelf.dir)? {
        if path.symlink_metadata().is_err() {
            // It went with the download that it belonged to.
            continue;
        }
        let mut entry = CacheEntry {
            kind: shelf.kind,
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: size(&path)?,
            in_use_by: (shelf.is_used)(&path)?.then(|| shelf.user.to_owned()),
            note: shelf.notes.get(&path).cloned(),
        };
        if request.prune && !request.dry_run && entry.in_use_by.is_none() && !(shelf.remove)(&path)? {
            entry.in_use_by = Some(shelf.user.to_owned());
        }
        match request.prune && entry.in_use_by.is_none() {
            true => report.removed.push(entry),
            false => report.entries.push(entry),
        }
    }
    Ok(())
}

/// Terraform's plugins, all of them or none: an `init` may be linking to any.
fn plugins(dir: &Path, request: &CacheRequest, report: &mut CacheReport) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    // Held until all is removed; to look needs none.
    let lock = if request.prune && !request.dry_run { Some(plugin_cache::lock_if_idle(dir)?) } else { None };
    let idle = match &lock {
        Some(lock) => lock.is_some(),
        None => plugin_cache::is_idle(dir)?,
    };
    let remove = |path: &Path| {
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.map(|()| true).map_err(Error::io(path.display().to_string()))
    };
    let is_used = |_: &Path| Ok(!idle);
    local(
        &Shelf {
            kind: CacheKind::Plugin,
            dir,
            user: "terraform init",
            is_used: &is_used,
            remove: &remove,
            notes: &Notes::new(),
        },
        request,
        report,
    )
}

/// What `doctor --install-tools` has fetched, all of it or none: one link leads from program to program.
fn tools(root: &Path, request: &CacheRequest, report: &mut CacheReport) -> Result<()> {
    let mut entries = Vec::new();
    for path in children(root)?.into_iter().filter(|path| !path.ends_with("bin")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        entries.push(CacheEntry { kind: CacheKind::Tool, name, bytes: size(&path)?, in_use_by: None, note: None });
    }
    let used = match request.prune && !request.dry_run && root.exists() {
        true => !Turn::take_if_free(root)?.map_or(Ok(false), Turn::remove_all)?,
        false => fetched::is_in_use(root),
    };
    if request.prune && !used {
        report.removed.extend(entries);
    } else {
        let in_use_by = used.then(|| "a program that runs".to_owned());
        report.entries.extend(entries.into_iter().map(|entry| CacheEntry { in_use_by: in_use_by.clone(), ..entry }));
    }
    Ok(())
}

fn children(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(dir.display().to_string())(e)),
    };
    let mut paths: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    Ok(paths)
}

fn size(path: &Path) -> Result<u64> {
    let meta = std::fs::symlink_metadata(path).map_err(Error::io(path.display().to_string()))?;
    if meta.is_dir() { children(path)?.iter().map(|p| size(p)).sum() } else { Ok(meta.len()) }
}

/// Whether a download runs that made this file, or anything in this folder.
fn is_being_fetched(path: &Path) -> Result<bool> {
    if !is_folder(path) {
        return Ok(http::is_being_fetched(path));
    }
    for child in children(path)? {
        if is_being_fetched(&child)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// File by file, so that a download that begins meanwhile keeps what is its own.
fn remove_fetched(path: &Path) -> Result<bool> {
    if !is_folder(path) {
        return http::discard(path);
    }
    let mut all = true;
    for child in children(path)? {
        all &= remove_fetched(&child)?;
    }
    match std::fs::remove_dir(path) {
        Ok(()) => Ok(all),
        Err(e) if e.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(e) => Err(Error::io(path.display().to_string())(e)),
    }
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

/// `deploying`: an image that nothing stands on may have been sent there for a machine that is about to be made.
async fn volumes(
    host: &HostConnection,
    deploying: bool,
    request: &CacheRequest,
    report: &mut CacheReport,
) -> Result<()> {
    for volume in host.ask(|host| host.cached_volumes()).await? {
        let mut entry = entry(host, &volume);
        if deploying && entry.in_use_by.is_none() {
            entry.in_use_by = Some(A_DEPLOY.to_owned());
        }
        if !request.prune || entry.in_use_by.is_some() {
            report.entries.push(entry);
            continue;
        }
        if !request.dry_run {
            let (what, name) = (format!("removing {}", volume.name), volume.name.clone());
            host.act(REMOVAL_LIMIT, what, move |host| host.remove_cached_volume(&name)).await?;
        }
        report.removed.push(entry);
    }
    Ok(())
}

fn entry(host: &HostConnection, volume: &CachedVolume) -> CacheEntry {
    CacheEntry {
        kind: CacheKind::Volume,
        name: host.name().map(|name| format!("{name}: ")).unwrap_or_default()
            + &format!("{}/{}", volume.pool, volume.name),
        bytes: volume.bytes,
        in_use_by: (!volume.backs.is_empty()).then(|| volume.backs.join(", ")),
        note: None,
    }
}
