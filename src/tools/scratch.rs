//! A short and private folder for the temporary files of the programs that we start.
//!
//! Terraform's plugins and ssh's shared connections make sockets in it, whose paths may have 108
//! bytes at most (sun_path of unix(7)), and copies with secrets lie in it. So it is not in
//! `$TMPDIR`, which may be long, have blanks, or be on a disk, but in `$XDG_RUNTIME_DIR` (in memory,
//! for this user alone), else in `/tmp`, and in `$TMPDIR` only where neither can be used.
//!
//! It is removed when it is dropped. A lock in it, which the programs that use the folder inherit,
//! tells that somebody does: what a killed process has left is removed by the next one that makes
//! such a folder, and a Terraform that outlives us keeps its files.

use std::fs::{File, OpenOptions, Permissions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;

use rustix::fs::OFlags;
use tempfile::{NamedTempFile, TempDir};

use super::process::Tool;
use crate::error::{Error, Result};

const PREFIX: &str = "exasol-";
/// A folder of that prefix without this file is not ours.
const OWNER: &str = ".exasol-scratch";
/// ssh puts 40 hex digits and a random suffix of 17 characters behind the path of a folder of
/// sockets, and 108 bytes with the final NUL are the limit.
pub(super) const MAX_SOCKET_DIR: usize = 108 - 1 - 1 - 40 - 17;
/// So that a folder with a name of two characters in ours can hold ssh's sockets.
const MAX_PLACE: usize = MAX_SOCKET_DIR - "/exasol-123456/cm".len();
/// With less room than this, a folder in memory is left alone.
const MIN_ROOM: u64 = 256 << 20;

/// The folder, mode 0700, for as long as this lives.
pub struct Scratch {
    // Removed before the lock is given back: fields are dropped in this order.
    dir: TempDir,
    lock: File,
}

impl Scratch {
    /// Makes one, and removes those that killed processes of this user have left.
    ///
    /// # Errors
    /// [`Error::Io`] of the last place that was tried.
    pub fn make() -> Result<Scratch> {
        sweep_once();
        in_first_place(Scratch::make_in)
    }

    fn make_in(place: &Path) -> std::io::Result<Scratch> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).rand_bytes(6).permissions(Permissions::from_mode(0o700));
        let dir = builder.tempdir_in(place)?;
        // It gets its name when it is locked: otherwise somebody could take it for a dead one's.
        let unnamed = dir.path().join("new");
        let lock = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&unnamed)?;
        lock.try_lock()?;
        std::fs::rename(unnamed, dir.path().join(OWNER))?;
        Ok(Scratch { dir, lock })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A folder in it, made now.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.path().join(name);
        std::fs::create_dir(&folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
        Ok(folder)
    }

    /// Makes it the program's folder for temporary files, and keeps it for as long as the program runs.
    pub fn lend(&self, tool: Tool) -> Result<Tool> {
        tool.env("TMPDIR", self.path()).inherit_fd(&self.lock)
    }
}

/// Its lock: whoever inherits a duplicate keeps the folder.
impl AsFd for Scratch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }
}

/// Removes what killed processes of this user have left; once in the life of this process.
pub fn sweep_once() {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| places().iter().for_each(|place| sweep(place)));
}

/// A temporary file for this user only, where such folders are made.
pub(super) fn file() -> Result<NamedTempFile> {
    in_first_place(|place| tempfile::Builder::new().prefix(PREFIX).tempfile_in(place))
}

fn in_first_place<T>(make: impl Fn(&Path) -> std::io::Result<T>) -> Result<T> {
    let mut failed = Error::other("there is no folder for temporary files");
    for place in places() {
        match make(&place) {
            Ok(made) => return Ok(made),
            Err(cause) => failed = Error::io(format!("cannot make temporary files in {}", place.display()))(cause),
        }
    }
    Err(failed)
}

/// Where temporary folders may be, the best first.
fn places() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut places: Vec<_> = runtime.filter(|dir| is_plain(dir) && is_mine(dir) && has_room(dir)).into_iter().collect();
    for more in [PathBuf::from("/tmp"), std::env::temp_dir()] {
        if !places.contains(&more) {
            places.push(more);
        }
    }
    places
}

/// Whether every program takes such a path as it is, and sockets fit below it.
fn is_plain(dir: &Path) -> bool {
    let bytes = dir.as_os_str().as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    dir.is_absolute() && bytes.len() <= MAX_PLACE && bytes.iter().all(plain)
}

/// Whether only this user gets in (XDG Base Directory Specification).
fn is_mine(dir: &Path) -> bool {
    dir.metadata().is_ok_and(|found| found.is_dir() && is_own(&found) && found.mode() & 0o077 == 0)
}

fn is_own(found: &std::fs::Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

fn has_room(dir: &Path) -> bool {
    rustix::fs::statvfs(dir).is_ok_and(|room| room.f_bavail.saturating_mul(room.f_frsize) >= MIN_ROOM)
}

/// Removes the folders that nobody uses any more.
fn sweep(place: &Path) {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|found| found.is_dir() && is_own(&found));
        if ours && let Some(_lock) = lock_of_the_dead(&entry.path()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn lock_of_the_dead(folder: &Path) -> Option<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = flags.bits().try_into().ok()?;
    let lock = OpenOptions::new().read(true).write(true).custom_flags(flags).open(folder.join(OWNER)).ok()?;
    lock.try_lock().ok()?;
    Some(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_private_and_goes_with_its_owner() {
        let scratch = Scratch::make().unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        std::fs::write(scratch.folder("cm").unwrap().join("secret"), "tiger").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn what_the_dead_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let living = Scratch::make_in(place.path()).unwrap();
        let dead = place.path().join("exasol-dead");
        std::fs::create_dir_all(dead.join("terraform")).unwrap();
        std::fs::write(dead.join(OWNER), "").unwrap();
        let somebody_elses = place.path().join("exasol-notes");
        std::fs::create_dir(&somebody_elses).unwrap();
        sweep(place.path());
        assert!(living.path().exists() && somebody_elses.exists() && !dead.exists());
    }

    #[test]
    fn a_folder_in_use_by_a_program_that_outlives_its_owner_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let Scratch { dir, lock } = Scratch::make_in(place.path()).unwrap();
        let programs = lock.try_clone().unwrap();
        let path = dir.keep();
        drop(lock);
        sweep(place.path());
        assert!(path.exists());
        drop(programs);
        sweep(place.path());
        assert!(!path.exists());
    }

    #[test]
    fn sockets_fit_below_every_place_that_is_taken_first() {
        for (dir, plain) in [
            ("/run/user/1000", true),
            ("/tmp", true),
            ("/run/user/a b", false),
            ("/run/100%", false),
            ("run", false),
            ("/a/folder/that/is/longer/than/a/socket/may/be", false),
        ] {
            assert_eq!(is_plain(Path::new(dir)), plain, "{dir}");
        }
        let place = "/".repeat(MAX_PLACE);
        assert_eq!(format!("{place}/exasol-123456/cm").len(), MAX_SOCKET_DIR);
    }
}
