//! This program under the name of another one, for a program that calls that other by name.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// A folder with a link of that name to this program.
pub struct Alias {
    folder: PathBuf,
}

impl Alias {
    /// In an empty folder that lives for as long as the other program runs.
    pub fn new(folder: PathBuf, name: &str) -> Result<Self> {
        let ours = std::env::current_exe().map_err(Error::io("the path of this program"))?;
        symlink(ours, folder.join(name)).map_err(Error::io(format!("a link to this program by the name {name}")))?;
        Ok(Self { folder })
    }

    /// A PATH that begins with the folder.
    ///
    /// # Errors
    /// The folder's name has a colon in it: `TMPDIR` has to be another.
    pub fn path(&self) -> Result<OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.folder.clone()).chain(std::env::split_paths(&path));
        std::env::join_paths(folders).map_err(|_| {
            let folder = self.folder.display();
            Error::other(format!("{folder} cannot be on PATH, because it contains a colon: export TMPDIR=/tmp"))
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
        let folder = tempfile::tempdir().unwrap();
        let path = Alias::new(folder.path().to_owned(), "xsltproc").unwrap().path().unwrap();
        let first = std::env::split_paths(&path).next().unwrap();
        let real = |path: PathBuf| fs::canonicalize(path).unwrap();
        assert_eq!(real(first.join("xsltproc")), real(std::env::current_exe().unwrap()));
        assert!(Alias::new(folder.path().to_owned(), "xsltproc").is_err());
        let odd = folder.path().join("a:b");
        fs::create_dir(&odd).unwrap();
        assert!(Alias::new(odd, "xsltproc").unwrap().path().unwrap_err().to_string().contains("TMPDIR"));
    }
}
