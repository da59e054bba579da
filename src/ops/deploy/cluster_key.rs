//! The key with which the nodes log in to each other.

use tokio::task::JoinHandle;

use super::super::operation::Work;
use super::artifacts::joined;
use crate::deployment::keys;
use crate::error::Result;

/// A key in the making; None: there is one already.
pub(super) struct PendingKey(Option<JoinHandle<Result<String>>>);

/// Takes seconds of one processor: better before machines boot on it.
pub(super) fn start(work: &Work) -> Result<PendingKey> {
    let comment = format!("{}-cluster", work.dir.state().id);
    let is_there = work.dir.secrets()?.cluster_key.is_some();
    Ok(PendingKey((!is_there).then(|| tokio::task::spawn_blocking(move || keys::rsa_key(&comment)))))
}

impl PendingKey {
    /// Puts it among the deployment's secrets.
    pub(super) async fn store(self, work: &mut Work) -> Result<()> {
        let Some(key) = self.0 else { return Ok(()) };
        let key = joined(key.await)?;
        let mut secrets = work.dir.secrets()?;
        secrets.cluster_key = Some(key.into());
        work.dir.write_secrets(&secrets)
    }
}
