//! What the events of an operation have told so far: which steps are done, what runs, and what is waited for. Pure:
//! whoever asks says what time it is.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::events::{Event, ItemState, StepInfo, StepOutcome, Unit};
use crate::model::{ChangeAction, Operation};

/// Between an operation's first and last event.
#[derive(Default)]
pub(super) struct Story {
    pub about: Option<About>,
    pub steps: Vec<Step>,
    /// Since the reader began to look at the clock.
    began: Duration,
    running: Option<Running>,
    /// In bytes. It may go on while another step runs.
    pub transfer: Option<Transfer>,
    pub stopping: bool,
    /// All steps together, where that is known.
    pub usual_total: Option<Duration>,
}

/// What an operation's first event tells of the deployment.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub operation: Operation,
    pub name: String,
    pub directory: String,
    pub provider: String,
    pub nodes: u32,
    pub db_version: String,
    pub rehearsal: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Step {
    pub info: StepInfo,
    pub usual: Option<Duration>,
    pub ended: Option<Ended>,
}

#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub outcome: StepOutcome,
    pub took_ms: u64,
    pub detail: Option<String>,
}

/// The step that runs.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub step: &'static str,
    since: Duration,
    /// By name: what each node is waited for, or does.
    pub nodes: BTreeMap<String, Row>,
    /// How many resources Terraform has dealt with, and how many there are.
    pub resources: (u64, Option<u64>),
    /// The last detail that was told.
    pub said: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub address: Option<String>,
    pub doing: String,
    /// Since when it does that.
    pub since: Duration,
    pub console: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transfer {
    pub step: &'static str,
    pub done: u64,
    pub total: Option<u64>,
}

impl Story {
    pub fn take(&mut self, event: &Event, now: Duration) {
        match event {
            Event::OperationStarted {
                operation,
                name,
                directory,
                provider,
                nodes,
                db_version,
                rehearsal,
                steps,
                ..
            } => {
                let about = About {
                    operation: *operation,
                    name: name.clone(),
                    directory: directory.clone(),
                    provider: provider.clone(),
                    nodes: *nodes,
                    db_version: db_version.clone(),
                    rehearsal: *rehearsal,
                };
                let steps = steps.iter().map(|info| Step { info: info.clone(), usual: None, ended: None }).collect();
                *self = Self { about: Some(about), steps, began: now, ..Self::default() };
            }
            Event::UsualTimes { total_ms, steps, .. } => {
                self.usual_total = Some(Duration::from_millis(*total_ms));
                for time in steps {
                    if let Some(step) = self.steps.iter_mut().find(|step| step.info.id == time.step) {
                        step.usual = Some(Duration::from_millis(time.ms));
                    }
                }
            }
            Event::StepStarted { step } => {
                let (nodes, resources) = (BTreeMap::new(), (0, None));
                self.running = Some(Running { step, since: now, nodes, resources, said: None });
            }
            Event::StepFinished { step, outcome, elapsed_ms, detail } => {
                self.running = None;
                self.transfer = self.transfer.filter(|transfer| transfer.step != *step);
                let ended = Ended { outcome: *outcome, took_ms: *elapsed_ms, detail: detail.clone() };
                if let Some(known) = self.steps.iter_mut().find(|known| known.info.id == *step) {
                    known.ended = Some(ended);
                }
            }
            Event::StepProgress { step, done, total, unit: Unit::Bytes } => {
                let is_done = *total == Some(*done);
                self.transfer = (!is_done).then_some(Transfer { step, done: *done, total: *total });
            }
            Event::Stopping { .. } => self.stopping = true,
            Event::OperationFinished { stopped, .. } => self.stopping |= *stopped,
            _ => self.take_of_step(event, now),
        }
    }

    fn take_of_step(&mut self, event: &Event, now: Duration) {
        let Some(running) = &mut self.running else { return };
        match event {
            Event::StepProgress { total, unit: Unit::Resources, .. } => running.resources.1 = *total,
            Event::StepDetail { message, .. } | Event::StepWaiting { message, .. } => {
                running.said = Some(message.clone())
            }
            Event::Resource { state: ItemState::Done, action, .. } if *action != ChangeAction::Read => {
                running.resources.0 += 1
            }
            Event::Task { name, node, state, .. } => {
                let row = running.nodes.entry(node.clone()).or_default();
                match state {
                    ItemState::Started => (row.doing, row.since) = (name.clone(), now),
                    ItemState::Running => {}
                    ItemState::Failed => row.doing = format!("failed: {name}"),
                    _ if row.doing == *name => (row.doing, row.since) = (String::new(), now),
                    _ => {}
                }
            }
            Event::NodeWaiting { node, address, waits_for, console } => {
                let row = running.nodes.entry(node.clone()).or_default();
                if row.doing != *waits_for {
                    (row.doing, row.since) = (waits_for.clone(), now);
                }
                (row.address, row.console) = (address.clone(), console.clone());
            }
            _ => {}
        }
    }

    pub fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    pub fn title<'a>(&'a self, id: &'a str) -> &'a str {
        self.steps.iter().find(|step| step.info.id == id).map_or(id, |step| step.info.title)
    }

    pub fn has_step(&self, id: &str) -> bool {
        self.steps.iter().any(|step| step.info.id == id)
    }

    pub fn usual(&self, id: &str) -> Option<Duration> {
        self.steps.iter().find(|step| step.info.id == id)?.usual
    }

    pub fn elapsed(&self, now: Duration) -> Duration {
        now.saturating_sub(self.began)
    }

    /// How long it usually takes from here on. None where no time is known, or where this run takes longer than usual:
    /// then nobody can know.
    pub fn left(&self, now: Duration) -> Option<Duration> {
        self.usual_total?;
        let waiting = self.steps.iter().filter(|step| step.ended.is_none());
        let (is_running, runs_for) = match &self.running {
            Some(running) => (Some(running.step), running.lasts(now)),
            None => (None, Duration::ZERO),
        };
        waiting
            .map(|step| match step.usual.unwrap_or_default() {
                usual if is_running == Some(step.info.id) && !usual.is_zero() => usual.checked_sub(runs_for),
                usual => Some(usual),
            })
            .sum()
    }
}

impl Running {
    pub fn lasts(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }

    /// What the running step is waiting for, in one line: the node that has been busy with one thing for longest.
    pub fn waits_for(&self) -> Option<String> {
        let busy = self.nodes.iter().filter(|(_, row)| !row.doing.is_empty() && row.doing != "ready");
        let longest = busy.min_by_key(|(_, row)| row.since).map(|(node, row)| format!("{node}: {}", row.doing));
        longest.or_else(|| self.said.clone())
    }

    /// The last thing that a console has said, of the node that is waited for longest.
    pub fn console(&self) -> Option<&str> {
        let speaking = self.nodes.values().filter(|row| row.doing != "ready" && row.console.is_some());
        speaking.min_by_key(|row| row.since)?.console.as_deref()
    }
}
