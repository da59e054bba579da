//! Calls that block (the hypervisor's library, key generation), and how long they are waited for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
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
    tokio::task::spawn_blocking(work).await.context("a background call ended")?
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
    given_up(what, limit, SILENT_DAEMON)
}

const SILENT_DAEMON: &str = "its daemon accepts calls but does not answer them: restart it on the hypervisor";

fn given_up(what: String, limit: Duration, hint: &str) -> Error {
    Error::Timeout { what, limit_s: limit.as_secs(), last_seen: None, hint: Some(hint.into()) }
}

/// How long something may be silent from now on, and what to do about it if it is silent for longer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    limit: Duration,
    hint: &'static str,
}

impl Silence {
    /// Of a hypervisor that is asked.
    pub(super) const fn of_daemon(limit: Duration) -> Self {
        Self { limit, hint: SILENT_DAEMON }
    }

    pub(super) const fn with_hint(limit: Duration, hint: &'static str) -> Self {
        Self { limit, hint }
    }
}

/// Tells that something moves on, and how long it may be silent after that.
pub(super) type Beat = Box<dyn Fn(Silence) + Send>;

/// Something that takes as long as it takes, and is given up when it has been silent for longer than its last beat has
/// said; `at_first` holds before there was one. A signal is left to the work itself, which is given up if it has not
/// ended some seconds later.
pub(super) async fn unless_silent<T, F: Future<Output = Result<T>>>(
    at_first: Silence,
    what: String,
    interrupt: &Interrupt,
    work: impl FnOnce(Beat) -> F,
) -> Result<T> {
    let (sender, mut beats) = watch::channel(at_first);
    let sender = Arc::new(sender);
    let beat = Arc::clone(&sender);
    let tell = move |silence| _ = beat.send_replace(silence);
    let mut work = pin!(work(Box::new(tell)));
    let watched = async {
        loop {
            let Silence { limit, hint } = *beats.borrow_and_update();
            tokio::select! {
                result = &mut work => break result,
                heard = timeout(limit, beats.changed()) => if heard.is_err() {
                    break Err(given_up(what, limit, hint));
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
        const SHORT: Silence = Silence::of_daemon(LIMIT);
        let slow = |beat: Beat| async move {
            for _ in 0..6 {
                tokio::time::sleep(LIMIT / 3).await;
                beat(SHORT);
            }
            Ok("done")
        };
        let never = Interrupt::never();
        assert_eq!(unless_silent(SHORT, "uploading".into(), &never, slow).await.unwrap(), "done");
        let silent = |_: Beat| std::future::pending::<Result<()>>();
        let error = unless_silent(SHORT, "uploading".into(), &never, silent).await.unwrap_err();
        assert!(error.to_string().starts_with("uploading: gave up"), "{error}");
        // After a signal the limit is short.
        let (interrupt, keys) = Interrupt::manual();
        keys.press(15);
        let hour = Silence::of_daemon(Duration::from_secs(3600));
        let error = unless_silent(hour, "uploading".into(), &interrupt, silent).await.unwrap_err();
        assert!(matches!(error, Error::Interrupted { signal: 15 }), "{error}");
    }

    #[tokio::test]
    async fn each_beat_says_how_long_the_next_may_take() {
        const SHORT: Duration = Duration::from_millis(100);
        let long = Silence::of_daemon(Duration::from_secs(3600));
        let never = Interrupt::never();
        let ending = |beat: Beat| async move {
            beat(long);
            tokio::time::sleep(SHORT * 3).await;
            Ok(())
        };
        unless_silent(Silence::of_daemon(SHORT), "uploading".into(), &never, ending).await.unwrap();
        let stuck = |beat: Beat| async move {
            beat(Silence::with_hint(SHORT, "it is slow"));
            std::future::pending::<Result<()>>().await
        };
        let error = unless_silent(long, "uploading".into(), &never, stuck).await.unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("it is slow"));
    }
}
