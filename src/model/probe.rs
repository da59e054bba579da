//! What a look at a node's port found.

use std::fmt;

use serde::Serialize;

/// One live probe's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Probe {
    /// `ok`, `refused`, `unreachable`, `timeout`, `identity_mismatch`, `failed`, `not_probed`.
    #[cfg_attr(test, schemars(with = "String"))]
    pub state: ProbeState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub ms: u64,
}

impl Probe {
    pub fn ok(ms: u64) -> Self {
        Self { state: ProbeState::Ok, reason: None, ms }
    }

    pub fn not_probed(reason: impl Into<String>) -> Self {
        Self { state: ProbeState::NotProbed, reason: Some(reason.into()), ms: 0 }
    }

    pub fn is_ok(&self) -> bool {
        self.state == ProbeState::Ok
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    Ok,
    /// The machine is there, and nothing listens.
    Refused,
    Unreachable,
    Timeout,
    /// Something else than the node answers: it shows another host key or certificate.
    IdentityMismatch,
    /// It answers, and says no, or nothing that could be understood.
    Failed,
    NotProbed,
}

impl ProbeState {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::IdentityMismatch => "identity_mismatch",
            Self::Failed => "failed",
            Self::NotProbed => "not_probed",
        }
    }
}

impl fmt::Display for ProbeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_words_that_people_see() {
        use ProbeState as S;
        for state in [S::Ok, S::Refused, S::Unreachable, S::Timeout, S::IdentityMismatch, S::Failed, S::NotProbed] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
