//! What the logs of earlier operations tell: where the last one is or was, and when the cluster was seen to work.

use std::fs;

use serde_json::Value;

use crate::deployment::{DeploymentDir, EVENTS_FILE, LogFolder};
use crate::model::{Operation, StepAt};

#[derive(Debug, Default, PartialEq)]
pub(super) struct History {
    /// The last operation's last step, unless it went well.
    pub step: Option<StepAt>,
    /// When the last operation ended, or was heard of last.
    pub since: Option<String>,
    pub last_good: Option<String>,
}

impl History {
    /// A log that cannot be read tells nothing.
    pub fn of(dir: &DeploymentDir) -> History {
        let folders: Vec<_> = dir.log_folders().unwrap_or_default().into_iter().filter(has_phase).collect();
        let last = folders.last().map(read).unwrap_or_default();
        let connects = |folder: &&LogFolder| matches!(folder.operation, Operation::Deploy | Operation::Start);
        let deployed = folders.iter().rev().filter(connects).find_map(|folder| read(folder).done);
        History {
            step: last.done.is_none().then_some(last.step).flatten(),
            since: last.heard,
            // RFC 3339 with one zone: the later one is the greater one.
            last_good: deployed.max(dir.last_healthy()),
        }
    }
}

/// Others change no cluster.
fn has_phase(folder: &LogFolder) -> bool {
    !matches!(folder.operation, Operation::Update | Operation::Repair)
}

/// What an operation's events tell.
#[derive(Debug, Default, PartialEq)]
struct Told {
    /// The step that was begun last.
    step: Option<StepAt>,
    /// When it ended well.
    done: Option<String>,
    /// When it told something last.
    heard: Option<String>,
}

fn read(folder: &LogFolder) -> Told {
    told(&fs::read_to_string(folder.path.join(EVENTS_FILE)).unwrap_or_default())
}

fn told(events: &str) -> Told {
    let mut told = Told::default();
    let mut steps = Vec::new();
    for event in events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |key: &str| event[key].as_str().map(str::to_owned);
        let Some(at) = text("at") else { continue };
        match event["event"].as_str() {
            Some("operation_started") => steps = event["steps"].as_array().cloned().unwrap_or_default(),
            Some("step_started") => told.step = step(&steps, text("step"), &at),
            Some("operation_finished") if event["ok"] == true => told.done = Some(at.clone()),
            _ => {}
        }
        told.heard = Some(at);
    }
    told
}

fn step(steps: &[Value], id: Option<String>, since: &str) -> Option<StepAt> {
    let id = id?;
    let index = steps.iter().position(|step| step["id"] == id.as_str())?;
    let title = steps[index]["title"].as_str().unwrap_or(&id).to_owned();
    Some(StepAt { title, number: index + 1, of: steps.len(), since: since.to_owned(), id })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: &str = r#"{"at":"2026-01-02T03:00:00.000Z","event":"operation_started","steps":[{"id":"apply","title":"create machines"},{"id":"boot","title":"boot"}]}
{"at":"2026-01-02T03:00:01.000Z","event":"step_started","step":"apply"}
{"at":"2026-01-02T03:00:05.000Z","event":"step_finished","step":"apply"}
{"at":"2026-01-02T03:00:06.000Z","event":"step_started","step":"boot"}
"#;

    #[test]
    fn the_step_that_was_begun_last_is_where_it_is() {
        let now = told(BEGUN);
        let step = now.step.unwrap();
        assert_eq!((step.title.as_str(), step.number, step.of), ("boot", 2, 2));
        assert_eq!((step.since.as_str(), now.done), ("2026-01-02T03:00:06.000Z", None));
        // Half a line, as it is read while it is written.
        assert_eq!(told(&format!("{BEGUN}{{\"at\":\"20")).heard.unwrap(), "2026-01-02T03:00:06.000Z");
    }

    #[test]
    fn an_end_is_told_with_its_time() {
        let end = |ok: bool| {
            format!("{BEGUN}{{\"at\":\"2026-01-02T03:01:00.000Z\",\"event\":\"operation_finished\",\"ok\":{ok}}}\n")
        };
        assert_eq!(told(&end(true)).done.unwrap(), "2026-01-02T03:01:00.000Z");
        let failed = told(&end(false));
        assert_eq!((failed.done, failed.heard.unwrap()), (None, "2026-01-02T03:01:00.000Z".to_owned()));
        assert_eq!(told(""), Told::default());
    }

    #[test]
    fn fuzz_history() {
        crate::fuzz::text_target("operation-events", &[BEGUN], |text| drop(told(text)));
    }
}
