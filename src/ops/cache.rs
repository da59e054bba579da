//! `cache list` and `cache prune`: what deployments share, and who still needs it.

use std::path::Path;
use std::time::SystemTime;

use super::blocking::{ANSWER_LIMIT, blocking, within};
use super::cache_dirs::CacheDirs;
use crate::error::{Error, Result};
use crate::model::{CacheEntry, CacheReport, Spec};
use crate::providers::{self, CachedVolume, Hypervisor};

pub struct CacheRequest {
    /// A spec that says how to reach the hypervisor; only its provider and options count.
    pub spec: Spec,
    pub prune: bool,
    pub dry_run: bool,
}

/// A download that another process may be writing just now is younger than this, in seconds.
const PART_AGE: u64 = 24 * 3600;

pub async fn run(request: CacheRequest) -> Result<CacheReport> {
    let dirs = CacheDirs::of_user()?;
    let mut report =
        CacheReport { directory: dirs.root.clone(), entries: Vec::new(), removed: Vec::new(), warnings: Vec::new() };
    for (kind, dir) in [("image", dirs.images()), ("artifact", dirs.artifacts()), ("plugin", dirs.plugins())] {
        local(kind, &dir, &request, &mut report)?;
    }
    let provider = providers::find(&request.spec.provider)?;
    if let Some(hypervisor) = provider.hypervisor.as_ref()
        && let Err(error) = volumes(hypervisor, &request, &mut report).await
    {
        report.warnings.push(format!("base images in the pool were not looked at: {error}"));
    }
    Ok(report)
}

fn local(kind: &'static str, dir: &Path, request: &CacheRequest, report: &mut CacheReport) -> Result<()> {
    for path in children(dir)? {
        let entry = CacheEntry {
            kind,
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: size(&path)?,
            in_use_by: being_written(&path).then(|| "a download".to_owned()),
        };
        if !request.prune || entry.in_use_by.is_some() {
            report.entries.push(entry);
            continue;
        }
        if !request.dry_run {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(Error::io(path.display().to_string()))?;
        }
        report.removed.push(entry);
    }
    Ok(())
}

fn children(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
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

fn being_written(path: &Path) -> bool {
    let part = path.extension().is_some_and(|e| e == "part" || e == "lock");
    let age =
        std::fs::metadata(path).and_then(|m| m.modified()).ok().and_then(|t| SystemTime::now().duration_since(t).ok());
    part && age.is_none_or(|a| a.as_secs() < PART_AGE)
}

async fn volumes(hypervisor: &'static Hypervisor, request: &CacheRequest, report: &mut CacheReport) -> Result<()> {
    let spec = request.spec.clone();
    for volume in within(ANSWER_LIMIT, move || (hypervisor.cached_volumes)(&spec)).await? {
        let entry = entry(&volume);
        if !request.prune || entry.in_use_by.is_some() {
            report.entries.push(entry);
            continue;
        }
        if !request.dry_run {
            let (spec, name) = (request.spec.clone(), volume.name.clone());
            blocking(move || (hypervisor.remove_cached_volume)(&spec, &name)).await?;
        }
        report.removed.push(entry);
    }
    Ok(())
}

fn entry(volume: &CachedVolume) -> CacheEntry {
    CacheEntry {
        kind: "volume",
        name: format!("{}/{}", volume.pool, volume.name),
        bytes: volume.bytes,
        in_use_by: (!volume.backs.is_empty()).then(|| volume.backs.join(", ")),
    }
}
