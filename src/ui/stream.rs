//! Standard output and standard error, shared by everything in `ui`.
//!
//! A reader may stall: a pager that shows its first page, a terminal after Ctrl-S, a fifo that nobody opens again.
//! A write to it blocks, and nothing can end that. So each stream has a thread that writes, and everybody else
//! decides for how long to wait for it.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often somebody who waits for a write looks whether to wait on.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How many texts that nobody waits for may wait to be written.
const POSTED: usize = 1000;

/// Standard output or standard error, whole texts at a time so that lines never mix.
///
/// A reader that has gone (`| head`) silences the stream for good and is no error: the operation
/// goes on, and nothing panics. Any other failure (a full disk) is returned.
#[derive(Clone)]
pub(super) struct Stream {
    jobs: Sender<Job>,
    posted: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

struct Job {
    text: String,
    done: Option<Sender<io::Result<()>>>,
}

/// What became of a text.
#[derive(Debug)]
pub(super) enum Printed {
    Yes,
    /// It still waits for its reader. It will be written if the process lives long enough.
    NotYet,
}

impl Stream {
    pub fn new(write: impl Write + Send + 'static) -> Self {
        let (jobs, queue) = channel();
        let posted = Arc::new(AtomicUsize::new(0));
        let count = posted.clone();
        std::thread::spawn(move || serve(write, &queue, &count));
        Self { jobs, posted, lost: Arc::default() }
    }

    /// Writes a text, and waits until that is done or `goes_on` says no.
    pub fn print(&self, text: &str, goes_on: impl Fn() -> bool) -> io::Result<Printed> {
        if text.is_empty() {
            return Ok(Printed::Yes);
        }
        self.write(text, goes_on)
    }

    /// Waits until everything that was given before is written or `goes_on` says no.
    pub fn flush(&self, goes_on: impl Fn() -> bool) {
        self.write("", goes_on).ok();
    }

    /// Queues a text to be written, and does not wait. If too many texts wait already, it is only counted.
    pub fn post(&self, text: String) {
        if self.posted.fetch_add(1, Ordering::Relaxed) < POSTED {
            let text = match self.lost.swap(0, Ordering::Relaxed) {
                0 => text,
                lost => format!("({lost} lines are left out here, because nobody read this output)\n{text}"),
            };
            self.jobs.send(Job { text, done: None }).ok();
        } else {
            self.posted.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether something that was posted still waits.
    pub fn has_posted(&self) -> bool {
        self.posted.load(Ordering::Relaxed) > 0
    }

    fn write(&self, text: &str, goes_on: impl Fn() -> bool) -> io::Result<Printed> {
        self.begin(text)?.wait(goes_on)
    }

    /// Queues a text to be written.
    pub fn begin(&self, text: &str) -> io::Result<Pending> {
        let (done, result) = channel();
        self.jobs.send(Job { text: text.to_owned(), done: Some(done) }).map_err(|_| gone())?;
        Ok(Pending(result))
    }
}

/// A text that is on its way.
pub(super) struct Pending(Receiver<io::Result<()>>);

impl Pending {
    /// Waits until it is written or `goes_on` says no.
    pub fn wait(self, goes_on: impl Fn() -> bool) -> io::Result<Printed> {
        while goes_on() {
            match self.0.recv_timeout(LOOK_AGAIN) {
                Ok(written) => return written.map(|()| Printed::Yes),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Ok(Printed::NotYet)
    }
}

fn serve(mut target: impl Write, queue: &Receiver<Job>, posted: &AtomicUsize) {
    let mut reader_gone = false;
    for Job { text, done } in queue {
        let written = match reader_gone || text.is_empty() {
            true => Ok(()),
            false => target.write_all(text.as_bytes()).and_then(|()| target.flush()),
        };
        reader_gone |= matches!(&written, Err(error) if error.kind() == ErrorKind::BrokenPipe);
        match done {
            Some(done) => done.send(if reader_gone { Ok(()) } else { written }).unwrap_or_default(),
            None => drop(posted.fetch_sub(1, Ordering::Relaxed)),
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that writes has ended")
}

/// A stream into memory, and what was written to it.
#[cfg(test)]
pub(super) fn captured() -> (Stream, impl Fn() -> String) {
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let shared = Shared::default();
    let copy = shared.clone();
    (Stream::new(shared), move || String::from_utf8(copy.0.lock().unwrap().clone()).unwrap())
}

/// A stream on a disk that is full.
#[cfg(test)]
pub(super) fn full() -> Stream {
    Stream::new(tests::Failing(ErrorKind::StorageFull, None))
}

/// Ends the stall when it is dropped.
#[cfg(test)]
pub(super) struct Stall {
    /// Something is being written.
    pub written_to: Receiver<()>,
    _end: Sender<()>,
}

/// A stream whose reader takes nothing until the stall ends.
#[cfg(test)]
pub(super) fn stalled() -> (Stall, Stream) {
    struct Stalled(Sender<()>, Receiver<()>);
    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(()).ok();
            self.1.recv().ok();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (write, written_to) = channel();
    let (_end, ended) = channel();
    (Stall { written_to, _end }, Stream::new(Stalled(write, ended)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails each time; how often it may be written to, where that counts.
    pub(super) struct Failing(pub ErrorKind, pub Option<usize>);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            if let Some(left) = &mut self.1 {
                *left = left.checked_sub(1).expect("written to again after the reader had gone");
            }
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_is_not_written_to_again() {
        let stream = Stream::new(Failing(ErrorKind::BrokenPipe, Some(1)));
        assert!(stream.print("one\n", || true).is_ok());
        assert!(stream.print("two\n", || true).is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        assert_eq!(full().print("one\n", || true).unwrap_err().kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn nobody_has_to_wait_for_a_reader_that_stalls() {
        let (stall, stream) = stalled();
        (0..2 * POSTED).for_each(|_| stream.post("posted\n".into()));
        assert_eq!(stream.posted.load(Ordering::Relaxed), POSTED);
        assert!(matches!(stream.print("one\n", || false), Ok(Printed::NotYet)));
        drop(stall);
        assert!(matches!(stream.print("two\n", || true), Ok(Printed::Yes)));
        assert!(!stream.has_posted());
    }
}
