use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::notes;
use crate::model::{LogContent, LogLine, Operation, count};
use crate::render::page::{NodeSpan, Note, Run, Step, Tone, duration, moment};

/// Nodes of a step, and notes of an operation, that are shown.
const NODES: usize = 8;
const NOTES: usize = 12;

/// A step as it is read, and what each node did in it.
struct Open {
    id: String,
    from: u64,
    to: u64,
    outcome: Option<String>,
    detail: Option<String>,
    nodes: BTreeMap<String, Doing>,
}

/// What a node did in a step.
struct Doing {
    from: u64,
    to: u64,
    tasks: usize,
    failed: usize,
    resources: usize,
    /// The last that was said of it.
    said: Option<String>,
    trouble: bool,
}

/// An operation, from its events in their order.
pub(super) fn of(lines: &[LogLine], operation: Operation, started: Timestamp, running: bool) -> Run {
    let begun = lines.iter().find_map(time).unwrap_or(started);
    let mut steps: Vec<Open> = Vec::new();
    let mut titles: Vec<(String, String)> = Vec::new();
    let (mut last, mut end) = (0, None);
    for line in lines {
        let LogContent::Object(event) = &line.content else { continue };
        let at = time(line).map_or(last, |at| since(begun, at)).max(last);
        last = at;
        match text(event, "event") {
            "operation_started" => titles = titled(&event["steps"]),
            "operation_finished" => end = Some((event, event["elapsed_ms"].as_u64().unwrap_or(at))),
            "step_started" => steps.push(Open::new(text(event, "step"), at)),
            "step_finished" => {
                if let Some(step) = steps.iter_mut().rev().find(|step| step.id == text(event, "step")) {
                    step.to = event["elapsed_ms"].as_u64().map_or(at, |ms| step.from.saturating_add(ms));
                    step.outcome = Some(text(event, "outcome").to_owned());
                    step.detail = event["detail"].as_str().map(str::to_owned);
                }
            }
            _ => {
                let current = steps.iter_mut().rev().find(|step| line.step.as_ref() == Some(&step.id));
                if let (Some(step), Some(node)) = (current, &line.node) {
                    step.node(node, event, at);
                }
            }
        }
    }
    let total_ms = end.map_or(last, |(_, ms)| ms);
    let (tone, outcome) = match end {
        Some((event, ms)) if event["ok"] == true => (Tone::Good, format!("done in {}", duration(ms))),
        Some((event, ms)) if event["stopped"] == true => (Tone::Warning, format!("stopped after {}", duration(ms))),
        Some((_, ms)) => (Tone::Bad, format!("failed after {}", duration(ms))),
        None if running => (Tone::Active, format!("running, {} so far", duration(total_ms))),
        None => (Tone::Warning, format!("interrupted after {}", duration(total_ms))),
    };
    let title =
        |id: &str| titles.iter().find(|(known, _)| known == id).map_or(id, |(_, title)| title.as_str()).to_owned();
    let begun_steps: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    let not_reached = titles.iter().filter(|(id, _)| !begun_steps.contains(&id.as_str()));
    let not_reached = not_reached.map(|(_, title)| title.clone()).collect();
    let named = |note: Note| Note { place: title(&note.place), ..note };
    let notes: Vec<_> = lines.iter().filter_map(notes::of).map(named).collect();
    Run {
        operation: operation.to_string(),
        started: moment(&begun.to_string()),
        tone,
        outcome,
        total_ms,
        not_reached,
        more_notes: notes.len().saturating_sub(NOTES),
        notes: notes.into_iter().take(NOTES).collect(),
        steps: steps.into_iter().map(|step| step.close(title, last, running)).collect(),
    }
}

impl Open {
    fn new(id: &str, from: u64) -> Open {
        Open { id: id.to_owned(), from, to: from, outcome: None, detail: None, nodes: BTreeMap::new() }
    }

    fn node(&mut self, name: &str, event: &Value, at: u64) {
        let took = event["elapsed_ms"].as_u64().unwrap_or_default();
        let kind = text(event, "event");
        // It was on its way there since the step's beginning.
        let waited = matches!(kind, "step_detail" | "step_waiting" | "node_waiting" | "machine_dead");
        let from = if waited { self.from } else { at.saturating_sub(took).max(self.from) };
        let doing = self.nodes.entry(name.to_owned()).or_insert_with(|| Doing::since(from));
        (doing.from, doing.to) = (doing.from.min(from), doing.to.max(at));
        let state = text(event, "state");
        let ended = matches!(state, "done" | "changed" | "failed");
        match kind {
            "task" if ended => doing.tasks += 1,
            "resource" if ended => doing.resources += 1,
            "step_detail" | "step_waiting" => {
                let message = text(event, "message");
                doing.said =
                    Some(message.strip_prefix(name).unwrap_or(message).trim_start_matches([' ', ':']).to_owned());
            }
            "node_waiting" => doing.said = Some(text(event, "waits_for").to_owned()),
            "machine_dead" => {
                doing.trouble = true;
                doing.said = Some("the machine is dead".to_owned());
            }
            _ => {}
        }
        doing.failed += usize::from(state == "failed");
    }

    fn close(self, title: impl Fn(&str) -> String, last: u64, running: bool) -> Step {
        let (tone, outcome) = match self.outcome.as_deref() {
            Some("unchanged") => (Tone::Quiet, "nothing to do"),
            Some("failed") => (Tone::Bad, "failed"),
            Some("stopped") => (Tone::Warning, "stopped"),
            Some(_) => (Tone::Good, "done"),
            None if running => (Tone::Active, "running"),
            None => (Tone::Bad, "interrupted"),
        };
        let to = if self.outcome.is_some() { self.to } else { last };
        let more_nodes = self.nodes.len().saturating_sub(NODES);
        Step {
            title: title(&self.id),
            tone,
            outcome: outcome.to_owned(),
            from_ms: self.from,
            ms: to.saturating_sub(self.from),
            detail: self.detail,
            nodes: chosen(self.nodes),
            more_nodes,
        }
    }
}

/// Those with trouble before the others, then by name.
fn chosen(nodes: BTreeMap<String, Doing>) -> Vec<NodeSpan> {
    let mut all: Vec<_> = nodes.into_iter().collect();
    all.sort_by_key(|(_, doing)| !doing.is_trouble());
    all.truncate(NODES);
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all.into_iter().map(|(name, doing)| doing.span(name)).collect()
}

impl Doing {
    fn since(from: u64) -> Doing {
        Doing { from, to: from, tasks: 0, failed: 0, resources: 0, said: None, trouble: false }
    }

    fn is_trouble(&self) -> bool {
        self.trouble || self.failed > 0
    }

    fn span(self, node: String) -> NodeSpan {
        let mut words = match (self.tasks, self.resources, &self.said) {
            (0, 0, Some(said)) => said.clone(),
            (0, 0, None) => "at work".to_owned(),
            (0, resources, _) => count(resources, "resource"),
            (tasks, ..) => count(tasks, "task"),
        };
        if self.failed > 0 {
            words += &format!(", {} failed", self.failed);
        }
        let tone = if self.is_trouble() { Tone::Bad } else { Tone::Good };
        NodeSpan { node, tone, words, from_ms: self.from, ms: self.to.saturating_sub(self.from) }
    }
}

fn titled(steps: &Value) -> Vec<(String, String)> {
    let pair = |step: &Value| Some((step["id"].as_str()?.to_owned(), step["title"].as_str()?.to_owned()));
    steps.as_array().into_iter().flatten().filter_map(pair).collect()
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap_or_default()
}

fn time(line: &LogLine) -> Option<Timestamp> {
    line.at.as_deref()?.parse().ok()
}

/// Milliseconds; 0 where the clock went back.
fn since(begun: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond().saturating_sub(begun.as_millisecond())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::logs::Timeline;
    use super::*;
    use crate::model::LogSource;

    const EVENTS: [&str; 11] = [
        r#"{"at":"2026-01-02T03:00:00.000Z","event":"operation_started","steps":[{"id":"boot","title":"wait for nodes"},{"id":"prepare","title":"set up nodes"},{"id":"login","title":"log in"}]}"#,
        r#"{"at":"2026-01-02T03:00:01.000Z","event":"step_started","step":"boot"}"#,
        r#"{"at":"2026-01-02T03:00:05.000Z","event":"step_detail","step":"boot","message":"n11 has the address 192.0.2.7"}"#,
        r#"{"at":"2026-01-02T03:00:11.000Z","event":"step_finished","step":"boot","outcome":"done","elapsed_ms":10000,"detail":"2 nodes"}"#,
        r#"{"at":"2026-01-02T03:00:11.000Z","event":"step_started","step":"prepare"}"#,
        r#"{"at":"2026-01-02T03:00:12.000Z","event":"task","name":"Copy","node":"n12","state":"started"}"#,
        r#"{"at":"2026-01-02T03:00:15.000Z","event":"task","name":"Copy","node":"n12","state":"changed","elapsed_ms":3000}"#,
        r#"{"at":"2026-01-02T03:00:16.000Z","event":"task","name":"Check","node":"n12","state":"failed","message":"no room"}"#,
        r#"{"at":"2026-01-02T03:00:16.500Z","event":"warning","message":"the disk is full"}"#,
        r#"{"at":"2026-01-02T03:00:17.000Z","event":"step_finished","step":"prepare","outcome":"failed","elapsed_ms":6000}"#,
        r#"{"at":"2026-01-02T03:00:20.000Z","event":"operation_finished","ok":false,"elapsed_ms":20000}"#,
    ];

    fn read<'a>(events: impl IntoIterator<Item = &'a str>, running: bool) -> Run {
        let mut timeline = Timeline::new(vec!["n11".into(), "n12".into()]);
        let lines: Vec<_> = events.into_iter().map(|text| timeline.place(LogSource::Events, None, text).line).collect();
        of(&lines, Operation::Deploy, "2026-01-02T03:00:00Z".parse().unwrap(), running)
    }

    #[test]
    fn steps_and_nodes_have_their_times_and_outcomes() {
        let run = read(EVENTS, false);
        assert_eq!((run.tone, &run.outcome[..], run.total_ms), (Tone::Bad, "failed after 20 s", 20_000));
        assert_eq!(run.not_reached, ["log in"]);
        let by_ctrl_c = r#"{"at":"2026-01-02T03:00:20.000Z","event":"operation_finished","ok":false,"stopped":true,"elapsed_ms":20000}"#;
        let stopped = read(EVENTS.into_iter().take(10).chain([by_ctrl_c]), false);
        assert_eq!((stopped.tone, &stopped.outcome[..]), (Tone::Warning, "stopped after 20 s"));
        let [boot, prepare] = &run.steps[..] else { panic!("{:?}", run.steps) };
        assert_eq!((&boot.title[..], boot.from_ms, boot.ms, boot.tone), ("wait for nodes", 1000, 10_000, Tone::Good));
        let n11 = &boot.nodes[0];
        assert_eq!((&n11.words[..], n11.from_ms, n11.ms), ("has the address 192.0.2.7", 1000, 4000));
        assert_eq!((prepare.tone, prepare.ms), (Tone::Bad, 6000));
        let n12 = &prepare.nodes[0];
        assert_eq!((&n12.words[..], n12.from_ms, n12.ms, n12.tone), ("2 tasks, 1 failed", 12_000, 4000, Tone::Bad));
        let notes: Vec<_> = run.notes.iter().map(|note| (&note.kind[..], &note.place[..], &note.text[..])).collect();
        assert_eq!(notes, [("task failed", "n12", "Check: no room"), ("warning", "set up nodes", "the disk is full")]);
    }

    #[test]
    fn what_has_no_end_runs_or_was_interrupted() {
        let run = read(EVENTS[..7].iter().copied(), true);
        assert_eq!((run.tone, run.steps[1].tone, run.steps[1].ms), (Tone::Active, Tone::Active, 4000));
        let run = read(EVENTS[..7].iter().copied(), false);
        assert_eq!((&run.outcome[..], &run.steps[1].outcome[..]), ("interrupted after 15 s", "interrupted"));
        assert_eq!(read([], false).outcome, "interrupted after under 1 s");
    }

    #[test]
    fn of_many_nodes_those_with_trouble_are_shown() {
        let nodes: BTreeMap<_, _> = (11..75)
            .map(|number| {
                let doing = Doing { failed: usize::from(number == 74), ..Doing::since(0) };
                (format!("n{number}"), doing)
            })
            .collect();
        let shown = chosen(nodes);
        assert_eq!(shown.len(), NODES);
        assert_eq!((&shown[0].node[..], &shown[7].node[..], shown[7].tone), ("n11", "n74", Tone::Bad));
    }

    proptest! {
        #[test]
        fn any_events_make_a_run(order in proptest::collection::vec(0..EVENTS.len(), 0..20), running: bool) {
            let run = read(order.into_iter().map(|index| EVENTS[index]), running);
            prop_assert!(run.notes.len() <= NOTES);
        }
    }

    #[test]
    fn fuzz_operation_events() {
        let seed = EVENTS.join("\n");
        crate::fuzz::text_target("operation-events", &[&seed], |text| {
            let run = read(text.lines(), false);
            assert!(run.notes.len() <= NOTES && run.steps.iter().all(|step| step.nodes.len() <= NODES));
        });
    }
}
