//! Where runs have their directories, and which of them are at work.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use super::super::user_dirs::StateDirs;
use crate::deployment::keys;
use crate::error::{Error, Result};
use crate::tools::lock_file;

const SUFFIX: &str = ".lock";

/// A run's directory. While this lives, and no longer, the run is at work: the kernel takes the lock back from a
/// process that was killed.
#[derive(Debug)]
pub struct Place {
    pub name: String,
    /// Made by `init`.
    pub dir: PathBuf,
    file: PathBuf,
    _lock: File,
}

impl Place {
    /// A new one; without a name one that nobody has used.
    ///
    /// # Errors
    /// [`Error::Usage`] if a run of that name is at work.
    pub fn take(name: Option<String>) -> Result<Place> {
        let name = match name {
            Some(name) => name,
            None => keys::generate_id()?.to_string().replacen("exasol-", "run-", 1),
        };
        let usage = || Error::Usage {
            message: format!("a run with the name '{name}' is at work"),
            hint: Some("wait for its end, or give this one another --name".into()),
        };
        Place::of(&name)?.ok_or_else(usage)
    }

    /// A new one for the making of a warm base. If it is killed, `run --clean` destroys what it has left.
    ///
    /// # Errors
    /// Those of [`Place::take`].
    pub fn for_warm_base() -> Result<Place> {
        Place::take(Some(keys::generate_id()?.to_string().replacen("exasol-", "warm-", 1)))
    }

    /// None: a run is at work there.
    fn of(name: &str) -> Result<Option<Place>> {
        let runs = folder()?;
        let file = runs.join(format!("{name}{SUFFIX}"));
        let failed = || Error::io(format!("cannot lock {}", file.display()));
        let lock = File::options().create(true).append(true).mode(0o600).open(&file).map_err(failed())?;
        let is_taken = lock_file::is_taken(lock.try_lock(), &file)?;
        Ok(is_taken.then(|| Place { name: name.to_owned(), dir: runs.join(name), file, _lock: lock }))
    }

    /// Those that runs have left which are not at work any more; and the names of those that are.
    pub(super) fn left() -> Result<(Vec<Place>, Vec<String>)> {
        let (mut left, mut working) = (Vec::new(), Vec::new());
        let runs = folder()?;
        let listing = std::fs::read_dir(&runs).map_err(Error::io(format!("cannot read {}", runs.display())))?;
        let names = listing.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(SUFFIX).map(str::to_owned)).collect();
        names.sort();
        for name in names {
            match Place::of(&name)? {
                Some(place) => left.push(place),
                None => working.push(name),
            }
        }
        Ok((left, working))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // While its directory is there, `--clean` finds it by its lock. What stays of it otherwise disturbs nobody.
        if !self.dir.exists() {
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

fn folder() -> Result<PathBuf> {
    let runs = StateDirs::of_user()?.made()?.join("runs");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&runs)
        .map_err(Error::io(format!("cannot make {}", runs.display())))?;
    Ok(runs)
}
