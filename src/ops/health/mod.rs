//! `health`: every layer of every node, with one SSH session a node; `--repair` puts right what
//! follows from something else.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the story: look, wait, repair, remember |
//! | `examine` | probes and sessions, all nodes at once |
//! | `facts` | pure: what a node printed |
//! | `cause` | pure: which issues follow from others |
//! | `judge` | pure: from facts to layers and issues |
//! | `repair` | under the lock: addresses, rendered files, certificate, phase |

mod cause;
mod examine;
mod facts;
mod judge;
mod repair;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::operation::{in_dir, millis};
use super::{Context, node_records, recorded, rendered, ssh_files, status};
use crate::deployment::{DeploymentDir, LockStatus};
use crate::error::Result;
use crate::model::{HealthReport, HealthStatus, Issue, Layer, Phase};
use examine::Findings;

pub struct HealthRequest {
    pub dir: PathBuf,
    /// As `status` has it: probes from here end by then. Sessions on nodes have a limit of their own.
    pub deadline: Duration,
    /// Look again until nothing is broken up to this layer, at most for this long.
    pub wait: Option<(Layer, Duration)>,
    pub repair: bool,
}

pub async fn run(context: &Context, request: HealthRequest) -> Result<HealthReport> {
    let since = Instant::now();
    refuse_without_nodes(&DeploymentDir::open(&request.dir)?)?;
    let repaired = if request.repair { repair::run(context, &request).await? } else { Vec::new() };
    loop {
        let mut report = look(context, &request).await?;
        let again = match request.wait {
            Some((layer, limit)) if !report.works_up_to(layer) => status::until_next_look(limit, since.elapsed()),
            _ => None,
        };
        if let Some(time) = again {
            context.interrupt.sleep(time).await?;
            continue;
        }
        report.repaired = repaired;
        report.checked_in_ms = millis(since);
        remember(context, &request, &report);
        return Ok(report);
    }
}

/// Their names, for somebody who waits; none where the directory cannot be read.
pub fn node_names(root: &Path) -> Vec<String> {
    let dir = DeploymentDir::open(root).ok();
    dir.map(|dir| dir.state().nodes.iter().map(|node| node.plan.name.clone()).collect()).unwrap_or_default()
}

/// Before there are nodes, and after, there is nothing to examine.
fn refuse_without_nodes(dir: &DeploymentDir) -> Result<()> {
    match dir.state().phase {
        // Half of it is gone.
        Phase::DestroyFailed | Phase::DestroyInProgress => Err(node_records::none(dir)),
        _ => node_records::of(dir).map(drop),
    }
}

async fn look(context: &Context, request: &HealthRequest) -> Result<HealthReport> {
    let (dir, lock) = DeploymentDir::open_with_lock(&request.dir)?;
    let running = matches!(lock, LockStatus::Held(_));
    // A moved directory; where that cannot be mended now, its files are among the issues.
    let dir = if running { dir } else { ssh_files::heal(dir.clone()).unwrap_or(dir) };
    found(context, &request.dir, request.deadline, &dir, lock).await
}

/// One look that leaves nothing behind: no line in the history, and stale files stay as they are.
pub(super) async fn glance(context: &Context, root: &Path, deadline: Duration) -> Result<HealthReport> {
    let since = Instant::now();
    let (dir, lock) = DeploymentDir::open_with_lock(root)?;
    refuse_without_nodes(&dir)?;
    let report = found(context, root, deadline, &dir, lock).await?;
    Ok(HealthReport { checked_in_ms: millis(since), ..report })
}

async fn found(
    context: &Context,
    root: &Path,
    deadline: Duration,
    dir: &DeploymentDir,
    lock: LockStatus,
) -> Result<HealthReport> {
    let running = matches!(lock, LockStatus::Held(_));
    let Findings { statuses, nodes, mut issues } = context.interrupt.run(examine::nodes(dir, root, deadline)).await??;
    let state = dir.state();
    issues.extend(judge::record(root, state.phase, running, &statuses, &rendered::files(dir)?));
    cause::order(&mut issues);
    let mut report = HealthReport {
        status: HealthStatus::Healthy,
        whose: dir.whose(),
        phase: state.phase,
        rehearsal: recorded::is_rehearsal(dir),
        nodes,
        issue_count: issues.len(),
        issues,
        repaired: Vec::new(),
        operation: match lock {
            LockStatus::Held(holder) => holder,
            LockStatus::Free => None,
        },
        next: Vec::new(),
        checked_in_ms: 0,
    };
    if !report.is_healthy() {
        report.status = HealthStatus::Problems;
    }
    report.next = next(root, running, &report.issues);
    Ok(report)
}

/// What to run about the lowest layer that a command can mend: what is above it may follow from it.
fn next(root: &Path, running: bool, issues: &[Issue]) -> Vec<String> {
    if running {
        return vec![in_dir("exasol logs --follow", root)];
    }
    let commands = issues.iter().filter(|issue| issue.command.is_some());
    let lowest = commands.min_by_key(|issue| (std::cmp::Reverse(issue.severity), issue.layer));
    lowest.and_then(|issue| issue.command.clone()).into_iter().collect()
}

/// One line a look, for somebody who asks since when.
fn remember(context: &Context, request: &HealthRequest, report: &HealthReport) {
    let issues: Vec<_> =
        report.issues.iter().map(|i| json!({"type": i.kind, "node": i.node, "severity": i.severity})).collect();
    let line = json!({
        "at": format!("{:.0}", jiff::Timestamp::now()),
        "status": report.status,
        "phase": report.phase,
        "issues": issues,
        "repaired": report.repaired,
        "checked_in_ms": report.checked_in_ms,
    });
    let written = DeploymentDir::open(&request.dir).and_then(|dir| dir.remember_health(&line.to_string()));
    if let Err(error) = written {
        context.sink.warn(format!("the history of health could not be written: {error}"));
    }
}
