//! What our callback plugin (`ansible/callback_plugins/events.py`) prints, as events and failures. Pure.

use serde::Deserialize;

use crate::events::{Event, ItemState};

/// What one line means to us.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Task(TaskEvent),
    /// A task failed and nothing caught it.
    Failure(TaskEvent, Failure),
    Warning(String),
    /// A play's beginning, the final counts.
    Other,
    /// Not ours: Ansible's own warnings and errors.
    Text(String),
}

#[derive(Debug, PartialEq)]
pub(super) struct TaskEvent {
    pub name: String,
    pub node: String,
    pub state: ItemState,
    pub message: Option<String>,
    pub elapsed_ms: Option<u64>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Failure {
    /// `n12: Install the database: exit status 9: no space left on device`
    pub text: String,
    /// The end of what the task printed.
    pub output: Vec<String>,
}

impl From<TaskEvent> for Event {
    fn from(event: TaskEvent) -> Event {
        let TaskEvent { name, node, state, message, elapsed_ms } = event;
        Event::Task { name, node, state, message, elapsed_ms }
    }
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum RawLine {
    Start { task: String, node: String },
    Result(RawResult),
    Retry(RawRetry),
    Warning { message: String },
    Play {},
    Stats {},
}

#[derive(Deserialize)]
struct RawResult {
    task: String,
    node: String,
    state: RawState,
    elapsed_ms: Option<u64>,
    message: Option<String>,
    #[serde(default)]
    stderr: Vec<String>,
    rc: Option<i64>,
    #[serde(default)]
    ignored: bool,
    #[serde(default)]
    rescued: bool,
}

#[derive(Deserialize)]
struct RawRetry {
    task: String,
    node: String,
    attempt: Option<u64>,
    attempts: Option<u64>,
    message: Option<String>,
    #[serde(default)]
    stderr: Vec<String>,
    rc: Option<i64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum RawState {
    Ok,
    Changed,
    Skipped,
    Failed,
    Unreachable,
}

/// Reads one line; what is not an event of ours is [`Line::Text`].
pub(super) fn parse(line: &str) -> Line {
    match serde_json::from_str(line) {
        Ok(RawLine::Start { task: name, node }) => {
            Line::Task(TaskEvent { name, node, state: ItemState::Started, message: None, elapsed_ms: None })
        }
        Ok(RawLine::Result(result)) => result.into_line(),
        Ok(RawLine::Retry(retry)) => Line::Task(retry.into_event()),
        Ok(RawLine::Warning { message }) => Line::Warning(message),
        Ok(RawLine::Play {} | RawLine::Stats {}) => Line::Other,
        Err(_) => Line::Text(line.to_owned()),
    }
}

impl RawResult {
    fn into_line(self) -> Line {
        let failed = matches!(self.state, RawState::Failed | RawState::Unreachable);
        let caught = self.ignored || self.rescued;
        let why = failed.then(|| self.why());
        let event = TaskEvent {
            state: match self.state {
                _ if failed && caught => ItemState::Done,
                RawState::Ok => ItemState::Done,
                RawState::Changed => ItemState::Changed,
                RawState::Skipped => ItemState::Skipped,
                RawState::Failed | RawState::Unreachable => ItemState::Failed,
            },
            message: why.as_ref().map(|why| match (self.ignored, self.rescued) {
                (true, _) => format!("failure ignored: {why}"),
                (_, true) => format!("failure handled: {why}"),
                _ => why.clone(),
            }),
            name: self.task,
            node: self.node,
            elapsed_ms: self.elapsed_ms,
        };
        match why {
            Some(why) if !caught => {
                let text = format!("{}: {}: {why}", event.node, event.name);
                Line::Failure(event, Failure { text, output: self.stderr })
            }
            _ => Line::Task(event),
        }
    }

    fn why(&self) -> String {
        let why = why(self.message.as_deref(), self.rc, &self.stderr);
        if self.state == RawState::Unreachable { format!("unreachable: {why}") } else { why }
    }
}

impl RawRetry {
    fn into_event(self) -> TaskEvent {
        let why = why(self.message.as_deref(), self.rc, &self.stderr);
        let count = match (self.attempt, self.attempts) {
            (Some(attempt), Some(attempts)) => format!("attempt {attempt} of {attempts}: "),
            _ => String::new(),
        };
        TaskEvent {
            name: self.task,
            node: self.node,
            state: ItemState::Running,
            message: Some(format!("{count}{why}")),
            elapsed_ms: None,
        }
    }
}

/// Ansible's message, made telling where it only says that a command failed.
fn why(message: Option<&str>, rc: Option<i64>, stderr: &[String]) -> String {
    let message = message.unwrap_or("failed without a message").trim();
    let Some(rc) = rc.filter(|_| message.contains("non-zero return code")) else { return message.to_owned() };
    match stderr.last() {
        Some(last) => format!("exit status {rc}: {last}"),
        None => format!("exit status {rc}"),
    }
}

/// Ansible's own error among its plain lines, for runs in which no task failed: a wrong playbook,
/// an inventory that is not there.
pub(super) fn own_error(lines: &[String]) -> Option<String> {
    let error = |line: &String| {
        let line = line.trim();
        // Up to ansible-core 2.18, and since 2.19.
        let text = line.strip_prefix("ERROR!").or_else(|| line.strip_prefix("[ERROR]:"))?;
        Some(text.trim().to_owned())
    };
    lines.iter().find_map(error).or_else(|| lines.iter().rev().find(|line| !line.trim().is_empty()).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: [&str; 3] = [
        include_str!("../../tests/fixtures/ansible/core-2.14.jsonl"),
        include_str!("../../tests/fixtures/ansible/core-2.19.jsonl"),
        include_str!("../../tests/fixtures/ansible/core-2.21.jsonl"),
    ];

    fn tasks(text: &str) -> Vec<TaskEvent> {
        let events = text.lines().filter_map(|line| match parse(line) {
            Line::Task(event) | Line::Failure(event, _) => Some(event),
            _ => None,
        });
        events.collect()
    }

    fn failures(text: &str) -> Vec<Failure> {
        let failures = text.lines().filter_map(|line| match parse(line) {
            Line::Failure(_, failure) => Some(failure),
            _ => None,
        });
        failures.collect()
    }

    #[test]
    fn every_line_of_a_recorded_run_is_understood() {
        for text in RECORDED {
            let unknown: Vec<_> = text.lines().map(parse).filter(|line| matches!(line, Line::Text(_))).collect();
            assert_eq!(unknown, []);
            let of = |name: &str, node: &str| -> Vec<ItemState> {
                let events = tasks(text);
                events.iter().filter(|e| e.name == name && e.node == node).map(|e| e.state).collect()
            };
            assert_eq!(of("Say hello", "n11"), [ItemState::Started, ItemState::Done]);
            assert_eq!(of("Change something", "n12"), [ItemState::Started, ItemState::Changed]);
            assert_eq!(of("Skip this", "n12"), [ItemState::Started, ItemState::Skipped]);
            assert_eq!(of("Wait for it", "n11"), [ItemState::Started, ItemState::Running, ItemState::Changed]);
            assert_eq!(of("Install the database", "n12"), [ItemState::Started, ItemState::Failed]);
        }
    }

    #[test]
    fn only_failures_that_nothing_caught_are_failures() {
        for text in RECORDED {
            let failures = failures(text);
            assert_eq!(failures.len(), 2, "{failures:?}");
            assert!(failures[0].text.starts_with("n13: Say hello: unreachable: "), "{failures:?}");
            assert!(failures[0].text.contains("Connection refused"), "{failures:?}");
            assert_eq!(failures[1].text, "n12: Install the database: exit status 9: error with ******** inside");
            assert_eq!(failures[1].output, ["error with ******** inside"]);
        }
    }

    #[test]
    fn what_was_caught_is_told_with_its_cause() {
        for text in RECORDED {
            let events = tasks(text);
            let message = |name: &str| {
                let of_n12 = |e: &&TaskEvent| e.name == name && e.node == "n12" && e.message.is_some();
                events.iter().find(of_n12).and_then(|e| e.message.clone()).unwrap()
            };
            assert_eq!(message("Fail and be rescued"), "failure handled: exit status 4: broken");
            assert_eq!(message("Fail over items"), "failure ignored: exit status 7: item 7 ********");
            assert_eq!(message("Keep quiet"), "failure ignored: withheld: the task is marked no_log");
            assert!(message("Wait for it").starts_with("attempt "), "{}", message("Wait for it"));
        }
    }

    #[test]
    fn secrets_and_quiet_tasks_left_no_trace() {
        for text in RECORDED {
            assert!(!text.contains("hidden-pass") && !text.contains("tiger-secret"));
        }
    }

    #[test]
    fn ansibles_own_errors_are_found_in_old_and_new_form() {
        let old = [
            "ERROR! couldn't resolve module/action 'nosuchmodule'.",
            "",
            "The error appears to be in …",
            "      ^ here",
        ];
        let new = ["[WARNING]: something", "[ERROR]: couldn't resolve module/action 'nosuchmodule'.", "Origin: …"];
        for lines in [old.as_slice(), new.as_slice()] {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(own_error(&lines).as_deref(), Some("couldn't resolve module/action 'nosuchmodule'."));
        }
        assert_eq!(
            own_error(&["Traceback".into(), "OSError: full".into(), String::new()]).as_deref(),
            Some("OSError: full")
        );
        assert_eq!(own_error(&[]), None);
    }

    #[test]
    fn fuzz_ansible_events() {
        let seeds = [
            include_str!("../../tests/fixtures/ansible/core-2.14.jsonl"),
            include_str!("../../tests/fixtures/ansible/core-2.19.jsonl"),
            include_str!("../../tests/fixtures/ansible/core-2.21.jsonl"),
        ];
        crate::fuzz::text_target("ansible-events", &seeds, |text| text.lines().for_each(|line| drop(parse(line))));
    }
}
