//! `status`: the recorded phase and what live probes prove, within one deadline. Writes nothing,
//! takes no lock, and needs neither Terraform nor Ansible (`--refresh` aside).

mod history;
mod next;
mod probes;
mod refresh;
#[cfg(test)]
mod testing;
mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Context;
use super::operation::millis;
use super::recorded;
use crate::deployment::{DeploymentDir, LockStatus};
use crate::error::Result;
use crate::model::{NodePlan, NodeStatus, Phase, Power, StatusReport, StepAt};
use history::History;
pub(super) use probes::{moved_to, nodes};
use verdict::Verdict;

pub struct StatusRequest {
    pub dir: PathBuf,
    /// Every probe ends by then, whatever it waits for.
    pub deadline: Duration,
    /// Asks a cloud how its machines are, through Terraform or its API: takes seconds.
    pub refresh: bool,
}

/// A live look takes a second; this often is enough for somebody who waits.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

impl StatusRequest {
    /// As `status` asks when nobody says otherwise.
    pub fn usual(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), deadline: Duration::from_secs(5), refresh: false }
    }
}

pub async fn run(context: &Context, request: &StatusRequest) -> Result<StatusReport> {
    let since = Instant::now();
    let (dir, lock) = DeploymentDir::open_with_lock(&request.dir)?;
    let plans = NodePlan::all(&dir.state().id, &dir.state().spec);
    let refreshed = match request.refresh {
        true => Some(refresh::machines(context, &dir, &plans).await?),
        false => None,
    };
    let probing = probes::nodes(&dir, &plans, refreshed, request.deadline);
    let nodes = context.interrupt.run(probing).await?;
    let state = dir.state();
    let tried = state.phase == Phase::Initialized && state.last_error.is_some();
    let running = matches!(lock, LockStatus::Held(_));
    // Once its destroy has begun, it is one like others.
    let adopted = state.adopted.is_some() && matches!(state.phase, Phase::DatabaseConnectionFailed | Phase::Stopped);
    let (verdict, next) = match adopted && !running {
        true => (Verdict::of_adopted(state.phase, &nodes), next::of_adopted(dir.has_ssh_key())),
        false => (
            Verdict::of(state.phase, &lock, &nodes),
            next::commands(state.phase, running, state.update_pending, &nodes),
        ),
    };
    let history = History::of(&dir);
    let reason = match unseen(state.spec.hosts(), &nodes) {
        Some(unseen) if !running => format!("{}; {unseen}", verdict.reason),
        _ => verdict.reason,
    };
    Ok(StatusReport {
        directory: dir.root().to_owned(),
        node_size: recorded::node_size(&dir),
        instance_type: state.spec.instance_type.clone(),
        allowed_cidrs: state.spec.allowed_cidrs.iter().map(ToString::to_string).collect(),
        step: history.step.filter(|_| verdict.status != Phase::DatabaseReady.into()),
        since: history.since,
        last_good: history.last_good,
        next_does: next.iter().map(|next| next.why).collect(),
        status: verdict.status,
        phase: state.phase,
        recorded_at: state.updated_at.clone(),
        reason: if tried { format!("{reason}; the last deploy failed") } else { reason },
        whose: dir.whose(),
        provider: state.spec.provider.clone(),
        db_version: state.spec.db_version.clone(),
        rehearsal: recorded::is_rehearsal(&dir),
        cluster_size: state.spec.cluster_size,
        nodes,
        operation: match lock {
            LockStatus::Held(holder) => holder,
            LockStatus::Free => None,
        },
        update_pending: state.update_pending,
        last_error: state.last_error.clone(),
        next: next.iter().map(|next| next.at(&request.dir)).collect(),
        checked_in_ms: millis(since),
    })
}

/// Of several hypervisors those that do not answer, with the nodes that are there.
fn unseen(hosts: u32, nodes: &[NodeStatus]) -> Option<String> {
    let mut silent: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| hosts > 1 && node.vm == Power::Unknown) {
        let Some(why) = node.vm_reason.as_deref() else { continue };
        silent.entry(why).or_default().push(&node.name);
    }
    let clauses: Vec<_> =
        silent.iter().map(|(why, nodes)| format!("{why} (where {} should be)", nodes.join(" and "))).collect();
    (!clauses.is_empty()).then(|| clauses.join("; "))
}

/// The step in which the last operation is or was; None if it went well.
pub(super) fn step_of(dir: &DeploymentDir) -> Option<StepAt> {
    History::of(dir).step
}

/// Looks until the status is the wished one, or the time is up; Err holds the last report.
pub async fn wait_for(
    context: &Context,
    request: &StatusRequest,
    wished: &str,
    limit: Duration,
) -> Result<std::result::Result<StatusReport, StatusReport>> {
    let since = Instant::now();
    loop {
        let report = run(context, request).await?;
        if report.status.as_str() == wished {
            return Ok(Ok(report));
        }
        match until_next_look(limit, since.elapsed()) {
            Some(time) => context.interrupt.sleep(time).await?,
            None => return Ok(Err(report)),
        }
    }
}

/// For somebody who waits: how long from one look to the next, the last of which is at the end of the
/// time; None when that has passed.
pub(super) fn until_next_look(limit: Duration, elapsed: Duration) -> Option<Duration> {
    let left = limit.saturating_sub(elapsed);
    (!left.is_zero()).then(|| LOOK_AGAIN.min(left))
}

/// Looks for ever; `show` gets every report that says something new. Ends with a signal.
pub async fn watch(
    context: &Context,
    request: &StatusRequest,
    show: &mut dyn FnMut(&StatusReport) -> Result<()>,
) -> Result<()> {
    let mut last = None;
    loop {
        let report = run(context, request).await?;
        let news = report.without_times();
        if last.as_ref() != Some(&news) {
            show(&report)?;
            last = Some(news);
        }
        context.interrupt.sleep(LOOK_AGAIN).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_hypervisors_the_silent_one_is_named() {
        let node = |name: &str, vm: Power, why: Option<&str>| NodeStatus {
            name: name.into(),
            vm,
            vm_reason: why.map(str::to_owned),
            ..testing::node(vm, crate::model::Probe::ok(1))
        };
        let why = "libvirt at qemu+ssh://b/system cannot be reached: no";
        let nodes = [
            node("n11", Power::Running, None),
            node("n12", Power::Unknown, Some(why)),
            node("n13", Power::Running, None),
            node("n14", Power::Unknown, Some(why)),
        ];
        assert_eq!(unseen(2, &nodes).unwrap(), format!("{why} (where n12 and n14 should be)"));
        assert_eq!(unseen(1, &nodes), None);
        assert_eq!(unseen(2, &nodes[..1]), None);
    }

    #[test]
    fn the_last_look_is_at_the_end_of_the_time() {
        let seconds = Duration::from_secs;
        assert_eq!(until_next_look(seconds(60), seconds(10)), Some(LOOK_AGAIN));
        assert_eq!(until_next_look(seconds(60), seconds(59)), Some(seconds(1)));
        assert_eq!(until_next_look(seconds(60), seconds(60)), None);
        assert_eq!(until_next_look(seconds(0), seconds(0)), None);
    }
}
