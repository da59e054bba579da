//! A deployment directory with its lock held: the only way to write in it.

use std::fs;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use super::create::{self, MARKER_FILE};
use super::dir::{LOCK_FILE, README_FILE, SECRETS_FILE, STATE_FILE};
use super::edits::{self, Hasher};
use super::lock::{self, Lock};
use super::{DeploymentDir, OpLog, Secrets, State, atomic, state, transitions};
use crate::error::{Error, Result};
use crate::model::{Operation, Phase, RenderedFile};

/// What becomes of rendered files that were edited by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EditPolicy {
    /// Nothing is written, and the error lists them.
    #[default]
    Refuse,
    /// They are rendered anew.
    Overwrite,
    /// They stay as they are.
    Keep,
}

/// A [`DeploymentDir`] that nobody else can write while this value, or a child that inherited the
/// lock's descriptor, lives.
#[derive(Debug)]
pub struct Locked {
    dir: DeploymentDir,
    lock: Lock,
}

impl Deref for Locked {
    type Target = DeploymentDir;

    fn deref(&self) -> &DeploymentDir {
        &self.dir
    }
}

impl DeploymentDir {
    /// Takes the lock, writes down who holds it, and reads the state again: what was read before the
    /// lock was taken may have changed since.
    ///
    /// # Errors
    /// [`Error::Locked`] at once if another operation holds it, and those of [`DeploymentDir::open`].
    pub fn lock(self, operation: Operation) -> Result<Locked> {
        // A directory that was removed meanwhile must not come back as a lone lock file.
        let dir = DeploymentDir::open(&self.root)?;
        let lock = Lock::take(&dir.root.join(LOCK_FILE))?;
        let holder = serde_json::to_vec(&lock::this_process(operation.as_str())).map_err(|e| Error::Other(e.into()))?;
        lock.write(&holder)?;
        let mut locked = Locked { dir, lock };
        locked.reload()?;
        // Left by an `init` that was killed in its very last moment.
        atomic::remove_file(&locked.root.join(MARKER_FILE))?;
        Ok(locked)
    }

    /// # Errors
    /// [`Error::WrongPhase`] if `operation` may not run from the recorded phase, with the commands
    /// that may, for this directory.
    pub fn check_allowed(&self, operation: Operation) -> Result<()> {
        let phase = self.state.phase;
        transitions::allowed(operation, phase).map_err(|_| {
            let next = transitions::next_commands(phase, false).iter().map(|n| n.at(&self.root)).collect();
            Error::WrongPhase { operation, phase, next }
        })
    }
}

impl Locked {
    /// The lock's descriptor, for tools to inherit: the deployment then stays locked for as long as
    /// they run, even if we are killed.
    pub fn lock_fd(&self) -> BorrowedFd<'_> {
        self.lock.fd()
    }

    /// Reads the state again.
    pub fn reload(&mut self) -> Result<()> {
        self.dir = DeploymentDir::open(&self.dir.root)?;
        Ok(())
    }

    /// Changes the state, in the file and here, or, on an error, in neither.
    pub fn update(&mut self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut new = self.dir.state.clone();
        change(&mut new);
        new.updated_at = state::now();
        new.write(&self.dir.root.join(STATE_FILE))?;
        self.dir.state = new;
        Ok(())
    }

    /// Records a phase. One that is ready has been ready once and for all ([`State::ever_ready`]).
    pub fn set_phase(&mut self, phase: Phase) -> Result<()> {
        self.update(|state| {
            state.phase = phase;
            state.ever_ready |= phase == Phase::DatabaseReady;
        })
    }

    pub fn write_secrets(&mut self, secrets: &Secrets) -> Result<()> {
        secrets.write(&self.dir.root.join(SECRETS_FILE))
    }

    /// Makes the folders of these files (`terraform`, `ssh`, …) hold exactly what was rendered: writes
    /// what is new or changed, removes what is no longer rendered there, and records the hashes. Files
    /// that are right already, and other folders, are not touched.
    ///
    /// # Errors
    /// [`Error::EditedFiles`] with [`EditPolicy::Refuse`], before anything is written; [`Error::Io`].
    pub fn write_files(&mut self, files: &[RenderedFile], policy: EditPolicy) -> Result<()> {
        if let Some(file) = files.iter().find(|file| create::reserved(&file.path)) {
            return Err(Error::other(format!("{} is not rendered", file.path.display())));
        }
        let hasher = self.hasher(files)?;
        let (inside, outside) = self.dir.state.split_rendered(files);
        let edits::Changes { mut write, mut remove, edited, record } =
            edits::compare(&self.dir.root, &inside, files, &hasher)?;
        let mut kept = Vec::new();
        match policy {
            EditPolicy::Refuse if !edited.is_empty() => return Err(Error::EditedFiles { files: edited }),
            EditPolicy::Keep => kept = edited,
            EditPolicy::Refuse | EditPolicy::Overwrite => {
                write.extend(files.iter().filter(|file| edited.contains(&file.path)));
                remove.extend(edited.into_iter().filter(|path| !files.iter().any(|file| file.path == *path)));
            }
        }
        // What is kept keeps its record, so that it goes on being seen as edited.
        let rendered = {
            let old = &inside.rendered;
            let is_kept = |name: &String| kept.iter().any(|path| path == Path::new(name));
            let fresh = record.into_iter().filter(|(name, _)| !is_kept(name));
            let stays = old.iter().filter(|(name, _)| is_kept(name)).map(|(n, h)| (n.clone(), h.clone()));
            fresh.chain(stays).chain(outside).collect()
        };
        self.apply(&write, &remove, rendered)
    }

    /// Writes and removes in such an order that, wherever it is killed, each file is known as ours.
    fn apply(
        &mut self,
        write: &[&RenderedFile],
        remove: &[PathBuf],
        rendered: std::collections::BTreeMap<String, String>,
    ) -> Result<()> {
        if !write.is_empty() || !remove.is_empty() {
            self.update(|state| state.rendering = rendered.clone())?;
            atomic::write_all(&self.dir.root, write.iter().copied())?;
            for path in remove {
                atomic::remove_file(&self.dir.root.join(path))?;
            }
        }
        if rendered != self.dir.state.rendered || !self.dir.state.rendering.is_empty() {
            self.update(|state| {
                state.rendered = rendered;
                state.rendering.clear();
            })?;
        }
        Ok(())
    }

    /// A hasher that knows the key if anything rendered now or earlier has secrets.
    fn hasher(&self, files: &[RenderedFile]) -> Result<Hasher> {
        if files.iter().any(|file| edits::is_secret(file.mode)) {
            return Ok(Hasher::new(&self.secrets()?));
        }
        Hasher::for_record(&self.dir.state, || self.secrets())
    }

    /// Begins this operation's log folder; the oldest folders beyond a limit are removed.
    pub fn start_log(&self, operation: Operation) -> Result<OpLog> {
        OpLog::start(&self.logs_dir(), operation)
    }

    /// Removes what a destroyed deployment no longer needs, secrets and keys first; keeps
    /// `deployment.json`, the logs, `README.md` and whatever people put there themselves.
    ///
    /// Returns what was removed, relative to the directory. A second call finds nothing.
    pub fn remove_after_destroy(&mut self) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        for file in [SECRETS_FILE.into(), atomic::temporary(Path::new(SECRETS_FILE))] {
            if self.dir.root.join(&file).symlink_metadata().is_ok() {
                atomic::remove_file(&self.dir.root.join(&file))?;
                removed.push(file.display().to_string());
            }
        }
        for folder in [self.ssh_dir(), self.ansible_dir(), self.terraform_dir()] {
            if folder.symlink_metadata().is_ok() {
                fs::remove_dir_all(&folder).map_err(Error::io(format!("cannot remove {}", folder.display())))?;
                removed.push(folder.strip_prefix(&self.dir.root).unwrap_or(&folder).display().to_string());
            }
        }
        if self.dir.state.rendered.keys().any(|name| name != README_FILE) {
            self.update(|state| {
                state.rendered.retain(|name, _| name == README_FILE);
                state.rendering.clear();
            })?;
        }
        Ok(removed)
    }
}
