//! What a user's index of deployments is told. Nothing depends on it: where it cannot be written,
//! the operation goes on.

use std::path::PathBuf;

use super::user_dirs::StateDirs;
use crate::deployment::{DeploymentDir, Index, Remembered};
use crate::error::Result;
use crate::model::{DeploymentId, Spec};

pub(super) fn index() -> Result<Index> {
    Ok(Index::at(StateDirs::of_user()?.root.join("deployments.d")))
}

/// Where the known deployments are, or were.
pub(super) fn directories() -> Vec<PathBuf> {
    let entries = index().and_then(|index| index.entries()).unwrap_or_default();
    entries.into_iter().filter_map(|(_, entry)| Some(entry.ok()?.directory)).collect()
}

/// What the deployments are that are known and can be read.
pub(super) fn specs() -> Vec<Spec> {
    let entries = index().and_then(|index| index.entries()).unwrap_or_default();
    let readable = entries.into_iter().filter_map(|(_, entry)| DeploymentDir::open(&entry.ok()?.directory).ok());
    readable.map(|dir| dir.state().spec.clone()).collect()
}

/// That deployment is not in that directory any more.
pub(super) fn forget(id: &DeploymentId, dir: &DeploymentDir) {
    let place = dir.root().canonicalize().unwrap_or_else(|_| dir.root().to_owned());
    // Left in the index, it is found to be gone.
    let _ = index().and_then(|index| index.forget(id, &place));
}

/// Records where this deployment is; returns what a person should know of it.
pub(super) fn remember(dir: &DeploymentDir) -> Option<String> {
    let here = dir.root().display();
    match index().and_then(|index| index.remember(dir)) {
        Ok(Remembered::Already | Remembered::Written) => None,
        Ok(Remembered::CopyOf(other)) => Some(format!(
            "{here} and {} are the same deployment ({}): a command in one of them acts on the other's machines too. \
            Keep one and remove the other directory",
            other.display(),
            dir.state().id
        )),
        Err(error) => Some(format!("exasol list will not show {here}: {error}")),
    }
}
