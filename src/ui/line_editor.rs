//! Lines that a person types on the terminal, with editing keys and a history.
//!
//! The prompt goes to the terminal itself, so that `> file` has results only. A thread does the
//! reading: it blocks, and a signal must not wait for the next key.
//!
//! rustyline has its own SIGINT handler for as long as it exists. So it is created before anybody else
//! listens for signals: later listeners get them first and pass them on.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::config::{Behavior, Builder};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::stream::Stream;
use crate::model::Input;
use crate::signal::is_ignored;

type Lines = Editor<(), DefaultHistory>;

/// Statements that are remembered.
const REMEMBERED: usize = 1000;
/// What the editor switches on while it reads: pasted text comes as one piece.
const PASTE_OFF: &str = "\u{1b}[?2004l";

pub struct LineEditor {
    requests: Sender<Request>,
    answers: Receiver<Input>,
    answer: Sender<Input>,
    listening: Cell<bool>,
    /// The terminal as it was before anything was read.
    terminal: Option<Termios>,
    err: Stream,
}

enum Request {
    Read(String),
    Remember(String, Sender<Option<String>>),
}

impl LineEditor {
    pub(super) fn new(err: Stream, history: Option<PathBuf>) -> std::io::Result<Self> {
        let terminal = tcgetattr(std::io::stdin()).ok();
        let (requests, requested) = channel();
        let (answer, answers) = channel();
        let (started, start) = channel();
        let answer_of_thread = answer.clone();
        std::thread::spawn(move || match editor(history.as_deref()) {
            Ok(lines) => {
                started.send(Ok(())).ok();
                serve(lines, history.as_deref(), &requested, &answer_of_thread);
            }
            Err(error) => {
                started.send(Err(into_io(error))).ok();
            }
        });
        start.recv().unwrap_or_else(|_| Err(gone()))?;
        Ok(Self { requests, answers, answer, listening: Cell::new(false), terminal, err })
    }

    /// Waits for a line, the end of input or a signal.
    pub fn read(&self, prompt: &str) -> Input {
        if !self.listening.replace(true) {
            signalled(&self.answer);
        }
        if self.requests.send(Request::Read(prompt.to_owned())).is_err() {
            return Input::Failed(gone());
        }
        let input = self.answers.recv().unwrap_or_else(|_| Input::Failed(gone()));
        if matches!(input, Input::Signalled) {
            // The thread is left behind in its read, and the terminal as it has set it.
            if let Some(terminal) = &self.terminal {
                let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, terminal);
                self.err.post(format!("{PASTE_OFF}\n"));
            }
        }
        input
    }

    /// Keeps an entry for the arrow keys, and in the file. Returns why it could not be written.
    pub fn remember(&self, entry: &str) -> Option<String> {
        let (done, result) = channel();
        self.requests.send(Request::Remember(entry.to_owned(), done)).ok()?;
        result.recv().ok().flatten()
    }
}

/// A signal that ends processes ends the wait for a line. Ctrl-C is an ordinary key while a line is read.
fn signalled(answer: &Sender<Input>) {
    let Ok(runtime) = Handle::try_current() else { return };
    for kind in [SignalKind::terminate(), SignalKind::hangup()].into_iter().filter(|kind| !is_ignored(*kind)) {
        let Ok(mut signals) = signal(kind) else { continue };
        let answer = answer.clone();
        runtime.spawn(async move {
            signals.recv().await;
            answer.send(Input::Signalled).ok();
        });
    }
}

fn editor(history: Option<&Path>) -> rustyline::Result<Lines> {
    let config: Config = Builder::new().behavior(Behavior::PreferTerm).max_history_size(REMEMBERED)?.build();
    let mut lines = Lines::with_config(config)?;
    if let Some(file) = history {
        // A missing or damaged file is an empty history.
        let _ = lines.load_history(file);
    }
    Ok(lines)
}

fn serve(mut lines: Lines, history: Option<&Path>, requested: &Receiver<Request>, answer: &Sender<Input>) {
    for request in requested {
        match request {
            Request::Read(prompt) => {
                let line = loop {
                    match lines.readline(&prompt) {
                        // A Ctrl-C that cancelled a statement has left its mark here too.
                        Err(ReadlineError::Signal(_)) => {}
                        line => break line,
                    }
                };
                let input = match line {
                    Ok(line) => Input::Line(line),
                    Err(ReadlineError::Interrupted) => Input::Cancelled,
                    Err(ReadlineError::Eof) => Input::End,
                    Err(error) => Input::Failed(into_io(error)),
                };
                if answer.send(input).is_err() {
                    return;
                }
            }
            Request::Remember(entry, done) => {
                done.send(remember(&mut lines, history, entry).err().map(|error| error.to_string())).ok();
            }
        }
    }
}

/// Written at once, so that nothing that was typed is lost if this process is killed.
fn remember(lines: &mut Lines, history: Option<&Path>, entry: String) -> rustyline::Result<()> {
    lines.add_history_entry(entry)?;
    history.map_or(Ok(()), |file| lines.append_history(file))
}

fn into_io(error: ReadlineError) -> std::io::Error {
    match error {
        ReadlineError::Io(error) => error,
        ReadlineError::Errno(errno) => std::io::Error::from_raw_os_error(errno as i32),
        other => std::io::Error::other(other.to_string()),
    }
}

fn gone() -> std::io::Error {
    std::io::Error::other("the thread that reads it has ended")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn entries_are_kept_in_a_private_file_whatever_its_mode_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history");
        let keep = |entry: &str| remember(&mut editor(Some(&file)).unwrap(), Some(&file), entry.to_owned()).unwrap();
        let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        keep("SELECT 1;");
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        keep("SELECT\n  2;");
        assert_eq!(mode(), 0o600);
        let lines = editor(Some(&file)).unwrap();
        assert_eq!(lines.history().iter().collect::<Vec<_>>(), ["SELECT 1;", "SELECT\n  2;"]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_and_costs_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("missing/history");
        let mut lines = editor(Some(&file)).unwrap();
        remember(&mut lines, Some(&file), "SELECT 1;".into()).unwrap_err();
        assert_eq!(lines.history().iter().count(), 1);
    }
}
