use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::fault::Fault;

/// One limit over several steps, which says at the end which step it was that took too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    started: Instant,
    limit: Duration,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { started: Instant::now(), limit }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// `step` names what is waited for: "the TLS handshake".
    pub(super) async fn bound<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let left = self.limit.saturating_sub(self.elapsed());
        tokio::time::timeout(left, work).await.unwrap_or(Err(Fault::Timeout { step, limit: self.limit }))
    }
}
