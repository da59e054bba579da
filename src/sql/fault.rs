use std::time::Duration;

use super::Endpoint;
use crate::error::Error;
use crate::model::{Probe, ProbeState};

/// What can go wrong between us and a server: once, whatever becomes of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The machine is there, nothing listens on the port.
    Refused,
    /// No such name, no route, no machine.
    Unreachable(String),
    Timeout {
        step: &'static str,
        limit: Duration,
    },
    /// Another certificate than the pinned one.
    OtherCertificate {
        expected: String,
        found: String,
    },
    /// The server understood, and said no.
    Answered {
        code: String,
        text: String,
    },
    /// The connection broke, or what came is not of this protocol.
    Broken(String),
}

impl Fault {
    /// As the failure of connecting and logging in.
    pub(super) fn of_login(self, endpoint: &Endpoint) -> Error {
        match self {
            Fault::Answered { code, text } => {
                let cause = format!("[{code}] {text}");
                Error::SqlConnection { host: endpoint.to_string(), cause, code: Some(code), hint: None }
            }
            other => other.of_connection("SQL login", endpoint),
        }
    }

    /// As the failure of a statement in a session.
    pub(super) fn of_statement(self, endpoint: &Endpoint) -> Error {
        match self {
            Fault::Answered { code, text } => Error::SqlStatement { code, text },
            other => other.of_connection("SQL statement", endpoint),
        }
    }

    /// As a live probe's answer after `ms` milliseconds.
    pub(super) fn into_probe(self, ms: u64) -> Probe {
        let (state, reason) = match self {
            Fault::Refused => (ProbeState::Refused, "nothing listens on the SQL port".to_owned()),
            Fault::Unreachable(cause) => (ProbeState::Unreachable, cause),
            Fault::Timeout { step, .. } => (ProbeState::Timeout, format!("waiting for {step}")),
            Fault::OtherCertificate { found, .. } => (ProbeState::IdentityMismatch, format!("certificate {found}")),
            Fault::Answered { code, text } => (ProbeState::Failed, format!("[{code}] {text}")),
            Fault::Broken(cause) => (ProbeState::Failed, cause),
        };
        Probe { state, reason: Some(reason), ms }
    }

    fn of_connection(self, what: &str, endpoint: &Endpoint) -> Error {
        let host = endpoint.to_string();
        let cause = match self {
            Fault::OtherCertificate { expected, found } => {
                return Error::Fingerprint { host, expected, found, hint: None };
            }
            Fault::Timeout { step, limit } => {
                return Error::Timeout {
                    what: format!("{what} on {host}"),
                    limit_s: limit.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX),
                    last_seen: Some(format!("waiting for {step}")),
                    hint: None,
                };
            }
            Fault::Refused => "connection refused, nothing listens on this port".to_owned(),
            Fault::Unreachable(cause) | Fault::Broken(cause) => cause,
            Fault::Answered { code, text } => format!("[{code}] {text}"),
        };
        Error::SqlConnection { host, cause, code: None, hint: None }
    }
}

/// From `connect(2)` and from the resolver, which reports failures as errors without a kind.
impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::ConnectionRefused => Fault::Refused,
            _ => Fault::Unreachable(error.to_string()),
        }
    }
}
