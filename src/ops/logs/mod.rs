//! `logs`: what an operation's tools and its machines' consoles printed, in the order of time.
//! Reads files, takes no lock, writes nothing.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the story: which folder, which lines, until when |
//! | `files` | an operation's files, read on from where the last look ended |
//! | `timeline` | pure: from a file's line to its time, step and node |
//!
//! Does not belong here: words for people (`ui`).

mod files;
mod timeline;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::Context;
use super::operation::in_dir;
use crate::deployment::{DeploymentDir, EVENTS_FILE, LockStatus, LogFolder};
use crate::error::{Error, Result};
use crate::model::{InvalidValue, LogLine, LogList, LoggedOperation, LoggedOutcome, NodePlan, Operation, closest};

pub(super) use timeline::Timeline;

use files::Files;

pub struct LogsRequest {
    pub dir: PathBuf,
    /// An operation, whose last run is meant, or a folder's name. None: whatever ran last.
    pub operation: Option<String>,
    pub step: Option<String>,
    pub node: Option<String>,
    /// Goes on for as long as an operation holds the lock.
    pub follow: bool,
}

/// How often a running operation's files are looked at.
const POLL: Duration = Duration::from_millis(100);

pub async fn run(context: &Context, request: LogsRequest, show: &mut dyn FnMut(&LogLine) -> Result<()>) -> Result<()> {
    let dir = DeploymentDir::open(&request.dir)?;
    let nodes = node_names(&dir, request.node.as_deref())?;
    let mut files: Option<Files> = None;
    loop {
        // Asked before reading: what an operation writes before its end is read in the last round.
        let running = request.follow && is_running(&dir)?;
        let folder = match chosen(&dir, &request) {
            // It has the lock, and no folder yet.
            Err(Error::NotYet { .. }) if running => None,
            folder => Some(folder?),
        };
        if let Some(folder) = folder {
            if files.as_ref().is_none_or(|f| f.folder != folder.path) {
                // An operation began after the one that was shown.
                if let Some(mut earlier) = files.take() {
                    pass_on(&request, earlier.rest()?, show)?;
                }
                files = Some(Files::of(folder.path, nodes.clone(), request.node.clone()));
            }
            if let Some(files) = &mut files {
                let lines = if running { files.read()? } else { files.rest()? };
                check_step(&request, files.steps())?;
                pass_on(&request, lines, show)?;
            }
        }
        if !running {
            return Ok(());
        }
        context.interrupt.sleep(POLL).await?;
    }
}

fn pass_on(request: &LogsRequest, lines: Vec<LogLine>, show: &mut dyn FnMut(&LogLine) -> Result<()>) -> Result<()> {
    let wanted = |line: &&LogLine| {
        request.step.as_ref().is_none_or(|step| line.step.as_ref() == Some(step))
            && request.node.as_ref().is_none_or(|node| line.node.as_ref() == Some(node))
    };
    lines.iter().filter(wanted).try_for_each(show)
}

fn is_running(dir: &DeploymentDir) -> Result<bool> {
    Ok(matches!(dir.lock_status()?, LockStatus::Held(_)))
}

/// The nodes' names; the one that was asked for is among them.
fn node_names(dir: &DeploymentDir, wanted: Option<&str>) -> Result<Vec<String>> {
    let state = dir.state();
    let names: Vec<String> = NodePlan::all(&state.id, &state.spec).into_iter().map(|plan| plan.name).collect();
    match wanted {
        Some(node) if !names.iter().any(|name| name == node) => {
            Err(InvalidValue::none_of("--node", node, &names).into())
        }
        _ => Ok(names),
    }
}

/// Only steps of the operation that is shown can be asked for; they are known with its first event.
fn check_step(request: &LogsRequest, steps: &[String]) -> Result<()> {
    match &request.step {
        Some(step) if !steps.is_empty() && !steps.contains(step) => {
            Err(InvalidValue::none_of("--step", step, steps).into())
        }
        _ => Ok(()),
    }
}

fn chosen(dir: &DeploymentDir, request: &LogsRequest) -> Result<LogFolder> {
    let mut folders = dir.log_folders()?;
    let Some(wanted) = &request.operation else {
        return folders.pop().ok_or_else(|| Error::NotYet {
            message: format!("nothing has been logged in {} yet", request.dir.display()),
            hint: Some(format!("the first operation begins the logs: {}", in_dir("exasol deploy", &request.dir))),
        });
    };
    if let Some(found) = folders.iter().rposition(|f| f.name == *wanted || f.operation.as_str() == wanted) {
        return Ok(folders.swap_remove(found));
    }
    let operations = Operation::ALL.map(|operation| operation.as_str().to_owned());
    match operations.contains(wanted) {
        true => Err(Error::NotYet {
            message: format!("no {wanted} has been logged in {}", request.dir.display()),
            hint: Some(format!("these have been: {}", in_dir("exasol logs --list", &request.dir))),
        }),
        false => Err(Error::InvalidValue {
            flag: "--operation".into(),
            value: wanted.clone(),
            problem: format!("must be one of {}, or a name from --list", operations.join(", ")),
            suggestion: closest(wanted, operations.iter().chain(folders.iter().map(|f| &f.name)).map(String::as_str)),
        }),
    }
}

/// The steps of the last operation: nothing where none has begun.
pub fn steps(dir: &DeploymentDir) -> Result<Vec<String>> {
    let Some(last) = dir.log_folders()?.pop() else { return Ok(Vec::new()) };
    let mut files = Files::of(last.path, Vec::new(), None);
    files.read()?;
    Ok(files.steps().to_vec())
}

/// `logs --list`: the operations whose logs are kept.
pub fn list(root: &Path) -> Result<LogList> {
    let dir = DeploymentDir::open(root)?;
    let running = is_running(&dir)?;
    let folders = dir.log_folders()?;
    let last = folders.len().saturating_sub(1);
    let described = folders.iter().enumerate().map(|(index, folder)| describe(folder, running && index == last));
    Ok(LogList { deployment: dir.state().id.to_string(), operations: described.collect() })
}

fn describe(folder: &LogFolder, running: bool) -> LoggedOperation {
    // A log that cannot be read is one without an end.
    let events = std::fs::read_to_string(folder.path.join(EVENTS_FILE)).unwrap_or_default();
    let last = events.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    let end = last.filter(|event| event["event"] == "operation_finished");
    let outcome = match &end {
        Some(end) if end["ok"] == true => LoggedOutcome::Done,
        // Earlier versions told a signal alone.
        Some(end) if end["stopped"] == true || events.contains("\"event\":\"stopping\"") => LoggedOutcome::Stopped,
        Some(_) => LoggedOutcome::Failed,
        None if running => LoggedOutcome::Running,
        None => LoggedOutcome::Interrupted,
    };
    LoggedOperation {
        name: folder.name.clone(),
        operation: folder.operation.to_string(),
        started_at: folder.started_at.to_string(),
        outcome,
        took_ms: end.and_then(|end| end["elapsed_ms"].as_u64()),
    }
}
