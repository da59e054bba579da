use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// `$XDG_CACHE_HOME/exasol`: what deployments share. Everything in it can be fetched again.
#[derive(Debug, Clone)]
pub(super) struct CacheDirs {
    pub root: PathBuf,
}

impl CacheDirs {
    pub(super) fn of_user() -> Result<Self> {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
            .ok_or_else(|| Error::other("neither XDG_CACHE_HOME nor HOME says where to keep downloads"))?;
        Ok(Self { root: base.join("exasol") })
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
