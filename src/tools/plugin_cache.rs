//! The folder in which Terraform keeps provider plugins for all deployments.
//!
//! Terraform says that its plugin cache must not be used by two `init` at once, so they take turns
//! on a lock file beside it. With a dependency lock file (`.terraform.lock.hcl`) a cached plugin is
//! used if its checksum matches. Without one, at a deployment's first `init`, Terraform downloads
//! the plugin again, unless `TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE` says that the new lock
//! file may record this platform's checksum alone: which is enough for a deployment directory. That
//! variable also makes Terraform believe a half-written plugin, and must not be set beside an
//! existing lock file (the checksum is then checked too late, and `init` fails instead of mending
//! the cache). So: only where there is no lock file, and only while the last `init` ended well.
//! Source: `internal/providercache/installer.go` and the CLI configuration page of Terraform.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock_file;
use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::signal::Interrupt;

/// The dependency lock file's name in a Terraform folder.
pub(super) const LOCK_FILE: &str = ".terraform.lock.hcl";

const RETRY_EVERY: Duration = Duration::from_millis(100);

/// The cache's lock, unless an `init` has its turn: none begins as long as it is held.
pub fn lock_if_idle(cache: &Path) -> Result<Option<File>> {
    let path = beside(cache, "lock");
    let lock = File::open(&path).or_else(|_| File::create(&path));
    let lock = lock.map_err(Error::io(format!("cannot open {}", path.display())))?;
    Ok(is_free(&lock, &path)?.then_some(lock))
}

/// Whether no `init` has its turn now; makes nothing.
pub fn is_idle(cache: &Path) -> Result<bool> {
    let path = beside(cache, "lock");
    match File::open(&path) {
        Ok(lock) => is_free(&lock, &path),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(cause) => Err(Error::io(format!("cannot open {}", path.display()))(cause)),
    }
}

/// Whether this lock could be taken, and now is.
fn is_free(lock: &File, path: &Path) -> Result<bool> {
    lock_file::is_taken(lock.try_lock(), path)
}

/// What is known of a deployment's plugins before its first `init`.
#[derive(Debug, Default)]
pub enum PluginLock {
    /// Nobody asked.
    #[default]
    Open,
    /// The dependency lock file with the published checksums.
    Known(String),
    /// What no published checksum is known for.
    Unknown(String),
}

impl PluginLock {
    /// Writes the lock file, whole or not at all, or says that there is none.
    pub(super) fn begin(&self, path: &Path, sink: &EventSink) -> Result<()> {
        match self {
            PluginLock::Open => {}
            PluginLock::Known(text) => {
                let failed = || Error::io(format!("cannot write {}", path.display()));
                let folder = path.parent().unwrap_or(Path::new("."));
                let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed())?;
                file.write_all(text.as_bytes()).map_err(failed())?;
                file.persist(path).map_err(|error| failed()(error.error))?;
            }
            PluginLock::Unknown(what) => sink
                .warn(format!("no published checksum is known for {what}: the first download is trusted, and kept to")),
        }
        Ok(())
    }
}

/// One `init`'s turn at the cache.
pub(super) struct Turn {
    /// Holds the lock; a program that inherits it prolongs the turn.
    pub lock: File,
    unclean: PathBuf,
    trusted: bool,
}

impl Turn {
    /// Waits until no other `init` uses the cache. Makes the folder if need be.
    pub async fn take(cache: &Path, interrupt: &Interrupt) -> Result<Turn> {
        std::fs::create_dir_all(cache).map_err(Error::io(format!("cannot make {}", cache.display())))?;
        let path = beside(cache, "lock");
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io(format!("cannot open {}", path.display())))?;
        while !is_free(&lock, &path)? {
            interrupt.sleep(RETRY_EVERY).await?;
        }
        let unclean = beside(cache, "unclean");
        let trusted = !unclean.exists();
        File::create(&unclean).map_err(Error::io(format!("cannot write {}", unclean.display())))?;
        Ok(Turn { lock, unclean, trusted })
    }

    /// Whether a cached plugin is to be taken as it is.
    pub fn may_define_checksums(&self, workdir: &Path) -> bool {
        self.trusted && !workdir.join(LOCK_FILE).exists()
    }

    /// The `init` ended well: what it left in the cache is whole.
    pub fn done(self) -> Result<()> {
        std::fs::remove_file(&self.unclean).map_err(Error::io(format!("cannot remove {}", self.unclean.display())))
    }
}

/// `…/plugins` → `…/plugins.lock`: inside, Terraform looks for plugins.
fn beside(cache: &Path, extension: &str) -> PathBuf {
    let mut name = cache.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    cache.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cache_is_believed_only_after_an_init_that_ended_well() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, work) = (dir.path().join("plugins"), dir.path().join("work"));
        std::fs::create_dir(&work).unwrap();
        let never = Interrupt::never();

        let first = Turn::take(&cache, &never).await.unwrap();
        assert!(first.may_define_checksums(&work));
        drop(first);
        let after_a_failure = Turn::take(&cache, &never).await.unwrap();
        assert!(!after_a_failure.may_define_checksums(&work));
        after_a_failure.done().unwrap();
        let third = Turn::take(&cache, &never).await.unwrap();
        assert!(third.may_define_checksums(&work));
        std::fs::write(work.join(LOCK_FILE), "").unwrap();
        assert!(!third.may_define_checksums(&work));
    }

    #[tokio::test]
    async fn turns_are_taken_one_after_the_other_and_waiting_ends_at_a_press() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("plugins");
        let (interrupt, keys) = Interrupt::manual();
        let first = Turn::take(&cache, &interrupt).await.unwrap();
        assert!(lock_if_idle(&cache).unwrap().is_none());
        keys.press(2);
        let second = Turn::take(&cache, &interrupt).await;
        assert!(matches!(second, Err(Error::Interrupted { signal: 2 })));
        drop(first);
        assert!(lock_if_idle(&cache).unwrap().is_some());
    }
}
