//! What operations tell while they work: one enum, read by the operation's log file and by whatever shows
//! the work to people and programs.
//!
//! Belongs here: the events, and the queue in which they wait for the screen. Does not belong here: how
//! an event looks, and where a log file is.

mod pace;
mod sink;

use serde::{Deserialize, Serialize};

use crate::model::{ChangeAction, Check, Operation};

pub use pace::Pace;
pub use sink::{EventSink, Events, Waiting};

/// An event with the moment at which it was emitted.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stamped {
    /// RFC 3339, UTC, milliseconds.
    pub at: String,
    #[serde(flatten)]
    pub event: Event,
}

impl Stamped {
    pub fn now(event: Event) -> Self {
        Self { at: format!("{:.3}", jiff::Timestamp::now()), event }
    }
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An operation has begun. Its steps are listed in advance.
    OperationStarted {
        operation: Operation,
        /// Its id.
        deployment: String,
        /// The name that people know the deployment by.
        name: String,
        directory: String,
        provider: String,
        nodes: u32,
        db_version: String,
        rehearsal: bool,
        steps: Vec<StepInfo>,
    },
    /// How long this operation and its steps usually take. It comes soon after the beginning, and only where that is
    /// known.
    UsualTimes {
        source: TimesSource,
        /// All steps together.
        total_ms: u64,
        /// Steps that usually have nothing to do are not listed.
        steps: Vec<StepTime>,
    },
    /// A signal asks the operation to end.
    Stopping {
        signal: i32,
        /// How urgent it is. 1: end in order. 2: end at once. 3: kill.
        level: u32,
    },
    StepStarted {
        step: &'static str,
    },
    /// Something within the running step: "n11 has the address 192.168.122.7".
    StepDetail {
        step: &'static str,
        message: String,
    },
    /// What the running step waits for, in words: "35 s: n11 has an address, SSH does not answer yet".
    StepWaiting {
        step: &'static str,
        message: String,
    },
    /// The progress of the running step, if it can be measured.
    StepProgress {
        step: &'static str,
        done: u64,
        total: Option<u64>,
        unit: Unit,
    },
    StepFinished {
        step: &'static str,
        outcome: StepOutcome,
        elapsed_ms: u64,
        /// A fact worth a line; of a step that failed, the error.
        detail: Option<String>,
    },
    /// A Terraform resource's change of state.
    Resource {
        #[cfg_attr(test, schemars(with = "String"))]
        action: ChangeAction,
        address: String,
        state: ItemState,
        elapsed_ms: Option<u64>,
    },
    /// An Ansible task's result on a node.
    Task {
        name: String,
        node: String,
        state: ItemState,
        message: Option<String>,
        elapsed_ms: Option<u64>,
    },
    /// What a node that boots is waited for now. Told when it changes, about once a second.
    NodeWaiting {
        node: String,
        address: Option<String>,
        /// For people: "waiting for an address".
        waits_for: String,
        /// The last line on its console.
        console: Option<String>,
    },
    /// A machine's console shows that the machine cannot boot.
    MachineDead {
        node: String,
        /// `kernel_panic`, `no_boot_device`, …: as in the error `machine_dead`.
        reason: &'static str,
        /// The line of the console that shows why.
        line: String,
    },
    /// A dead machine is cut off and switched on again.
    MachineReset {
        node: String,
        reason: &'static str,
        /// For people: "n11's kernel panicked: …".
        why: String,
        /// From 1.
        attempt: u32,
        /// After this many attempts the machine is given up.
        limit: u32,
    },
    /// A preflight check's result.
    Check(Check),
    /// A warning: the operation continues.
    Warning {
        message: String,
    },
    OperationFinished {
        operation: Operation,
        ok: bool,
        /// It did not fail: a signal ended it, or a question was answered with a no.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stopped: bool,
        elapsed_ms: u64,
        /// Why it failed, where it was in none of its steps.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

impl Event {
    /// Whether it begins or ends something that others belong to. There are only a few of these.
    pub(crate) fn is_landmark(&self) -> bool {
        matches!(
            self,
            Event::OperationStarted { .. }
                | Event::StepStarted { .. }
                | Event::StepFinished { .. }
                | Event::OperationFinished { .. }
                | Event::Stopping { .. }
        )
    }
}

/// Whether Terraform works on machines in this step, whatever the provider.
pub fn runs_terraform(step: &str) -> bool {
    ["plan", "apply", "terraform_destroy"].contains(&step)
}

/// A numbered step of an operation.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepInfo {
    /// Stable name: `terraform_apply`.
    pub id: &'static str,
    /// For people: "create machines".
    pub title: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    Done,
    /// Nothing to do: an earlier run has done it.
    Unchanged,
    Failed,
    /// A signal ended it.
    Stopped,
}

/// Where a usual time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TimesSource {
    /// The median of this user's earlier operations of the same kind.
    Earlier,
    /// Measured by the authors, see docs/performance.md.
    Measured,
}

/// A step's usual time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepTime {
    pub step: String,
    pub ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    Started,
    Running,
    Done,
    Changed,
    Skipped,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Bytes,
    /// Things that Terraform creates, changes or removes.
    Resources,
}
