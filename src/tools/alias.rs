//! This program under the name of another one, for a program that calls that other by name.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// A private folder with a link of that name to this program; goes when this goes. A child that
/// outlives us after a SIGKILL finds it still there.
pub struct Alias {
    folder: TempDir,
}

impl Alias {
    pub fn new(name: &str) -> Result<Self> {
        let context = || format!("a temporary folder for {name}");
        let folder = tempfile::Builder::new().prefix("exasol-").tempdir().map_err(Error::io(context()))?;
        let ours = std::env::current_exe().map_err(Error::io("the path of this program"))?;
        symlink(ours, folder.path().join(name)).map_err(Error::io(context()))?;
        Ok(Self { folder })
    }

    /// A PATH that begins with the folder.
    ///
    /// # Errors
    /// The folder's name has a colon in it: `TMPDIR` has to be another.
    pub fn path(&self) -> Result<OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.folder.path().to_owned()).chain(std::env::split_paths(&path));
        std::env::join_paths(folders).map_err(|_| {
            let folder = self.folder.path().parent().unwrap_or(Path::new("/")).display();
            Error::other(format!("TMPDIR is {folder}, and a folder with a colon can't be on PATH: export TMPDIR=/tmp"))
        })
    }
}

/// The first program of that name on PATH that is not this one under another name.
pub fn find_other(name: &str) -> Option<PathBuf> {
    let ours = std::env::current_exe().and_then(fs::canonicalize).ok();
    which::which_all(name).ok()?.find(|path| fs::canonicalize(path).ok() != ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_comes_first_and_its_link_is_this_program() {
        let alias = Alias::new("xsltproc").unwrap();
        let path = alias.path().unwrap();
        let first = std::env::split_paths(&path).next().unwrap();
        assert_eq!(
            fs::canonicalize(first.join("xsltproc")).unwrap(),
            fs::canonicalize(std::env::current_exe().unwrap()).unwrap()
        );
        drop(alias);
        assert!(!first.exists());
    }
}
