//! An existing deployment directory, for reading. Nothing here writes or takes the lock.

use std::path::{Path, PathBuf};

use super::lock::{self, LockStatus};
use super::{Kept, LogFolder, Secrets, State, atomic, edits, oplog, previous, trust};
use crate::error::{Error, Result};
use crate::model::Whose;
use crate::model::ssh_path;

pub(super) const STATE_FILE: &str = "deployment.json";
pub(super) const SECRETS_FILE: &str = "secrets.json";
pub(super) const LOCK_FILE: &str = ".lock";
pub(super) const README_FILE: &str = "README.md";
pub(super) const LOGS_DIR: &str = "logs";
/// Made by the Bash deployer that this tool succeeds: recognized, never changed.
pub(super) const BASH_FILE: &str = ".exasol.json";

/// A deployment directory and its state as it was when it was read.
#[derive(Debug, Clone)]
pub struct DeploymentDir {
    pub(super) root: PathBuf,
    /// As it was typed.
    pub(super) named: PathBuf,
    pub(super) state: State,
}

impl DeploymentDir {
    /// Reads the deployment in `path`.
    ///
    /// # Errors
    /// [`Error::OpenToOthers`], [`Error::NotADeployment`], [`Error::BashDeployment`], [`Error::BrokenState`], or
    /// [`Error::Io`] where reading is not permitted.
    pub fn open(path: &Path) -> Result<DeploymentDir> {
        let root = absolute(path)?;
        trust::check(&root)?;
        let file = root.join(STATE_FILE);
        let offered = |error| previous::offer(error, Kept::State, &root, path);
        match State::read(&file).map_err(offered)? {
            Some(state) => Ok(DeploymentDir { root, named: path.to_owned(), state }),
            None if previous::has_readable(&root, Kept::State) => {
                Err(offered(Error::BrokenState { file, why: "is missing".into(), repair: None }))
            }
            None if root.join(BASH_FILE).exists() => Err(Error::BashDeployment { dir: root }),
            None => Err(Error::NotADeployment { dir: root, similar: None, known: Vec::new() }),
        }
    }

    /// Reads the deployment and asks for its lock, so that the two belong together: an operation that
    /// ends between the two looks does not seem to have been interrupted.
    ///
    /// # Errors
    /// Those of [`DeploymentDir::open`], and [`Error::Io`].
    pub fn open_with_lock(path: &Path) -> Result<(DeploymentDir, LockStatus)> {
        Self::open_asking(path, DeploymentDir::lock_status)
    }

    fn open_asking(
        path: &Path,
        mut ask: impl FnMut(&DeploymentDir) -> Result<LockStatus>,
    ) -> Result<(DeploymentDir, LockStatus)> {
        let mut dir = DeploymentDir::open(path)?;
        loop {
            let lock = ask(&dir)?;
            if lock != LockStatus::Free || !dir.state.phase.is_in_progress() {
                return Ok((dir, lock));
            }
            let now = DeploymentDir::open(path)?;
            if now.state == dir.state {
                return Ok((dir, lock));
            }
            dir = now;
        }
    }

    /// The state as it was read: before the lock was taken it may be stale by now.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// As it was typed: for commands that people copy.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// What people call it: the name that `init --name` gave, else the directory's. Not unique.
    pub fn name(&self) -> String {
        let of_directory = || {
            let real = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
            real.file_name().map(|name| name.to_string_lossy().into_owned())
        };
        self.state.name.clone().or_else(of_directory).unwrap_or_else(|| self.state.id.to_string())
    }

    pub fn whose(&self) -> Whose {
        Whose { deployment: self.state.id.to_string(), name: self.name() }
    }

    /// The directory itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn terraform_dir(&self) -> PathBuf {
        self.root.join("terraform")
    }

    pub fn ansible_dir(&self) -> PathBuf {
        self.root.join("ansible")
    }

    pub fn ssh_dir(&self) -> PathBuf {
        self.root.join("ssh")
    }

    pub fn logs_dir(&self) -> PathBuf {
        self.root.join(LOGS_DIR)
    }

    /// The operations' log folders, oldest first.
    pub fn log_folders(&self) -> Result<Vec<LogFolder>> {
        oplog::all(&self.logs_dir())
    }

    /// False once `destroy` has proven that nothing is left: they are the first that it removes then.
    pub fn has_secrets(&self) -> bool {
        self.root.join(SECRETS_FILE).exists()
    }

    /// # Errors
    /// [`Error::BrokenState`] if the file is missing (as after `destroy`) or cannot be understood, [`Error::NotYet`] of
    /// an adopted deployment, which has none.
    pub fn secrets(&self) -> Result<Secrets> {
        if self.state.adopted.is_some() && !self.has_secrets() {
            return Err(self.unknown_secrets());
        }
        let offered = |error| previous::offer(error, Kept::Secrets, &self.root, &self.named);
        Secrets::read(&self.root.join(SECRETS_FILE)).map_err(offered)
    }

    /// Whether there is an earlier copy of the file that can be read.
    pub fn has_copy(&self, kept: Kept) -> bool {
        previous::has_readable(&self.root, kept)
    }

    /// What is in a file of the directory; None where there is none. Never waits for a pipe's writer.
    ///
    /// # Errors
    /// [`Error::BrokenState`] for what is no file, and [`Error::Io`].
    pub fn content(&self, file: &Path) -> Result<Option<Vec<u8>>> {
        atomic::read(&self.root.join(file))
    }

    /// Whether an operation runs now. Asks the kernel, never takes the lock.
    pub fn lock_status(&self) -> Result<LockStatus> {
        lock::status(&self.root.join(LOCK_FILE))
    }

    /// Refuses a name that ssh cannot use: a directory may have been moved to it.
    pub fn check_name(&self) -> Result<()> {
        check_name(&self.root)
    }

    /// Rendered files that were changed by hand, relative to the directory. Files that were removed by
    /// hand are not among them: the next rendering brings them back.
    pub fn edited_files(&self) -> Result<Vec<PathBuf>> {
        let hasher = edits::Hasher::for_record(&self.state, || self.secrets())?;
        edits::edited(&self.root, &self.state, &hasher)
    }
}

/// Independent of a later change of the working directory; symbolic links stay as they were typed.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(not_a_directory(path));
    }
    std::path::absolute(path).map_err(Error::io(format!("cannot find {}", path.display())))
}

pub(super) fn not_a_directory(path: &Path) -> Error {
    let problem = if path.exists() { "is a file, not a directory" } else { "must be a directory" };
    Error::invalid("--deployment-dir", path.display().to_string(), problem)
}

/// `ssh/config` has to name the directory, and not every name can be written there.
pub(super) fn check_name(root: &Path) -> Result<()> {
    ssh_path(root).map(drop).map_err(|why| {
        Error::invalid("--deployment-dir", root.display().to_string(), format!("{why}, and ssh cannot use such a path"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::Phase;

    #[test]
    fn an_operation_that_ends_while_we_look_is_not_interrupted() {
        let (_keep, dir) = super::super::testing::deployment();
        let write = |phase: Phase| {
            let file = dir.root().join(STATE_FILE);
            let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            state["phase"] = phase.as_str().into();
            fs::write(&file, state.to_string()).unwrap();
        };
        write(Phase::DeployInProgress);
        let (seen, _) = DeploymentDir::open_with_lock(dir.root()).unwrap();
        assert_eq!(seen.state().phase, Phase::DeployInProgress, "nobody holds the lock: interrupted");
        let ended = |_: &DeploymentDir| {
            write(Phase::DatabaseReady);
            Ok(LockStatus::Free)
        };
        let (seen, _) = DeploymentDir::open_asking(dir.root(), ended).unwrap();
        assert_eq!(seen.state().phase, Phase::DatabaseReady);
    }
    use crate::deployment::testing;

    #[test]
    fn what_is_no_deployment_is_named_for_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path| DeploymentDir::open(path).unwrap_err();
        assert!(matches!(open(dir.path()), Error::NotADeployment { .. }));
        assert!(matches!(open(&dir.path().join("missing")), Error::NotADeployment { .. }));
        assert!(matches!(open(Path::new("")), Error::InvalidValue { .. }));
        fs::write(dir.path().join(BASH_FILE), "{}").unwrap();
        assert!(matches!(open(dir.path()), Error::BashDeployment { .. }));
        fs::write(dir.path().join(STATE_FILE), "{").unwrap();
        assert!(matches!(open(dir.path()), Error::BrokenState { .. }));
        assert!(matches!(open(&dir.path().join(STATE_FILE)), Error::NotADeployment { .. }));
    }

    #[test]
    fn a_name_that_ssh_cannot_use_is_refused_before_anything_is_made() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        for name in [&b"a\"b"[..], b"${HOME}", b"a\nb", b"a\xffb"] {
            let target = dir.path().join(std::ffi::OsStr::from_bytes(name));
            let error = DeploymentDir::check_target(&target).unwrap_err();
            assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
        }
        DeploymentDir::check_target(&dir.path().join("50% of $my {clusters}")).unwrap();
    }

    #[test]
    fn a_deployment_may_be_moved() {
        let (dir, deployment) = testing::deployment();
        let moved = dir.path().join("elsewhere");
        fs::rename(deployment.root(), &moved).unwrap();
        let again = DeploymentDir::open(&moved).unwrap();
        assert_eq!(again.state(), deployment.state());
        assert_eq!(again.edited_files().unwrap(), Vec::<PathBuf>::new());
        for file in again.state().rendered.keys() {
            let text = fs::read(moved.join(file)).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains(&*deployment.root().to_string_lossy()));
        }
    }
}
