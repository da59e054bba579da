use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// `$XDG_STATE_HOME/exasol`: what this tool remembers of what a user did. Nothing depends on it.
#[derive(Debug, Clone)]
pub(super) struct StateDirs {
    pub root: PathBuf,
}

impl StateDirs {
    pub(super) fn of_user() -> Result<Self> {
        let base = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
            .or_else(|| std::env::home_dir().filter(|p| p.is_absolute()).map(|home| home.join(".local/state")))
            .ok_or_else(|| Error::other("neither XDG_STATE_HOME nor HOME says where to remember things"))?;
        Ok(Self { root: base.join("exasol") })
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
