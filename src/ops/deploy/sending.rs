//! The release on its way to the first node while others still boot. It is a try: what has not arrived in order when
//! Ansible looks, the playbook copies.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::super::operation::Work;
use super::artifacts::{LocalArtifact, Release};
use crate::error::{Error, Result};
use crate::render::RELEASE_DIR;
use crate::tools::ssh::Ssh;

/// Some gigabytes over a slow network. A dead connection is noticed much earlier.
const LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Takes a file on its standard input: folder, name, mode, size. Whether it is the right one is seen later, by its
/// checksum. Nothing is replaced, and a file that did not come whole is removed, if not by this, then by
/// `prepare-node.sh`.
const RECEIVE: &str = r#"set -eu
umask 022
mkdir -p "$1"
cd "$1"
[ ! -e "$2" ] || exit 0
part=.$2.$$.part
trap 'rm -f "$part"' EXIT
trap 'exit 1' HUP TERM
cat >"$part"
[ "$(stat -c %s "$part")" = "$4" ]
chmod "$3" "$part"
mv -n "$part" "$2"
sync "$2" .
"#;

/// Dropped, it ends.
pub(super) struct Sending {
    node: String,
    files: Vec<Outgoing>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Clone)]
struct Outgoing {
    /// What it is called on the node.
    name: String,
    mode: &'static str,
    path: PathBuf,
}

impl Sending {
    /// Of a release to the first of the nodes, which has nothing of it yet.
    pub(super) fn new(work: &Work, release: &Release) -> Result<Self> {
        let node = work.cluster.nodes.first().map(|node| node.name.clone()).unwrap_or_default();
        let version = work.version()?;
        let files = vec![
            Outgoing::new("c4", "0755", &release.c4),
            Outgoing::new(&version.archive.file, "0644", &release.archive),
        ];
        Ok(Self { node, files, task: Mutex::default() })
    }

    /// A node has a shell.
    pub(super) fn is_ready(&self, ssh: &Ssh, node: &str) {
        if node != self.node {
            return;
        }
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = task.take() {
            // The node was reset, and this is another life of it.
            earlier.abort();
        }
        let (ssh, node, files) = (ssh.clone(), self.node.clone(), self.files.clone());
        *task = Some(tokio::spawn(async move {
            for outgoing in files {
                if let Err(error) = outgoing.send(&ssh, &node).await {
                    tracing::debug!(%error, file = outgoing.name, "not sent: the playbook copies it");
                    return;
                }
            }
        }));
    }

    /// Waits for its end: a file may be large.
    pub(super) async fn end(mut self, work: &Work) -> Result<()> {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return Ok(()) };
        if !task.is_finished() {
            work.detail(format!("the release is being copied to {}", self.node));
        }
        let ended = work.interrupt.run(&mut task).await;
        task.abort();
        Ok(ended.map(drop)?)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl Outgoing {
    fn new(name: &str, mode: &'static str, local: &LocalArtifact) -> Self {
        Self { name: name.to_owned(), mode, path: local.path.clone() }
    }

    async fn send(&self, ssh: &Ssh, node: &str) -> Result<()> {
        let context = || Error::io(format!("cannot open {}", self.path.display()));
        let file = File::open(&self.path).map_err(context())?;
        let size = file.metadata().map_err(context())?.len().to_string();
        let words = ["sh", "-c", RECEIVE, "sh", RELEASE_DIR, &self.name, self.mode, &size];
        ssh.run_program_reading(node, &words, file, LIMIT).await?.ok().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::tools::process::Tool;

    async fn receive(folder: &Path, content: &str, size: usize) -> bool {
        let sent = folder.join("sent");
        std::fs::write(&sent, content).unwrap();
        let target = folder.join("release");
        let tool = Tool::new("sh").args(["-c", RECEIVE, "sh"]).arg(&target).args(["c4", "0755", &size.to_string()]);
        tool.stdin_file(File::open(&sent).unwrap()).output(LIMIT).await.unwrap().success()
    }

    #[tokio::test]
    async fn a_file_that_comes_whole_is_there_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let there = || std::fs::read_dir(folder.join("release")).unwrap().count();
        assert!(!receive(folder, "half", 8).await);
        assert_eq!(there(), 0);
        assert!(receive(folder, "whole", 5).await);
        let c4 = folder.join("release/c4");
        assert_eq!(std::fs::read_to_string(&c4).unwrap(), "whole");
        assert_eq!(c4.metadata().unwrap().permissions().mode() & 0o777, 0o755);
        assert!(receive(folder, "other", 5).await);
        assert_eq!(std::fs::read_to_string(&c4).unwrap(), "whole", "nothing is replaced");
        assert_eq!(there(), 1);
    }
}
