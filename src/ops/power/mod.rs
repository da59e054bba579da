//! Machines switched on and off, whoever can do that, and the proof that they are.
//!
//! | file | who switches them |
//! | --- | --- |
//! | `host` | a hypervisor's own library |
//! | `api` | a cloud's API |
//! | `terraform` | a cloud's Terraform provider |

mod api;
mod host;
mod terraform;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::operation::Work;
use super::switcher::Switcher;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::events::StepInfo;
use crate::model::{Machine, Power};
use crate::providers::Provider;
use crate::providers::cloud::PowerApi;
use crate::signal::Interrupt;
pub(super) use api::prove;
pub(super) use terraform::{apply as by_terraform, in_prior_state};

pub(super) const POWER_ON: StepInfo = StepInfo { id: "power_on", title: "switch the machines on" };
pub(super) const POWER_OFF: StepInfo = StepInfo { id: "power_off", title: "switch the machines off" };

/// A guest shuts down in seconds; one that hangs is given up by systemd after 90 s.
const OFF_LIMIT: Duration = Duration::from_secs(240);

/// What is known of the machines: of a cloud that Terraform switches, nothing without it.
pub(super) async fn machines(work: &Work) -> Result<Vec<Machine>> {
    match work.cluster.switcher.clone() {
        Switcher::Host(hosts) => host::machines(work, &hosts).await,
        Switcher::Api(api) => ask(&work.dir, work.cluster.provider, api, &work.interrupt).await,
        Switcher::Terraform(_) => Ok(terraform::machines(work)),
    }
}

/// What a cloud's API says of the machines, outside of any operation.
pub(super) async fn ask(
    dir: &DeploymentDir,
    provider: &Provider,
    api: &PowerApi,
    interrupt: &Interrupt,
) -> Result<Vec<Machine>> {
    api::Remote::new(dir, provider, api, interrupt).await?.machines().await
}

/// Switches on what is off. Machines that are on are left alone. The caller has begun the step, and may
/// have `seen` the machines in it.
pub(super) async fn on(work: &mut Work, seen: Option<Vec<Machine>>) -> Result<()> {
    match work.cluster.switcher.clone() {
        Switcher::Host(hosts) => host::on(work, &hosts, seen).await,
        Switcher::Api(api) => api::on(work, api, seen).await,
        // `deploy` and `start` have just applied "running".
        Switcher::Terraform(_) => Ok(()),
    }
}

/// Switches off what is on, and proves it. The guests have been told to shut down before, except
/// where Terraform's provider does that.
pub(super) async fn off(work: &mut Work) -> Result<()> {
    work.begin(POWER_OFF.id);
    match work.cluster.switcher.clone() {
        Switcher::Host(hosts) => host::off(work, &hosts).await,
        Switcher::Api(api) => api::off(work, api).await,
        Switcher::Terraform(power) => terraform::off(work, power).await,
    }
}

/// Machines that were paused go on, so that they can shut down by themselves.
pub(super) async fn wake(work: &Work, machines: &[Machine]) -> Result<()> {
    match work.cluster.hosts() {
        Some(hosts) => host::wake(work, hosts, machines).await,
        None => Ok(()),
    }
}

/// Machines that run cut off from their network are connected again. Returns their nodes.
pub(super) async fn replug(work: &Work, machines: &[Machine]) -> Result<Vec<String>> {
    match work.cluster.hosts() {
        Some(hosts) => host::replug(work, hosts, machines).await,
        None => Ok(Vec::new()),
    }
}

/// Whether Terraform switches the machines.
pub(super) fn is_terraforms(work: &Work) -> bool {
    matches!(work.cluster.switcher, Switcher::Terraform(_))
}

/// Whether Terraform switches the machines, and its provider says that each is off.
pub(super) async fn all_off_for_terraform(work: &Work) -> Result<bool> {
    match work.cluster.switcher.clone() {
        Switcher::Terraform(power) => terraform::all_off(work, power).await,
        Switcher::Host(_) | Switcher::Api(_) => Ok(false),
    }
}

/// Nobody can switch on what does not exist; `deploy` makes it again.
fn refuse_missing(work: &Work, machines: &[Machine]) -> Result<()> {
    let missing: Vec<_> = names(machines, |power| power == Power::Missing).into_iter().collect();
    if missing.is_empty() {
        return Ok(());
    }
    // Deploy is allowed after this, also where the machines were off on purpose.
    work.found_otherwise();
    Err(Error::MachinesMissing { nodes: missing, all: false })
}

fn tell(work: &mut Work, off: &BTreeSet<String>) {
    match off.is_empty() {
        true => work.unchanged("they are on"),
        false => work.done(off.iter().cloned().collect::<Vec<_>>().join(", ")),
    }
}

fn all(work: &Work) -> BTreeSet<String> {
    work.cluster.nodes.iter().map(|plan| plan.name.clone()).collect()
}

fn names(machines: &[Machine], wanted: impl Fn(Power) -> bool) -> BTreeSet<String> {
    machines.iter().filter(|m| wanted(m.power)).map(|m| m.node.clone()).collect()
}

/// What does not exist is not on.
fn is_proof(now: Power, wanted: Power) -> bool {
    now == wanted || (wanted == Power::Off && now == Power::Missing)
}

/// Until every one of these machines has that power.
async fn wait(
    work: &Work,
    nodes: &BTreeSet<String>,
    power: Power,
    (limit, poll): (Duration, Duration),
    ask: impl AsyncFn() -> Result<Vec<Machine>>,
) -> Result<()> {
    let since = Instant::now();
    let mut told = BTreeSet::new();
    loop {
        let machines = ask().await?;
        let there = names(&machines, |now| now == power);
        for node in there.difference(&told) {
            work.detail(format!("{node} is {}", power.as_str()));
        }
        told = there;
        let proven = names(&machines, |now| is_proof(now, power));
        let missing: Vec<_> = nodes.difference(&proven).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if since.elapsed() >= limit {
            let power_of =
                |node: &String| machines.iter().find(|m| m.node == *node).map_or(Power::Unknown, |m| m.power);
            let seen = missing.iter().map(|node| format!("{node} is {}", power_of(node).as_str())).collect::<Vec<_>>();
            return Err(Error::Timeout {
                what: format!("waiting until every machine is {}", power.as_str()),
                limit_s: limit.as_secs(),
                last_seen: Some(seen.join("; ")),
                hint: None,
            });
        }
        work.interrupt.sleep(poll).await?;
    }
}
