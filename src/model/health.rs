//! What `health` finds: a state for every node and layer, and an issue for everything that is wrong.

use std::collections::BTreeMap;

use serde::Serialize;

use super::whose::Whose;
use super::words::words;
use super::{Holder, Phase};

words! {
    /// The layers of a node, the lowest first: a fault in one layer explains faults in the layers above it.
    #[derive(PartialOrd, Ord)]
    pub enum Layer {
        /// What the hypervisor says of the machine.
        Vm = "vm",
        /// A session on the node, with its own host key.
        Ssh = "ssh",
        /// The node's clock, compared with the clock of this machine.
        Clock = "clock",
        /// Data disks: links, identity, size.
        Disks = "disks",
        /// Free space in the file systems that Exasol fills.
        Space = "space",
        /// systemd units.
        Services = "services",
        /// The container's SSH server.
        Cos = "cos",
        /// The stage that c4 shows for the node.
        Cluster = "cluster",
        /// A login from here.
        Sql = "sql",
        /// The certificate that the node shows, compared with the recorded one.
        Certificate = "certificate",
        /// The deployment directory: recorded phase and rendered files.
        Record = "record",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It works, but needs attention.
    Warning,
    Error,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Issue {
    /// Stable, for programs: `disk_missing`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Null: the issue concerns the whole deployment.
    pub node: Option<String>,
    pub layer: Layer,
    pub severity: Severity,
    /// The node whose error explains this one; absent for a cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows_from: Option<String>,
    pub detail: String,
    /// What to do, in words.
    pub hint: String,
    /// A command that fixes the problem or shows more about it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

words! {
    /// What is known of one layer of a node.
    pub enum LayerState {
        Ok = "ok",
        Warning = "warning",
        Error = "error",
        /// Not checked: a layer below it does not work, or nothing could be asked.
        Unknown = "unknown",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeHealth {
    pub name: String,
    /// Every layer but [`Layer::Record`].
    pub layers: BTreeMap<Layer, LayerState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// No error among the issues.
    Healthy,
    Problems,
}

/// `health`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthReport {
    pub status: HealthStatus,
    #[serde(flatten)]
    pub whose: Whose,
    pub phase: Phase,
    pub rehearsal: bool,
    pub nodes: Vec<NodeHealth>,
    pub issue_count: usize,
    pub issues: Vec<Issue>,
    /// What `--repair` has fixed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repaired: Vec<String>,
    /// What runs now, and may explain what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Holder>,
    pub next: Vec<String>,
    pub checked_in_ms: u64,
}

impl HealthReport {
    pub fn is_healthy(&self) -> bool {
        self.works_up_to(Layer::Record)
    }

    /// Whether nothing is broken in a layer and those below it.
    pub fn works_up_to(&self, layer: Layer) -> bool {
        !self.issues.iter().any(|issue| issue.severity == Severity::Error && issue.layer <= layer)
    }
}
