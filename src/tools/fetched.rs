//! The folder with the programs that `doctor --install-tools` has fetched, for people who lack them.
//!
//! Each program lies in a folder named by its version, and is in use from the moment in which the folder `bin` has a
//! link to it: what an installation has left that was interrupted has no link. Nothing here is put on PATH: programs
//! are called by their full path.
//!
//! Two locks lie beside the folder. `tools.lock` is for the one who installs or removes. `tools.used` is shared by
//! everybody who has found a program here, and is inherited by that program: as long as it is held, nothing is removed.

use std::fs::{File, TryLockError};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock_file;
use super::process::Tool;
use crate::error::{Error, Result};
use crate::signal::Interrupt;

#[derive(Debug, Clone)]
pub struct Fetched {
    root: Option<PathBuf>,
}

/// A program that was found there.
#[derive(Debug)]
pub struct FetchedProgram {
    pub path: PathBuf,
    pub lease: Lease,
}

/// Keeps the programs in their places as long as it lives.
#[derive(Debug, Clone)]
pub struct Lease(Arc<File>);

impl Lease {
    /// Lets the program hold it, too: it may live longer than we do.
    pub fn lend(&self, tool: Tool) -> Result<Tool> {
        tool.inherit_fd(&*self.0)
    }
}

/// The right to install and to remove.
pub struct Turn {
    root: PathBuf,
    _lock: File,
}

impl Fetched {
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: Some(root.into()) }
    }

    /// For where there is no cache.
    pub fn nowhere() -> Self {
        Self { root: None }
    }

    /// The program of that name, if it was fetched.
    pub fn find(&self, name: &str) -> Option<FetchedProgram> {
        let root = self.root.as_ref()?;
        let path = root.join("bin").join(name);
        if !path.is_file() {
            return None;
        }
        let used = open(&beside(root, "used")).ok()?;
        used.try_lock_shared().ok()?;
        // Somebody may have removed it before we had the lock.
        path.is_file().then(|| FetchedProgram { path, lease: Lease(Arc::new(used)) })
    }
}

impl Turn {
    /// Waits until nobody else installs or removes. `waits` is called once if that takes a while.
    pub async fn take(root: &Path, waits: impl FnOnce(), interrupt: &Interrupt) -> Result<Self> {
        lock_file::wait(|| Self::take_if_free(root), waits, interrupt).await
    }

    /// None: somebody else has it. Makes the folder if need be.
    pub fn take_if_free(root: &Path) -> Result<Option<Self>> {
        std::fs::create_dir_all(root).map_err(Error::io(format!("cannot make {}", root.display())))?;
        let path = beside(root, "lock");
        let lock = open(&path)?;
        let is_taken = lock_file::is_taken(lock.try_lock(), &path)?;
        Ok(is_taken.then(|| Self { root: root.to_owned(), _lock: lock }))
    }

    /// An empty folder for a program; whatever is there under that name is not in use, and goes.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join(name);
        remove(&folder)?;
        std::fs::create_dir(&folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
        Ok(folder)
    }

    /// Whether the program of that name is the one in this folder.
    pub fn is_in_use(&self, name: &str, folder: &str) -> bool {
        let target = std::fs::read_link(self.root.join("bin").join(name)).unwrap_or_default();
        target.starts_with(Path::new("..").join(folder)) && self.root.join("bin").join(name).is_file()
    }

    /// From now on, `name` is this program. It lies below the folder.
    pub fn put_into_use(&self, name: &str, program: &Path) -> Result<()> {
        let bin = self.root.join("bin");
        let failed = || Error::io(format!("cannot make {}", bin.join(name).display()));
        std::fs::create_dir_all(&bin).map_err(failed())?;
        let below = program.strip_prefix(&self.root).unwrap_or(program);
        let (link, unnamed) = (bin.join(name), bin.join(format!(".{name}.new")));
        remove(&unnamed)?;
        symlink(Path::new("..").join(below), &unnamed).map_err(failed())?;
        std::fs::rename(unnamed, link).map_err(failed())
    }

    /// Removes everything; false: somebody uses a program.
    pub fn remove_all(self) -> Result<bool> {
        let used = open(&beside(&self.root, "used"))?;
        match used.try_lock() {
            Ok(()) => remove(&self.root).map(|()| true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(cause)) => Err(Error::io("cannot lock the tools")(cause)),
        }
    }
}

/// Whether somebody installs, removes, or uses a program. Makes nothing.
pub fn is_in_use(root: &Path) -> bool {
    let held = |suffix| File::open(beside(root, suffix)).is_ok_and(|lock| lock.try_lock().is_err());
    held("lock") || held("used")
}

/// Removes a file, a link or a folder; it may be absent.
pub fn remove(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.map_err(Error::io(format!("cannot remove {}", path.display())))
}

/// `…/tools` → `…/tools.lock`: what is inside may be removed.
fn beside(root: &Path, suffix: &str) -> PathBuf {
    root.with_extension(suffix)
}

fn open(path: &Path) -> Result<File> {
    let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
    opened.map_err(Error::io(format!("cannot open {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(root: &Path, version: &str) {
        let turn = Turn::take_if_free(root).unwrap().unwrap();
        let program = turn.folder(&format!("opentofu-{version}")).unwrap().join("tofu");
        std::fs::write(&program, version).unwrap();
        turn.put_into_use("tofu", &program).unwrap();
    }

    #[test]
    fn a_program_is_there_once_it_is_put_into_use() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tools");
        let fetched = Fetched::at(&root);
        assert!(fetched.find("tofu").is_none() && Fetched::nowhere().find("tofu").is_none());
        std::fs::create_dir_all(root.join("opentofu-1.0.0")).unwrap();
        std::fs::write(root.join("opentofu-1.0.0/tofu"), "half").unwrap();
        assert!(fetched.find("tofu").is_none());
        for version in ["1.0.0", "1.1.0"] {
            installed(&root, version);
            assert_eq!(std::fs::read_to_string(fetched.find("tofu").unwrap().path).unwrap(), version);
        }
        let turn = Turn::take_if_free(&root).unwrap().unwrap();
        assert!(turn.is_in_use("tofu", "opentofu-1.1.0") && !turn.is_in_use("tofu", "opentofu-1.0.0"));
    }

    #[test]
    fn nothing_is_removed_while_a_program_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tools");
        installed(&root, "1.0.0");
        let fetched = Fetched::at(&root);
        let (one, another) = (fetched.find("tofu").unwrap(), fetched.find("tofu").unwrap());
        drop(one);
        assert!(is_in_use(&root));
        assert!(!Turn::take_if_free(&root).unwrap().unwrap().remove_all().unwrap());
        drop(another);
        assert!(!is_in_use(&root));
        assert!(Turn::take_if_free(&root).unwrap().unwrap().remove_all().unwrap());
        assert!(!root.exists() && fetched.find("tofu").is_none());
    }

    #[tokio::test]
    async fn installations_take_turns_and_waiting_ends_at_a_press() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tools");
        let first = Turn::take_if_free(&root).unwrap().unwrap();
        assert!(Turn::take_if_free(&root).unwrap().is_none());
        let (interrupt, keys) = Interrupt::manual();
        keys.press(2);
        let mut told = false;
        let second = Turn::take(&root, || told = true, &interrupt).await;
        assert!(matches!(second, Err(Error::Interrupted { signal: 2 })) && told);
        drop(first);
        assert!(Turn::take(&root, || (), &Interrupt::never()).await.is_ok());
    }
}
