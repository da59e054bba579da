//! How long an operation usually takes: from this user's own earlier ones of the same shape, else as it was measured.
//! Nothing depends on it, and nobody waits for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::known;
use super::operation::Work;
use super::recorded;
use crate::deployment::{DeploymentDir, EVENTS_FILE, LogFolder};
use crate::events::{Event, StepTime, TimesSource};
use crate::model::Operation;

/// So many earlier operations are read at most, the newest first.
const READ: usize = 20;
/// A log that is larger is of an operation that was not usual.
const LARGEST: u64 = 4 << 20;
/// What a deployment's facts say where guests are emulated.
const EMULATED: (&str, &str) = ("domain_type", "qemu");

/// What makes the times of two operations comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    provider: String,
    rehearsal: bool,
    nodes: u32,
    emulated: bool,
}

impl Shape {
    fn of(dir: &DeploymentDir) -> Self {
        let state = dir.state();
        let fact = state.facts.get(EMULATED.0);
        Self {
            provider: state.spec.provider.clone(),
            rehearsal: recorded::is_rehearsal(dir),
            nodes: state.spec.cluster_size,
            emulated: fact.and_then(|value| value.as_str()) == Some(EMULATED.1),
        }
    }
}

/// Whoever still looks tells nothing once this is dropped: an operation's last event is its last.
pub(super) struct Looking(Arc<Mutex<bool>>);

impl Drop for Looking {
    fn drop(&mut self) {
        *lock(&self.0) = true;
    }
}

fn lock(ended: &Mutex<bool>) -> MutexGuard<'_, bool> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks it up in a thread, and tells it if something is known.
pub(super) fn tell(work: &Work, operation: Operation) -> Looking {
    let (sink, shape, own_log) = (work.sink.clone(), Shape::of(&work.dir), work.log.path().to_owned());
    let ended = Arc::new(Mutex::new(false));
    let looking = Looking(ended.clone());
    std::thread::spawn(move || {
        if let Some(event) = find(&shape, operation, &own_log) {
            let ended = lock(&ended);
            if !*ended {
                sink.emit(event);
            }
        }
    });
    looking
}

fn find(shape: &Shape, operation: Operation, own_log: &Path) -> Option<Event> {
    let runs: Vec<_> = earlier(shape, operation, own_log).iter().filter_map(|log| read(log, operation)).collect();
    if let Some((total_ms, steps)) = medians(&runs) {
        return Some(Event::UsualTimes { source: TimesSource::Earlier, total_ms, steps });
    }
    let steps = measured(shape, operation)?.iter().map(|(step, ms)| StepTime { step: (*step).to_owned(), ms: *ms });
    let steps: Vec<_> = steps.collect();
    let total_ms = steps.iter().map(|step| step.ms).sum();
    Some(Event::UsualTimes { source: TimesSource::Measured, total_ms, steps })
}

/// The logs of the newest operations of that shape.
fn earlier(shape: &Shape, operation: Operation, own_log: &Path) -> Vec<PathBuf> {
    let directories = known::directories();
    let alike =
        directories.iter().filter_map(|dir| DeploymentDir::open(dir).ok()).filter(|dir| Shape::of(dir) == *shape);
    let mut folders: Vec<LogFolder> = alike.flat_map(|dir| dir.log_folders().unwrap_or_default()).collect();
    folders.retain(|folder| folder.operation == operation && folder.path != own_log);
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.started_at));
    folders.into_iter().take(READ).map(|folder| folder.path.join(EVENTS_FILE)).collect()
}

/// An operation that has done its work.
#[derive(Debug, PartialEq)]
struct Run {
    total_ms: u64,
    steps: BTreeMap<String, u64>,
}

fn read(log: &Path, operation: Operation) -> Option<Run> {
    if log.metadata().ok()?.len() > LARGEST {
        return None;
    }
    run(&std::fs::read_to_string(log).ok()?, operation)
}

/// None: it did not do all of its work.
fn run(events: &str, operation: Operation) -> Option<Run> {
    #[derive(Deserialize)]
    #[serde(tag = "event", rename_all = "snake_case")]
    enum Line {
        StepFinished {
            step: String,
            outcome: String,
            elapsed_ms: u64,
        },
        OperationFinished {
            ok: bool,
            elapsed_ms: u64,
        },
        #[serde(other)]
        Other,
    }
    let mut steps = BTreeMap::new();
    let mut total = None;
    for line in events.lines().filter(|line| line.contains("_finished")) {
        match serde_json::from_str(line) {
            Ok(Line::StepFinished { step, outcome, elapsed_ms }) if outcome == "done" => {
                let so_far: &mut u64 = steps.entry(step).or_default();
                *so_far = so_far.saturating_add(elapsed_ms);
            }
            Ok(Line::OperationFinished { ok: true, elapsed_ms }) => total = Some(elapsed_ms),
            _ => {}
        }
    }
    // One that went on where an earlier one had failed found much of it done.
    let is_whole = operation != Operation::Deploy || steps.contains_key("apply");
    Some(Run { total_ms: total.filter(|_| is_whole)?, steps })
}

fn medians(runs: &[Run]) -> Option<(u64, Vec<StepTime>)> {
    let total = median(runs.iter().map(|run| run.total_ms))?;
    let mut times: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (step, ms) in runs.iter().flat_map(|run| &run.steps) {
        times.entry(step).or_default().push(*ms);
    }
    // What most of them had nothing to do for is not usual.
    let usual = times.into_iter().filter(|(_, times)| 2 * times.len() > runs.len());
    let steps = usual.filter_map(|(step, times)| Some(StepTime { step: step.to_owned(), ms: median(times)? }));
    Some((total, steps.collect()))
}

fn median(values: impl IntoIterator<Item = u64>) -> Option<u64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// docs/performance.md has these, for emulated guests and the rehearsal; with others nothing was measured.
fn measured(shape: &Shape, operation: Operation) -> Option<&'static [(&'static str, u64)]> {
    if !shape.rehearsal || !shape.emulated || shape.nodes > 2 {
        return None;
    }
    match operation {
        Operation::Deploy => Some(&[("apply", 2_600), ("boot", 50_800), ("install", 49_700), ("login", 6_000)]),
        Operation::Start => Some(&[("boot", 40_000), ("database_start", 6_000), ("login", 4_000)]),
        Operation::Stop => Some(&[("database_stop", 7_000), ("services_stop", 4_000), ("power_off", 10_000)]),
        Operation::Destroy => Some(&[("terraform_destroy", 2_500)]),
        Operation::Update | Operation::Repair => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(ok: bool, steps: &[(&str, &str, u64)]) -> String {
        let step = |(step, outcome, ms): &(&str, &str, u64)| {
            format!(
                "{{\"event\":\"step_finished\",\"step\":\"{step}\",\"outcome\":\"{outcome}\",\"elapsed_ms\":{ms}}}\n"
            )
        };
        let total: u64 = steps.iter().map(|(_, _, ms)| ms).sum();
        let end = format!("{{\"event\":\"operation_finished\",\"ok\":{ok},\"elapsed_ms\":{total}}}\n");
        let start = "{\"event\":\"step_detail\",\"message\":\"has_finished\"}\nhalf a li".to_owned();
        start + "ne _finished\n" + &steps.iter().map(step).collect::<String>() + &end
    }

    #[test]
    fn only_operations_that_did_all_of_their_work_count() {
        let whole = [("image", "unchanged", 3), ("apply", "done", 2_000), ("boot", "done", 50_000)];
        let found = run(&log(true, &whole), Operation::Deploy).unwrap();
        assert_eq!(found.total_ms, 52_003);
        assert_eq!(found.steps.keys().collect::<Vec<_>>(), ["apply", "boot"]);
        assert_eq!(run(&log(false, &whole), Operation::Deploy), None);
        assert_eq!(run(&log(true, &[("apply", "unchanged", 1), ("boot", "done", 5)]), Operation::Deploy), None);
        assert!(run(&log(true, &[("boot", "done", 5)]), Operation::Start).is_some());
        assert_eq!(run("", Operation::Start), None);
    }

    #[test]
    fn the_median_of_each_step_that_most_of_them_had() {
        let run = |steps: &[(&str, u64)]| Run {
            total_ms: steps.iter().map(|(_, ms)| ms).sum(),
            steps: steps.iter().map(|(step, ms)| ((*step).to_owned(), *ms)).collect(),
        };
        let runs = [
            run(&[("boot", 50), ("artifacts", 900)]),
            run(&[("boot", 40), ("login", 6)]),
            run(&[("boot", 60), ("login", 8)]),
        ];
        let (total, steps) = medians(&runs).unwrap();
        assert_eq!(total, 68);
        let steps: Vec<_> = steps.iter().map(|time| (time.step.as_str(), time.ms)).collect();
        assert_eq!(steps, [("boot", 50), ("login", 8)]);
        assert_eq!(medians(&[]), None);
    }

    #[test]
    fn what_was_not_measured_is_not_guessed() {
        let shape = Shape { provider: "here".into(), rehearsal: true, nodes: 2, emulated: true };
        assert!(measured(&shape, Operation::Deploy).is_some());
        for other in [
            Shape { nodes: 4, ..shape.clone() },
            Shape { rehearsal: false, ..shape.clone() },
            Shape { emulated: false, ..shape },
        ] {
            assert_eq!(measured(&other, Operation::Deploy), None);
        }
    }

    #[test]
    fn fuzz_times_of_earlier_runs() {
        let seed = log(true, &[("image", "unchanged", 3), ("apply", "done", 2_000), ("apply", "done", 50_000)]);
        crate::fuzz::text_target("operation-events", &[&seed], |text| {
            let runs: Vec<_> = run(text, Operation::Deploy).into_iter().collect();
            medians(&runs);
        });
    }
}
