//! The way to a socket on another machine. It needs a program, and providers start none: ops do, and
//! leave the function here that is called when a hypervisor is asked for the first time.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::model::{Login, NoWay};

/// Logs in, looks for a daemon's socket (the one that is named, else the usual ones), and returns the path
/// of a local socket that leads there for as long as this process lives. Blocks; called again it makes sure
/// that the way is still open, and opens it anew.
pub type Dial = fn(&Login, Option<&str>) -> Result<PathBuf, NoWay>;

static DIAL: OnceLock<Dial> = OnceLock::new();

/// Sets the function, once a process.
pub fn dial_with(dial: Dial) {
    // Set before: by the same code.
    let _ = DIAL.set(dial);
}

pub(super) fn dialled() -> Option<Dial> {
    DIAL.get().copied()
}
