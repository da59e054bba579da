//! How `init` makes a deployment directory: all of it, or nothing.
//!
//! A marker file comes first. It is locked while `init` works, which keeps a second `init` out, and
//! it lists what is going to be written, so that the next `init` can take away what a killed one
//! left, and nothing else. The state file comes last: with it the deployment exists.

mod marker;
mod target;
mod undo;

use std::path::Path;

use self::undo::{Folders, Work};
use super::dir::{self, BASH_FILE, LOCK_FILE, SECRETS_FILE, STATE_FILE};
use super::{DeploymentDir, Secrets, State, atomic, edits, previous, trust};
use crate::error::{Error, Result};
use crate::model::RenderedFile;

pub(super) use marker::MARKER_FILE;

/// Everything that `init` writes.
pub struct NewDeployment {
    pub state: State,
    pub secrets: Secrets,
    pub files: Vec<RenderedFile>,
}

impl DeploymentDir {
    /// Refuses what [`DeploymentDir::create`] would refuse, without writing anything.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialized`], [`Error::BashDeployment`], [`Error::DirectoryNotEmpty`],
    /// [`Error::OpenToOthers`], [`Error::BrokenState`], [`Error::Locked`] while another `init` works there,
    /// [`Error::InvalidValue`] if the path is no directory or has a name that ssh cannot use, [`Error::Io`] where writing is not permitted.
    pub fn check_target(path: &Path) -> Result<()> {
        let root = dir::absolute(path)?;
        dir::check_name(&root)?;
        trust::check(&root)?;
        target::check_contents(&root)?;
        target::check_writable(&root)
    }

    /// Makes the directory (mode 0700, missing parents too) or takes an empty one, and writes a
    /// deployment into it. If anything fails, the directory is afterwards as it was before.
    ///
    /// # Errors
    /// Those of [`DeploymentDir::check_target`], and [`Error::Io`].
    pub fn create(path: &Path, new: NewDeployment) -> Result<DeploymentDir> {
        let (files, state) = all_files(new)?;
        make(path, &files, state)
    }
}

/// Writes files and state as [`DeploymentDir::create`] says.
pub(super) fn make(path: &Path, files: &[RenderedFile], state: State) -> Result<DeploymentDir> {
    let root = dir::absolute(path)?;
    dir::check_name(&root)?;
    target::check_contents(&root)?;

    let mut folders = Folders::make(&root)?;
    let mut work = Work::begin(&root)?;
    target::clear_what_a_killed_init_left(&root)?;
    work.make_private()?;
    work.announce(files)?;
    atomic::write_all(&root, files)?;
    state.write(&root.join(STATE_FILE))?;
    work.done = true;
    folders.done = true;
    Ok(DeploymentDir { root, named: path.to_owned(), state })
}

/// The rendered files, the secrets and the lock's file as one list, and the state that records them.
fn all_files(new: NewDeployment) -> Result<(Vec<RenderedFile>, State)> {
    let NewDeployment { mut state, secrets, mut files } = new;
    let hasher = edits::Hasher::new(&secrets);
    state.rendered.clear();
    for file in &files {
        let name = edits::name(&file.path)?;
        let hash = hasher.hash(&file.content, edits::is_secret(file.mode));
        if reserved(&file.path) || state.rendered.insert(name, hash).is_some() {
            return Err(Error::other(format!("{} was rendered twice", file.path.display())));
        }
    }
    files.push(RenderedFile::secret(SECRETS_FILE, secrets.to_json()?.to_vec()));
    files.push(RenderedFile::secret(LOCK_FILE, ""));
    Ok((files, state))
}

/// Names that are this module's own business.
pub(super) fn reserved(path: &Path) -> bool {
    [STATE_FILE, SECRETS_FILE, LOCK_FILE, MARKER_FILE, BASH_FILE].iter().any(|name| path == Path::new(name))
        || path.starts_with(dir::LOGS_DIR)
        || path.starts_with(previous::FOLDER)
}

#[cfg(test)]
mod tests;
