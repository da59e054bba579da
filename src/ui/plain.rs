//! Progress as plain lines: one for each transition, details indented below their step.
//!
//! The same on a terminal and in a CI log: nothing moves the cursor.

use crate::events::{Event, ItemState, StepInfo, StepOutcome, Unit};
use crate::model::{Check, CheckStatus};

use super::page::Page;
use super::sanitize::{clean, clean_output};
use super::style::{Paint, Tone, count, elapsed, size};

/// Indentation of what belongs to a step.
const DETAIL: &str = "      ";
/// A line for each further quarter of a long transfer: enough to see that it moves.
const PARTS: u64 = 4;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// Warnings only.
    Quiet,
    Normal,
    /// Also what started, what was skipped and what was fine.
    Verbose,
}

/// Turns events into lines. Pure: remembers only what later lines need.
pub(super) struct Lines {
    detail: Detail,
    colors: bool,
    steps: Vec<StepInfo>,
    /// The step that transfers something, and the part of it that was told last.
    told: Option<(&'static str, u64)>,
}

impl Lines {
    pub fn new(detail: Detail, colors: bool) -> Self {
        Self { detail, colors, steps: Vec::new(), told: None }
    }

    /// The line for an event, if it gets one. Warnings get none here: they are shown in one place for all forms.
    pub fn line(&mut self, event: &Event) -> Option<String> {
        if self.detail == Detail::Quiet {
            return None;
        }
        match event {
            Event::OperationStarted { operation, deployment, directory, steps } => {
                self.steps.clone_from(steps);
                let place = if self.is_verbose() { format!(" in {}", clean(directory)) } else { String::new() };
                let steps = count(steps.len(), "step");
                Some(format!("{operation} {}{place}: {steps}\n", clean(deployment)))
            }
            Event::StepStarted { step } => Some(format!("{} …\n", self.step(step))),
            Event::StepDetail { message, .. } => Some(indented(message)),
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
            Event::Warning { .. } => None,
            Event::OperationFinished { operation, ok, elapsed_ms } => {
                let (tone, how) = if *ok { (Tone::Good, "finished in") } else { (Tone::Bad, "failed after") };
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
    fn step(&self, id: &str) -> String {
        let total = self.steps.len();
        match self.steps.iter().position(|step| step.id == id) {
            Some(index) => {
                let width = total.to_string().len();
                let number = self.paint(Tone::Strong, &format!("[{:width$}/{total}]", index + 1));
                format!("{number} {}", self.steps[index].title)
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
        };
        let detail = detail.map(|detail| format!(" ({})", clean(detail))).unwrap_or_default();
        format!("{} … {how}{detail}\n", self.step(step))
    }

    fn progress(&mut self, step: &'static str, done: u64, total: u64, unit: Unit) -> Option<String> {
        // In u128: bytes times parts could overflow.
        let part = u64::try_from(u128::from(done) * u128::from(PARTS) / u128::from(total.max(1))).ok()?;
        let before = self.told.filter(|(of, _)| *of == step).map_or(0, |(_, part)| part);
        if part <= before || part >= PARTS {
            return None;
        }
        self.told = Some((step, part));
        let percent = part * 100 / PARTS;
        Some(match unit {
            Unit::Bytes => format!("{DETAIL}{} of {} ({percent}%)\n", size(done), size(total)),
        })
    }

    fn item(&self, what: &str, state: ItemState, message: Option<&str>, elapsed_ms: Option<u64>) -> Option<String> {
        let (shown_from, word) = match state {
            ItemState::Started => (Detail::Verbose, "started"),
            ItemState::Running => (Detail::Verbose, "running"),
            ItemState::Skipped => (Detail::Verbose, "skipped"),
            ItemState::Done => (Detail::Normal, "done"),
            ItemState::Changed => (Detail::Normal, "changed"),
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
    let mend: String = check.fix.iter().map(|command| format!("\nmend: {command}")).collect();
    (check.status == CheckStatus::Warning).then(|| format!("{}: {}{mend}", check.title, check.detail))
}

fn indented(message: &str) -> String {
    message.lines().map(|line| format!("{DETAIL}{}\n", clean_output(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn told(detail: Detail, events: impl IntoIterator<Item = Event>) -> String {
        let mut lines = Lines::new(detail, false);
        events.into_iter().filter_map(|event| lines.line(&event)).collect()
    }

    #[test]
    fn a_deploy_in_plain_lines() {
        insta::assert_snapshot!(told(Detail::Normal, samples::deploy_events()));
    }

    #[test]
    fn a_deploy_with_every_transition() {
        insta::assert_snapshot!(told(Detail::Verbose, samples::deploy_events()));
    }

    #[test]
    fn quiet_tells_nothing_but_warnings() {
        assert_eq!(told(Detail::Quiet, samples::deploy_events()), "");
    }

    #[test]
    fn numbers_are_aligned_from_ten_steps_on() {
        let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let steps = ids.map(|id| StepInfo { id, title: "work" }).into();
        let started = Event::OperationStarted {
            operation: crate::model::Operation::Destroy,
            deployment: "exasol-0001abff".into(),
            directory: "/d".into(),
            steps,
        };
        let text = told(Detail::Normal, [started, Event::StepStarted { step: "a" }, Event::StepStarted { step: "j" }]);
        assert_eq!(text, "destroy exasol-0001abff: 10 steps\n[ 1/10] work …\n[10/10] work …\n");
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
