//! What a look at a node's port found.

use serde::Serialize;

use super::words::words;

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

words! {
    pub enum ProbeState {
        Ok = "ok",
        /// The machine is there, and nothing listens.
        Refused = "refused",
        Unreachable = "unreachable",
        Timeout = "timeout",
        /// Something else than the node answers: it shows another host key or certificate.
        IdentityMismatch = "identity_mismatch",
        /// It answers, and says no, or nothing that could be understood.
        Failed = "failed",
        NotProbed = "not_probed",
    }
}
