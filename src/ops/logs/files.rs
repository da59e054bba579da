use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::timeline::{Placed, Timeline};
use crate::deployment::EVENTS_FILE;
use crate::error::{Error, Result};
use crate::model::{LogLine, LogSource};

/// An operation's files, as far as they were read.
pub(super) struct Files {
    pub folder: PathBuf,
    growing: Vec<Growing>,
    timeline: Timeline,
}

/// A file that may not be there yet, and may be written while it is read.
struct Growing {
    source: LogSource,
    /// Whose console it is.
    node: Option<String>,
    path: PathBuf,
    offset: u64,
    /// The beginning of a line whose end has not been written.
    partial: Vec<u8>,
}

impl Files {
    /// The console of `node` is among them; others' are not.
    pub(super) fn of(folder: PathBuf, nodes: Vec<String>, node: Option<String>) -> Self {
        let file = |source, name: &str| Growing::at(source, None, folder.join(name));
        // Events first: they tell the others their steps and times.
        let mut growing = vec![
            file(LogSource::Events, EVENTS_FILE),
            file(LogSource::Terraform, "terraform.jsonl"),
            file(LogSource::Ansible, "ansible.jsonl"),
        ];
        if let Some(node) = node {
            let path = folder.join(format!("console-{node}.log"));
            growing.push(Growing::at(LogSource::Console, Some(node), path));
        }
        Self { folder, growing, timeline: Timeline::new(nodes) }
    }

    /// The operation's steps, once its first event has been read.
    pub(super) fn steps(&self) -> &[String] {
        &self.timeline.steps
    }

    /// The lines that were completed since the last look, in the order of time.
    pub(super) fn read(&mut self) -> Result<Vec<LogLine>> {
        self.collect(false)
    }

    /// As [`Files::read`], with last lines that have no end: nobody will write on.
    pub(super) fn rest(&mut self) -> Result<Vec<LogLine>> {
        self.collect(true)
    }

    fn collect(&mut self, ended: bool) -> Result<Vec<LogLine>> {
        let mut placed: Vec<Placed> = Vec::new();
        for file in &mut self.growing {
            for text in file.lines(ended)? {
                placed.push(self.timeline.place(file.source, file.node.as_deref(), &text));
            }
        }
        // Stable: what has the same time stays in its file's order, events first.
        placed.sort_by_key(|line| line.order);
        Ok(placed.into_iter().map(|placed| placed.line).collect())
    }
}

impl Growing {
    fn at(source: LogSource, node: Option<String>, path: PathBuf) -> Self {
        Self { source, node, path, offset: 0, partial: Vec::new() }
    }

    fn lines(&mut self, ended: bool) -> Result<Vec<String>> {
        let bytes = read_from(&self.path, self.offset)?;
        self.offset += bytes.len() as u64;
        self.partial.extend(bytes);
        let whole = match self.partial.iter().rposition(|byte| *byte == b'\n') {
            _ if ended => self.partial.len(),
            Some(end) => end + 1,
            None => 0,
        };
        let whole: Vec<u8> = self.partial.drain(..whole).collect();
        let lines = whole.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
        Ok(lines.filter(|line| !line.is_empty()).collect())
    }
}

/// What stands behind `offset`; nothing in a file that is not there.
fn read_from(path: &Path, offset: u64) -> Result<Vec<u8>> {
    let failed = || Error::io(format!("cannot read {}", path.display()));
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed()(error)),
    };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_to_end(&mut bytes)).map_err(failed())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_is_read_once_and_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console-n11.log");
        let mut file = Growing::at(LogSource::Console, None, path.clone());
        assert!(file.lines(true).unwrap().is_empty());
        let mut writer = File::create(path).unwrap();
        writer.write_all(b"one\r\n\ntw").unwrap();
        assert_eq!(file.lines(false).unwrap(), ["one"]);
        assert!(file.lines(false).unwrap().is_empty());
        writer.write_all(b"o\nlogin: \xff").unwrap();
        assert_eq!(file.lines(false).unwrap(), ["two"]);
        assert_eq!(file.lines(true).unwrap(), ["login: \u{fffd}"]);
    }
}
