//! Following a file that a program writes.

use std::fs::File;
use std::io::Read;

use super::lines::{Lines, Tail};
use crate::error::{Error, Result};

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

    /// Everything that is there by now.
    pub fn read(&mut self, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        loop {
            let count = self.file.read(&mut self.buffer).map_err(Error::io("cannot read a program's output"))?;
            if count == 0 {
                return Ok(());
            }
            let tail = &mut self.tail;
            self.lines.feed(&self.buffer[..count], &mut |line| {
                tail.push(line);
                on_line(line);
            });
        }
    }

    pub fn finish(&mut self, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        self.read(on_line)?;
        let tail = &mut self.tail;
        self.lines.finish(&mut |line| {
            tail.push(line);
            on_line(line);
        });
        Ok(())
    }
}
