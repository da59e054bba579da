//! The lock: an open-file-description lock (`F_OFD_SETLK`) on a file of its own.
//!
//! It belongs to the open file, not to the process: a child that inherits the descriptor keeps the
//! deployment locked after we are gone, and closing another descriptor of the same file does not
//! release it, as it would with POSIX locks. So it is never released by a call, only by the last
//! descriptor's end; and the kernel does that for a killed process. `F_OFD_GETLK` asks without taking.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{atomic, state};
use crate::error::{Error, Result};
use crate::model::{Holder, is_same_file};

/// Whether an operation runs on a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockStatus {
    Free,
    /// The holder has not always written its name yet.
    Held(Option<Holder>),
}

/// A lock that is held until this value and all copies of its descriptor are gone.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock on the file `path`, making the file if there is none.
    ///
    /// # Errors
    /// [`Error::Locked`] at once if somebody else holds it.
    pub(super) fn take(path: &Path) -> Result<Lock> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = open(path, &mut options)?;
            if !try_lock(&file).map_err(Error::io(format!("cannot lock {}", path.display())))? {
                let dir = path.parent().unwrap_or(path).to_path_buf();
                return Err(Error::Locked { holder: read_holder(path)?, dir });
            }
            // Somebody may have removed the file between the two calls: a lock on a file that has no
            // name excludes nobody.
            if is_at(&file, path) {
                tracing::debug!(path = %path.display(), "lock taken");
                return Ok(Lock { file, path: path.to_path_buf() });
            }
        }
    }

    /// Replaces the file's content, on the disk when this returns. On a full disk the old content stays.
    pub(super) fn write(&self, content: &[u8]) -> Result<()> {
        let length = content.len() as u64;
        let file = &self.file;
        let written = file.write_all_at(content, 0).and_then(|()| file.set_len(length)).and_then(|()| file.sync_all());
        written.map_err(Error::io(format!("cannot write {}", self.path.display())))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Asks for the state of the lock on `path`, never takes it.
pub(super) fn status(path: &Path) -> Result<LockStatus> {
    if path.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return Ok(LockStatus::Free);
    }
    let file = open(path, OpenOptions::new().read(true))?;
    match is_locked(&file).map_err(Error::io(format!("cannot ask for the lock {}", path.display())))? {
        true => Ok(LockStatus::Held(read_holder(path)?)),
        false => Ok(LockStatus::Free),
    }
}

/// Opens the file itself. The holder is written into it, so nothing is followed to a file of somebody else; and to open
/// a pipe would wait for another process.
fn open(path: &Path, options: &mut OpenOptions) -> Result<File> {
    let strange = |why: &str| Error::BrokenState {
        file: path.to_path_buf(),
        why: format!("is {why}, not a file: remove it, and the next command makes it again"),
        repair: None,
    };
    let file =
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).map_err(|e| match e.raw_os_error() {
            Some(libc::ELOOP) => strange("a symbolic link"),
            Some(libc::EISDIR) => strange("a folder"),
            _ => Error::io(format!("cannot open {}", path.display()))(e),
        })?;
    let kind = file.metadata().map_err(Error::io(format!("cannot read {}", path.display())))?.file_type();
    match kind.is_file() {
        true => Ok(file),
        false if kind.is_dir() => Err(strange("a folder")),
        false => Err(strange("something else")),
    }
}

/// This process, as the holder of a lock from now on.
pub(super) fn this_process(operation: &str) -> Holder {
    Holder {
        operation: operation.to_owned(),
        pid: std::process::id(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        since: state::now(),
    }
}

/// The holder's text is for people: one that cannot be read (yet) is no error.
fn read_holder(path: &Path) -> Result<Option<Holder>> {
    Ok(atomic::read(path)?.and_then(|text| serde_json::from_slice(&text).ok()))
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => is_same_file(&ours, &there),
        _ => false,
    }
}

/// False: somebody else holds it.
fn try_lock(file: &File) -> io::Result<bool> {
    match fcntl(file, libc::F_OFD_SETLK) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(e) => Err(e),
    }
}

fn is_locked(file: &File) -> io::Result<bool> {
    Ok(fcntl(file, libc::F_OFD_GETLK)?.l_type != libc::F_UNLCK as libc::c_short)
}

/// One of the OFD commands, for a write lock on the whole file. rustix has only the POSIX ones, nix has these
/// on Linux alone.
fn fcntl(file: &File, command: libc::c_int) -> io::Result<libc::flock> {
    // SAFETY: `flock` is a C struct of integers, for which all bits zero is a value; OFD commands
    // want `l_pid` zero, and start and length zero mean the whole file.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = libc::F_WRLCK as libc::c_short;
    request.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and `request` outlives the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &mut request) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(error: Error) -> Option<Holder> {
        match error {
            Error::Locked { holder, .. } => holder,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_second_one_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        assert_eq!(status(&path).unwrap(), LockStatus::Free);

        let first = Lock::take(&path).unwrap();
        assert_eq!(held_by(Lock::take(&path).unwrap_err()), None);
        let holder = this_process("deploy");
        first.write(&serde_json::to_vec(&holder).unwrap()).unwrap();
        assert_eq!(held_by(Lock::take(&path).unwrap_err()), Some(holder.clone()));
        assert_eq!(status(&path).unwrap(), LockStatus::Held(Some(holder)));

        drop(first);
        assert_eq!(status(&path).unwrap(), LockStatus::Free);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn what_is_no_file_is_refused_at_once_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let other = dir.path().join("of somebody else");
        fs::write(&other, "theirs").unwrap();
        let refused = || {
            assert!(matches!(Lock::take(&path).unwrap_err(), Error::BrokenState { .. }));
            assert!(matches!(status(&path).unwrap_err(), Error::BrokenState { .. }));
            fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
        };
        for target in [&other, &dir.path().join("nowhere")] {
            std::os::unix::fs::symlink(target, &path).unwrap();
            refused();
        }
        fs::create_dir(&path).unwrap();
        refused();
        rustix::fs::mkfifoat(rustix::fs::CWD, path.as_path(), rustix::fs::Mode::RWXU).unwrap();
        refused();
        assert_eq!(fs::read(other).unwrap(), b"theirs");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn asking_does_not_take_or_release_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let lock = Lock::take(&path).unwrap();
        for _ in 0..3 {
            assert_eq!(status(&path).unwrap(), LockStatus::Held(None));
        }
        drop(lock);
        let _again = Lock::take(&path).unwrap();
    }

    #[test]
    fn a_longer_text_of_an_earlier_holder_does_not_show_through() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let lock = Lock::take(&path).unwrap();
        lock.write(&[b'x'; 500]).unwrap();
        let holder = this_process("stop");
        lock.write(&serde_json::to_vec(&holder).unwrap()).unwrap();
        assert_eq!(status(&path).unwrap(), LockStatus::Held(Some(holder)));
    }

    #[test]
    fn the_lock_lives_as_long_as_a_child_that_inherited_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let lock = Lock::take(&path).unwrap();
        #[allow(clippy::disallowed_types, clippy::disallowed_methods)]
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .stdin(lock.fd().try_clone_to_owned().unwrap())
            .spawn()
            .unwrap();
        drop(lock);
        assert_eq!(status(&path).unwrap(), LockStatus::Held(None));
        assert!(matches!(Lock::take(&path), Err(Error::Locked { .. })));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(status(&path).unwrap(), LockStatus::Free);
    }
}
