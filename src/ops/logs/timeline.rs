use jiff::Timestamp;
use serde_json::Value;

use crate::events::runs_terraform;
use crate::model::{LogContent, LogLine, LogSource};

/// The step in which machines boot, and their consoles are recorded.
const BOOT: &str = "boot";

/// A line, and where it goes among others.
#[derive(Debug)]
pub(in crate::ops) struct Placed {
    pub order: Option<Timestamp>,
    pub line: LogLine,
}

/// When which step ran, learned from the events. Terraform's lines have times and no steps;
/// Ansible's have neither, but each task's line there is an event here, in the same order; consoles
/// belong to the boot, whose beginning is all that is known of their times.
#[derive(Default)]
pub(in crate::ops) struct Timeline {
    pub steps: Vec<String>,
    nodes: Vec<String>,
    begun: Vec<Mark>,
    ended: bool,
    tasks: Vec<Mark>,
    /// Task lines of Ansible's that were placed.
    placed_tasks: usize,
    /// Where the last line of Terraform's was placed, for one without a time.
    last: Option<Timestamp>,
}

/// What was found out about a line.
struct Place {
    order: Option<Timestamp>,
    /// Whether that is the line's own time.
    timed: bool,
    step: Option<String>,
    node: Option<String>,
}

#[derive(Debug, Clone)]
struct Mark {
    at: Timestamp,
    step: Option<String>,
}

impl Timeline {
    pub(in crate::ops) fn new(nodes: Vec<String>) -> Self {
        Self { nodes, ..Self::default() }
    }

    pub(in crate::ops) fn place(&mut self, source: LogSource, console_of: Option<&str>, text: &str) -> Placed {
        let object = match source {
            LogSource::Console => None,
            _ => serde_json::from_str::<Value>(text).ok().filter(Value::is_object),
        };
        let value = object.as_ref().unwrap_or(&Value::Null);
        let Place { order, timed, step, node } = match source {
            LogSource::Events => self.event(value),
            LogSource::Terraform => self.terraform(value),
            LogSource::Ansible => self.ansible(value),
            LogSource::Console => {
                let boot = self.begun.iter().find(|mark| mark.step.as_deref() == Some(BOOT));
                let (step, node) = (Some(BOOT.to_owned()), console_of.map(str::to_owned));
                Place { order: boot.map(|mark| mark.at), timed: false, step, node }
            }
        };
        let at = order.filter(|_| timed).map(|at| format!("{at:.3}"));
        let content = object.map_or_else(|| LogContent::Text(text.to_owned()), LogContent::Object);
        Placed { order, line: LogLine { source, at, step, node, content } }
    }

    fn event(&mut self, event: &Value) -> Place {
        let at = time(&event["at"]).or(self.last);
        let kind = text(event, "event").unwrap_or_default();
        // Other events have lists of that name, too.
        if let ("operation_started", Some(steps)) = (kind.as_str(), event["steps"].as_array()) {
            self.steps = steps.iter().filter_map(|step| text(step, "id")).collect();
        }
        if let ("step_started", Some(at)) = (kind.as_str(), at) {
            self.begun.push(Mark { at, step: text(event, "step") });
            self.ended = false;
        }
        let step = match kind.as_str() {
            "operation_started" | "operation_finished" => None,
            _ => text(event, "step").or_else(|| self.begun.last().filter(|_| !self.ended)?.step.clone()),
        };
        self.ended |= kind == "step_finished";
        if let ("task", Some(at)) = (kind.as_str(), at) {
            self.tasks.push(Mark { at, step: step.clone() });
        }
        let node = text(event, "node")
            .or_else(|| self.node_in_address(&event["address"]))
            .or_else(|| self.node_in_words(&event["message"]));
        Place { order: at, timed: true, step, node }
    }

    fn terraform(&mut self, line: &Value) -> Place {
        let own = time(&line["@timestamp"]);
        // What it says before it has told any time is said in the first step that is its own.
        let first =
            || self.begun.iter().find(|mark| mark.step.as_deref().is_some_and(may_run_terraform)).map(|mark| mark.at);
        self.last = own.or(self.last).or_else(first);
        let step = self.last.and_then(|at| self.begun.iter().rfind(|mark| mark.at <= at)?.step.clone());
        let address =
            [&line["hook"]["resource"]["addr"], &line["change"]["resource"]["addr"], &line["diagnostic"]["address"]];
        let node = address.into_iter().find_map(|address| self.node_in_address(address));
        Place { order: self.last, timed: own.is_some(), step, node }
    }

    fn ansible(&mut self, line: &Value) -> Place {
        let is_task = matches!(text(line, "event").as_deref(), Some("start" | "result" | "retry"));
        // What is no task belongs to the one before it: words of Ansible's own, or to the first.
        let index = if is_task { self.placed_tasks } else { self.placed_tasks.saturating_sub(1) };
        self.placed_tasks += usize::from(is_task);
        let mark = self.tasks.get(index).or(self.tasks.last()).or(self.begun.last()).cloned();
        let (order, step) = mark.map_or((None, None), |mark| (Some(mark.at), mark.step));
        Place { order, timed: order.is_some(), step, node: text(line, "node") }
    }

    /// `libvirt_volume.data["n14-1"]` belongs to n14.
    fn node_in_address(&self, address: &Value) -> Option<String> {
        let key = address.as_str()?.split_once("[\"")?.1.split_once("\"]")?.0;
        let node = key.split('-').next().unwrap_or(key);
        self.nodes.iter().find(|name| *name == node).cloned()
    }

    /// A message that names one node is about that node.
    fn node_in_words(&self, message: &Value) -> Option<String> {
        let words: Vec<&str> = message.as_str()?.split(|c: char| !c.is_alphanumeric()).collect();
        let mut named = self.nodes.iter().filter(|node| words.contains(&node.as_str()));
        named.next().filter(|_| named.next().is_none()).cloned()
    }
}

/// Some clouds' machines are switched by Terraform.
fn may_run_terraform(step: &str) -> bool {
    runs_terraform(step) || ["power_on", "power_off"].contains(&step)
}

fn text(object: &Value, key: &str) -> Option<String> {
    object[key].as_str().map(str::to_owned)
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [&str; 10] = [
        r#"{"at":"2026-01-02T03:00:00.000Z","event":"operation_started","steps":[{"id":"apply","title":"a"},{"id":"boot","title":"b"}]}"#,
        r#"{"at":"2026-01-02T03:00:00.500Z","event":"usual_times","steps":[{"step":"apply","ms":9}]}"#,
        r#"{"at":"2026-01-02T03:00:01.000Z","event":"step_started","step":"apply"}"#,
        r#"{"at":"2026-01-02T03:00:02.000Z","event":"resource","address":"libvirt_volume.data[\"n12-1\"]","state":"done"}"#,
        r#"{"at":"2026-01-02T03:00:05.000Z","event":"step_finished","step":"apply"}"#,
        r#"{"at":"2026-01-02T03:00:06.000Z","event":"step_started","step":"boot"}"#,
        r#"{"at":"2026-01-02T03:00:07.000Z","event":"step_detail","step":"boot","message":"n11 has the address 192.0.2.7"}"#,
        r#"{"at":"2026-01-02T03:00:08.000Z","event":"task","name":"Copy","node":"n12","state":"started"}"#,
        r#"{"at":"2026-01-02T03:00:09.000Z","event":"task","name":"Copy","node":"n12","state":"failed"}"#,
        r#"{"at":"2026-01-02T03:00:10.000Z","event":"operation_finished","ok":false}"#,
    ];

    fn timeline() -> (Timeline, Vec<LogLine>) {
        let mut timeline = Timeline::new(vec!["n11".into(), "n12".into()]);
        let lines = EVENTS.iter().map(|text| timeline.place(LogSource::Events, None, text).line).collect();
        (timeline, lines)
    }

    #[test]
    fn events_tell_steps_and_nodes() {
        let (timeline, lines) = timeline();
        assert_eq!(timeline.steps, ["apply", "boot"]);
        let place = |index: usize| (lines[index].step.as_deref(), lines[index].node.as_deref());
        assert_eq!(place(0), (None, None));
        assert_eq!(place(3), (Some("apply"), Some("n12")));
        assert_eq!(place(6), (Some("boot"), Some("n11")));
        assert_eq!(place(8), (Some("boot"), Some("n12")));
        assert_eq!(place(9), (None, None));
    }

    #[test]
    fn terraforms_lines_get_the_step_of_their_time() {
        let (mut timeline, _) = timeline();
        let line = r#"{"@timestamp":"2026-01-02T04:00:03.5+01:00","@message":"x","hook":{"resource":{"addr":"a.b[\"n11\"]"}}}"#;
        let placed = timeline.place(LogSource::Terraform, None, line).line;
        assert_eq!((placed.at.as_deref(), placed.step.as_deref()), (Some("2026-01-02T03:00:03.500Z"), Some("apply")));
        assert_eq!(placed.node.as_deref(), Some("n11"));
        let plain = timeline.place(LogSource::Terraform, None, "panic: no");
        assert_eq!((plain.line.at, plain.order.is_some()), (None, true));
        assert_eq!(plain.line.content, LogContent::Text("panic: no".into()));
    }

    #[test]
    fn what_terraform_says_without_any_time_is_its_first_steps() {
        let (mut timeline, _) = timeline();
        timeline.last = None;
        let placed = timeline.place(LogSource::Terraform, None, "Error: no such host").line;
        assert_eq!((placed.at, placed.step.as_deref()), (None, Some("apply")));
    }

    #[test]
    fn ansibles_lines_get_the_time_of_the_event_that_they_became() {
        let (mut timeline, _) = timeline();
        let mut at = |text: &str| timeline.place(LogSource::Ansible, None, text).line.at.unwrap()[17..19].to_owned();
        assert_eq!(at(r#"{"event":"play","name":"p"}"#), "08");
        assert_eq!(at(r#"{"event":"start","task":"Copy","node":"n12"}"#), "08");
        assert_eq!(at("[WARNING]: something"), "08");
        assert_eq!(at(r#"{"event":"result","task":"Copy","node":"n12","state":"failed"}"#), "09");
        assert_eq!(at(r#"{"event":"stats"}"#), "09");
    }

    #[test]
    fn a_console_stands_at_the_boots_beginning_without_a_time() {
        let (mut timeline, _) = timeline();
        let placed = timeline.place(LogSource::Console, Some("n11"), "{\"at\":1}");
        assert_eq!((placed.order, placed.line.at), (Some("2026-01-02T03:00:06Z".parse().unwrap()), None));
        assert_eq!((placed.line.step.as_deref(), placed.line.node.as_deref()), (Some("boot"), Some("n11")));
        assert_eq!(placed.line.content, LogContent::Text("{\"at\":1}".into()));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(lines in proptest::collection::vec(any::<String>(), 0..5)) {
            let mut timeline = Timeline::new(vec!["n11".into()]);
            for line in lines {
                for source in [LogSource::Events, LogSource::Terraform, LogSource::Ansible, LogSource::Console] {
                    timeline.place(source, None, &line);
                }
            }
        }
    }

    #[test]
    fn fuzz_logs_of_tools() {
        let terraform = include_str!("../../../tests/fixtures/terraform/apply-create.jsonl");
        let ansible = include_str!("../../../tests/fixtures/ansible/core-2.19.jsonl");
        crate::fuzz::text_target("operation-events", &[&EVENTS.join("\n"), terraform, ansible], |text| {
            let mut timeline = Timeline::new(vec!["n11".into()]);
            for line in text.lines() {
                for source in [LogSource::Events, LogSource::Terraform, LogSource::Ansible, LogSource::Console] {
                    timeline.place(source, None, line);
                }
            }
        });
    }
}
