//! Questions to people. Asked on standard error, answered on standard input.

use std::io::BufRead;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::signal::Interrupt;

/// How often somebody who waits for an answer looks whether a signal has come.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The line that was typed, with its line end; empty at the end of input, None after a signal.
///
/// Where a handler is installed, Ctrl-C does not end a read that waits for a terminal. So a signal that `interrupt` has
/// counted answers here, and the reading thread is left behind until the process ends. Whoever asks that `interrupt`
/// after a None sees the signal, too. Without one, signals end the process by themselves.
pub(super) fn answer(mut input: impl BufRead + Send + 'static, interrupt: Option<&Interrupt>) -> Option<String> {
    let (answered, answer) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        // What cannot be read is no answer; and nobody listens any more if a signal has answered.
        let line = input.read_line(&mut line).map(|_| line).unwrap_or_default();
        answered.send(line).ok();
    });
    while interrupt.is_none_or(|interrupt| interrupt.signal().is_none()) {
        match answer.recv_timeout(LOOK_AGAIN) {
            Ok(line) => return Some(line),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    None
}

/// Only `y` and `yes` are a yes.
pub(super) fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

    use tokio::signal::unix::{SignalKind, signal};

    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        let typed = [
            ("y\n", true),
            (" YES \n", true),
            ("yes", true),
            ("\n", false),
            ("", false),
            ("yikes\n", false),
            ("n\n", false),
        ];
        for (typed, expected) in typed {
            assert_eq!(answer(Cursor::new(typed), None).is_some_and(|line| is_yes(&line)), expected, "{typed:?}");
        }
    }

    /// Input that never comes, and says when it is waited for.
    struct Silent {
        read: std::sync::mpsc::Sender<()>,
        never: std::sync::mpsc::Receiver<()>,
    }

    impl Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            self.read.send(()).ok();
            self.never.recv().ok();
            Ok(0)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_signal_ends_the_question_when_it_is_counted_and_not_before() {
        let mut caught = signal(SignalKind::hangup()).unwrap();
        let (interrupt, keys) = Interrupt::manual();
        let (read, waits) = channel();
        let (_keep, never) = channel();
        let asked = interrupt.clone();
        let question = std::thread::spawn(move || answer(BufReader::new(Silent { read, never }), Some(&asked)));
        tokio::task::spawn_blocking(move || waits.recv()).await.unwrap().unwrap();
        // SIGHUP: the test runner itself may want to be interrupted.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).unwrap();
        caught.recv().await;
        tokio::time::sleep(10 * LOOK_AGAIN).await;
        assert!(!question.is_finished(), "whoever asks `interrupt` now sees no signal");
        keys.press(libc::SIGHUP);
        assert_eq!(question.join().unwrap(), None);
        assert!(interrupt.check().is_err());
    }
}
