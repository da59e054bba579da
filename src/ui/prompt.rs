//! Questions to people. Asked on standard error, answered on standard input.

use std::io::BufRead;
use std::sync::mpsc::{Sender, channel};

use tokio::runtime::Handle;
use tokio::signal::unix::signal;

use crate::signal::{ENDING, is_ignored};

/// The line that was typed, with its line end; empty at the end of input, None after a signal.
///
/// Where a handler is installed, Ctrl-C does not end a read that waits for a terminal. So the
/// signal answers here, and the reading thread is left behind until the process ends.
pub(super) fn answer(mut input: impl BufRead + Send + 'static) -> Option<String> {
    let (answered, answer) = channel();
    none_at_a_signal(&answered);
    std::thread::spawn(move || {
        let mut line = String::new();
        // What cannot be read is no answer; and nobody listens any more if a signal has answered.
        let line = input.read_line(&mut line).map(|_| line).unwrap_or_default();
        answered.send(Some(line)).ok();
    });
    answer.recv().ok().flatten()
}

/// Outside a runtime nothing has changed what signals do: they end the process.
fn none_at_a_signal(answered: &Sender<Option<String>>) {
    let Ok(runtime) = Handle::try_current() else { return };
    for kind in ENDING.into_iter().filter(|kind| !is_ignored(*kind)) {
        let Ok(mut signals) = signal(kind) else { continue };
        let answered = answered.clone();
        runtime.spawn(async move {
            signals.recv().await;
            answered.send(None).ok();
        });
    }
}

/// Only `y` and `yes` are a yes.
pub(super) fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

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
            assert_eq!(answer(Cursor::new(typed)).is_some_and(|line| is_yes(&line)), expected, "{typed:?}");
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
    async fn a_signal_ends_the_question() {
        // Whoever started the tests may ignore it, and the question would have to as well.
        // SAFETY: no handler is set, and no other test looks at this signal.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
        let (read, waits) = channel();
        let (_keep, never) = channel();
        let question = tokio::task::spawn_blocking(move || answer(BufReader::new(Silent { read, never })));
        tokio::task::spawn_blocking(move || waits.recv()).await.unwrap().unwrap();
        // SIGHUP: the test runner itself may want to be interrupted.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).unwrap();
        assert_eq!(question.await.unwrap(), None);
    }
}
