//! Progress on a terminal: finished steps stay, and below them what runs is drawn again each second.
//!
//! Here is what is drawn, as a function of the story, the time and the terminal's size. Each line fits the terminal.

use std::time::Duration;

use console::{measure_text_width, truncate_str};

use crate::events::{Event, StepOutcome};
use crate::model::quote;

use super::plain::stopping;
use super::sanitize::clean_output;
use super::settings::Settings;
use super::story::{Ended, Running, Story};
use super::style::{Paint, Tone, count, elapsed, size, span};

/// Names of steps are not wider than this; longer ones push what comes after them.
const TITLE: usize = 32;
/// Terminals with fewer columns get shorter lines: names of steps are cut, addresses are left out.
const NARROW: usize = 60;
/// Columns of a step's line beside its name: the sign, and the time.
const BESIDE: usize = 4 + 2 + 7;
/// Rows of the terminal that are left to what is above the block.
const ABOVE: usize = 2;
/// A step that takes so many times its usual time says so.
const SLOW: u32 = 2;
/// An operation that took longer rings the bell at its end: people look elsewhere meanwhile.
const BELL: u64 = 60_000;
const BELL_CODE: &str = "\u{7}";

/// Signs that the terminal can show.
struct Signs {
    done: &'static str,
    failed: &'static str,
    stopped: &'static str,
    next: &'static str,
    spinner: &'static [&'static str],
    more: &'static str,
}

static UNICODE: Signs = Signs {
    done: "✓",
    failed: "✗",
    stopped: "■",
    next: "·",
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
    more: "…",
};
static ASCII: Signs =
    Signs { done: "+", failed: "x", stopped: "#", next: ".", spinner: &["|", "/", "-", "\\"], more: "..." };

/// Draws one operation.
pub(super) struct Live {
    story: Story,
    paint: Paint,
    signs: &'static Signs,
    /// What is told before the first line that stays.
    headline_is_due: bool,
}

impl Live {
    pub fn new(settings: Settings) -> Self {
        Self {
            story: Story::default(),
            paint: Paint::new(settings.stderr_colors),
            signs: if settings.unicode { &UNICODE } else { &ASCII },
            headline_is_due: false,
        }
    }

    /// What stays on the screen because of an event, each line not wider than that; None where the event changes only
    /// what is drawn below. Warnings are told elsewhere.
    pub fn take(&mut self, event: &Event, now: Duration, columns: usize) -> Option<String> {
        self.story.take(event, now);
        let text = match event {
            Event::OperationStarted { .. } => {
                self.headline_is_due = true;
                return None;
            }
            Event::StepFinished { step, .. } => {
                let ended = self.story.steps.iter().find(|known| known.info.id == *step)?.ended.clone()?;
                self.finished(step, &ended, columns)
            }
            Event::Stopping { level, .. } => {
                let told = self.paint.paint(Tone::Warning, &self.fit(&stopping(&self.story, *level), columns));
                format!("{told}\n")
            }
            Event::MachineReset { why, attempt, limit, .. } => {
                let told = format!("    ! {why}: resetting it ({attempt} of {limit})");
                format!("{}\n", self.paint.paint(Tone::Warning, &self.fit(&clean_output(&told), columns)))
            }
            Event::OperationFinished { elapsed_ms, .. } => {
                let bell = if *elapsed_ms > BELL { BELL_CODE } else { "" };
                format!("\n{bell}")
            }
            _ => return None,
        };
        let text = self.headline(columns) + &text;
        if matches!(event, Event::OperationFinished { .. }) {
            self.story = Story::default();
        }
        Some(text)
    }

    /// The first line, if it is still to be told: before anything else stays on the screen.
    pub fn headline(&mut self, columns: usize) -> String {
        match std::mem::take(&mut self.headline_is_due) {
            true => format!("{}\n\n", self.first_line(columns)),
            false => String::new(),
        }
    }

    fn first_line(&self, columns: usize) -> String {
        let Some(about) = &self.story.about else { return String::new() };
        let version = match about.rehearsal {
            true => "rehearsal (no database)".to_owned(),
            false => about.db_version.clone(),
        };
        let usual = self.story.usual_total.map(|usual| format!(" Usually {}.", span(usual))).unwrap_or_default();
        let nodes = count(usize::try_from(about.nodes).unwrap_or(usize::MAX), "node");
        let line = format!(
            "{} {}: {nodes} on {}, {version}.{usual}",
            verb(about.operation.as_str()),
            about.name,
            about.provider
        );
        self.paint.paint(Tone::Strong, &self.fit(&clean_output(&line), columns))
    }

    fn finished(&self, step: &str, ended: &Ended, columns: usize) -> String {
        let (tone, sign) = match ended.outcome {
            StepOutcome::Done => (Tone::Good, self.signs.done),
            StepOutcome::Unchanged => (Tone::Faint, self.signs.done),
            StepOutcome::Failed => (Tone::Bad, self.signs.failed),
            StepOutcome::Stopped => (Tone::Warning, self.signs.stopped),
        };
        let detail = match (ended.outcome, &ended.detail) {
            (StepOutcome::Stopped, None) => "stopped".to_owned(),
            // Its reason is the error that is shown below.
            (StepOutcome::Failed, _) => String::new(),
            (_, detail) => detail.as_deref().map(clean_output).unwrap_or_default(),
        };
        let line = format!("{}  {:>7}  {detail}", self.title(step, columns), elapsed(ended.took_ms));
        format!("  {} {}\n", self.paint.paint(tone, sign), self.fit(line.trim_end(), columns.saturating_sub(4)))
    }

    /// What is drawn below: nothing outside of an operation.
    pub fn block(&self, now: Duration, (rows, columns): (usize, usize)) -> Vec<String> {
        let Some(about) = &self.story.about else { return Vec::new() };
        let mut lines = Vec::new();
        if self.headline_is_due {
            lines.extend([self.first_line(columns), String::new()]);
        }
        let running = self.story.running();
        if let Some(running) = running {
            lines.push(self.running(running, now, columns));
            lines.extend(self.below(running, now, columns));
        }
        lines.extend(self.transfer(running.map(|running| running.step), columns));
        lines.extend(self.to_come(columns));
        // The last line is worth more than steps that are to come.
        lines.truncate(rows.saturating_sub(ABOVE + 2).max(1));
        lines.push(String::new());
        lines.push(self.last_line(&about.directory, now, columns));
        lines
    }

    fn running(&self, running: &Running, now: Duration, columns: usize) -> String {
        let lasts = running.lasts(now);
        let usual = self.story.usual(running.step);
        let slow = usual.filter(|usual| lasts >= *usual * SLOW && !usual.is_zero());
        let note = match (self.story.stopping, usual, slow, running.console()) {
            (true, ..) => "stopping".to_owned(),
            (_, Some(usual), Some(_), Some(console)) => {
                format!("(usually {}; last console line: \"{}\")", span(usual), clean_output(console))
            }
            (_, Some(usual), Some(_), None) => format!("(usually {})", span(usual)),
            (_, Some(usual), None, _) => format!("usually {}", span(usual)),
            (_, None, ..) => String::new(),
        };
        let note = match running.resources {
            (done, Some(total)) => format!("{done} of {total} done  {note}"),
            _ => note,
        };
        let spinner = self.signs.spinner;
        let sign = spinner[usize::try_from(now.as_secs()).unwrap_or(0) % spinner.len()];
        let line = format!("{}  {:>7}  {note}", self.title(running.step, columns), span(lasts));
        let tone = if slow.is_some() { Tone::Warning } else { Tone::Strong };
        format!("  {} {}", self.paint.paint(tone, sign), self.fit(line.trim_end(), columns.saturating_sub(4)))
    }

    /// Rows of the nodes, or else the last word of the step.
    fn below(&self, running: &Running, now: Duration, columns: usize) -> Vec<String> {
        if running.nodes.is_empty() {
            let said = running.said.iter().map(|said| format!("      {}", clean_output(said)));
            return said.map(|line| self.faint(&line, columns)).collect();
        }
        let has_addresses = columns >= NARROW && running.nodes.values().any(|row| row.address.is_some());
        let width = running.nodes.keys().map(String::len).max().unwrap_or(0);
        let rows = running.nodes.iter().map(|(node, row)| {
            let address = match (&row.address, has_addresses) {
                (Some(address), true) => format!("  {address:15}"),
                (None, true) => format!("  {:15}", "-"),
                (_, false) => String::new(),
            };
            let doing = if row.doing.is_empty() { "waits for the others" } else { &row.doing };
            // What has just begun needs no time.
            let lasts = now.saturating_sub(row.since);
            let lasts =
                if lasts.as_secs() < 5 || row.doing == "ready" { String::new() } else { format!(", {}", span(lasts)) };
            let console = row.console.as_ref().filter(|_| row.doing != "ready");
            let console = console.map(|line| format!("; {line}")).unwrap_or_default();
            self.faint(
                &format!("      {node:width$}{address}  {}", clean_output(&format!("{doing}{lasts}{console}"))),
                columns,
            )
        });
        rows.collect()
    }

    /// What is being downloaded or uploaded, perhaps while another step runs.
    fn transfer(&self, running: Option<&str>, columns: usize) -> Option<String> {
        const BAR: usize = 10;
        let transfer = self.story.transfer?;
        let of_another = running != Some(transfer.step);
        let what = if of_another { format!("{}: ", self.story.title(transfer.step)) } else { String::new() };
        let Some(total) = transfer.total.filter(|total| *total > 0) else {
            return Some(self.faint(&format!("      {what}{}", size(transfer.done)), columns));
        };
        let share =
            |parts: usize| usize::try_from(u128::from(transfer.done) * parts as u128 / u128::from(total)).unwrap_or(0);
        let done = share(BAR).min(BAR);
        let bar = format!("[{}{}]", "#".repeat(done), "-".repeat(BAR - done));
        let sizes = format!("{:2}%  {} of {}", share(100).min(100), size(transfer.done), size(total));
        Some(self.faint(&format!("      {what}{bar} {sizes}"), columns))
    }

    fn to_come(&self, columns: usize) -> Vec<String> {
        let running = self.story.running().map(|running| running.step);
        // Some steps are left out, where there is nothing to do for them: only what comes after the last is to come.
        let reached = self.story.steps.iter().rposition(|step| step.ended.is_some() || Some(step.info.id) == running);
        let to_come = self.story.steps.iter().skip(reached.map_or(0, |last| last + 1)).filter(|_| !self.story.stopping);
        to_come
            .map(|step| {
                let usual = step.usual.map(|usual| format!("  {:>7}  usually {}", "", span(usual))).unwrap_or_default();
                let line = format!("  {} {}{usual}", self.signs.next, self.title(step.info.id, columns));
                self.faint(line.trim_end(), columns)
            })
            .collect()
    }

    fn last_line(&self, directory: &str, now: Duration, columns: usize) -> String {
        let clock = clock(self.story.elapsed(now));
        let left = self.story.left(now).filter(|left| left.as_secs() > 0);
        let left = left.map(|left| format!(", about {} left", self::clock(left))).unwrap_or_default();
        let stop = if self.story.stopping { "stopping" } else { "Ctrl-C stops safely" };
        let logs = format!("logs: exasol logs -f -d {}", quote(directory));
        let mut line = format!("{clock}{left}");
        for part in [stop.to_owned(), clean_output(&logs)] {
            let longer = format!("{line}      {part}");
            let shorter = format!("{line}  {part}");
            match [longer, shorter].into_iter().find(|line| measure_text_width(line) <= columns) {
                Some(whole) => line = whole,
                // Half a command is worse than none.
                None => continue,
            }
        }
        self.faint(&line, columns)
    }

    /// Padded so that times are below each other, and short enough that they are seen.
    fn title(&self, step: &str, columns: usize) -> String {
        let longest = self.story.steps.iter().map(|step| step.info.title.len()).max().unwrap_or(0);
        let width = longest.min(TITLE).min(columns.saturating_sub(BESIDE));
        let title = self.story.title(step);
        let title = if columns < NARROW { self.fit(title, width) } else { title.to_owned() };
        format!("{title:width$}")
    }

    fn faint(&self, line: &str, columns: usize) -> String {
        self.paint.paint(Tone::Faint, &self.fit(line, columns))
    }

    fn fit(&self, line: &str, columns: usize) -> String {
        let more = if columns > 3 { self.signs.more } else { "" };
        let line = truncate_str(line, columns, more).into_owned();
        if std::ptr::eq(self.signs, &ASCII) { line.replace('…', "...") } else { line }
    }
}

fn verb(operation: &str) -> &'static str {
    match operation {
        "deploy" => "Deploying",
        "stop" => "Stopping",
        "start" => "Starting",
        "destroy" => "Destroying",
        "update" => "Updating",
        _ => "Repairing",
    }
}

/// `0:36`, `1:20`, `1:02:03`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds % 3600 / 60, seconds % 60),
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
