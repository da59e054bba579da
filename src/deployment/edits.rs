//! Which rendered files were edited by hand: each is compared with the hash of what we wrote.
//!
//! The hashes are kept in `deployment.json`, which holds no secrets. The plain hash of a small file
//! around a password that somebody chose would let its reader try passwords, so files with secrets
//! (no bits for group and others in their mode) are hashed together with a key that is derived from
//! the deployment's SSH key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Secrets, State, atomic};
use crate::error::{Error, Result};
use crate::model::RenderedFile;

/// Begins the recorded hash of a file with secrets.
const KEYED: &str = "keyed:";

/// What is to be done so that the directory holds exactly what was rendered.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    /// New, changed, or of the right content and the wrong mode.
    pub(super) write: Vec<&'a RenderedFile>,
    /// Rendered once, not any more, and still as we wrote it.
    pub(super) remove: Vec<PathBuf>,
    /// Not as we wrote it, and in the way of one of the above.
    pub(super) edited: Vec<PathBuf>,
    /// The hashes of everything that was rendered.
    pub(super) record: BTreeMap<String, String>,
}

/// Compares what was rendered with what is in the directory `root`, and that with `state`'s record.
pub(super) fn compare<'a>(
    root: &Path,
    state: &State,
    files: &'a [RenderedFile],
    hasher: &Hasher,
) -> Result<Changes<'a>> {
    let mut changes = Changes::default();
    for file in files {
        let name = name(&file.path)?;
        if changes.record.insert(name.clone(), hasher.hash(&file.content, is_secret(file.mode))).is_some() {
            return Err(Error::other(format!("{name} was rendered twice")));
        }
        match atomic::read(&root.join(&file.path))? {
            Some(found) if found == file.content => {
                if !atomic::has_mode(&root.join(&file.path), file.mode)? {
                    changes.write.push(file);
                }
            }
            Some(found) if !is_ours(state, hasher, &name, &found) => changes.edited.push(file.path.clone()),
            _ => changes.write.push(file),
        }
    }
    for name in recorded(state).filter(|name| !changes.record.contains_key(*name)) {
        match atomic::read(&root.join(name))? {
            Some(found) if is_ours(state, hasher, name, &found) => changes.remove.push(name.into()),
            Some(_) => changes.edited.push(name.into()),
            None => {}
        }
    }
    Ok(changes)
}

/// The recorded files that are no longer as we wrote them. A file that is gone is not edited: the
/// next rendering brings it back.
pub(super) fn edited(root: &Path, state: &State, hasher: &Hasher) -> Result<Vec<PathBuf>> {
    let mut edited = Vec::new();
    for name in recorded(state) {
        if let Some(found) = atomic::read(&root.join(name))?
            && !is_ours(state, hasher, name, &found)
        {
            edited.push(name.into());
        }
    }
    Ok(edited)
}

/// A file's key in the record.
pub(super) fn name(path: &Path) -> Result<String> {
    atomic::check_relative(path)?;
    Ok(path.to_string_lossy().into_owned())
}

pub(super) fn is_secret(mode: u32) -> bool {
    mode & 0o077 == 0
}

fn recorded(state: &State) -> impl Iterator<Item = &String> {
    state.rendered.keys().chain(state.rendering.keys()).collect::<BTreeSet<_>>().into_iter()
}

/// Whether we wrote this content under this name, now or in a run that was killed meanwhile.
fn is_ours(state: &State, hasher: &Hasher, name: &str, found: &[u8]) -> bool {
    [&state.rendered, &state.rendering]
        .into_iter()
        .filter_map(|record| record.get(name))
        .any(|hash| hasher.hash(found, hash.starts_with(KEYED)) == *hash)
}

/// Hashes files for the record.
pub(super) struct Hasher {
    key: [u8; 32],
}

impl Hasher {
    pub(super) fn new(secrets: &Secrets) -> Hasher {
        let mut hash = Sha256::new();
        hash.update(b"exasol: record of rendered files\0");
        hash.update(secrets.ssh_key.as_bytes());
        Hasher { key: hash.finalize().into() }
    }

    /// One for a record in which no file has secrets, as after `destroy`.
    fn without_key() -> Hasher {
        Hasher { key: [0; 32] }
    }

    /// The hasher for `state`'s record; secrets are read only if it needs them.
    pub(super) fn for_record(state: &State, secrets: impl FnOnce() -> Result<Secrets>) -> Result<Hasher> {
        let keyed = state.rendered.values().chain(state.rendering.values()).any(|hash| hash.starts_with(KEYED));
        Ok(if keyed { Hasher::new(&secrets()?) } else { Hasher::without_key() })
    }

    pub(super) fn hash(&self, content: &[u8], secret: bool) -> String {
        let mut hash = Sha256::new();
        if secret {
            hash.update(self.key);
        }
        hash.update(content);
        let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        if secret { format!("{KEYED}{hex}") } else { hex }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::testing;

    #[test]
    fn the_plain_hash_is_sha256sums() {
        let hasher = Hasher::new(&testing::secrets());
        assert_eq!(hasher.hash(b"abc", false), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn the_hash_of_a_secret_depends_on_the_deployments_key() {
        let secrets = testing::secrets();
        let other = Secrets { ssh_key: "another key".into(), ..secrets.clone() };
        let (here, there) = (Hasher::new(&secrets), Hasher::new(&other));
        assert_eq!(here.hash(b"abc", true), here.hash(b"abc", true));
        assert_ne!(here.hash(b"abc", true), there.hash(b"abc", true));
        assert_ne!(here.hash(b"abc", true), format!("{KEYED}{}", here.hash(b"abc", false)));
    }
}
