//! A damaged deployment directory with its lock held: earlier copies take the place of what is broken.
//!
//! Nothing is deleted. What is broken is put aside into the folder of the copies, under its name, `.broken-` and the time.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::dir::LOCK_FILE;
use super::lock::{self, Lock};
use super::remains::{self, Loose, Remains};
use super::{Copied, Kept, Locked, atomic, previous};
use crate::error::{Error, Result};
use crate::model::Operation;

/// A directory that nobody else can write while this value lives.
pub struct Mending {
    remains: Remains,
    lock: Lock,
}

impl Remains {
    /// Takes the lock, and writes down who holds it.
    ///
    /// # Errors
    /// [`Error::Locked`] if an operation holds it.
    pub fn lock(&self) -> Result<Mending> {
        let lock = Lock::take(&self.root.join(LOCK_FILE))?;
        let holder = lock::this_process(Operation::Repair.as_str());
        lock.write(&serde_json::to_vec(&holder).context("the holder of the lock as JSON")?)?;
        Ok(Mending { remains: self.clone(), lock })
    }
}

impl Mending {
    pub fn remains(&self) -> &Remains {
        &self.remains
    }

    pub fn tighten(&self, loose: &Loose) -> Result<()> {
        remains::tighten(&self.remains.root, loose)
    }

    /// Puts what a copy has in the place of the file; what was there is put aside. Returns where that is.
    pub fn restore(&self, kept: Kept, copy: &Copied) -> Result<Option<PathBuf>> {
        let mut aside = None;
        let target = self.remains.root.join(kept.path());
        atomic::make_private_parent(&target)?;
        atomic::write_after(&target, &copy.text, 0o600, || {
            aside = self.put_aside(Path::new(kept.path()))?;
            Ok(())
        })?;
        Ok(aside)
    }

    /// Moves what is in a file's place to the copies. Returns where it is now, relative to the directory; None if there
    /// is nothing.
    pub fn put_aside(&self, path: &Path) -> Result<Option<PathBuf>> {
        let root = &self.remains.root;
        if root.join(path).symlink_metadata().is_err() {
            return Ok(None);
        }
        let aside = previous::free_aside(root, path)?;
        let failed = Error::io(format!("cannot move {}", root.join(path).display()));
        std::fs::rename(root.join(path), root.join(&aside)).map_err(failed)?;
        Ok(Some(aside))
    }

    /// The deployment, once its state can be read, with the same lock.
    pub fn into_locked(self) -> Result<Locked> {
        Ok(Locked::holding(self.remains.open()?, self.lock))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::deployment::testing;

    #[test]
    fn a_copy_takes_the_place_of_what_is_broken_which_is_kept() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root();
        let sound = fs::read(root.join("secrets.json")).unwrap();
        previous::keep(root, &[Kept::Secrets]);
        let mending = Remains::at(root).unwrap().lock().unwrap();
        let copy = &mending.remains().copies(Kept::Secrets)[0];
        let mut asides = Vec::new();
        for broken in ["{", "half"] {
            fs::write(root.join("secrets.json"), broken).unwrap();
            let aside = mending.restore(Kept::Secrets, copy).unwrap().unwrap();
            assert_eq!(fs::read(root.join("secrets.json")).unwrap(), sound);
            assert_eq!(fs::read_to_string(root.join(&aside)).unwrap(), broken);
            assert!(aside.to_str().unwrap().starts_with("previous/secrets.json.broken-"));
            asides.push(aside);
        }
        assert_ne!(asides[0], asides[1], "two in one second have different names");
        fs::remove_file(root.join("secrets.json")).unwrap();
        assert_eq!(mending.restore(Kept::Secrets, copy).unwrap(), None);
        let mode = fs::metadata(root.join("secrets.json")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let other = Remains::at(root).unwrap().lock();
        assert!(matches!(other, Err(Error::Locked { .. })));
        assert_eq!(mending.into_locked().unwrap().state(), deployment.state());
    }

    #[test]
    fn a_link_is_put_aside_and_what_it_leads_to_stays() {
        let (dir, deployment) = testing::deployment();
        let root = deployment.root();
        previous::keep(root, &[Kept::State]);
        let outside = dir.path().join("outside");
        fs::write(&outside, "somebody's").unwrap();
        fs::remove_file(root.join("deployment.json")).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("deployment.json")).unwrap();
        let mending = Remains::at(root).unwrap().lock().unwrap();
        let copy = &mending.remains().copies(Kept::State)[0];
        mending.restore(Kept::State, copy).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "somebody's");
        assert_eq!(mending.into_locked().unwrap().state(), deployment.state());
    }
}
