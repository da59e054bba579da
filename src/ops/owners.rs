//! Which directory has a deployment, as far as this user's index tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::known;
use crate::deployment::{DeploymentDir, Found, IndexEntry, find_deployment};
use crate::model::{DeploymentId, Ownership, Phase};

/// A directory on a file system that does not answer is not waited for longer.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub state: Ownership,
    pub directory: PathBuf,
    pub phase: Option<Phase>,
}

/// Those of these deployments; one that the index does not know has none.
pub(super) async fn of(ids: BTreeSet<DeploymentId>) -> BTreeMap<DeploymentId, Owner> {
    let entries = known::index().and_then(|index| index.entries()).unwrap_or_default();
    let entries = entries.into_iter().filter_map(|(_, entry)| entry.ok());
    let looks = entries.filter(|entry| ids.contains(&entry.deployment)).map(async |entry| {
        let (id, directory) = (entry.deployment.clone(), entry.directory.clone());
        let silent = Owner { state: Ownership::Unreadable, directory, phase: None };
        let looked = timeout(LOOK_LIMIT, spawn_blocking(move || owner(&entry))).await;
        (id, looked.ok().and_then(Result::ok).unwrap_or(silent))
    });
    join_all(looks).await.into_iter().collect()
}

/// The directory among all of an entry's that still has it; else one that may have it.
fn owner(entry: &IndexEntry) -> Owner {
    let places = [&entry.directory].into_iter().chain(&entry.copies);
    let all: Vec<_> = places.map(|directory| owner_in(directory, &entry.deployment)).collect();
    let best = [Ownership::Known, Ownership::Unreadable, Ownership::Destroyed];
    let found = best.iter().find_map(|state| all.iter().find(|owner| owner.state == *state));
    let gone = Owner { state: Ownership::Gone, directory: entry.directory.clone(), phase: None };
    found.cloned().unwrap_or(gone)
}

fn owner_in(directory: &Path, id: &DeploymentId) -> Owner {
    let owner = |state, phase| Owner { state, directory: directory.to_owned(), phase };
    match find_deployment(directory, id) {
        Found::Gone(_) => owner(Ownership::Gone, None),
        Found::Broken(_) => owner(Ownership::Unreadable, None),
        Found::Here => match DeploymentDir::open(directory).map(|dir| dir.state().phase) {
            Ok(phase @ Phase::Destroyed) => owner(Ownership::Destroyed, Some(phase)),
            Ok(phase) => owner(Ownership::Known, Some(phase)),
            Err(_) => owner(Ownership::Unreadable, None),
        },
    }
}
