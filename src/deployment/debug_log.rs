//! `debug.log` in the log folder of the operation that runs: what `tracing` tells at level debug, whatever
//! `--log-level` shows on the screen.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::oplog::OpLog;

const FILE: &str = "debug.log";
/// An operation writes some hundred lines, a long one some thousand.
const LIMIT_BYTES: usize = 8 << 20;

/// A process runs one operation that has a log, as it has one `tracing` subscriber.
static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

struct Running {
    log: OpLog,
    room: usize,
}

/// From now on lines go into this folder.
pub(super) fn begin(log: &OpLog) {
    *running() = Some(Running { log: log.clone(), room: LIMIT_BYTES });
}

/// What a `tracing` subscriber writes its lines to. Without an operation, and after 8 MiB, they go nowhere.
pub struct DebugLog;

impl Write for DebugLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(running) = running().as_mut() {
            running.add(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Running {
    fn add(&mut self, line: &[u8]) {
        if self.room == 0 {
            return;
        }
        self.room = self.room.saturating_sub(line.len());
        self.log.append(FILE, if self.room > 0 { line } else { b"(the rest is left out)\n" });
    }
}

fn running() -> MutexGuard<'static, Option<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Operation;

    #[test]
    fn lines_are_kept_until_the_file_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let log = OpLog::start(dir.path(), Operation::Deploy).unwrap();
        let mut running = Running { log: log.clone(), room: 12 };
        for line in ["first\n", "second\n", "third\n"] {
            running.add(line.as_bytes());
        }
        assert_eq!(std::fs::read_to_string(log.file(FILE)).unwrap(), "first\n(the rest is left out)\n");
    }
}
