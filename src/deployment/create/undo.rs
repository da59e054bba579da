//! What takes back an `init` that fails: the files, the mode and the folders are afterwards as they were before.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::marker::{MARKER_FILE, Marker};
use crate::deployment::atomic;
use crate::deployment::dir::STATE_FILE;
use crate::deployment::lock::Lock;
use crate::error::{Error, Result};
use crate::model::RenderedFile;

/// The directory and its parents as far as they were missing: removed again, unless it is done.
pub(super) struct Folders {
    /// The innermost last.
    made: Vec<PathBuf>,
    pub done: bool,
}

impl Folders {
    pub fn make(root: &Path) -> Result<Folders> {
        let mut folders = Folders { made: Vec::new(), done: false };
        let context = |path: &Path| Error::io(format!("cannot make {}", path.display()));
        let parents: Vec<&Path> = root.ancestors().skip(1).filter(|parent| !parent.exists()).collect();
        for parent in parents.into_iter().rev() {
            match fs::create_dir(parent) {
                Ok(()) => folders.made.push(parent.into()),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && parent.is_dir() => {}
                Err(e) => return Err(context(parent)(e)),
            }
        }
        if atomic::make_private_dir(root).map_err(context(root))? {
            folders.made.push(root.into());
        }
        Ok(folders)
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in self.made.iter().rev().filter(|_| !self.done) {
            // Not empty any more: another `init` has begun there.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// An `init` at work: holds the marker's lock, and takes back what was written unless it is done.
pub(super) struct Work {
    root: PathBuf,
    /// Released after everything else.
    marker: Lock,
    files: Vec<PathBuf>,
    /// The mode of a directory that was there before, once it was changed.
    mode: Option<Permissions>,
    pub done: bool,
}

impl Work {
    pub fn begin(root: &Path) -> Result<Work> {
        let marker = Lock::take(&root.join(MARKER_FILE))?;
        Ok(Work { root: root.into(), marker, files: Vec::new(), mode: None, done: false })
    }

    /// Gives the directory mode 0700. Only under the lock: the mode that one `init` restores when it
    /// fails must not meet the success of another.
    pub fn make_private(&mut self) -> Result<()> {
        let failed = || Error::io(format!("cannot make {} private", self.root.display()));
        let before = fs::metadata(&self.root).map_err(failed())?.permissions();
        fs::set_permissions(&self.root, Permissions::from_mode(0o700)).map_err(failed())?;
        self.mode = Some(before);
        Ok(())
    }

    /// Writes down what is going to be written.
    pub fn announce(&mut self, files: &[RenderedFile]) -> Result<()> {
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        self.marker.write(&Marker::of_this_process(paths.clone()).to_json()?)?;
        // Taken back state first: without it a half-removed directory is no deployment.
        self.files = std::iter::once(PathBuf::from(STATE_FILE)).chain(paths).collect();
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // The error that brought us here is the one to report. What cannot be removed now stays listed
        // in the marker, for the next `init`.
        let mut clean = true;
        if !self.done {
            remove_all(&self.root, &self.files);
            clean = !self.files.iter().any(|file| self.root.join(file).exists());
            if let Some(mode) = &self.mode {
                let _ = fs::set_permissions(&self.root, mode.clone());
            }
        }
        if clean {
            let _ = fs::remove_file(self.root.join(MARKER_FILE));
        }
    }
}

/// Removes these files, their temporary names, and their folders once they are empty. What cannot be
/// removed stays: the caller looks, or has another error to report.
pub(super) fn remove_all(root: &Path, files: &[PathBuf]) {
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
