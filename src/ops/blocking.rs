//! Calls that block (the hypervisor's library, key generation), and how long they are waited for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::signal::Interrupt;

/// A hypervisor answers a question within seconds, also over a slow network.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// How long something may take to give up after a signal.
const GIVE_UP_LIMIT: Duration = Duration::from_secs(5);

/// Runs a blocking call (the hypervisor's library, key generation) away from the async threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::other(format!("a background call ended: {e}")))?
}

/// A question to a hypervisor, given up after the limit. The call itself cannot be cancelled: its thread is left
/// behind.
pub(super) async fn within<T: Send + 'static>(
    limit: Duration,
    question: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    timeout(limit, blocking(question)).await.unwrap_or_else(|_| Err(no_answer("asking the hypervisor".into(), limit)))
}

/// The error of a call to a hypervisor that was given up. `what` is the call, for people: "switching on n11".
pub(super) fn no_answer(what: String, limit: Duration) -> Error {
    Error::Timeout {
        what,
        limit_s: limit.as_secs(),
        last_seen: None,
        hint: Some("its daemon takes calls and does not answer them: on the hypervisor, restart it".into()),
    }
}

/// Tells that something moves on.
pub(super) type Beat = Box<dyn Fn() + Send>;

/// Something that takes as long as it takes, and is given up when it has not called its beat for `limit`. A signal
/// is left to the work itself, which is given up if it has not ended some seconds later.
pub(super) async fn unless_silent<T, F: Future<Output = Result<T>>>(
    limit: Duration,
    what: String,
    interrupt: &Interrupt,
    work: impl FnOnce(Beat) -> F,
) -> Result<T> {
    let (sender, mut beats) = watch::channel(());
    let sender = Arc::new(sender);
    let beat = Arc::clone(&sender);
    let mut work = pin!(work(Box::new(move || beat.send_modify(|()| ()))));
    let watched = async {
        loop {
            tokio::select! {
                result = &mut work => break result,
                heard = timeout(limit, beats.changed()) => if heard.is_err() {
                    break Err(no_answer(what, limit));
                },
            }
        }
    };
    let result = interrupt.run_to(1, GIVE_UP_LIMIT, watched).await?;
    // After a signal the work has ended for that, whatever it says.
    interrupt.check()?;
    result
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

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
    async fn what_moves_on_is_waited_for_and_what_is_silent_is_not() {
        const LIMIT: Duration = Duration::from_millis(300);
        let slow = |beat: Beat| async move {
            for _ in 0..6 {
                tokio::time::sleep(LIMIT / 3).await;
                beat();
            }
            Ok("done")
        };
        let never = Interrupt::never();
        assert_eq!(unless_silent(LIMIT, "uploading".into(), &never, slow).await.unwrap(), "done");
        let silent = |_: Beat| std::future::pending::<Result<()>>();
        let error = unless_silent(LIMIT, "uploading".into(), &never, silent).await.unwrap_err();
        assert!(error.to_string().starts_with("uploading: gave up"), "{error}");
        // After a signal the limit is short.
        let (interrupt, keys) = Interrupt::manual();
        keys.press(15);
        let hour = Duration::from_secs(3600);
        let error = unless_silent(hour, "uploading".into(), &interrupt, silent).await.unwrap_err();
        assert!(matches!(error, Error::Interrupted { signal: 15 }), "{error}");
    }
}
