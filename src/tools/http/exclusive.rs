use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::model::is_same_file;

/// A lock on a file of its own, which disappears with the holder: nothing stays to be cleaned up,
/// not even after a kill (the next holder removes the file that was left).
pub(super) struct Exclusive {
    path: PathBuf,
    _file: File,
}

impl Exclusive {
    /// None: another one holds it, or has just left. Ask again.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, path)? => Ok(Some(Self { path: path.to_owned(), _file: file })),
            // The holder before us removed the file after we had opened it: this lock locks nothing.
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether somebody holds it now. Writes nothing.
    pub(super) fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        // While we still hold it. A file that cannot be removed is only untidy.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match path.metadata() {
        Ok(there) => Ok(is_same_file(&file.metadata()?, &there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c4.lock");
        let first = Exclusive::take(&path).unwrap().unwrap();
        assert!(Exclusive::take(&path).unwrap().is_none());
        assert!(Exclusive::is_held(&path));
        drop(first);
        assert!(!path.exists() && !Exclusive::is_held(&path));
        assert!(Exclusive::take(&path).unwrap().is_some());
    }
}
