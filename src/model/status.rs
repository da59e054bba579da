//! What `status` and `list` call a deployment's state: one word.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Phase;

/// The recorded phase, or what is true instead of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Phase(Phase),
    /// An operation was begun, and nothing works on it any more.
    Interrupted,
    /// A part of a cluster that was ready does not work.
    Degraded,
    /// No node of a cluster that was ready answers.
    Unreachable,
    /// `list`: there is no deployment in the directory any more.
    Missing,
    /// `list`: what is there cannot be read.
    Broken,
    /// `list`: nobody has answered in time.
    Unknown,
}

impl Status {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Phase(phase) => phase.as_str(),
            Status::Interrupted => "interrupted",
            Status::Degraded => "degraded",
            Status::Unreachable => "unreachable",
            Status::Missing => "missing",
            Status::Broken => "broken",
            Status::Unknown => "unknown",
        }
    }
}

impl From<Phase> for Status {
    fn from(phase: Phase) -> Self {
        Status::Phase(phase)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
