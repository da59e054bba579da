//! Where this tool keeps things of a user's, by the XDG Base Directory Specification.

use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::deployment::trust;
use crate::error::{Error, Result};
use crate::tools::fetched::Fetched;

/// `$XDG_CACHE_HOME/exasol`: what deployments share. Everything in it can be fetched again.
#[derive(Debug, Clone)]
pub(super) struct CacheDirs {
    pub root: PathBuf,
}

impl CacheDirs {
    pub(super) fn of_user() -> Result<Self> {
        let root = user_dir("XDG_CACHE_HOME", ".cache", "keep downloads")?;
        trust::check(&root)?;
        Ok(Self { root })
    }

    pub(super) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Images on which a machine has installed what every node needs.
    pub(super) fn warm(&self) -> PathBuf {
        self.root.join("warm")
    }

    pub(super) fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// What `doctor --install-tools` has fetched.
    pub(super) fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    /// Terraform's provider plugins (`TF_PLUGIN_CACHE_DIR`).
    pub(super) fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }
}

/// The programs that were fetched for this user.
pub(super) fn fetched_tools() -> Fetched {
    CacheDirs::of_user().map_or_else(|_| Fetched::nowhere(), |dirs| Fetched::at(dirs.tools()))
}

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

/// `$VARIABLE/exasol`, else `~/FALLBACK/exasol`. A relative path would be another folder from every
/// working directory, and counts as none (XDG Base Directory Specification).
fn user_dir(variable: &str, fallback: &str, purpose: &str) -> Result<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    below(named, std::env::home_dir(), fallback)
        .ok_or_else(|| Error::other(format!("neither {variable} nor HOME says where to {purpose}")))
}

fn below(named: Option<PathBuf>, home: Option<PathBuf>, fallback: &str) -> Option<PathBuf> {
    let absolute = |path: Option<PathBuf>| path.filter(|path| path.is_absolute());
    let base = absolute(named).or_else(|| absolute(home).map(|home| home.join(Path::new(fallback))))?;
    Some(base.join("exasol"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_folder_is_none() {
        let dir = |named: &str, home: &str| below(Some(named.into()), Some(home.into()), ".cache");
        assert_eq!(dir("/x", "/home/u"), Some("/x/exasol".into()));
        assert_eq!(dir("x", "/home/u"), Some("/home/u/.cache/exasol".into()));
        assert_eq!(dir("", "home"), None);
    }
}
