//! One connection to each node for all that an operation does there: ssh's own sharing. A handshake takes seconds of
//! a slow node, another session on the same connection almost nothing.
//!
//! The connections belong to ssh processes of their own, which end when nobody has used them for a while. So a killed
//! process leaves none for long.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use super::process::{Tool, find};
use super::scratch::{MAX_SOCKET_DIR, Scratch};
use crate::error::{Error, Result};
use crate::model::ssh_path;

/// The folder of the sockets: no longer name, see [`super::scratch`].
const SOCKETS: &str = "cm";
/// How long an unused connection stays open should we die before we close it.
const PERSIST: &str = "ControlPersist=30s";
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The connections of one operation. The folder for their sockets is made when the first is wanted.
#[derive(Default)]
pub struct Connections {
    folder: Mutex<Option<Scratch>>,
}

impl Connections {
    /// The lines of ssh's configuration with which a session uses the connection to its node, or opens it.
    ///
    /// # Errors
    /// Those of [`Scratch::make`]; where it is no place for sockets, whose paths have a limit.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut folder = self.folder();
        let scratch = match folder.take() {
            Some(scratch) => scratch,
            None => {
                let scratch = Scratch::make()?;
                scratch.folder(SOCKETS)?;
                scratch
            }
        };
        let sockets = sockets_in(folder.insert(scratch));
        if sockets.as_os_str().len() > MAX_SOCKET_DIR {
            return Err(Error::other(format!("{}: the path is too long for sockets; set TMPDIR", sockets.display())));
        }
        let control = control_path(&sockets.join("%C"))?;
        Ok(vec!["ControlMaster=auto".into(), PERSIST.into(), control])
    }

    /// What keeps the sockets in their places, for a program that may outlive us.
    pub fn hold(&self) -> Option<File> {
        let folder = self.folder();
        let lock = folder.as_ref()?.as_fd().try_clone_to_owned().ok()?;
        Some(lock.into())
    }

    /// Ends all of them; a dead one is no failure. The next session opens another.
    pub async fn close(&self) {
        let sockets = self.folder().as_ref().map(sockets_in);
        let (Some(sockets), Some(ssh)) = (sockets, find("ssh")) else { return };
        let sockets = std::fs::read_dir(sockets).into_iter().flatten().flatten();
        join_all(sockets.map(|socket| close(&ssh, socket.path()))).await;
    }

    /// Ends all of them, and removes the folder: a process that is killed later leaves nothing.
    pub async fn end(&self) {
        self.close().await;
        drop(self.folder().take());
    }

    fn folder(&self) -> MutexGuard<'_, Option<Scratch>> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close(ssh: &Path, socket: PathBuf) {
    let Ok(option) = control_path(&socket) else { return };
    let exit = Tool::new(ssh).without_secrets().args(["-F", "/dev/null", "-o", &option, "-O", "exit", "all"]);
    let _ = exit.output(CLOSE_LIMIT).await;
    // One that did not answer must not get the next session.
    let _ = std::fs::remove_file(socket);
}

fn sockets_in(folder: &Scratch) -> PathBuf {
    folder.path().join(SOCKETS)
}

/// As an option of ssh, where a blank would end the path and a `%` begin a token: `%C` is ssh's own.
fn control_path(path: &Path) -> Result<String> {
    let quoted = ssh_path(path).map_err(|why| {
        Error::other(format!("temporary files cannot be in {}: its path {why}; set TMPDIR", path.display()))
    })?;
    Ok(format!("ControlPath={}", quoted.replace("/%%C\"", "/%C\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_short_enough_for_sockets_and_its_path_survives_ssh() {
        let connections = Connections::default();
        let lines = connections.lines().unwrap();
        assert_eq!(lines[..2], ["ControlMaster=auto", PERSIST]);
        assert!(lines[2].ends_with("/cm/%C\""), "{lines:?}");
        assert_eq!(connections.lines().unwrap(), lines, "all use the same");
        let folder = connections.folder().as_ref().map(sockets_in).unwrap();
        assert!(folder.as_os_str().len() <= MAX_SOCKET_DIR);
        assert_eq!(control_path(Path::new("/t/a b/100%/cm/%C")).unwrap(), "ControlPath=\"/t/a b/100%%/cm/%C\"");
        assert!(control_path(Path::new("/t/a\"/cm/%C")).is_err());
    }

    #[tokio::test]
    async fn one_that_does_not_answer_is_left_behind() {
        let connections = Connections::default();
        connections.close().await;
        connections.lines().unwrap();
        let socket = connections.folder().as_ref().map(sockets_in).unwrap().join("dead");
        std::fs::write(&socket, "").unwrap();
        connections.close().await;
        assert!(!socket.exists());
        let folder = connections.folder().as_ref().map(|folder| folder.path().to_owned()).unwrap();
        connections.end().await;
        assert!(!folder.exists());
    }
}
