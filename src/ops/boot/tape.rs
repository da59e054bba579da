//! A console's record, which a guest that prints for ever does not fill the disk with.

use std::collections::VecDeque;

/// A boot prints some hundred KiB.
const BEGINNING: usize = 4 << 20;
/// Of what comes after it, so much of the end is kept.
const END: usize = 64 << 10;

/// Bytes on their way to a file: the beginning at once, the end when this is dropped.
pub(super) struct Tape<W: FnMut(&[u8])> {
    write: W,
    written: usize,
    end: VecDeque<u8>,
    left_out: usize,
}

impl<W: FnMut(&[u8])> Tape<W> {
    pub(super) fn new(write: W) -> Self {
        Self { write, written: 0, end: VecDeque::new(), left_out: 0 }
    }

    pub(super) fn record(&mut self, bytes: &[u8]) {
        let (now, later) = bytes.split_at(bytes.len().min(BEGINNING - self.written));
        if !now.is_empty() {
            (self.write)(now);
            self.written += now.len();
        }
        self.end.extend(later);
        let over = self.end.len().saturating_sub(END);
        self.end.drain(..over);
        self.left_out += over;
    }

    /// A remark of our own.
    pub(super) fn note(&mut self, text: &str) {
        self.record(format!("[{text}]\n").as_bytes());
    }
}

impl<W: FnMut(&[u8])> Drop for Tape<W> {
    fn drop(&mut self) {
        if self.left_out > 0 {
            (self.write)(format!("\n[{} bytes were not recorded]\n", self.left_out).as_bytes());
        }
        if !self.end.is_empty() {
            (self.write)(self.end.make_contiguous());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_without_end_is_recorded_with_both_its_ends() {
        let mut file = Vec::new();
        let mut tape = Tape::new(|bytes: &[u8]| file.extend_from_slice(bytes));
        tape.record(b"first line\n");
        (0..3000).for_each(|_| tape.record(&[b'x'; 4096]));
        tape.record(b"Kernel panic\n");
        drop(tape);
        let text = String::from_utf8(file).unwrap();
        assert!(text.starts_with("first line\nxxx") && text.ends_with("xxxKernel panic\n"));
        assert!(text.len() < BEGINNING + END + 100 && text.contains(" bytes were not recorded]"), "{}", text.len());
    }

    #[test]
    fn a_short_one_is_recorded_as_it_is() {
        let mut file = Vec::new();
        let mut tape = Tape::new(|bytes: &[u8]| file.extend_from_slice(bytes));
        tape.note("no console: busy");
        tape.record(b"login: ");
        drop(tape);
        assert_eq!(file, b"[no console: busy]\nlogin: ");
    }
}
