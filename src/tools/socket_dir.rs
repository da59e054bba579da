//! Folders for sockets: for this user only, with a path that is short and has nothing in it that a program
//! would read as something else. A socket's path has 108 bytes at most (104 elsewhere than on Linux).

use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use crate::error::{Error, Result};

const PREFIX: &str = "exasol-ssh-";
/// ssh makes its socket under a name that is longer by 17 bytes, and renames it.
const PATH_MAX: usize = 104 - 1 - 17 - CONTROL.len() - 1;
const CONTROL: &str = "c";
const DAEMON: &str = "l";
/// Locked for as long as the folder's maker lives.
const ALIVE: &str = "alive";

/// Removed when it goes; what a killed process left, the next one removes.
pub struct SocketDir {
    dir: TempDir,
    _alive: File,
}

impl SocketDir {
    pub fn make() -> Result<SocketDir> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        Self::below(runtime.into_iter().chain([PathBuf::from("/tmp")]))
    }

    fn below(places: impl Iterator<Item = PathBuf>) -> Result<SocketDir> {
        let mut last = Error::other("no folder is fit for sockets");
        for place in places.filter(|place| is_fit(place)) {
            sweep(&place);
            match Self::made_in(&place) {
                Ok(dir) => return Ok(dir),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn made_in(place: &Path) -> Result<SocketDir> {
        let context = || format!("cannot make a folder for sockets in {}", place.display());
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).permissions(Permissions::from_mode(0o700));
        let dir = builder.tempdir_in(place).map_err(Error::io(context()))?;
        let alive = File::create(dir.path().join(ALIVE)).map_err(Error::io(context()))?;
        flock(&alive, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| Error::io(context())(std::io::Error::from(errno)))?;
        Ok(SocketDir { dir, _alive: alive })
    }

    /// Where ssh takes orders from other ssh processes.
    pub fn control(&self) -> PathBuf {
        self.dir.path().join(CONTROL)
    }

    /// The near end of a forwarded socket.
    pub fn daemon(&self) -> PathBuf {
        self.dir.path().join(DAEMON)
    }
}

/// Short, absolute, and of characters that mean nothing to ssh, to a shell and in an address.
fn is_fit(place: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.".contains(c);
    let room = PATH_MAX.saturating_sub(PREFIX.len() + 6 + 1);
    place.is_absolute() && place.to_str().is_some_and(|text| text.len() <= room && text.chars().all(plain))
}

/// Folders whose maker was killed and whose ssh has ended.
fn sweep(place: &Path) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    let ours = rustix::process::getuid().as_raw();
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let is_ours = entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == ours);
        if is_ours && is_dead(&path) {
            // Another process may do the same at this moment.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

fn is_dead(dir: &Path) -> bool {
    let Ok(alive) = File::open(dir.join(ALIVE)) else { return false };
    flock(&alive, FlockOperation::NonBlockingLockExclusive).is_ok() && UnixStream::connect(dir.join(CONTROL)).is_err()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_folder_is_private_short_and_gone_with_its_maker() {
        let dir = SocketDir::make().unwrap();
        let path = dir.dir.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(dir.control().as_os_str().len() + 17 < 104);
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn places_that_ssh_would_misread_are_passed_over() {
        for place in ["/tmp/a b", "/tmp/50%", "relative", "/tmp/ü", &format!("/{}", "x".repeat(90))] {
            assert!(!is_fit(Path::new(place)), "{place}");
        }
        let dir = SocketDir::below(["/tmp/a b".into(), "/nowhere".into(), "/tmp".into()].into_iter()).unwrap();
        assert!(dir.control().starts_with("/tmp"));
    }

    #[test]
    fn only_what_a_killed_process_left_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let left = |name: &str| {
            let dir = place.path().join(format!("{PREFIX}{name}"));
            std::fs::create_dir(&dir).unwrap();
            File::create(dir.join(ALIVE)).unwrap();
            dir
        };
        let (dead, of_ssh) = (left("dead"), left("ssh"));
        let _listens = UnixListener::bind(of_ssh.join(CONTROL)).unwrap();
        let alive = SocketDir::made_in(place.path()).unwrap();
        sweep(place.path());
        assert!(!dead.exists() && of_ssh.exists() && alive.dir.path().exists());
    }
}
