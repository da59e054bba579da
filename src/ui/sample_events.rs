//! Events with every field in use, for the tests of this folder.

use super::samples::{ID, checks};
use crate::events::{Event, ItemState, StepInfo, StepOutcome, StepTime, TimesSource, Unit};
use crate::model::{ChangeAction, Operation};

/// A deploy's first event.
pub fn started(steps: Vec<(&'static str, &'static str)>) -> Event {
    Event::OperationStarted {
        operation: Operation::Deploy,
        deployment: ID.into(),
        name: "demo".into(),
        directory: "demo".into(),
        provider: "libvirt".into(),
        nodes: 2,
        db_version: "rehearsal".into(),
        rehearsal: true,
        steps: steps.into_iter().map(|(id, title)| StepInfo { id, title }).collect(),
    }
}

/// A deploy's last event.
pub fn ended(outcome: StepOutcome, elapsed_ms: u64) -> Event {
    let (ok, stopped) = (outcome == StepOutcome::Done, outcome == StepOutcome::Stopped);
    Event::OperationFinished { operation: Operation::Deploy, ok, stopped, elapsed_ms, error: None }
}

/// A deploy with every kind of event, and a node whose messages are not to be trusted.
pub fn deploy_events() -> Vec<Event> {
    let resource = |state, elapsed_ms| Event::Resource {
        action: ChangeAction::Create,
        address: "libvirt_domain.node[\"n11\"]".into(),
        state,
        elapsed_ms,
    };
    let task = |state, message: Option<&str>| Event::Task {
        name: "Install packages".into(),
        node: "n11".into(),
        state,
        message: message.map(str::to_owned),
        elapsed_ms: Some(4_100),
    };
    let mut events = vec![started(vec![
        ("preflight", "check the target"),
        ("apply", "create machines"),
        ("image", "upload the image"),
        ("setup", "set up the nodes"),
    ])];
    events.push(Event::UsualTimes {
        source: TimesSource::Earlier,
        total_ms: 95_000,
        steps: vec![StepTime { step: "setup".into(), ms: 50_000 }],
    });
    events.push(Event::StepStarted { step: "preflight" });
    events.extend(checks().into_iter().map(Event::Check));
    events.push(Event::Warning { message: "KVM cannot be used: guests are emulated, which is slow".into() });
    events.push(Event::StepFinished {
        step: "preflight",
        outcome: StepOutcome::Done,
        elapsed_ms: 840,
        detail: Some("4 checks".into()),
    });
    events.push(Event::StepStarted { step: "image" });
    events.push(Event::StepProgress { step: "image", done: 120 << 20, total: Some(200 << 20), unit: Unit::Bytes });
    events.push(Event::StepFinished { step: "image", outcome: StepOutcome::Unchanged, elapsed_ms: 2, detail: None });
    events.push(Event::StepStarted { step: "apply" });
    events.push(Event::StepProgress { step: "apply", done: 0, total: Some(5), unit: Unit::Resources });
    events.push(resource(ItemState::Started, None));
    events.push(resource(ItemState::Running, Some(10_000)));
    events.push(resource(ItemState::Done, Some(11_900)));
    events.push(Event::StepDetail { step: "apply", message: "n11 has the address 192.168.122.71\u{1b}[2J".into() });
    events.push(Event::StepFinished { step: "apply", outcome: StepOutcome::Done, elapsed_ms: 12_345, detail: None });
    events.push(Event::StepStarted { step: "setup" });
    events.push(Event::NodeWaiting {
        node: "n12".into(),
        address: Some("192.168.122.172".into()),
        waits_for: "SSH answers, cloud-init is running".into(),
        console: Some("cloud-init: modules:config".into()),
    });
    events.push(task(ItemState::Started, None));
    events.push(task(ItemState::Skipped, Some("already there")));
    events.push(task(ItemState::Changed, Some("installed parted")));
    events.push(task(ItemState::Failed, Some("E: Unable to locate package parted\nsee the log")));
    events.push(Event::StepFinished {
        step: "setup",
        outcome: StepOutcome::Failed,
        elapsed_ms: 65_000,
        detail: Some("n11: Install packages: E: Unable to locate package parted\nsee the log".into()),
    });
    events.push(ended(StepOutcome::Failed, 81_000));
    events
}

/// The end of a deploy that Ctrl-C has stopped in the boot.
pub fn stopped_events() -> Vec<Event> {
    vec![
        started(vec![("apply", "create the machines"), ("boot", "wait for the nodes to boot")]),
        Event::StepStarted { step: "boot" },
        Event::Stopping { signal: 2, level: 1 },
        Event::StepFinished { step: "boot", outcome: StepOutcome::Stopped, elapsed_ms: 39_000, detail: None },
        ended(StepOutcome::Stopped, 42_000),
    ]
}
