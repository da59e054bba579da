//! Ctrl-C and its relatives, counted: work asks whether it should stop and how urgently.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What people and systems end a program with: SIGINT, SIGTERM, SIGHUP.
pub const ENDING: [SignalKind; 3] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

/// Whether whoever started us wants us to survive that signal: `nohup` ignores SIGHUP, a shell's `&`
/// in a script SIGINT. A handler would take that back.
pub fn is_ignored(kind: SignalKind) -> bool {
    // SAFETY: `sigaction` is a C struct of integers, pointers and a set of bits, for which all bits
    // zero is a value; without a new action the call only writes what is set now.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(kind.as_raw_value(), std::ptr::null(), &mut now) == 0 && now.sa_sigaction == libc::SIG_IGN
    }
}

/// What has been pressed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressed {
    /// 0: nothing. 1: end in order. 2: end at once. 3: kill.
    pub times: u32,
    /// The first signal's number (2, 15, 1); it decides the exit code 128 + n.
    pub signal: i32,
    /// The last one's.
    pub last: i32,
}

/// A view on the signals that this process has received. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Interrupt {
    receiver: watch::Receiver<Pressed>,
    // Keeps `changed()` pending for ever, instead of failing, when nobody listens for signals.
    _sender: Arc<watch::Sender<Pressed>>,
}

impl Interrupt {
    /// Listens for [`ENDING`] signals from now on. Needs a running tokio runtime.
    pub fn listen() -> std::io::Result<Self> {
        let (interrupt, sender) = Self::manual();
        for kind in ENDING.into_iter().filter(|kind| !is_ignored(*kind)) {
            let mut stream = signal(kind)?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    press(&sender, kind.as_raw_value());
                }
            });
        }
        Ok(interrupt)
    }

    /// One that never fires by itself: for tests and for commands that just end.
    pub fn never() -> Self {
        Self::manual().0
    }

    /// One that fires when [`press`] is called.
    pub fn manual() -> (Self, Arc<watch::Sender<Pressed>>) {
        let (sender, receiver) = watch::channel(Pressed::default());
        let sender = Arc::new(sender);
        (Self { receiver, _sender: sender.clone() }, sender)
    }

    pub fn pressed(&self) -> Pressed {
        *self.receiver.borrow()
    }

    /// The signal's number, if one has come.
    pub fn signal(&self) -> Option<i32> {
        let pressed = self.pressed();
        (pressed.times > 0).then_some(pressed.signal)
    }

    /// Completes when the last signal is another than this one.
    pub async fn other_than(&mut self, signal: i32) -> Pressed {
        let mut seen = 0;
        loop {
            let pressed = self.more_than(seen).await;
            if pressed.last != signal {
                return pressed;
            }
            seen = pressed.times;
        }
    }

    /// Completes when something has been pressed more than `seen` times.
    pub async fn more_than(&mut self, seen: u32) -> Pressed {
        loop {
            let pressed = *self.receiver.borrow_and_update();
            if pressed.times > seen {
                return pressed;
            }
            if self.receiver.changed().await.is_err() {
                std::future::pending().await
            }
        }
    }
}

/// Counts one press of `signal`.
pub fn press(sender: &watch::Sender<Pressed>, signal: i32) {
    sender.send_modify(|p| {
        if p.times == 0 {
            p.signal = signal;
        }
        p.last = signal;
        p.times = p.times.saturating_add(1);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_signal_decides_and_presses_are_counted() {
        let (mut interrupt, sender) = Interrupt::manual();
        assert_eq!(interrupt.signal(), None);
        press(&sender, 15);
        press(&sender, 2);
        assert_eq!(interrupt.more_than(1).await, Pressed { times: 2, signal: 15, last: 2 });
        assert_eq!(interrupt.signal(), Some(15));
    }

    #[tokio::test]
    async fn another_signal_than_the_expected_one_is_waited_for() {
        let (mut interrupt, sender) = Interrupt::manual();
        press(&sender, 2);
        let waiting = tokio::spawn(async move { interrupt.other_than(2).await });
        press(&sender, 2);
        press(&sender, 15);
        assert_eq!(waiting.await.unwrap(), Pressed { times: 3, signal: 2, last: 15 });
    }
}
