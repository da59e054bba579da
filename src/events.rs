//! What operations tell while they work: one enum, four readers (plain lines, bars, JSON lines,
//! the log file). Operations emit owned values and never wait for a reader.

use std::sync::Arc;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::model::{Check, Operation};

/// An event with the moment at which it was emitted.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stamped {
    /// RFC 3339, UTC, milliseconds.
    pub at: String,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An operation began; its steps are known beforehand.
    OperationStarted {
        operation: Operation,
        deployment: String,
        directory: String,
        steps: Vec<StepInfo>,
    },
    StepStarted {
        step: &'static str,
    },
    /// Something within the running step: "n11 has the address 192.168.122.7".
    StepDetail {
        step: &'static str,
        message: String,
    },
    /// A quantity within the running step, for bars.
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
        detail: Option<String>,
    },
    /// A Terraform resource's change of state.
    Resource {
        action: String,
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
    /// A machine's console shows what ends its boot.
    MachineDead {
        node: String,
        /// `kernel_panic`, `no_boot_device`, …: as in the error `machine_dead`.
        reason: &'static str,
        /// The console's telling line.
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
        /// After so many it is given up.
        limit: u32,
    },
    /// A preflight check's result.
    Check(Check),
    /// Something the user should know, which does not stop the operation.
    Warning {
        message: String,
    },
    OperationFinished {
        operation: Operation,
        ok: bool,
        elapsed_ms: u64,
    },
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
}

type Reader = Box<dyn FnMut(&Stamped) + Send>;

/// Where events go. Cheap to clone; readers are added before the work begins (the screen) or
/// when an operation has its log folder.
#[derive(Clone, Default)]
pub struct EventSink {
    readers: Arc<Mutex<Vec<Reader>>>,
}

impl EventSink {
    /// A sink that nobody reads, for tests and for commands without progress.
    pub fn silent() -> Self {
        Self::default()
    }

    pub fn add_reader(&self, reader: impl FnMut(&Stamped) + Send + 'static) {
        self.lock().push(Box::new(reader));
    }

    pub fn emit(&self, event: Event) {
        let stamped = Stamped { at: now(), event };
        for reader in self.lock().iter_mut() {
            reader(&stamped);
        }
    }

    pub fn warn(&self, message: impl Into<String>) {
        self.emit(Event::Warning { message: message.into() });
    }

    pub fn detail(&self, step: &'static str, message: impl Into<String>) {
        self.emit(Event::StepDetail { step, message: message.into() });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        // A reader that panicked must not take the operation with it.
        self.readers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_object() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = EventSink::silent();
        let copy = seen.clone();
        sink.add_reader(move |e| copy.lock().unwrap().push(serde_json::to_value(e).unwrap()));
        sink.warn("disk is nearly full");
        let events = seen.lock().unwrap();
        assert_eq!(events[0]["event"], "warning");
        assert_eq!(events[0]["message"], "disk is nearly full");
        assert!(events[0]["at"].as_str().unwrap().ends_with('Z'));
    }
}
