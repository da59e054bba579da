//! What `status` answers.

use std::path::PathBuf;

use serde::Serialize;

use super::whose::Whose;
use super::{Holder, LastError, NodeSize, Phase, Power, Probe, Status, shown_path};

/// `status`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusReport {
    /// The phase, `interrupted`, or what the probes have shown.
    #[cfg_attr(test, schemars(with = "String"))]
    pub status: Status,
    pub phase: Phase,
    /// When the phase and the other recorded facts were written; RFC 3339, UTC.
    pub recorded_at: String,
    pub reason: String,
    #[serde(flatten)]
    pub whose: Whose,
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    pub provider: String,
    pub db_version: String,
    pub rehearsal: bool,
    pub cluster_size: u32,
    /// What one node has; absent for a machine type that the catalogue does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_size: Option<NodeSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Who may reach SSH, SQL and the Admin UI. Empty: everybody.
    pub allowed_cidrs: Vec<String>,
    pub nodes: Vec<NodeStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Holder>,
    /// Where the operation that runs is, or where the last one was when it ended badly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepAt>,
    /// When the last operation ended, or was heard of last; RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// When the cluster was last seen to work: by `deploy`, `start` or `health`; RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good: Option<String>,
    /// `init --update` has changed something that no deploy has applied yet.
    pub update_pending: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// Commands to run next.
    pub next: Vec<String>,
    /// What each of them does.
    #[serde(skip)]
    pub next_does: Vec<&'static str>,
    pub checked_in_ms: u64,
}

impl StatusReport {
    /// Whether a first deploy failed before it had made anything.
    pub fn has_tried(&self) -> bool {
        self.status == Status::Phase(Phase::Initialized) && self.last_error.is_some()
    }
}

/// A step of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepAt {
    pub id: String,
    /// For people: "install Exasol".
    pub title: String,
    /// From 1.
    pub number: usize,
    pub of: usize,
    /// RFC 3339, UTC.
    pub since: String,
}

impl StatusReport {
    /// What it says, without how long it took: equal reports tell the same.
    pub fn without_times(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value["checked_in_ms"] = 0.into();
        for node in value["nodes"].as_array_mut().into_iter().flatten() {
            for probe in ["ssh", "sql"] {
                node[probe]["ms"] = 0.into();
            }
        }
        value
    }
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeStatus {
    pub name: String,
    pub vm: Power,
    /// Why the state of the machine is not known, or why the machine runs but cannot be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vm_reason: Option<String>,
    pub private_ip: Option<String>,
    pub public_ip: Option<String>,
    /// The machine's address, if the hypervisor knows only another one than the recorded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_now: Option<String>,
    pub ssh: Probe,
    pub sql: Probe,
}
