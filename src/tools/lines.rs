//! Bytes from a program to lines of text: bounded, and tolerant of what is not UTF-8.

use std::collections::VecDeque;

/// A longer line is cut here. Terraform's diagnostics and our Ansible events stay far below.
const MAX_LINE: usize = 1 << 20;
/// How many lines an error shows of a program's end, and how much of each.
const TAIL_LINES: usize = 20;
const TAIL_LINE_CHARS: usize = 2000;

/// Collects bytes until a line is whole.
#[derive(Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    pub fn feed(&mut self, bytes: &[u8], on_line: &mut dyn FnMut(&str)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            self.keep(&rest[..end]);
            self.emit(on_line);
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// The last line, if the program ended without a newline.
    pub fn finish(&mut self, on_line: &mut dyn FnMut(&str)) {
        if !self.partial.is_empty() {
            self.emit(on_line);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn emit(&mut self, on_line: &mut dyn FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.partial);
        on_line(text.strip_suffix('\r').unwrap_or(&text));
        self.partial.clear();
    }
}

/// The last lines that a program printed.
#[derive(Default)]
pub(super) struct Tail(VecDeque<String>);

impl Tail {
    pub fn push(&mut self, line: &str) {
        if self.0.len() == TAIL_LINES {
            self.0.pop_front();
        }
        self.0.push_back(line.chars().take(TAIL_LINE_CHARS).collect());
    }

    pub fn last(&self) -> Option<&str> {
        self.0.iter().rev().map(String::as_str).find(|line| !line.trim().is_empty())
    }

    pub fn into_vec(self) -> Vec<String> {
        self.0.into()
    }
}

/// The last lines of a whole text.
pub(super) fn tail_of(text: &str) -> Vec<String> {
    let mut tail = Tail::default();
    text.lines().for_each(|line| tail.push(line));
    tail.into_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.feed(chunk, &mut |line| seen.push(line.to_owned()));
        }
        lines.finish(&mut |line| seen.push(line.to_owned()));
        seen
    }

    #[test]
    fn lines_are_put_together_and_a_last_one_needs_no_newline() {
        assert_eq!(split(&[b"a\nb", b"c\r\n", b"\nend"]), ["a", "bc", "", "end"]);
        assert_eq!(split(&[b"bad \xff byte\n"]), ["bad \u{fffd} byte"]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let long = vec![b'x'; MAX_LINE + 10];
        let seen = split(&[&long, b"\nshort\n"]);
        assert_eq!((seen[0].len(), seen[1].as_str()), (MAX_LINE, "short"));
    }

    #[test]
    fn the_tail_keeps_the_last_lines() {
        let text: String = (0..50).map(|n| format!("line {n}\n")).collect();
        let tail = tail_of(&text);
        assert_eq!((tail.len(), tail[0].as_str(), tail[19].as_str()), (20, "line 30", "line 49"));
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(text in "[a\n\u{e4}]{0,40}", cut in 0usize..80) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(split(&[&bytes[..cut], &bytes[cut..]]), split(&[bytes]));
        }
    }

    #[test]
    fn fuzz_lines() {
        crate::fuzz::target("lines", &[b"one\r\ntwo\n\xff\nhalf"], |bytes| {
            let mut lines = Lines::default();
            let mut tail = Tail::default();
            bytes.chunks(7).for_each(|chunk| lines.feed(chunk, &mut |line| tail.push(line)));
            lines.finish(&mut |line| tail.push(line));
            let kept = tail.into_vec();
            assert!(kept.len() <= TAIL_LINES && kept.iter().all(|line| line.chars().count() <= TAIL_LINE_CHARS));
        });
    }
}
