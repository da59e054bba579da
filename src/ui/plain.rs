//! Progress as plain lines, for pipes, CI logs and terminals that cannot do more: one line a step, when it is finished,
//! with its details indented above it. A step that says nothing for a minute gets a sign of life.
//!
//! Nothing moves the cursor.

use std::time::Duration;

use crate::events::{Event, ItemState, StepOutcome, Unit, runs_terraform};
use crate::model::{Check, CheckStatus, advice};

use super::page::Page;
use super::sanitize::{clean, clean_output};
use super::story::Story;
use super::style::{Paint, Tone, count, elapsed, size, span};

/// Indentation of what belongs to a step.
const DETAIL: &str = "      ";
/// A line for each further quarter of a long transfer: enough to see that it moves.
const PARTS: u64 = 4;
/// CI systems end jobs that print nothing for some minutes.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// Warnings only.
    Quiet,
    Normal,
    /// Also what was done within a step: the system folds the lines of a step.
    Folded,
    /// Also what started, what was skipped and what was fine.
    Verbose,
}

/// Turns events into lines. Pure: remembers only what later lines need.
pub(super) struct Lines {
    detail: Detail,
    colors: bool,
    pub story: Story,
    /// The step that transfers something, and the part of it that was told last.
    told: Option<(&'static str, u64)>,
    /// When the last line was told.
    told_at: Duration,
}

impl Lines {
    pub fn new(detail: Detail, colors: bool) -> Self {
        Self { detail, colors, story: Story::default(), told: None, told_at: Duration::ZERO }
    }

    /// The line for an event, if it gets one. Warnings get none here: they are shown in one place for all forms.
    pub fn line(&mut self, event: &Event, now: Duration) -> Option<String> {
        self.story.take(event, now);
        if self.detail == Detail::Quiet {
            return None;
        }
        let line = self.of_event(event);
        if line.is_some() || matches!(event, Event::StepStarted { .. }) {
            self.told_at = now;
        }
        line
    }

    /// A sign of life of a step that has told nothing for a minute.
    pub fn heartbeat(&mut self, now: Duration) -> Option<String> {
        let running = self.story.running()?;
        if self.detail == Detail::Quiet || now.saturating_sub(self.told_at) < HEARTBEAT {
            return None;
        }
        self.told_at = now;
        let waits = running.waits_for().map(|what| format!("; {}", clean_output(&what))).unwrap_or_default();
        let title = self.story.title(running.step);
        Some(format!("{DETAIL}still: {title}, {}{waits}\n", span(running.lasts(now))))
    }

    fn of_event(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::OperationStarted { operation, name, directory, steps, .. } => {
                let place = if self.is_verbose() { format!(" in {}", clean(directory)) } else { String::new() };
                let steps = count(steps.len(), "step");
                Some(format!("{operation} {}{place}: {steps}\n", clean(name)))
            }
            Event::StepStarted { step } => self.is_verbose().then(|| format!("{} …\n", self.step(step))),
            Event::StepDetail { message, .. } => Some(indented(message)),
            Event::StepWaiting { message, .. } => self.is_verbose().then(|| indented(message)),
            Event::StepProgress { step, done, total, unit } => self.progress(step, *done, (*total)?, *unit),
            Event::StepFinished { step, outcome, elapsed_ms, detail } => {
                Some(self.finished(step, *outcome, *elapsed_ms, detail.as_deref()))
            }
            Event::Resource { action, address, state, elapsed_ms } => {
                self.item(&format!("{address}: {action}"), *state, None, *elapsed_ms)
            }
            Event::Task { name, node, state, message, elapsed_ms } => {
                self.item(&format!("{node}: {name}"), *state, message.as_deref(), *elapsed_ms)
            }
            Event::MachineDead { node, line, .. } => Some(indented(&format!("{node}'s console: {line}"))),
            Event::MachineReset { why, attempt, limit, .. } => {
                Some(indented(&format!("{why}: resetting it ({attempt} of {limit})")))
            }
            Event::Check(check) => self.is_verbose().then(|| self.check(check)),
            Event::Stopping { level, .. } => Some(format!("{}\n", stopping(&self.story, *level))),
            Event::Warning { .. } | Event::UsualTimes { .. } | Event::NodeWaiting { .. } => None,
            Event::OperationFinished { operation, ok, elapsed_ms, .. } => {
                let (tone, how) = match ok {
                    // The result tells it.
                    true if !self.is_verbose() => return None,
                    true => (Tone::Good, "finished in"),
                    false if self.story.stopping => (Tone::Warning, "stopped after"),
                    false => (Tone::Bad, "failed after"),
                };
                Some(format!("{operation} {} {}\n", self.paint(tone, how), elapsed(*elapsed_ms)))
            }
        }
    }

    fn is_verbose(&self) -> bool {
        self.detail == Detail::Verbose
    }

    fn paint(&self, tone: Tone, text: &str) -> String {
        Paint::new(self.colors).paint(tone, text)
    }

    /// `[3/9] create machines`
    pub fn step(&self, id: &str) -> String {
        let steps = &self.story.steps;
        let total = steps.len();
        match steps.iter().position(|step| step.info.id == id) {
            Some(index) => {
                let width = total.to_string().len();
                let number = self.paint(Tone::Strong, &format!("[{:width$}/{total}]", index + 1));
                format!("{number} {}", steps[index].info.title)
            }
            None => id.to_owned(),
        }
    }

    fn finished(&mut self, step: &str, outcome: StepOutcome, elapsed_ms: u64, detail: Option<&str>) -> String {
        self.told = None;
        let took = elapsed(elapsed_ms);
        let how = match outcome {
            StepOutcome::Done => took,
            StepOutcome::Unchanged => "unchanged".to_owned(),
            StepOutcome::Failed => format!("{} after {took}", self.paint(Tone::Bad, "failed")),
            StepOutcome::Stopped => format!("{} after {took}", self.paint(Tone::Warning, "stopped")),
        };
        // A failure's reason is the error that is shown at the end.
        let detail = detail.filter(|_| outcome != StepOutcome::Failed);
        let detail = detail.map(|detail| format!(" ({})", clean(detail))).unwrap_or_default();
        format!("{} … {how}{detail}\n", self.step(step))
    }

    fn progress(&mut self, step: &'static str, done: u64, total: u64, unit: Unit) -> Option<String> {
        if unit != Unit::Bytes {
            return None;
        }
        // In u128: bytes times parts could overflow.
        let part = u64::try_from(u128::from(done) * u128::from(PARTS) / u128::from(total.max(1))).ok()?;
        let before = self.told.filter(|(of, _)| *of == step).map_or(0, |(_, part)| part);
        if part <= before || part >= PARTS {
            return None;
        }
        self.told = Some((step, part));
        let percent = part * 100 / PARTS;
        Some(format!("{DETAIL}{} of {} ({percent}%)\n", size(done), size(total)))
    }

    fn item(&self, what: &str, state: ItemState, message: Option<&str>, elapsed_ms: Option<u64>) -> Option<String> {
        let (shown_from, word) = match state {
            ItemState::Started => (Detail::Verbose, "started"),
            ItemState::Running => (Detail::Verbose, "running"),
            ItemState::Skipped => (Detail::Verbose, "skipped"),
            ItemState::Done => (Detail::Folded, "done"),
            ItemState::Changed => (Detail::Folded, "changed"),
            ItemState::Failed => (Detail::Normal, "failed"),
        };
        if self.detail < shown_from {
            return None;
        }
        let failed = state == ItemState::Failed;
        let word = if failed { self.paint(Tone::Bad, word) } else { word.to_owned() };
        let took = elapsed_ms.map(|ms| format!(" {}", elapsed(ms))).unwrap_or_default();
        let mut text = format!("{DETAIL}{} … {word}{took}\n", clean(what));
        if let Some(message) = message.filter(|_| failed || self.is_verbose()) {
            text.extend(message.lines().map(|line| format!("{DETAIL}  {}\n", clean_output(line))));
        }
        Some(text)
    }

    fn check(&self, check: &Check) -> String {
        let mut page = Page::new(self.colors);
        page.check(check);
        page.into_text()
    }
}

/// A check's warning, and below it the commands that fix the cause.
pub(super) fn check_warning(check: &Check) -> Option<String> {
    let advised = check.fix.iter().map(|line| advice(line));
    let fix: String = advised.map(|(label, line)| format!("\n{label} {line}")).collect();
    (check.status == CheckStatus::Warning).then(|| format!("{}{fix}", check.finding()))
}

/// What happens after a signal: the first lets everything end in order.
pub(super) fn stopping(story: &Story, level: u32) -> String {
    let step = story.running().map_or("", |running| running.step);
    match level {
        0 | 1 if runs_terraform(step) => {
            "Stopping: Terraform finishes what it has begun (Ctrl-C again to hurry it)".to_owned()
        }
        0 | 1 => "Stopping: the running step ends in order (Ctrl-C again to hurry it)".to_owned(),
        2 => "Stopping at once (Ctrl-C again to kill what still runs)".to_owned(),
        _ => "Killing what still runs".to_owned(),
    }
}

fn indented(message: &str) -> String {
    message.lines().map(|line| format!("{DETAIL}{}\n", clean_output(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample_events;
    use super::*;

    fn told(detail: Detail, events: impl IntoIterator<Item = Event>) -> String {
        let mut lines = Lines::new(detail, false);
        events.into_iter().filter_map(|event| lines.line(&event, Duration::ZERO)).collect()
    }

    #[test]
    fn a_deploy_in_plain_lines() {
        insta::assert_snapshot!(told(Detail::Normal, sample_events::deploy_events()));
    }

    #[test]
    fn a_deploy_with_every_transition() {
        insta::assert_snapshot!(told(Detail::Verbose, sample_events::deploy_events()));
    }

    #[test]
    fn quiet_tells_nothing_but_warnings() {
        assert_eq!(told(Detail::Quiet, sample_events::deploy_events()), "");
    }

    fn finished(step: &'static str, outcome: StepOutcome) -> Event {
        Event::StepFinished { step, outcome, elapsed_ms: 4_000, detail: None }
    }

    #[test]
    fn numbers_are_aligned_from_ten_steps_on() {
        let steps = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let started = sample_events::started(steps.map(|id| (id, "work")).to_vec());
        let text = told(Detail::Normal, [started, finished("a", StepOutcome::Done), finished("j", StepOutcome::Done)]);
        assert_eq!(text, "deploy demo: 10 steps\n[ 1/10] work … 4.0s\n[10/10] work … 4.0s\n");
    }

    #[test]
    fn a_silent_step_gives_a_sign_of_life_each_minute() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut lines = Lines::new(Detail::Normal, false);
        let waiting = Event::NodeWaiting {
            node: "n12".into(),
            address: None,
            waits_for: "waiting for an address".into(),
            console: None,
        };
        let events =
            [sample_events::started(vec![("boot", "wait for the nodes to boot")]), Event::StepStarted { step: "boot" }];
        events.iter().chain([&waiting]).for_each(|event| drop(lines.line(event, Duration::ZERO)));
        assert_eq!(lines.heartbeat(minutes(1) - Duration::from_secs(1)), None);
        let beat = lines.heartbeat(minutes(1)).unwrap();
        assert_eq!(beat, "      still: wait for the nodes to boot, 1m 00s; n12: waiting for an address\n");
        assert_eq!(lines.heartbeat(minutes(1) + Duration::from_secs(59)), None);
        assert!(lines.heartbeat(minutes(2)).is_some());
        lines.line(&finished("boot", StepOutcome::Done), minutes(3));
        assert_eq!(lines.heartbeat(minutes(9)), None, "nothing runs");
    }

    #[test]
    fn a_signal_is_answered_at_once_and_a_stopped_operation_has_not_failed() {
        let finished = sample_events::ended(StepOutcome::Stopped, 9_000);
        let stopped = |step: &'static str| {
            let start = [sample_events::started(vec![(step, "work")]), Event::StepStarted { step }];
            let end =
                [Event::Stopping { signal: 2, level: 1 }, self::finished(step, StepOutcome::Stopped), finished.clone()];
            told(Detail::Normal, start.into_iter().chain(end))
        };
        insta::assert_snapshot!(stopped("apply"), @r"
        deploy demo: 1 step
        Stopping: Terraform finishes what it has begun (Ctrl-C again to hurry it)
        [1/1] work … stopped after 4.0s
        deploy stopped after 9.0s
        ");
        assert!(stopped("boot").contains("the running step ends in order"));
    }

    #[test]
    fn a_dead_machine_and_its_reset_are_told_with_the_console_s_line() {
        let line = "Kernel panic - not syncing: Fatal exception in interrupt";
        let events = [
            Event::MachineDead { node: "n11".into(), reason: "kernel_panic", line: line.into() },
            Event::MachineReset {
                node: "n11".into(),
                reason: "kernel_panic",
                why: format!("n11's kernel panicked: {line}"),
                attempt: 1,
                limit: 2,
            },
        ];
        insta::assert_snapshot!(told(Detail::Normal, events), @r"
              n11's console: Kernel panic - not syncing: Fatal exception in interrupt
              n11's kernel panicked: Kernel panic - not syncing: Fatal exception in interrupt: resetting it (1 of 2)
        ");
    }

    #[test]
    fn a_transfer_is_told_in_quarters() {
        let progress = |done| Event::StepProgress { step: "image", done, total: Some(400 << 20), unit: Unit::Bytes };
        let text = told(Detail::Normal, (0..=400).map(|mib| progress(mib << 20)));
        insta::assert_snapshot!(text, @r"
              100.0 MiB of 400.0 MiB (25%)
              200.0 MiB of 400.0 MiB (50%)
              300.0 MiB of 400.0 MiB (75%)
        ");
    }

    #[test]
    fn a_message_from_a_node_cannot_act_on_the_terminal() {
        let text =
            told(Detail::Normal, [Event::StepDetail { step: "x", message: "hi\u{1b}]0;t\u{7}\r\nthere".into() }]);
        assert_eq!(text, "      hi\\u{1b}]0;t\\u{7}\n      there\n");
    }
}
