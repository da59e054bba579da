use std::io::Write;
use std::path::{Path, PathBuf};

use super::user_dirs::user_dir;
use crate::error::{Error, Result};

/// `$XDG_CACHE_HOME/exasol`: what deployments share. Everything in it can be fetched again.
#[derive(Debug, Clone)]
pub(super) struct CacheDirs {
    pub root: PathBuf,
}

impl CacheDirs {
    pub(super) fn of_user() -> Result<Self> {
        Ok(Self { root: user_dir("XDG_CACHE_HOME", ".cache", "keep downloads")? })
    }

    pub(super) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    pub(super) fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Terraform's provider plugins (`TF_PLUGIN_CACHE_DIR`).
    pub(super) fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }
}

/// Puts a file into the cache: whole or not at all, and untouched if it is there already.
pub(super) fn place(path: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|existing| existing == content) {
        return Ok(());
    }
    let failed = || Error::io(format!("cannot write {}", path.display()));
    let parent = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).map_err(failed())?;
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(failed())?;
    file.write_all(content).map_err(failed())?;
    file.persist(path).map_err(|e| failed()(e.error))?;
    Ok(())
}
