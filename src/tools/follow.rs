//! Following a file that a program writes.

use std::fs::File;
use std::io::Read;

use super::lines::{Lines, Tail};
use crate::error::{Error, Result};

/// So much is read at a time. A program that writes faster than we read must not keep us from passing a signal on.
const TURN: usize = 4 << 20;

/// Reads what a program appends to a file.
pub(super) struct Follower {
    file: File,
    lines: Lines,
    pub tail: Tail,
    buffer: Vec<u8>,
}

impl Follower {
    pub fn new(file: File) -> Self {
        Self { file, lines: Lines::default(), tail: Tail::default(), buffer: vec![0; 64 * 1024] }
    }

    /// What is there by now, or a good part of it: whether that was all.
    pub fn read(&mut self, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<bool> {
        let mut read = 0;
        while read < TURN {
            let count = self.file.read(&mut self.buffer).map_err(Error::io("cannot read a program's output"))?;
            if count == 0 {
                return Ok(true);
            }
            read += count;
            let tail = &mut self.tail;
            self.lines.feed(&self.buffer[..count], &mut |line| {
                tail.push(line);
                on_line(line);
            });
        }
        Ok(false)
    }

    /// The rest, of a program that has ended. What a process that it left behind goes on writing is not waited for.
    pub fn finish(&mut self, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        let written = self.file.metadata().map_err(Error::io("cannot read a program's output"))?.len();
        let turns = written / TURN as u64 + 1;
        for _ in 0..turns {
            if self.read(on_line)? {
                break;
            }
        }
        let tail = &mut self.tail;
        self.lines.finish(&mut |line| {
            tail.push(line);
            on_line(line);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_never_stops_writing_does_not_hold_its_reader() {
        let mut follower = Follower::new(File::open("/dev/zero").unwrap());
        assert!(!follower.read(&mut |_| {}).unwrap());
        follower.finish(&mut |_| {}).unwrap();
        assert_eq!(follower.tail.into_vec().len(), 1);
    }

    #[test]
    fn what_is_long_is_read_to_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = "x".repeat(999) + "\n";
        std::fs::write(file.path(), line.repeat(3 * TURN / line.len())).unwrap();
        let mut lines = 0;
        Follower::new(file.reopen().unwrap()).finish(&mut |_| lines += 1).unwrap();
        assert_eq!(lines, 3 * TURN / line.len());
    }
}
