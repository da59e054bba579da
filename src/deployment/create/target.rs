//! What `init` asks of the directory that it is given: nothing in it but what a killed `init` left, and
//! permission to write.

use std::fs;
use std::io;
use std::path::Path;

use super::marker::{self, MARKER_FILE};
use super::undo;
use crate::deployment::dir::{self, BASH_FILE, LOCK_FILE, STATE_FILE};
use crate::deployment::lock::{self, LockStatus};
use crate::deployment::{State, names};
use crate::error::{Error, Result};

pub(super) fn check_contents(root: &Path) -> Result<()> {
    match fs::metadata(root) {
        Ok(metadata) if !metadata.is_dir() => return Err(dir::not_a_directory(root)),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Err(dir::not_a_directory(root)),
        Err(e) => return Err(Error::io(format!("cannot read {}", root.display()))(e)),
    }
    refuse_deployment(root)?;
    if root.join(BASH_FILE).exists() {
        return Err(Error::BashDeployment { dir: root.to_path_buf() });
    }
    if let LockStatus::Held(holder) = lock::status(&root.join(MARKER_FILE))? {
        return Err(Error::Locked { holder, dir: root.to_path_buf() });
    }
    let planned = marker::planned_by_killed_init(root)?;
    let foreign: Vec<_> = names::names(root)?
        .into_iter()
        .filter(|name| name != MARKER_FILE && !planned.iter().any(|file| marker::belongs_to(name, file)))
        .collect();
    let begun = || Ok::<_, Error>(lock::status(&root.join(MARKER_FILE))? != LockStatus::Free);
    if !foreign.is_empty() && (root.join(STATE_FILE).exists() || begun()?) {
        // What we found was written by another `init` that began meanwhile: that is the better answer.
        return check_contents(root);
    }
    refuse_foreign(root, &foreign)
}

/// With the marker locked by us: takes away what a killed `init` left, and looks again.
pub(super) fn clear_what_a_killed_init_left(root: &Path) -> Result<()> {
    // Another `init` may have ended between our first look and the lock.
    refuse_deployment(root)?;
    undo::remove_all(root, &marker::planned_by_killed_init(root)?);
    let foreign: Vec<_> = names::names(root)?.into_iter().filter(|name| name != MARKER_FILE).collect();
    refuse_foreign(root, &foreign)
}

fn refuse_deployment(root: &Path) -> Result<()> {
    match State::read(&root.join(STATE_FILE))? {
        None => Ok(()),
        Some(state) => Err(Error::AlreadyInitialized {
            dir: root.to_path_buf(),
            deployment: state.id.to_string(),
            phase: state.phase,
            running: lock::status(&root.join(LOCK_FILE)).is_ok_and(|status| status != LockStatus::Free),
        }),
    }
}

fn refuse_foreign(root: &Path, names: &[String]) -> Result<()> {
    const SHOWN: usize = 3;
    if names.is_empty() {
        return Ok(());
    }
    let mut found = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        found.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    Err(Error::DirectoryNotEmpty { dir: root.to_path_buf(), found })
}

/// Looks for what would stop us from making `root` or writing in it.
pub(super) fn check_writable(root: &Path) -> Result<()> {
    let Some(nearest) = root.ancestors().find(|a| a.symlink_metadata().is_ok()) else { return Ok(()) };
    if !nearest.is_dir() {
        return Err(dir::not_a_directory(nearest));
    }
    rustix::fs::access(nearest, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|e| Error::io(format!("cannot write in {}", nearest.display()))(e.into()))
}
