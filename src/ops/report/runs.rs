use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::super::logs::Timeline;
use super::cleaner::Cleaner;
use super::{notes, run};
use crate::deployment::{DeploymentDir, EVENTS_FILE, LockStatus, LogFolder};
use crate::model::{LogLine, LogSource, NodePlan};
use crate::render::page::{Fact, Note, Run, Tone};

/// Operations that are shown.
const RUNS: usize = 6;
/// Of one operation's events its beginning and its end are read, in bytes each.
const HALF: u64 = 4 << 20;
/// A console's end, its last lines, and of how many nodes.
const CONSOLE: u64 = 32 << 10;
const CONSOLE_LINES: usize = 4;
const CONSOLES: usize = 8;

pub(super) struct Runs {
    /// The newest first.
    pub shown: Vec<Run>,
    /// Earlier ones that are logged.
    pub more: usize,
    pub missing: Vec<Fact>,
}

pub(super) fn last(dir: &DeploymentDir, cleaner: &Cleaner) -> Runs {
    let mut missing = Vec::new();
    let folders = dir.log_folders().unwrap_or_else(|error| {
        missing.push(Fact::new("the last operations", cleaner.text(&error.to_string())));
        Vec::new()
    });
    let names: Vec<String> =
        NodePlan::all(&dir.state().id, &dir.state().spec).into_iter().map(|plan| plan.name).collect();
    let locked = matches!(dir.lock_status(), Ok(LockStatus::Held(_)));
    let mut shown = Vec::new();
    for (index, folder) in folders.iter().rev().take(RUNS).enumerate() {
        let newest = index == 0;
        match lines(&folder.path.join(EVENTS_FILE), &names, cleaner) {
            Ok((lines, cut)) => {
                let mut run = run::of(&lines, folder.operation, folder.started_at, newest && locked);
                if newest && run.tone != Tone::Good {
                    run.notes.extend(consoles(folder, &names, cleaner));
                }
                shown.push(run);
                if cut {
                    missing
                        .push(Fact::new(format!("the middle of the events of {}", folder.name), "they are very long"));
                }
            }
            Err(error) => {
                missing.push(Fact::new(format!("the events of {}", folder.name), cleaner.text(&error.to_string())))
            }
        }
    }
    Runs { shown, more: folders.len().saturating_sub(RUNS), missing }
}

/// The events with their places, and whether their middle was left out.
fn lines(file: &Path, nodes: &[String], cleaner: &Cleaner) -> io::Result<(Vec<LogLine>, bool)> {
    let (text, cut) = both_ends(file)?;
    let mut timeline = Timeline::new(nodes.to_vec());
    let events = text.split(|byte| *byte == b'\n').filter_map(|line| cleaner.json(line));
    Ok((events.map(|event| timeline.place(LogSource::Events, None, &event.to_string()).line).collect(), cut))
}

/// Half a line where the two meet is no JSON, and so it is passed over.
fn both_ends(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut text = Vec::new();
    file.by_ref().take(HALF).read_to_end(&mut text)?;
    let rest = length.saturating_sub(HALF).max(HALF);
    let cut = length > 2 * HALF;
    if cut {
        text.push(b'\n');
    }
    file.seek(SeekFrom::Start(if cut { rest } else { HALF.min(length) }))?;
    file.take(HALF).read_to_end(&mut text)?;
    Ok((text, cut))
}

/// The last lines of the machines' consoles: what somebody looks for after a failure.
fn consoles(folder: &LogFolder, nodes: &[String], cleaner: &Cleaner) -> Vec<Note> {
    let of_node = |node: &String| {
        let text = end_of(&folder.path.join(format!("console-{node}.log"))).ok()?;
        let lines: Vec<_> = cleaner.lines(&text).into_iter().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(CONSOLE_LINES)..];
        (!last.is_empty()).then(|| notes::console(node, last))
    };
    nodes.iter().filter_map(of_node).take(CONSOLES).collect()
}

/// Without what is left of a line at the beginning: half a secret would not be known as one.
fn end_of(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe might not end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(CONSOLE);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(CONSOLE).read_to_end(&mut text)?;
    if start > 0 {
        let half = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1);
        text.drain(..half);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_console_the_last_whole_lines_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("console-n11.log");
        fs::write(&file, "one\ntwo").unwrap();
        assert_eq!(end_of(&file).unwrap(), b"one\ntwo");
        fs::write(&file, "y".repeat(40_000) + "\ntwo").unwrap();
        assert_eq!(end_of(&file).unwrap(), b"two");
    }

    #[test]
    fn a_long_log_is_read_at_both_ends() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(EVENTS_FILE);
        fs::write(&file, "one\ntwo\n").unwrap();
        assert_eq!(both_ends(&file).unwrap(), (b"one\ntwo\n".to_vec(), false));
        let long = "x".repeat(usize::try_from(HALF).unwrap() + 10);
        fs::write(&file, &long).unwrap();
        assert_eq!(both_ends(&file).unwrap(), (long.clone().into_bytes(), false));
        fs::write(&file, format!("{long}\n{long}\n{long}\nlast")).unwrap();
        let (text, cut) = both_ends(&file).unwrap();
        assert!(cut && text.len() as u64 == 2 * HALF + 1 && text.ends_with(b"\nlast"));
    }
}
