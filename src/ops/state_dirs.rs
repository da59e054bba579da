use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::user_dirs::user_dir;
use crate::error::{Error, Result};

/// `$XDG_STATE_HOME/exasol`: what this tool remembers of what a user did. Nothing depends on it.
#[derive(Debug, Clone)]
pub(super) struct StateDirs {
    pub root: PathBuf,
}

impl StateDirs {
    pub(super) fn of_user() -> Result<Self> {
        Ok(Self { root: user_dir("XDG_STATE_HOME", ".local/state", "remember things")? })
    }

    /// The folder, made with mode 0700 if it was missing.
    pub(super) fn made(&self) -> Result<PathBuf> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .map_err(Error::io(format!("cannot make {}", self.root.display())))?;
        Ok(self.root.clone())
    }
}
