//! Which deployments a user has: one small file each, outside of their directories, so that `list`
//! finds them. Directories move, are copied and vanish without a word, so an entry is a hint that
//! is checked against the directory, and whoever holds a deployment's lock puts it right.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::dir::STATE_FILE;
use super::{DeploymentDir, State, atomic, names};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, Phase, parse_error};

const SCHEMA: u32 = 1;
const SUFFIX: &str = ".json";

/// One deployment, as its file tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    schema: u32,
    pub deployment: DeploymentId,
    /// Absolute, without symbolic links: where it was worked on last.
    pub directory: PathBuf,
    /// Copies of that directory, with the same id in them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub copies: BTreeSet<PathBuf>,
    pub provider: String,
    /// RFC 3339, UTC.
    pub created: String,
    #[serde(default)]
    pub destroyed: bool,
}

/// What became of an entry.
#[derive(Debug, PartialEq, Eq)]
pub enum Remembered {
    Already,
    Written,
    /// Another directory holds the same deployment.
    CopyOf(PathBuf),
}

/// What is in a directory that an entry names.
#[derive(Debug)]
pub enum Found {
    /// The entry's deployment.
    Here,
    /// Nothing of the kind; or another deployment, with its id.
    Gone(Option<DeploymentId>),
    /// Something that cannot be read.
    Broken(Error),
}

/// `$XDG_STATE_HOME/exasol/deployments.d`.
#[derive(Debug, Clone)]
pub struct Index {
    folder: PathBuf,
}

impl Index {
    pub fn at(folder: PathBuf) -> Index {
        Index { folder }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Records where a deployment is. Nothing is written if that is known. The caller holds the
    /// deployment's lock, or has just made it.
    pub fn remember(&self, dir: &DeploymentDir) -> Result<Remembered> {
        let state = dir.state();
        let here = dir.root().canonicalize().map_err(Error::io(format!("cannot find {}", dir.root().display())))?;
        let before = self.read(&file_name(&state.id))?;
        let mut copies = before.as_ref().map(others).unwrap_or_default();
        copies.retain(|other| *other != here && !matches!(find(other, &state.id), Found::Gone(_)));
        let entry = IndexEntry {
            schema: SCHEMA,
            deployment: state.id.clone(),
            directory: here,
            copies,
            provider: state.spec.provider.clone(),
            created: state.created_at.clone(),
            destroyed: state.phase == Phase::Destroyed,
        };
        if before.as_ref() == Some(&entry) {
            return Ok(Remembered::Already);
        }
        self.write(&entry)?;
        // Told once: the next time it is known.
        let known = before.map(|before| others(&before)).unwrap_or_default();
        match entry.copies.first() {
            Some(copy) if !known.contains(&entry.directory) => Ok(Remembered::CopyOf(copy.clone())),
            _ => Ok(Remembered::Written),
        }
    }

    /// Every entry by its file's name, in that order; those that cannot be read with the reason.
    pub fn entries(&self) -> Result<Vec<(String, Result<IndexEntry>)>> {
        let names = names::names(&self.folder)?.into_iter().filter(|n| n.ends_with(SUFFIX) && !n.starts_with('.'));
        let read = |name: String| {
            // Removed since the folder was listed.
            let entry = self.parsed(&name).transpose()?;
            Some((name.trim_end_matches(SUFFIX).to_owned(), entry))
        };
        Ok(names.filter_map(read).collect())
    }

    /// Drops one directory of an entry, and with its last one the entry.
    pub fn forget(&self, id: &DeploymentId, directory: &Path) -> Result<()> {
        let name = file_name(id);
        let Some(mut entry) = self.read(&name)? else { return Ok(()) };
        let mut left = others(&entry);
        left.remove(directory);
        match left.pop_first() {
            None => atomic::remove_file(&self.folder.join(name)),
            Some(_) if entry.directory != directory => {
                entry.copies.remove(directory);
                self.write(&entry)
            }
            Some(next) => {
                (entry.directory, entry.copies) = (next, left);
                self.write(&entry)
            }
        }
    }

    /// Drops an entry that says nothing; false if it may say something to a newer version.
    pub fn forget_unreadable(&self, name: &str) -> Result<bool> {
        let file = self.folder.join(format!("{name}{SUFFIX}"));
        if is_newer(&file) {
            return Ok(false);
        }
        atomic::remove_file(&file).map(|()| true)
    }

    /// As [`Index::parsed`]; what is no entry is as good as none, but another version's stays.
    fn read(&self, name: &str) -> Result<Option<IndexEntry>> {
        match self.parsed(name) {
            Err(error @ Error::BrokenState { .. }) if is_newer(&self.folder.join(name)) => Err(error),
            Err(Error::BrokenState { .. }) => Ok(None),
            other => other,
        }
    }

    fn parsed(&self, name: &str) -> Result<Option<IndexEntry>> {
        let file = self.folder.join(name);
        let Some(text) = atomic::read(&file)? else { return Ok(None) };
        let broken = |why: String| Error::BrokenState { file: file.clone(), why, repair: None };
        let entry: IndexEntry = serde_json::from_slice(&text)
            .map_err(|e| broken(format!("is not an entry of the index: {}", parse_error(&e))))?;
        match entry.schema {
            SCHEMA if file_name(&entry.deployment) != name => {
                Err(broken(format!("is the entry of {}", entry.deployment)))
            }
            SCHEMA => Ok(Some(entry)),
            other => Err(broken(format!("has the schema {other}, but this version knows {SCHEMA}"))),
        }
    }

    fn write(&self, entry: &IndexEntry) -> Result<()> {
        let text = serde_json::to_vec_pretty(entry)
            .with_context(|| format!("{} cannot be written down", entry.directory.display()))?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(Error::io(format!("cannot make {}", self.folder.display())))?;
        atomic::write(&self.folder.join(file_name(&entry.deployment)), &text, 0o600)
    }
}

/// Looks whether `directory` holds the deployment `id`.
pub fn find(directory: &Path, id: &DeploymentId) -> Found {
    match State::read(&directory.join(STATE_FILE)) {
        Ok(Some(state)) if state.id == *id => Found::Here,
        Ok(Some(state)) => Found::Gone(Some(state.id)),
        Ok(None) => Found::Gone(None),
        Err(error) => Found::Broken(error),
    }
}

/// All directories of an entry.
fn others(entry: &IndexEntry) -> BTreeSet<PathBuf> {
    entry.copies.iter().chain([&entry.directory]).cloned().collect()
}

fn file_name(id: &DeploymentId) -> String {
    format!("{id}{SUFFIX}")
}

fn is_newer(file: &Path) -> bool {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let text = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice::<Schema>(&text).is_ok_and(|found| found.schema > SCHEMA)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::deployment::testing;

    fn index(dir: &Path) -> Index {
        Index::at(dir.join("state/exasol/deployments.d"))
    }

    fn only(index: &Index) -> IndexEntry {
        let mut entries = index.entries().unwrap();
        assert_eq!(entries.len(), 1);
        entries.remove(0).1.unwrap()
    }

    fn copy(from: &Path, to: &Path) -> DeploymentDir {
        fs::create_dir(to).unwrap();
        fs::copy(from.join(STATE_FILE), to.join(STATE_FILE)).unwrap();
        DeploymentDir::open(to).unwrap()
    }

    #[test]
    fn an_entry_is_private_and_written_once() {
        let (dir, deployment) = testing::deployment();
        let index = index(dir.path());
        assert!(index.entries().unwrap().is_empty());
        assert_eq!(index.remember(&deployment).unwrap(), Remembered::Written);
        assert_eq!(index.remember(&deployment).unwrap(), Remembered::Already);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(index.folder()), 0o700);
        assert_eq!(mode(&index.folder().join("exasol-01020304.json")), 0o600);
        let entry = only(&index);
        assert_eq!(entry.directory, deployment.root().canonicalize().unwrap());
        assert_eq!((entry.created.as_str(), entry.destroyed), (deployment.state().created_at.as_str(), false));
    }

    #[test]
    fn a_directory_that_moved_is_found_again() {
        let (dir, deployment) = testing::deployment();
        let index = index(dir.path());
        index.remember(&deployment).unwrap();
        let moved = dir.path().join("moved");
        fs::rename(deployment.root(), &moved).unwrap();
        assert_eq!(index.remember(&DeploymentDir::open(&moved).unwrap()).unwrap(), Remembered::Written);
        let entry = only(&index);
        assert_eq!((entry.directory, entry.copies.len()), (moved.canonicalize().unwrap(), 0));
    }

    #[test]
    fn a_copy_is_told_once_and_hides_nothing() {
        let (dir, deployment) = testing::deployment();
        let index = index(dir.path());
        index.remember(&deployment).unwrap();
        let twin = copy(deployment.root(), &dir.path().join("twin"));
        let (first, second) = (deployment.root().canonicalize().unwrap(), twin.root().canonicalize().unwrap());
        assert_eq!(index.remember(&twin).unwrap(), Remembered::CopyOf(first.clone()));
        assert_eq!(index.remember(&twin).unwrap(), Remembered::Already);
        assert_eq!(others(&only(&index)), BTreeSet::from([first.clone(), second.clone()]));
        assert_eq!(index.remember(&deployment).unwrap(), Remembered::Written);
        assert_eq!(others(&only(&index)), BTreeSet::from([first.clone(), second.clone()]));

        let id = &deployment.state().id;
        index.forget(id, &first).unwrap();
        assert_eq!(others(&only(&index)), BTreeSet::from([second.clone()]));
        index.forget(id, &second).unwrap();
        assert!(index.entries().unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_replaced_unless_a_newer_version_wrote_it() {
        let (dir, deployment) = testing::deployment();
        let index = index(dir.path());
        index.remember(&deployment).unwrap();
        let file = index.folder().join("exasol-01020304.json");
        fs::write(&file, "{").unwrap();
        assert!(matches!(index.entries().unwrap()[0], (_, Err(Error::BrokenState { .. }))));
        assert_eq!(index.remember(&deployment).unwrap(), Remembered::Written);
        fs::write(&file, r#"{"schema":2}"#).unwrap();
        assert!(matches!(index.remember(&deployment).unwrap_err(), Error::BrokenState { .. }));
        assert!(!index.forget_unreadable("exasol-01020304").unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), r#"{"schema":2}"#);
        fs::write(&file, "[]").unwrap();
        assert!(index.forget_unreadable("exasol-01020304").unwrap());
        assert!(index.entries().unwrap().is_empty());
    }

    #[test]
    fn a_directory_is_looked_into() {
        let (dir, deployment) = testing::deployment();
        let id = &deployment.state().id;
        assert!(matches!(find(deployment.root(), id), Found::Here));
        assert!(matches!(find(dir.path(), id), Found::Gone(None)));
        let other = DeploymentId::from_random([9; 4]);
        assert!(matches!(find(deployment.root(), &other), Found::Gone(Some(found)) if found == *id));
        fs::write(deployment.root().join(STATE_FILE), "{").unwrap();
        assert!(matches!(find(deployment.root(), id), Found::Broken(_)));
    }

    #[test]
    fn fuzz_index_entries() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path());
        std::fs::create_dir_all(&index.folder).unwrap();
        let seed =
            br#"{"schema":1,"deployment":"exasol-01020304","directory":"/a/b","provider":"libvirt","copies":["/c"]}"#;
        crate::fuzz::target("index-entries", &[seed], move |bytes| {
            let file = dir.path().join("state/exasol/deployments.d/exasol-01020304.json");
            std::fs::write(&file, bytes).unwrap();
            let _ = (index.parsed("exasol-01020304.json"), is_newer(&file));
        });
    }
}
