//! What may be tried again, how often, and after which pause.

use std::time::Duration;

use super::{Progress, Report};
use crate::error::{Error, Result};
use crate::signal::{Interrupt, Interrupted};

/// Why an attempt ended.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The next attempt may well succeed: a broken connection, a server's 503.
    Transient(String),
    /// It will not: 404, a wrong certificate.
    Permanent { cause: String, hint: Option<String> },
    /// Not the source's fault: interrupted, disk full.
    Ours(Error),
}

impl Trouble {
    pub(super) fn permanent(cause: impl Into<String>) -> Self {
        Trouble::Permanent { cause: cause.into(), hint: None }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Ours(error)
    }
}

impl From<Interrupted> for Trouble {
    fn from(interrupted: Interrupted) -> Self {
        Trouble::Ours(interrupted.into())
    }
}

/// How many attempts in a row may end without having got further, and how long to wait between.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) attempts: u32,
    pub(super) first_pause: Duration,
    failed: u32,
    furthest: u64,
}

/// What counts as having got further: so a file of some gigabytes survives many broken
/// connections, and a server that gives a byte at a time does not hold us for ever.
const STRIDE: u64 = 1 << 20;

impl Default for Patience {
    fn default() -> Self {
        Self::new(4, Duration::from_millis(500))
    }
}

impl Patience {
    pub(super) fn new(attempts: u32, first_pause: Duration) -> Self {
        Self { attempts, first_pause, failed: 0, furthest: 0 }
    }

    /// After an attempt that failed with `done` bytes in hand: waits if there will be another one,
    /// else gives the error.
    pub(super) async fn after(
        &mut self,
        trouble: Trouble,
        done: u64,
        url: &str,
        report: Report<'_>,
        interrupt: &Interrupt,
    ) -> Result<()> {
        let url = url.to_owned();
        let cause = match trouble {
            Trouble::Ours(error) => return Err(error),
            Trouble::Permanent { cause, hint } => return Err(Error::Download { url, cause, hint }),
            Trouble::Transient(cause) => cause,
        };
        if done >= self.furthest.saturating_add(STRIDE) {
            (self.failed, self.furthest) = (0, done);
        }
        self.failed += 1;
        if self.failed >= self.attempts {
            let hint = Some("check the network, and HTTPS_PROXY and NO_PROXY where a proxy is in use".to_owned());
            return Err(Error::Download { url, cause: format!("{cause} ({} attempts)", self.attempts), hint });
        }
        tracing::debug!(url, cause, attempt = self.failed + 1, "trying again");
        report(Progress::Note(format!("{cause}; trying again ({} of {})", self.failed + 1, self.attempts)));
        Ok(interrupt.sleep(self.first_pause * 2u32.pow(self.failed - 1)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn after(patience: &mut Patience, done: u64) -> Result<()> {
        let trouble = Trouble::Transient("connection reset".into());
        patience.after(trouble, done, "https://example.com/c4", &mut |_| {}, &Interrupt::never()).await
    }

    #[tokio::test]
    async fn attempts_are_few_unless_they_get_further() {
        let mut patience = Patience::new(3, Duration::ZERO);
        after(&mut patience, 0).await.unwrap();
        after(&mut patience, 10).await.unwrap();
        after(&mut patience, 5 << 20).await.unwrap();
        after(&mut patience, 5 << 20).await.unwrap();
        let error = after(&mut patience, 5 << 20).await.unwrap_err();
        assert!(matches!(&error, Error::Download { cause, .. } if cause == "connection reset (3 attempts)"));
    }
}
