//! The database release on this workstation: downloaded into the cache, or, for the rehearsal,
//! made from what the binary carries. Runs beside the making of the machines.

use std::path::PathBuf;

use tokio::task::JoinHandle;

use super::super::cache_dirs::{self, CacheDirs};
use super::super::operation::Work;
use super::image::tell;
use super::{ARTIFACTS, Plan};
use crate::catalog::{Artifact, DbVersion, RELEASE_TREE};
use crate::deployment::keys;
use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::render;
use crate::signal::Interrupt;
use crate::tools::http;

/// A release as local files.
pub(in crate::ops) struct Release {
    pub c4: LocalArtifact,
    pub archive: LocalArtifact,
}

/// A file in the cache and its checksum, which was compared just now.
pub(in crate::ops) struct LocalArtifact {
    pub path: PathBuf,
    pub sha256: String,
}

/// Work in the background, given up when it is dropped.
pub(super) struct Pending {
    release: JoinHandle<Result<Release>>,
    key: Option<JoinHandle<Result<String>>>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.release.abort();
    }
}

pub(super) fn start(work: &Work, plan: &Plan<'_>) -> Result<Pending> {
    let dir = CacheDirs::of_user()?.artifacts();
    let (sink, interrupt) = (work.sink.clone(), work.interrupt.clone());
    let (version, offline) = (plan.cluster.version, plan.request.offline);
    let release = tokio::spawn(async move { provide(version, dir, offline, &sink, &interrupt).await });
    let comment = format!("{}-cluster", work.dir.state().id);
    let key = match work.dir.secrets()?.cluster_key {
        Some(_) => None,
        None => Some(tokio::task::spawn_blocking(move || keys::rsa_key(&comment))),
    };
    Ok(Pending { release, key })
}

/// The release, once it is there; the inter-node key is in the secrets then.
pub(super) async fn wait(work: &mut Work, mut pending: Pending) -> Result<Release> {
    work.begin(ARTIFACTS.id);
    if let Some(key) = pending.key.take() {
        let key = joined(key.await)?;
        let mut secrets = work.dir.secrets()?;
        secrets.cluster_key = Some(key);
        work.dir.write_secrets(&secrets)?;
    }
    joined((&mut pending.release).await)
}

fn joined<T>(result: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.map_err(|e| Error::other(format!("a background task ended: {e}")))?
}

async fn provide(
    version: &DbVersion,
    dir: PathBuf,
    offline: bool,
    sink: &EventSink,
    interrupt: &Interrupt,
) -> Result<Release> {
    if version.rehearsal {
        return rehearsal(&dir);
    }
    let dir = dir.join(&version.name);
    let c4 = fetch(&version.c4, &dir, offline, sink, interrupt).await?;
    let archive = fetch(&version.archive, &dir, offline, sink, interrupt).await?;
    Ok(Release { c4, archive })
}

async fn fetch(
    artifact: &Artifact,
    dir: &std::path::Path,
    offline: bool,
    sink: &EventSink,
    interrupt: &Interrupt,
) -> Result<LocalArtifact> {
    let dest = dir.join(&artifact.file);
    let tree = std::env::var(RELEASE_TREE).ok();
    let Some(url) = artifact.url(tree.as_deref())? else {
        return Err(Error::other(format!("{} has no address", artifact.file)));
    };
    let request = http::Request { url: &url, dest: &dest, sha256: artifact.sha256.as_deref(), offline };
    let done = http::download(&request, &mut |notice| tell(sink, ARTIFACTS.id, notice), interrupt).await?;
    Ok(LocalArtifact { path: dest, sha256: done.sha256 })
}

/// The release as far as it is known without fetching anything; its files may not be there.
/// None: its checksums are learned with the first download.
pub(in crate::ops) fn known_release(version: &DbVersion) -> Result<Option<Release>> {
    if version.rehearsal {
        return rehearsal_release().map(Some);
    }
    let dir = CacheDirs::of_user()?.artifacts().join(&version.name);
    let known =
        |artifact: &Artifact| Some(LocalArtifact { path: dir.join(&artifact.file), sha256: artifact.sha256.clone()? });
    Ok(known(&version.c4).zip(known(&version.archive)).map(|(c4, archive)| Release { c4, archive }))
}

/// The rehearsal's release, for operations that do not install it.
pub(in crate::ops) fn rehearsal_release() -> Result<Release> {
    rehearsal(&CacheDirs::of_user()?.artifacts())
}

fn rehearsal(dir: &std::path::Path) -> Result<Release> {
    let made = render::rehearsal::artifacts()?;
    let place = |name: &str, content: &[u8], sha256: &str| {
        // Named by content: two versions of this program may share a cache.
        let path = dir.join("rehearsal").join(&sha256[..16]).join(name);
        cache_dirs::place(&path, content)?;
        Ok::<_, Error>(LocalArtifact { path, sha256: sha256.to_owned() })
    };
    Ok(Release {
        c4: place("c4", &made.c4, &made.c4_sha256)?,
        archive: place("exasol-rehearsal.tar.gz", &made.archive, &made.archive_sha256)?,
    })
}
