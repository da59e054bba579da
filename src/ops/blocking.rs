use std::time::Duration;

use super::operation::unless_interrupted;
use crate::error::{Error, Result};
use crate::signal::Interrupt;

/// A hypervisor answers a question within seconds, also over a slow network.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Runs a blocking call (the hypervisor's library, key generation) away from the async threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::other(format!("a background call ended: {e}")))?
}

/// A question to the hypervisor, given up at a signal and where its daemon hangs. The call itself
/// cannot be cancelled: its thread is left behind.
pub(super) async fn ask_hypervisor<T: Send + 'static>(
    interrupt: &Interrupt,
    question: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    unless_interrupted(interrupt, within(ANSWER_LIMIT, question)).await
}

/// As [`ask_hypervisor`], with a limit of its own and where the caller minds signals.
pub(super) async fn within<T: Send + 'static>(
    limit: Duration,
    question: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::time::timeout(limit, blocking(question)).await.unwrap_or_else(|_| {
        Err(Error::Timeout {
            what: "asking the hypervisor".into(),
            limit_s: limit.as_secs(),
            last_seen: None,
            hint: Some("its daemon takes calls and does not answer them: on the hypervisor, restart it".into()),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::signal::press;

    /// A call that does not end before the other end is dropped.
    fn hung() -> (Sender<()>, impl FnOnce() -> Result<()> + Send + 'static) {
        let (keep, ended): (_, Receiver<()>) = channel();
        (keep, move || {
            let _ = ended.recv();
            Ok(())
        })
    }

    #[tokio::test]
    async fn a_daemon_that_hangs_is_told() {
        let (_keep, question) = hung();
        let error = within(Duration::from_millis(1), question).await.unwrap_err();
        assert!(error.to_string().starts_with("asking the hypervisor: gave up"), "{error}");
        assert!(error.hint().is_some());
    }

    #[tokio::test]
    async fn a_signal_ends_a_question() {
        let (_keep, question) = hung();
        let (interrupt, sender) = Interrupt::manual();
        press(&sender, 15);
        assert!(matches!(ask_hypervisor(&interrupt, question).await, Err(Error::Interrupted { signal: 15 })));
    }
}
