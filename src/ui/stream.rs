//! The two ways out, shared by everything in `ui`.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Standard output or standard error, whole texts at a time so that lines never mix.
///
/// A reader that has gone (`| head`) silences the stream for good and is no error: the operation
/// goes on, and nothing panics. Any other failure (a full disk) is returned.
#[derive(Clone)]
pub(super) struct Stream {
    target: Arc<Mutex<Target>>,
}

struct Target {
    write: Box<dyn Write + Send>,
    reader_gone: bool,
}

impl Stream {
    pub fn new(write: impl Write + Send + 'static) -> Self {
        Self { target: Arc::new(Mutex::new(Target { write: Box::new(write), reader_gone: false })) }
    }

    pub fn print(&self, text: &str) -> io::Result<()> {
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if target.reader_gone || text.is_empty() {
            return Ok(());
        }
        let written = target.write.write_all(text.as_bytes()).and_then(|()| target.write.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                target.reader_gone = true;
                Ok(())
            }
            other => other,
        }
    }

    /// For what nobody can be told about if it fails: lines on standard error.
    pub fn try_print(&self, text: &str) {
        self.print(text).ok();
    }
}

/// A stream into memory, and what was written to it.
#[cfg(test)]
pub(super) fn captured() -> (Stream, impl Fn() -> String) {
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
        assert!(stream.print("one\n").is_ok());
        assert!(stream.print("two\n").is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        assert_eq!(full().print("one\n").unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
