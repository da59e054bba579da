//! `--result FILE`: the result as JSON beside the text for people.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Replaces the file in one step; only its owner may read it, because results may hold passwords.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    // Its mode is 0600.
    let mut aside = NamedTempFile::new_in(folder_of(file))?;
    aside.write_all(text.as_bytes())?;
    aside.as_file().sync_all()?;
    aside.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Whether it can be written, as far as can be told before: nothing is left of this.
pub(super) fn check(file: &Path) -> io::Result<()> {
    if file.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    NamedTempFile::new_in(folder_of(file)).map(drop)
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_replaced_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("result.json");
        std::fs::write(&file, "a longer text from an earlier run").unwrap();
        write(&file, "{}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}\n");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(write(&folder.path().join("none/result.json"), "{}").is_err());
        assert!(check(&folder.path().join("none/result.json")).is_err() && check(folder.path()).is_err());
        assert!(check(&file).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
