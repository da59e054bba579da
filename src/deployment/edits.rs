//! Which rendered files were edited by hand: each is compared with the hash of what we wrote.
//!
//! The hashes are kept in `deployment.json`, which holds no secrets. The plain hash of a small file
//! around a password that somebody chose would let its reader try passwords, so files with secrets
//! (no bits for group and others in their mode) are hashed together with a key that is derived from
//! the deployment's SSH key.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Secrets, State, atomic};
use crate::error::{Error, Result};
use crate::model::{RenderedFile, hex};

/// Begins the recorded hash of a file with secrets.
const KEYED: &str = "keyed:";

/// What is to be done so that the folders of the rendered files hold exactly them.
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
    /// The hashes of those recorded files that are as we wrote them, in the last run or in one that was
    /// killed after it had replaced some of them.
    pub(super) intact: BTreeMap<String, String>,
    scope: Scope,
}

/// The entries of the deployment directory (`terraform`, `README.md`, …) that a rendering is about:
/// Terraform's, ssh's and Ansible's files are rendered at different moments of a deploy.
#[derive(Debug, Default)]
struct Scope(BTreeSet<OsString>);

impl Scope {
    fn of(files: &[RenderedFile]) -> Scope {
        Scope(files.iter().filter_map(|file| Scope::entry(&file.path)).map(OsString::from).collect())
    }

    fn covers(&self, name: &str) -> bool {
        Scope::entry(Path::new(name)).is_some_and(|entry| self.0.contains(entry))
    }

    fn entry(path: &Path) -> Option<&OsStr> {
        path.components().next().map(Component::as_os_str)
    }
}

impl<'a> Changes<'a> {
    /// Takes the edited files in: they are written or removed like the others.
    pub(super) fn include(&mut self, files: &'a [RenderedFile], edited: Vec<PathBuf>) {
        self.write.extend(files.iter().filter(|file| edited.contains(&file.path)));
        let no_longer_rendered = |path: &PathBuf| !files.iter().any(|file| file.path == *path);
        self.remove.extend(edited.into_iter().filter(no_longer_rendered));
    }

    /// Leaves the edited files as they are. They keep their record, and so go on being seen as edited.
    pub(super) fn exclude(&mut self, state: &State, edited: &[PathBuf]) {
        for path in edited {
            let name = path.to_string_lossy().into_owned();
            match state.rendered.get(&name).or_else(|| state.rendering.get(&name)) {
                Some(hash) => self.record.insert(name, hash.clone()),
                None => self.record.remove(&name),
            };
        }
    }

    /// Records what is about to be written beside what is there: wherever the writing is killed, each
    /// file is known as ours.
    pub(super) fn announce(&self, state: &mut State) {
        state.rendered.extend(self.intact.clone());
        state.rendering.retain(|name, _| !self.scope.covers(name));
        state.rendering.extend(self.record.clone());
    }

    /// Records what is there once it is written.
    pub(super) fn settle(&self, state: &mut State) {
        state.rendered.retain(|name, _| !self.scope.covers(name));
        state.rendered.extend(self.record.clone());
        state.rendering.retain(|name, _| !self.scope.covers(name));
    }

    /// Whether that is recorded already.
    pub(super) fn is_settled(&self, state: &State) -> bool {
        let recorded = state.rendered.iter().filter(|(name, _)| self.scope.covers(name));
        recorded.eq(&self.record) && !state.rendering.keys().any(|name| self.scope.covers(name))
    }
}

/// Compares what was rendered with what is in their folders below `root`, and that with `state`'s record.
pub(super) fn compare<'a>(
    root: &Path,
    state: &State,
    files: &'a [RenderedFile],
    hasher: &Hasher,
) -> Result<Changes<'a>> {
    let mut changes = Changes { scope: Scope::of(files), ..Changes::default() };
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
            Some(found) => match ours(state, hasher, &name, &found) {
                Some(hash) => {
                    changes.write.push(file);
                    changes.intact.insert(name, hash);
                }
                None => changes.edited.push(file.path.clone()),
            },
            None => changes.write.push(file),
        }
    }
    let gone = |name: &&String| changes.scope.covers(name) && !changes.record.contains_key(*name);
    for name in recorded(state).filter(gone).collect::<Vec<_>>() {
        let Some(found) = atomic::read(&root.join(name))? else { continue };
        match ours(state, hasher, name, &found) {
            Some(hash) => {
                changes.remove.push(name.into());
                changes.intact.insert(name.clone(), hash);
            }
            None => changes.edited.push(name.into()),
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
            && ours(state, hasher, name, &found).is_none()
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

/// The recorded files with secrets.
pub(super) fn secret_files(state: &State) -> impl Iterator<Item = PathBuf> {
    let all = state.rendered.iter().chain(&state.rendering).filter(|(_, hash)| hash.starts_with(KEYED));
    all.map(|(name, _)| PathBuf::from(name)).filter(|path| atomic::check_relative(path).is_ok())
}

fn recorded(state: &State) -> impl Iterator<Item = &String> {
    state.rendered.keys().chain(state.rendering.keys()).collect::<BTreeSet<_>>().into_iter()
}

/// The hash under which we recorded this content, if it is ours: from the last run, or from one that
/// was killed meanwhile.
fn ours(state: &State, hasher: &Hasher, name: &str, found: &[u8]) -> Option<String> {
    [&state.rendered, &state.rendering]
        .into_iter()
        .filter_map(|record| record.get(name))
        .find(|hash| hasher.hash(found, hash.starts_with(KEYED)) == **hash)
        .cloned()
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
    pub(super) fn without_key() -> Hasher {
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
        let sum = hex(hash.finalize());
        if secret { format!("{KEYED}{sum}") } else { sum }
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
