//! Machines switched on and off, whoever can do that, and the proof that they are.

mod remote;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::host::{ACTION_LIMIT, HostConnection};
use super::operation::{Work, in_dir, pause};
use super::{apply, connections, engine, links, mend, render_input};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::events::StepInfo;
use crate::model::{Machine, NodePlan, Power};
use crate::providers::cloud::{PowerApi, PowerControl, Switch, TerraformPower};
use crate::providers::{Cloud, Host, Provider};
use crate::signal::Interrupt;
use crate::tools::plan::PriorState;
use remote::Remote;

pub(super) const POWER_ON: StepInfo = StepInfo { id: "power_on", title: "switch the machines on" };
pub(super) const POWER_OFF: StepInfo = StepInfo { id: "power_off", title: "switch the machines off" };

const AUTOSTART: &str = "setting the autostart of";

/// A guest shuts down in seconds; one that hangs is given up by systemd after 90 s.
const OFF_LIMIT: Duration = Duration::from_secs(240);
/// Asking a hypervisor costs milliseconds.
const LOCAL_POLL: Duration = Duration::from_millis(500);

/// A server that limits new connections counts half a minute back.
const LOST_LIMIT: Duration = Duration::from_secs(90);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(16);

/// What a provider can tell of the machines: of a cloud that Terraform switches, nothing without it.
pub(super) async fn machines(work: &Work, cluster: &Cluster) -> Result<Vec<Machine>> {
    if let Some(host) = &cluster.host {
        return of_host(work, cluster, host).await;
    }
    match cluster.provider.cloud().map(|cloud| &cloud.power) {
        Some(PowerControl::Api(api)) => {
            Remote::new(&work.dir, cluster.provider, api, &work.interrupt).await?.machines().await
        }
        Some(PowerControl::Terraform(_)) | None => Ok(unknown(cluster)),
    }
}

/// What a cloud's API says of the machines, outside of any operation.
pub(super) async fn ask(
    dir: &DeploymentDir,
    provider: &Provider,
    api: &PowerApi,
    interrupt: &Interrupt,
) -> Result<Vec<Machine>> {
    Remote::new(dir, provider, api, interrupt).await?.machines().await
}

fn unknown(cluster: &Cluster) -> Vec<Machine> {
    cluster.nodes.iter().map(|plan| Machine::with_power(&plan.name, Power::Unknown)).collect()
}

/// What the hypervisor says of the machines. It is asked again and again, so a connection that was lost and
/// comes back within a while is no failure.
pub(super) async fn of_host(work: &Work, cluster: &Cluster, host: &HostConnection) -> Result<Vec<Machine>> {
    let login = (host.row().login)(host.spec())?;
    let since = Instant::now();
    let mut wait = FIRST_RETRY;
    loop {
        let nodes = cluster.nodes.clone();
        let answer = host.ask(move |host| host.machines(&nodes)).await;
        let lost = || login.as_ref().is_some_and(links::was_open) && since.elapsed() < LOST_LIMIT;
        match answer {
            Err(error @ (Error::LibvirtUnreachable { .. } | Error::Other(_) | Error::Timeout { .. })) if lost() => {
                work.detail(format!("{error}: asking again in {} s", wait.as_secs()));
                pause(&work.interrupt, wait).await?;
                wait = (wait * 2).min(LAST_RETRY);
            }
            answer => return answer,
        }
    }
}

/// Switches on what is off. Machines that are on are left alone. The caller has begun the step, and may
/// have `seen` the machines in it.
pub(super) async fn on(work: &mut Work, cluster: &Cluster, seen: Option<Vec<Machine>>) -> Result<()> {
    if let Some(host) = &cluster.host {
        let machines = match seen {
            Some(machines) => machines,
            None => of_host(work, cluster, host).await?,
        };
        refuse_missing(work, &machines)?;
        mend::definitions(work, cluster).await?;
        let off = names(&machines, Power::is_at_rest);
        if !off.is_empty() {
            work.changes();
        }
        each(host, cluster, &off, "switching on", |host, node| host.switch_on(node)).await?;
        // One that was paused may have been cut off meanwhile.
        let machines = if off.is_empty() { machines } else { of_host(work, cluster, host).await? };
        replug(work, cluster, &machines).await?;
        // Also those that were on: `stop` may have failed in between.
        each(host, cluster, &all(cluster), AUTOSTART, |host, node| host.set_autostart(node, true)).await?;
        tell(work, &off);
        return Ok(());
    }
    match cluster.provider.cloud() {
        Some(Cloud { power: PowerControl::Api(api), .. }) => {
            let remote = Remote::new(&work.dir, cluster.provider, api, &work.interrupt).await?;
            let machines = match seen {
                Some(machines) => machines,
                None => remote.machines().await?,
            };
            refuse_missing(work, &machines)?;
            // A machine that shut itself down may be neither on nor off for its cloud.
            let off = names(&machines, |power| power != Power::Running);
            if !off.is_empty() {
                work.changes();
            }
            remote.switch(&off, Switch::On).await?;
            remote.wait(work, &remote.names(), Power::Running).await?;
            tell(work, &off);
            Ok(())
        }
        // `deploy` and `start` have just applied "running".
        Some(Cloud { power: PowerControl::Terraform(_), .. }) | None => Ok(()),
    }
}

/// Machines that were paused go on, so that they can shut down by themselves.
pub(super) async fn wake(work: &Work, cluster: &Cluster, machines: &[Machine]) -> Result<()> {
    let Some(host) = &cluster.host else { return Ok(()) };
    let paused = names(machines, |power| power == Power::Paused);
    if !paused.is_empty() {
        work.changes();
    }
    each(host, cluster, &paused, "switching on", |host, node| host.switch_on(node)).await
}

/// Nobody can switch on what does not exist; `deploy` makes it again.
fn refuse_missing(work: &Work, machines: &[Machine]) -> Result<()> {
    let missing: Vec<_> = names(machines, |power| power == Power::Missing).into_iter().collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::other(format!(
            "the machine of {} does not exist any more: {} makes it again, with its data disks where they are still there",
            missing.join(", "),
            in_dir("exasol deploy", work.dir.root())
        ))),
    }
}

/// Machines that run cut off from their network are connected again. Returns their nodes.
pub(super) async fn replug(work: &Work, cluster: &Cluster, machines: &[Machine]) -> Result<Vec<String>> {
    let mut connected = Vec::new();
    let Some(host) = &cluster.host else { return Ok(connected) };
    for machine in machines {
        let Some(why) = &machine.unplugged else { continue };
        work.changes();
        work.detail(format!("{}: {why}: connecting it again", machine.node));
        each(host, cluster, &BTreeSet::from([machine.node.clone()]), "connecting", |host, node| host.replug(node))
            .await?;
        connected.push(machine.node.clone());
    }
    Ok(connected)
}

fn tell(work: &mut Work, off: &BTreeSet<String>) {
    match off.is_empty() {
        true => work.unchanged("they are on"),
        false => work.done(off.iter().cloned().collect::<Vec<_>>().join(", ")),
    }
}

/// Switches off what is on, and proves it. The guests have been told to shut down before, except
/// where Terraform's provider does that.
pub(super) async fn off(work: &mut Work, cluster: &Cluster) -> Result<()> {
    work.begin(POWER_OFF.id);
    if let Some(host) = &cluster.host {
        let machines = of_host(work, cluster, host).await?;
        let there = names(&machines, |power| power != Power::Missing);
        each(host, cluster, &there, AUTOSTART, |host, node| host.set_autostart(node, false)).await?;
        let on = names(&machines, |power| power == Power::Running);
        if !on.is_empty() {
            work.changes();
        }
        // For a guest that shuts down already it changes nothing.
        each(host, cluster, &on, "shutting down", |host, node| host.shut_down(node)).await?;
        let ask = async || of_host(work, cluster, host).await;
        let proven = wait(work, &all(cluster), Power::Off, (OFF_LIMIT, LOCAL_POLL), ask).await;
        return match proven {
            Ok(()) => {
                work.done("every machine is off");
                Ok(())
            }
            Err(error) => Err(advised(work, cluster, host, error).await),
        };
    }
    match cluster.provider.cloud() {
        Some(Cloud { power: PowerControl::Api(api), .. }) => {
            let remote = Remote::new(&work.dir, cluster.provider, api, &work.interrupt).await?;
            if let Some(unknown) = all(cluster).difference(&remote.names()).next() {
                return Err(Error::other(format!(
                    "deployment.json knows no machine of {unknown}: nothing was switched off"
                )));
            }
            // A guest that goes down by itself is not cut off; one that does not is, after a while. For
            // some clouds only the call makes it what `off` means (no more costs).
            remote.until_down().await?;
            let still_on = names(&remote.machines().await?, |power| !is_proof(power, Power::Off));
            work.changes();
            remote.switch(&still_on, Switch::Off).await?;
            remote.wait(work, &all(cluster), Power::Off).await?;
            work.done("the cloud says that every machine is off");
            Ok(())
        }
        Some(Cloud { power: PowerControl::Terraform(_), .. }) => {
            by_terraform(work, cluster, false).await?;
            refuse_edits_that_keep_it_on(work, cluster).await?;
            work.done("Terraform's provider has stopped every machine");
            Ok(())
        }
        None => Ok(()),
    }
}

/// Renders and applies the machines' state, for clouds whose Terraform provider switches them.
pub(super) async fn by_terraform(work: &mut Work, cluster: &Cluster, powered: bool) -> Result<()> {
    let secrets = work.dir.secrets()?;
    let files = render_input::terraform(cluster.provider, work.dir.state(), &secrets, &cluster.nodes, powered)?;
    work.dir.write_files(&files, cluster.edits)?;
    let terraform = engine::of(&work.dir).await?;
    apply::run(work, cluster, &terraform, &[], async |_, _| Ok(())).await
}

/// Terraform's files stay as somebody edited them, and may not ask for machines that are off any more.
async fn refuse_edits_that_keep_it_on(work: &Work, cluster: &Cluster) -> Result<()> {
    let edited = work.dir.edited_files()?;
    let edited: Vec<_> = edited.iter().filter(|file| file.starts_with("terraform")).collect();
    if edited.is_empty() || all_off_for_terraform(work, cluster).await? {
        return Ok(());
    }
    let edited = edited.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(Error::other(format!(
        "the machines are still on: Terraform was asked for what {edited} says, edited by hand; undo the edit, and run \
         exasol stop again"
    )))
}

/// Whether Terraform switches the machines.
pub(super) fn is_terraforms(cluster: &Cluster) -> bool {
    matches!(cluster.provider.cloud(), Some(Cloud { power: PowerControl::Terraform(_), .. }))
}

/// Whether Terraform switches the machines, and its provider says that each is off.
pub(super) async fn all_off_for_terraform(work: &Work, cluster: &Cluster) -> Result<bool> {
    let Some(Cloud { power: PowerControl::Terraform(power), .. }) = cluster.provider.cloud() else {
        return Ok(false);
    };
    let terraform = connections::workdir(work, &engine::of(&work.dir).await?).await?;
    terraform.init().await?;
    let seen = terraform.refreshed().await?;
    Ok(in_prior_state(&seen, power, &cluster.nodes).iter().all(|machine| machine.power == Power::Off))
}

/// What Terraform has just read of the machines.
pub(super) fn in_prior_state(seen: &PriorState, power: &TerraformPower, plans: &[NodePlan]) -> Vec<Machine> {
    let of = |plan: &NodePlan| match seen.attribute(power.resource, &plan.name, power.attribute) {
        Some(word) if power.running.contains(&word) => Power::Running,
        Some(word) if power.off.contains(&word) => Power::Off,
        Some(_) => Power::Unknown,
        None => Power::Missing,
    };
    plans.iter().map(|plan| Machine::with_power(&plan.name, of(plan))).collect()
}

/// A guest that does not shut down: how it is switched off without its help.
async fn advised(work: &Work, cluster: &Cluster, host: &HostConnection, error: Error) -> Error {
    let Error::Timeout { what, limit_s, last_seen, .. } = error else { return error };
    let machines = of_host(work, cluster, host).await.unwrap_or_default();
    let on = names(&machines, |power| !is_proof(power, Power::Off));
    let plans = cluster.nodes.iter().filter(|plan| on.contains(&plan.name));
    let commands: Vec<_> = plans.filter_map(|plan| (host.row().cut_off)(host.spec(), plan).ok()).collect();
    let hint = (!commands.is_empty()).then(|| {
        let again = in_dir("exasol stop", work.dir.root());
        let commands = commands.join("\n");
        format!("the guest does not shut down by itself; this is as if its plug were pulled:\n{commands}\n{again}")
    });
    Error::Timeout { what, limit_s, last_seen, hint }
}

fn all(cluster: &Cluster) -> BTreeSet<String> {
    cluster.nodes.iter().map(|plan| plan.name.clone()).collect()
}

fn names(machines: &[Machine], wanted: impl Fn(Power) -> bool) -> BTreeSet<String> {
    machines.iter().filter(|m| wanted(m.power)).map(|m| m.node.clone()).collect()
}

/// What does not exist is not on.
fn is_proof(now: Power, wanted: Power) -> bool {
    now == wanted || (wanted == Power::Off && now == Power::Missing)
}

/// Does something to each of these machines, in order. `what` is said where one hangs: "switching on n11".
async fn each(
    host: &HostConnection,
    cluster: &Cluster,
    wanted: &BTreeSet<String>,
    what: &str,
    action: impl Fn(&dyn Host, &NodePlan) -> Result<()> + Copy + Send + 'static,
) -> Result<()> {
    for node in cluster.nodes.iter().filter(|plan| wanted.contains(&plan.name)) {
        let (what, node) = (format!("{what} {}", node.name), node.clone());
        host.act(ACTION_LIMIT, what, move |host| action(host, &node)).await?;
    }
    Ok(())
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
        pause(&work.interrupt, poll).await?;
    }
}
