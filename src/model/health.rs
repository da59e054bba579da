//! What `health` finds: a state for every node and layer, and an issue for everything that is wrong.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Holder, Phase};

/// What is looked at, from the ground up: a fault in one explains those in the layers above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// What the hypervisor says of the machine.
    Vm,
    /// A session on the node, with its own host key.
    Ssh,
    /// The node's clock against this machine's.
    Clock,
    /// Data disks: links, identity, size.
    Disks,
    /// Free space in the file systems that Exasol fills.
    Space,
    /// systemd units.
    Services,
    /// The container's SSH server.
    Cos,
    /// The stage that c4 tells of the node.
    Cluster,
    /// A login from here.
    Sql,
    /// The certificate that the node shows, against the recorded one.
    Certificate,
    /// The deployment directory: recorded phase and rendered files.
    Record,
}

impl Layer {
    pub const ALL: [Layer; 11] = [
        Layer::Vm,
        Layer::Ssh,
        Layer::Clock,
        Layer::Disks,
        Layer::Space,
        Layer::Services,
        Layer::Cos,
        Layer::Cluster,
        Layer::Sql,
        Layer::Certificate,
        Layer::Record,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Vm => "vm",
            Layer::Ssh => "ssh",
            Layer::Clock => "clock",
            Layer::Disks => "disks",
            Layer::Space => "space",
            Layer::Services => "services",
            Layer::Cos => "cos",
            Layer::Cluster => "cluster",
            Layer::Sql => "sql",
            Layer::Certificate => "certificate",
            Layer::Record => "record",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It works, and should be looked after.
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
    /// None: of the deployment as a whole.
    pub node: Option<String>,
    pub layer: Layer,
    pub severity: Severity,
    pub detail: String,
    /// What to do, in words.
    pub hint: String,
    /// The command among them, where one mends it or looks closer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What is known of one layer of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LayerState {
    Ok,
    Warning,
    Error,
    /// Not looked at: a layer below it does not work, or nobody could be asked.
    Unknown,
}

impl LayerState {
    pub fn as_str(self) -> &'static str {
        match self {
            LayerState::Ok => "ok",
            LayerState::Warning => "warning",
            LayerState::Error => "error",
            LayerState::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeHealth {
    pub name: String,
    /// Every layer but [`Layer::Record`].
    pub layers: BTreeMap<Layer, LayerState>,
}

/// `health`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthReport {
    /// `healthy`: no error among the issues; else `problems`.
    pub status: &'static str,
    pub deployment: String,
    pub phase: Phase,
    pub rehearsal: bool,
    pub nodes: Vec<NodeHealth>,
    pub issue_count: usize,
    pub issues: Vec<Issue>,
    /// What `--repair` has put right.
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
