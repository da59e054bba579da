use crate::error::{Error, Result};

/// Runs a blocking call (the hypervisor's library, key generation) away from the async threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::other(format!("a background call ended: {e}")))?
}
