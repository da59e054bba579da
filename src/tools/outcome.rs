//! How a program ended, what it printed, and the error that this amounts to.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::lines::tail_of;
use crate::error::{Error, Result, ToolFailure};

/// How a followed program ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    /// The first signal that we were told to pass on, if any.
    pub interrupted: Option<i32>,
    /// The last 20 lines that it printed.
    pub tail: Vec<String>,
    pub log: Option<PathBuf>,
    pub(super) tool: String,
    pub(super) command: String,
}

/// What a short command printed.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub(super) tool: String,
    pub(super) command: String,
}

impl Finished {
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The error that this run amounts to: an interruption, if one was passed on, else the tool's failure.
    pub fn into_error(self, diagnostics: Vec<String>) -> Error {
        if let Some(signal) = self.interrupted {
            return Error::Interrupted { signal };
        }
        Error::Tool(Box::new(ToolFailure {
            tool: self.tool,
            command: self.command,
            status: status_text(self.status),
            diagnostics,
            tail: self.tail,
            log: self.log,
        }))
    }
}

impl Output {
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The command line, as people would type it.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// "exit status 1", "signal 9".
    pub fn status_text(&self) -> String {
        status_text(self.status)
    }

    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The failure that this output amounts to, for commands whose other exit statuses mean something.
    pub fn into_error(self, diagnostics: Vec<String>) -> Error {
        let text = if self.stderr.is_empty() { self.stdout_text() } else { self.stderr_text() };
        Error::Tool(Box::new(ToolFailure {
            status: status_text(self.status),
            diagnostics,
            tail: tail_of(&text),
            log: None,
            tool: self.tool,
            command: self.command,
        }))
    }

    /// Itself if the exit status was 0, else the failure with stderr's first line as its diagnostic.
    pub fn ok(self) -> Result<Output> {
        if self.success() {
            return Ok(self);
        }
        let stderr = self.stderr_text();
        let first = stderr.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        Err(self.into_error(first.into_iter().collect()))
    }
}

fn status_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

pub(super) fn timeout(what: String, limit: Duration, last_seen: Option<&str>) -> Error {
    Error::Timeout { what, limit_s: limit.as_secs(), last_seen: last_seen.map(str::to_owned), hint: None }
}
