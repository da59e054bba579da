//! A new file for somebody to send to others: of this user's alone, whole or not there at all, and never in
//! the place of another one.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file that grows beside its name, and gets the name when it is whole.
pub(super) struct NewFile {
    file: NamedTempFile,
    target: PathBuf,
    /// The option that names it, for errors.
    flag: &'static str,
}

/// In the current folder; a second file of the same name gets a number.
pub(super) fn free(name: &str, ending: &str) -> PathBuf {
    let plain = PathBuf::from(format!("{name}{ending}"));
    let numbered = (2..=99).map(|number| PathBuf::from(format!("{name}-{number}{ending}")));
    std::iter::once(plain.clone()).chain(numbered).find(|path| path.symlink_metadata().is_err()).unwrap_or(plain)
}

impl NewFile {
    /// # Errors
    /// [`Error::InvalidValue`] of `flag` if the file exists, or its folder cannot be written.
    pub fn at(target: PathBuf, flag: &'static str) -> Result<NewFile> {
        if target.symlink_metadata().is_ok() {
            return Err(exists(flag, &target));
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match tempfile::Builder::new().prefix(".exasol-").suffix(".part").tempfile_in(folder) {
            Ok(file) => Ok(NewFile { file, target, flag }),
            Err(error) => Err(Error::InvalidValue {
                flag: flag.into(),
                value: target.display().to_string(),
                problem: format!("must be a new file in a folder that can be written ({error})"),
                suggestion: None,
            }),
        }
    }

    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Gives it its name; its path and size in bytes.
    pub fn place(self) -> Result<(PathBuf, u64)> {
        let failed = || Error::io(format!("cannot write {}", self.target.display()));
        self.file.as_file().sync_all().map_err(failed())?;
        let bytes = self.file.as_file().metadata().map_err(failed())?.len();
        match self.file.persist_noclobber(&self.target) {
            Ok(_) => Ok((self.target, bytes)),
            Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Err(exists(self.flag, &self.target)),
            Err(e) => Err(Error::io(format!("cannot write {}", self.target.display()))(e.error)),
        }
    }
}

fn exists(flag: &str, target: &Path) -> Error {
    Error::InvalidValue {
        flag: flag.into(),
        value: target.display().to_string(),
        problem: "exists already, and nothing is overwritten: name a new file".into(),
        suggestion: None,
    }
}
