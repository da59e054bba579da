//! The database release on this workstation: downloaded into the cache, read where it is, or, for the
//! rehearsal, made from what the binary carries. Runs beside Terraform's plan, and ends before a machine is made.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::task::JoinHandle;

use super::super::operation::{Work, in_dir};
use super::super::release;
use super::super::user_dirs::{self, CacheDirs};
use super::ARTIFACTS;
use super::download::tell;
use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::model::{Artifact, DbVersion, HashOrigin, Origin, RELEASE_TREE, Source, sha256_hex};
use crate::render;
use crate::signal::Interrupt;
use crate::tools::http;

/// A release as local files.
#[derive(Debug)]
pub(in crate::ops) struct Release {
    pub c4: LocalArtifact,
    pub archive: LocalArtifact,
}

/// A file of this workstation and its checksum, which was compared just now.
#[derive(Debug)]
pub(in crate::ops) struct LocalArtifact {
    pub path: PathBuf,
    pub sha256: String,
}

/// Work in the background, given up when it is dropped.
pub(super) struct Pending {
    release: JoinHandle<Result<Release>>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.release.abort();
    }
}

pub(super) fn start(work: &Work, offline: bool) -> Result<Pending> {
    let dir = CacheDirs::of_user()?.artifacts();
    let (sink, interrupt) = (work.sink.clone(), work.interrupt.clone());
    let version = work.version()?.clone();
    // The nodes do not get the files a second time: an installed cluster needs no more than their checksums.
    let known = if work.dir.state().installed { known_release(&version)? } else { None };
    let release = tokio::spawn(async move {
        match known {
            Some(known) => Ok(known),
            None => provide(&version, dir, offline, &sink, &interrupt).await,
        }
    });
    Ok(Pending { release })
}

/// The release, once it is there. What was trusted because it came first is pinned in the state.
pub(super) async fn release(work: &mut Work, pending: &mut Pending) -> Result<Release> {
    work.begin(ARTIFACTS.id);
    let version = &work.version()?.clone();
    let release = match joined((&mut pending.release).await) {
        Ok(release) => release,
        Err(error) => return Err(advised(work, version, error)),
    };
    if !version.is_pinned() {
        let learned = [(&version.archive, &release.archive), (&version.c4, &release.c4)];
        for (artifact, local) in learned.iter().filter(|(artifact, _)| artifact.sha256.is_none()) {
            work.detail(format!("{} is pinned from now on: SHA-256 {}", artifact.file, local.sha256));
        }
        work.dir.pinned_release(&release.archive.sha256, &release.c4.sha256)?;
    }
    work.done(version.with_c4());
    Ok(release)
}

/// A release that its server does not have, or that is not what it was: what can be done about it.
fn advised(work: &Work, version: &DbVersion, error: Error) -> Error {
    let update = |more: &str| in_dir(&format!("exasol init --update {more}"), work.dir.named());
    let bring = update("--db-archive FILE --c4 FILE");
    match error {
        Error::Download { url, cause, hint } => {
            let is_absent = ["HTTP 403", "HTTP 404", "HTTP 410"].iter().any(|status| cause.starts_with(status));
            if !is_absent {
                let hint = hint.into_iter().chain([format!("or provide both files yourself: {bring}")]);
                return Error::Download { url, cause, hint: Some(hint.collect::<Vec<_>>().join("\n")) };
            }
            let remark = version.remark.as_ref().map(|remark| format!(" ({remark})")).unwrap_or_default();
            Error::Download {
                url,
                cause: format!("{} is not there{remark}: {cause}", version.with_c4()),
                hint: Some(format!(
                    "see which releases there are: exasol versions --check\nor provide both files yourself: {bring}"
                )),
            }
        }
        Error::Checksum { .. } if was_pinned(version) => {
            let sums = update("--db-archive-sha256 HEX --c4-sha256 HEX");
            work.sink.warn(format!(
                "{} was pinned at its first download: if Exasol has replaced it and you know the new checksums: {sums}",
                version.with_c4()
            ));
            error
        }
        // A file that somebody named, and that is not where it was.
        Error::Io { .. } if version.artifacts().iter().any(|artifact| artifact.path.is_some()) => {
            work.sink.warn(format!("name the current paths of the files of {}: {bring}", version.with_c4()));
            error
        }
        other => other,
    }
}

fn was_pinned(version: &DbVersion) -> bool {
    version.artifacts().iter().any(|artifact| artifact.sha256_from == Some(HashOrigin::Pinned))
}

pub(super) fn joined<T>(result: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.context("a background task ended")?
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
    let c4 = fetch(version, &version.c4, &dir, offline, sink, interrupt).await?;
    let archive = fetch(version, &version.archive, &dir, offline, sink, interrupt).await?;
    Ok(Release { c4, archive })
}

async fn fetch(
    version: &DbVersion,
    artifact: &Artifact,
    dir: &Path,
    offline: bool,
    sink: &EventSink,
    interrupt: &Interrupt,
) -> Result<LocalArtifact> {
    let dest = place_of(dir, version, artifact);
    if let Source::File(path) = artifact.source() {
        let sha256 = release::sum_of_file(path, artifact.sha256.as_deref(), interrupt).await?;
        return Ok(LocalArtifact { path: dest, sha256 });
    }
    let tree = std::env::var(RELEASE_TREE).ok();
    let Some(url) = artifact.url(tree.as_deref())? else {
        return Err(Error::other(format!("{} has no address", artifact.file)));
    };
    let request = http::Request { url: &url, dest: &dest, sha256: artifact.sha256.as_deref(), offline };
    let done = http::download(&request, &mut |notice| tell(sink, ARTIFACTS.id, notice), interrupt).await?;
    Ok(LocalArtifact { path: dest, sha256: done.sha256 })
}

/// Where the artifact is, or will be, on this workstation. Those of a catalogue's release lie under its name;
/// another file of that name is kept apart by its address.
fn place_of(dir: &Path, version: &DbVersion, artifact: &Artifact) -> PathBuf {
    let id = |text: &str| -> String { sha256_hex(text)[..8].to_owned() };
    match (artifact.source(), version.origin) {
        (Source::File(path), _) => path.to_owned(),
        (Source::Url(url), Origin::Catalog | Origin::Server | Origin::Files) => {
            dir.join(format!("{}-{}", version.name, id(url))).join(&artifact.file)
        }
        _ => dir.join(&version.name).join(&artifact.file),
    }
}

/// The release as far as it is known without fetching anything; its files may not be there.
/// None: its checksums are learned with the first download.
pub(in crate::ops) fn known_release(version: &DbVersion) -> Result<Option<Release>> {
    if version.rehearsal {
        return rehearsal_release().map(Some);
    }
    let dir = CacheDirs::of_user()?.artifacts();
    let known = |artifact: &Artifact| {
        Some(LocalArtifact { path: place_of(&dir, version, artifact), sha256: artifact.sha256.clone()? })
    };
    Ok(known(&version.c4).zip(known(&version.archive)).map(|(c4, archive)| Release { c4, archive }))
}

/// The rehearsal's release, for operations that do not install it.
pub(in crate::ops) fn rehearsal_release() -> Result<Release> {
    rehearsal(&CacheDirs::of_user()?.artifacts())
}

fn rehearsal(dir: &Path) -> Result<Release> {
    let made = render::rehearsal::artifacts()?;
    let place = |name: &str, content: &[u8], sha256: &str| {
        // Named by content: two versions of this program may share a cache.
        let path = dir.join("rehearsal").join(&sha256[..16]).join(name);
        user_dirs::place(&path, content)?;
        Ok::<_, Error>(LocalArtifact { path, sha256: sha256.to_owned() })
    };
    Ok(Release {
        c4: place("c4", &made.c4, &made.c4_sha256)?,
        archive: place("exasol-rehearsal.tar.gz", &made.archive, &made.archive_sha256)?,
    })
}
