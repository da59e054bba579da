//! Who works with files of the cache. A release and a base image are downloaded minutes before they are sent to the
//! nodes and to the hypervisor: `cache prune` leaves all of them alone as long as a `deploy` runs.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use super::user_dirs::CacheDirs;
use crate::error::{Error, Result};
use crate::signal::Interrupt;
use crate::tools::lock_file;

/// Shared by all that use the cache; it may be inherited by a program that reads there.
fn begin(dirs: &CacheDirs) -> Result<Option<File>> {
    std::fs::create_dir_all(&dirs.root).map_err(Error::io(format!("cannot make {}", dirs.root.display())))?;
    let file = open(dirs)?;
    Ok(lock_file::is_taken(file.try_lock_shared(), &path(dirs))?.then_some(file))
}

/// As [`begin`], once nothing is being removed. `waits` is called if that takes a while.
pub(super) async fn wait(dirs: &CacheDirs, waits: impl FnOnce(), interrupt: &Interrupt) -> Result<File> {
    lock_file::wait(|| begin(dirs), waits, interrupt).await
}

/// For whoever removes: nobody begins to use the cache as long as this is held. None: somebody uses it.
pub(super) fn take_if_idle(dirs: &CacheDirs) -> Result<Option<File>> {
    let file = open(dirs)?;
    Ok(lock_file::is_taken(file.try_lock(), &path(dirs))?.then_some(file))
}

/// Whether somebody uses it. Makes nothing.
pub(super) fn is_in_use(dirs: &CacheDirs) -> bool {
    File::open(path(dirs)).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn open(dirs: &CacheDirs) -> Result<File> {
    let opened = File::options().read(true).write(true).create(true).truncate(false).open(path(dirs));
    opened.map_err(Error::io(format!("cannot open {}", path(dirs).display())))
}

fn path(dirs: &CacheDirs) -> PathBuf {
    dirs.root.join("files.used")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_used_is_not_removed_and_what_is_removed_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let dirs = CacheDirs { root: folder.path().join("exasol") };
        assert!(!is_in_use(&dirs));
        let one = wait(&dirs, || panic!(), &Interrupt::never()).await.unwrap();
        let another = begin(&dirs).unwrap().unwrap();
        drop(one);
        assert!(is_in_use(&dirs) && take_if_idle(&dirs).unwrap().is_none());
        drop(another);
        let removes = take_if_idle(&dirs).unwrap().unwrap();
        assert!(begin(&dirs).unwrap().is_none());
        let (interrupt, keys) = Interrupt::manual();
        keys.press(2);
        let mut told = false;
        let second = wait(&dirs, || told = true, &interrupt).await;
        assert!(matches!(second, Err(Error::Interrupted { signal: 2 })) && told);
        drop(removes);
        assert!(!is_in_use(&dirs));
    }
}
