//! What an operation's tools and machines have printed, as `logs` hands it over.

use serde::Serialize;
use serde_json::Value;

use super::words::words;

/// Which of an operation's files a line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// Our own events.
    Events,
    Terraform,
    Ansible,
    /// A machine's serial console.
    Console,
}

/// A line of a log, with what is known of its place among the others.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    pub source: LogSource,
    /// RFC 3339, UTC. None where the line has no time of its own and stands where it belongs.
    pub at: Option<String>,
    pub step: Option<String>,
    pub node: Option<String>,
    /// The line itself, as it is stored.
    pub content: LogContent,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum LogContent {
    Object(Value),
    Text(String),
}

/// `logs --list`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogList {
    pub deployment: String,
    /// The oldest first.
    pub operations: Vec<LoggedOperation>,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoggedOperation {
    /// The value for `--operation`, and the name of the folder in `logs/`.
    pub name: String,
    pub operation: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// `done`, `failed`, `stopped` (a signal ended it), `running`, or `interrupted` if the operation ended without
    /// recording a result.
    #[cfg_attr(test, schemars(with = "String"))]
    pub outcome: LoggedOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
}

words! {
    pub enum LoggedOutcome {
        Done = "done",
        Failed = "failed",
        /// A signal ended it.
        Stopped = "stopped",
        Running = "running",
        /// The operation has ended without writing its end.
        Interrupted = "interrupted",
    }
}
