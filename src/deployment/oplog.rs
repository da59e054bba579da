//! The log folder of one operation: `logs/<time>-<operation>/`, e.g. `20261123T031200Z-deploy`.
//! Names sort by time; two operations in the same second get different seconds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

use super::{atomic, names};
use crate::error::{Error, Result};
use crate::model::Operation;

/// How many operations' logs are kept.
const KEPT: usize = 50;
/// An operation's events, one JSON object a line.
pub const EVENTS_FILE: &str = "events.jsonl";
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// Writes into one operation's folder. Cheap to clone, for readers of events and consoles.
///
/// A log that cannot be written (a full disk) does not stop the operation: the first such error is
/// remembered for its end.
#[derive(Debug, Clone)]
pub struct OpLog {
    path: PathBuf,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Option<File>,
    error: Option<String>,
}

impl OpLog {
    /// Makes the folder and removes the oldest ones beyond [`KEPT`]. The caller holds the lock.
    pub(super) fn start(logs: &Path, operation: Operation) -> Result<OpLog> {
        OpLog::start_at(logs, operation, Timestamp::now())
    }

    fn start_at(logs: &Path, operation: Operation, now: Timestamp) -> Result<OpLog> {
        atomic::make_private_dir(logs).map_err(Error::io(format!("cannot make {}", logs.display())))?;
        let earlier = all(logs)?;
        let path = logs.join(unused_name(&earlier, operation, now));
        atomic::make_private_dir(&path).map_err(Error::io(format!("cannot make {}", path.display())))?;
        for old in earlier.iter().rev().skip(KEPT - 1) {
            // An old log that cannot be removed is no reason not to work.
            let _ = fs::remove_dir_all(&old.path);
        }
        Ok(OpLog { path, inner: Arc::default() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a tool's own output goes, e.g. `terraform.jsonl`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Adds one line, an event as JSON, to `events.jsonl`; on its way to the disk when this returns.
    pub fn append_event(&self, line: &str) {
        let mut inner = self.lock();
        if inner.events.is_none() {
            inner.events = self.open(EVENTS_FILE).map_err(|e| inner.remember(EVENTS_FILE, &e)).ok();
        }
        // One write call a line, so that a reader never sees half of one for long.
        let written = inner.events.as_mut().map(|file| file.write_all(format!("{line}\n").as_bytes()));
        if let Some(Err(e)) = written {
            inner.remember(EVENTS_FILE, &e);
        }
    }

    /// Adds bytes to the file `name`, e.g. `console-n11.log`.
    pub fn append(&self, name: &str, bytes: &[u8]) {
        if let Err(e) = self.open(name).and_then(|mut file| file.write_all(bytes)) {
            self.lock().remember(name, &e);
        }
    }

    /// The first error in writing logs, for a warning at the operation's end.
    pub fn write_error(&self) -> Option<String> {
        self.lock().error.clone()
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(self.file(name))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A writer that panicked has at worst written half a line.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remember(&mut self, file: &str, error: &io::Error) {
        self.error.get_or_insert_with(|| format!("the log {file} is incomplete: {error}"));
    }
}

/// An operation's folder, as it is found later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFolder {
    /// `20261123T031200Z-deploy`.
    pub name: String,
    pub path: PathBuf,
    pub operation: Operation,
    pub started_at: Timestamp,
}

/// What the operations left, oldest first; other things that people put there are not among them.
pub(super) fn all(logs: &Path) -> Result<Vec<LogFolder>> {
    Ok(names::names(logs)?.iter().filter_map(|name| parse(logs, name)).collect())
}

fn parse(logs: &Path, name: &str) -> Option<LogFolder> {
    let (time, operation) = name.split_once('-')?;
    Some(LogFolder {
        name: name.to_owned(),
        path: logs.join(name),
        operation: Operation::ALL.into_iter().find(|o| o.as_str() == operation)?,
        started_at: civil::DateTime::strptime(TIME_FORMAT, time)
            .ok()?
            .to_zoned_datetime(TimeZone::UTC)
            .ok()?
            .timestamp(),
    })
}

/// Of now, or of the second after the newest folder's: the last operation's name is the greatest, also where the
/// clock was set back.
fn unused_name(earlier: &[LogFolder], operation: Operation, now: Timestamp) -> String {
    let after = |folder: &LogFolder| folder.started_at.checked_add(SignedDuration::from_secs(1)).ok();
    let at = earlier.last().and_then(after).map_or(now, |after| after.max(now));
    format!("{}-{operation}", at.strftime(TIME_FORMAT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_403_520 + second).unwrap()
    }

    #[test]
    fn folders_sort_by_time_even_within_one_second() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        assert_eq!(all(&logs).unwrap(), []);
        let first = OpLog::start_at(&logs, Operation::Destroy, at(0)).unwrap();
        assert_eq!(first.path(), logs.join("20261123T031200Z-destroy"));
        let second = OpLog::start_at(&logs, Operation::Deploy, at(0)).unwrap();
        assert_eq!(second.path(), logs.join("20261123T031201Z-deploy"));
        let found: Vec<_> = all(&logs).unwrap().into_iter().map(|f| (f.operation, f.started_at)).collect();
        assert_eq!(found, [(Operation::Destroy, at(0)), (Operation::Deploy, at(1))]);
    }

    #[test]
    fn only_the_newest_are_kept_and_nothing_of_others_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path();
        fs::create_dir(logs.join("mine")).unwrap();
        for second in 0..60 {
            OpLog::start_at(logs, Operation::Deploy, at(second)).unwrap().append_event("{}");
        }
        let left = all(logs).unwrap();
        assert_eq!(left.len(), KEPT);
        assert_eq!(left[0].name, "20261123T031210Z-deploy");
        assert!(logs.join("mine").is_dir());
    }

    #[test]
    fn the_last_operation_is_the_last_also_where_the_clock_went_back() {
        let dir = tempfile::tempdir().unwrap();
        for second in 100..160 {
            OpLog::start_at(dir.path(), Operation::Deploy, at(second)).unwrap();
        }
        let now = OpLog::start_at(dir.path(), Operation::Stop, at(0)).unwrap();
        assert!(now.path().is_dir());
        assert_eq!(all(dir.path()).unwrap().pop().unwrap().path, now.path());
    }

    #[test]
    fn events_are_lines_and_consoles_are_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let log = OpLog::start_at(dir.path(), Operation::Deploy, at(0)).unwrap();
        let copy = log.clone();
        log.append_event("{\"a\":1}");
        copy.append_event("{\"a\":2}");
        log.append("console-n11.log", b"\x1b[0m\xff");
        log.append("console-n11.log", b"login:");
        assert_eq!(fs::read_to_string(log.file(EVENTS_FILE)).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
        assert_eq!(fs::read(log.file("console-n11.log")).unwrap(), b"\x1b[0m\xfflogin:");
        assert_eq!(log.write_error(), None);
    }

    #[test]
    fn what_cannot_be_written_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let log = OpLog::start_at(dir.path(), Operation::Deploy, at(0)).unwrap();
        fs::create_dir(log.file(EVENTS_FILE)).unwrap();
        log.append_event("{}");
        log.append("no/such/folder.log", b"x");
        let error = log.write_error().unwrap();
        assert!(error.starts_with("the log events.jsonl is incomplete"), "{error}");
    }

    #[test]
    fn fuzz_log_folder_names() {
        crate::fuzz::text_target("log-folder-names", &["20260102T030405Z-deploy", "20260102T030405-stop"], |text| {
            drop(parse(Path::new("logs"), text));
        });
    }
}
