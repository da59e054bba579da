//! How `init` makes a deployment directory: all of it, or nothing.
//!
//! A marker file comes first. It is locked while `init` works, which keeps a second `init` out, and
//! it lists what is going to be written, so that the next `init` can take away what a killed one
//! left, and nothing else. The state file comes last: with it the deployment exists.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dir::{self, BASH_FILE, LOCK_FILE, SECRETS_FILE, STATE_FILE};
use super::lock::{self, Lock, LockStatus};
use super::{DeploymentDir, Secrets, State, atomic, edits};
use crate::error::{Error, Result};
use crate::model::{Holder, RenderedFile};

pub(super) const MARKER_FILE: &str = ".init-in-progress";

/// Everything that `init` writes.
pub struct NewDeployment {
    pub state: State,
    pub secrets: Secrets,
    pub files: Vec<RenderedFile>,
}

#[derive(Serialize, Deserialize)]
struct Marker {
    #[serde(flatten)]
    holder: Holder,
    /// Relative paths, the marker and the state file not among them.
    files: Vec<PathBuf>,
}

impl DeploymentDir {
    /// Refuses what [`DeploymentDir::create`] would refuse, without writing anything.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialized`], [`Error::BashDeployment`], [`Error::DirectoryNotEmpty`],
    /// [`Error::BrokenState`], [`Error::Locked`] while another `init` works there,
    /// [`Error::InvalidValue`] if the path is no directory, [`Error::Io`] where writing is not permitted.
    pub fn check_target(path: &Path) -> Result<()> {
        let root = dir::absolute(path)?;
        check_contents(&root)?;
        check_writable(&root)
    }

    /// Makes the directory (mode 0700, missing parents too) or takes an empty one, and writes a
    /// deployment into it. If anything fails, the directory is afterwards as it was before.
    ///
    /// # Errors
    /// Those of [`DeploymentDir::check_target`], and [`Error::Io`].
    pub fn create(path: &Path, new: NewDeployment) -> Result<DeploymentDir> {
        let root = dir::absolute(path)?;
        check_contents(&root)?;
        let (files, mut state) = all_files(new)?;

        let mut undo = Undo::prepare(&root)?;
        let marker = Lock::take(&root.join(MARKER_FILE))?;
        undo.marker = Some(root.join(MARKER_FILE));
        check_contents_but_marker(&root)?;

        let paths: Vec<PathBuf> = files.iter().map(|f| f.path.clone()).collect();
        // The state first: without it a half-removed directory is no deployment.
        undo.files = std::iter::once(PathBuf::from(STATE_FILE)).chain(paths.iter().cloned()).collect();
        let text = Marker { holder: lock::this_process("init"), files: paths };
        marker.write(&serde_json::to_vec(&text).map_err(|e| Error::Other(e.into()))?)?;
        atomic::write_all(&root, &files)?;
        state.updated_at = super::state::now();
        state.write(&root.join(STATE_FILE))?;

        undo.disarm();
        // The deployment exists; a marker that stays behind says nothing any more.
        let _ = fs::remove_file(root.join(MARKER_FILE));
        Ok(DeploymentDir { root, state })
    }
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
    files.push(RenderedFile::secret(SECRETS_FILE, secrets.to_json()?));
    files.push(RenderedFile::secret(LOCK_FILE, ""));
    Ok((files, state))
}

/// Names that are this module's own business.
pub(super) fn reserved(path: &Path) -> bool {
    [STATE_FILE, SECRETS_FILE, LOCK_FILE, MARKER_FILE, BASH_FILE].iter().any(|name| path == Path::new(name))
        || path.starts_with(dir::LOGS_DIR)
}

fn check_contents(root: &Path) -> Result<()> {
    match fs::metadata(root) {
        Ok(metadata) if !metadata.is_dir() => return Err(dir::not_a_directory(root)),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Err(dir::not_a_directory(root)),
        Err(e) => return Err(Error::io(format!("cannot read {}", root.display()))(e)),
    }
    if let Some(state) = State::read(&root.join(STATE_FILE))? {
        return Err(Error::AlreadyInitialized {
            dir: root.to_path_buf(),
            deployment: state.id.to_string(),
            phase: state.phase,
        });
    }
    if root.join(BASH_FILE).exists() {
        return Err(Error::BashDeployment { dir: root.to_path_buf() });
    }
    if let LockStatus::Held(holder) = lock::status(&root.join(MARKER_FILE))? {
        return Err(Error::Locked { holder });
    }
    let planned = planned_by_killed_init(root)?;
    let foreign: Vec<_> = dir::entries(root)?
        .into_iter()
        .filter(|name| name != MARKER_FILE && !planned.iter().any(|file| belongs_to(name, file)))
        .collect();
    refuse_foreign(root, &foreign)
}

/// With the marker locked by us: takes away what a killed `init` left, and looks again.
fn check_contents_but_marker(root: &Path) -> Result<()> {
    if let Some(state) = State::read(&root.join(STATE_FILE))? {
        // Another `init` was done between our first look and the lock.
        return Err(Error::AlreadyInitialized {
            dir: root.to_path_buf(),
            deployment: state.id.to_string(),
            phase: state.phase,
        });
    }
    remove_all(root, &planned_by_killed_init(root)?);
    let foreign: Vec<_> = dir::entries(root)?.into_iter().filter(|name| name != MARKER_FILE).collect();
    refuse_foreign(root, &foreign)
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

/// What a killed `init` was going to write. Empty without a marker, or with one that was not finished:
/// nothing else is written before it is.
fn planned_by_killed_init(root: &Path) -> Result<Vec<PathBuf>> {
    let Some(text) = atomic::read(&root.join(MARKER_FILE))? else { return Ok(Vec::new()) };
    let Ok(Marker { mut files, .. }) = serde_json::from_slice(&text) else { return Ok(Vec::new()) };
    files.retain(|file| atomic::check_relative(file).is_ok());
    files.push(STATE_FILE.into());
    Ok(files)
}

/// Whether the directory's entry `name` is `file`, its temporary name, or the folder that it is in.
fn belongs_to(name: &str, file: &Path) -> bool {
    file.starts_with(name) || atomic::temporary(file) == Path::new(name)
}

/// Removes these files, their temporary names, and their folders once they are empty. What cannot be
/// removed stays: the caller looks, or has another error to report.
fn remove_all(root: &Path, files: &[PathBuf]) {
    for file in files {
        let _ = fs::remove_file(atomic::temporary(&root.join(file)));
        let _ = fs::remove_file(root.join(file));
    }
    let mut folders: Vec<&Path> = files.iter().flat_map(|f| f.ancestors().skip(1)).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    for folder in folders.into_iter().filter(|f| !f.as_os_str().is_empty()) {
        let _ = fs::remove_dir(root.join(folder));
    }
}

/// Looks for what would stop us from making `root` or writing in it.
fn check_writable(root: &Path) -> Result<()> {
    let Some(nearest) = root.ancestors().find(|a| a.symlink_metadata().is_ok()) else { return Ok(()) };
    if !nearest.is_dir() {
        return Err(dir::not_a_directory(nearest));
    }
    rustix::fs::access(nearest, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|e| Error::io(format!("cannot write in {}", nearest.display()))(e.into()))
}

/// What is taken back when `init` fails: dropped before it is disarmed, it restores what was there.
struct Undo {
    root: PathBuf,
    /// Folders that we made, the innermost last.
    made: Vec<PathBuf>,
    /// The mode of a directory that was there before.
    mode: Option<Permissions>,
    marker: Option<PathBuf>,
    files: Vec<PathBuf>,
    armed: bool,
}

impl Undo {
    /// Makes the directory and its parents, or gives the existing one mode 0700.
    fn prepare(root: &Path) -> Result<Undo> {
        let mut undo =
            Undo { root: root.into(), made: Vec::new(), mode: None, marker: None, files: Vec::new(), armed: true };
        let context = |path: &Path| Error::io(format!("cannot make {}", path.display()));
        let parents = root.ancestors().skip(1).collect::<Vec<_>>();
        for parent in parents.into_iter().rev().filter(|p| !p.exists()) {
            match fs::create_dir(parent) {
                Ok(()) => undo.made.push(parent.into()),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && parent.is_dir() => {}
                Err(e) => return Err(context(parent)(e)),
            }
        }
        if atomic::make_private_dir(root).map_err(context(root))? {
            undo.made.push(root.into());
        } else {
            let before = fs::metadata(root).map_err(context(root))?.permissions();
            fs::set_permissions(root, Permissions::from_mode(0o700))
                .map_err(Error::io(format!("cannot make {} private", root.display())))?;
            undo.mode = Some(before);
        }
        Ok(undo)
    }

    fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // The error that brought us here is the one to report. What cannot be removed now stays listed
        // in the marker, for the next `init`.
        remove_all(&self.root, &self.files);
        let clean = !self.files.iter().any(|file| self.root.join(file).exists());
        if let Some(marker) = self.marker.as_ref().filter(|_| clean) {
            let _ = fs::remove_file(marker);
        }
        if let Some(mode) = &self.mode
            && !self.root.join(STATE_FILE).exists()
        {
            let _ = fs::set_permissions(&self.root, mode.clone());
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}
