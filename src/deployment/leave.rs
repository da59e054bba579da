//! What becomes of a directory whose deployment is destroyed: its logs may be kept elsewhere, and it may go.

use std::fs;
use std::path::Path;

use super::{DeploymentDir, atomic, names};
use crate::error::{Error, Result};
use crate::model::Phase;

impl DeploymentDir {
    /// Copies all logs into that folder, which is made; they have no secrets.
    pub fn copy_logs(&self, to: &Path) -> Result<()> {
        fs::create_dir_all(to).map_err(Error::io(format!("cannot make {}", to.display())))?;
        copy(&self.logs_dir(), to)
    }

    /// Removes the directory with everything in it.
    ///
    /// # Errors
    /// Of a deployment that is not destroyed: nothing could destroy it any more.
    pub fn remove_destroyed(self) -> Result<()> {
        if self.state.phase != Phase::Destroyed {
            return Err(Error::other(format!("{} is not destroyed: it stays", self.root.display())));
        }
        fs::remove_dir_all(&self.root).map_err(Error::io(format!("cannot remove {}", self.root.display())))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for name in names::names(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
        let failed = || Error::io(format!("cannot copy {}", from.display()));
        if from.is_dir() {
            atomic::make_private_dir(&to).map_err(failed())?;
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).map_err(failed())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::testing;
    use crate::model::Operation;

    #[test]
    fn only_a_destroyed_directory_is_removed_and_its_logs_can_be_kept() {
        let (dir, deployment) = testing::deployment();
        let root = deployment.root().to_owned();
        let mut locked = deployment.lock(Operation::Destroy).unwrap();
        let log = locked.start_log(Operation::Destroy).unwrap();
        log.append_event("{}");
        assert!(DeploymentDir::open(&root).unwrap().remove_destroyed().is_err());
        locked.begun(Phase::Destroyed).unwrap();
        let to = dir.path().join("kept/logs");
        DeploymentDir::open(&root).unwrap().copy_logs(&to).unwrap();
        assert_eq!(names::names(&to).unwrap().len(), 1);
        DeploymentDir::open(&root).unwrap().remove_destroyed().unwrap();
        assert!(!root.exists());
    }
}
