//! Questions to people. Asked on standard error, answered on standard input.

use std::io::BufRead;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How often a waiting question looks whether it still makes sense.
const LOOK: Duration = Duration::from_millis(100);

/// Reads one line and says whether it means yes; end of input and everything else mean no.
///
/// `give_up` is asked again and again meanwhile: a read that waits for a terminal is not ended by
/// Ctrl-C where a handler is installed, so the reading thread is left behind and the answer is no.
pub(super) fn answer(mut input: impl BufRead + Send + 'static, give_up: impl Fn() -> bool) -> bool {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = input.read_line(&mut line);
        // The asker may have given up.
        sender.send(read.map(|_| line).unwrap_or_default()).ok();
    });
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(line) => return is_yes(&line),
            Err(RecvTimeoutError::Timeout) if !give_up() => {}
            Err(_) => return false,
        }
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for (typed, expected) in [
            ("y\n", true),
            (" YES \n", true),
            ("yes", true),
            ("\n", false),
            ("", false),
            ("yikes\n", false),
            ("n\n", false),
        ] {
            assert_eq!(answer(Cursor::new(typed.to_owned()), || false), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_question_that_nobody_answers_ends_when_it_is_given_up() {
        struct Silent(std::sync::mpsc::Receiver<()>);
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                self.0.recv().ok();
                Ok(0)
            }
        }
        let (_keep, silence) = channel();
        assert!(!answer(BufReader::new(Silent(silence)), || true));
    }
}
