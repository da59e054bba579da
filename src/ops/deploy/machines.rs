//! The machines: planned, guarded, applied, and followed until each has an address and a shell.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::super::blocking::blocking;
use super::super::connections;
use super::super::operation::Work;
use super::super::terraform_dir;
use super::{APPLY, BOOT, PLAN, Plan, console};
use crate::error::{Error, Result};
use crate::model::{Machine, Node, PlanReport, Power};
use crate::providers::Hypervisor;
use crate::tools::plan::Protected;
use crate::tools::ssh_ready::{Progress, wait_ready};
use crate::tools::terraform::Terraform;

/// A guest under emulation needs a minute to its address; a machine that has none after this has none.
const ADDRESS_LIMIT: Duration = Duration::from_secs(600);
/// Asking libvirt costs a few milliseconds a node.
const ADDRESS_POLL: Duration = Duration::from_millis(500);
/// cloud-init under emulation takes a minute; a first boot with package set-up on a slow host several.
const LOGIN_LIMIT: Duration = Duration::from_secs(900);

pub(super) async fn plan_and_apply(work: &mut Work, plan: &Plan, terraform: &Terraform) -> Result<()> {
    work.begin(PLAN.id);
    work.dir.update(|state| state.engine = Some(terraform.engine.as_str().to_owned()))?;
    let terraform = connections::workdir(work, terraform)?;
    remove_orphans(work, plan).await?;
    terraform.init().await?;
    let planned = terraform.plan().await?;
    let protected = Protected { machines: plan.provider.machine_types, data_disks: plan.provider.disk_types };
    if let Err(refused) = planned.guard(protected, &plan.request.allow_replace) {
        terraform.forget_plan();
        return Err(refused);
    }
    if planned.is_empty() {
        terraform.forget_plan();
        work.unchanged("the infrastructure is as planned");
        return Ok(());
    }
    work.done(counts(&planned.report()));
    work.begin(APPLY.id);
    terraform.apply().await
}

fn counts(report: &PlanReport) -> String {
    let PlanReport { create, update, replace, delete, .. } = report;
    format!("{create} to create, {update} to change, {replace} to replace, {delete} to remove")
}

/// A Terraform that was killed may have left things that its state does not know. Before the
/// first success they hold no data, and would be in the way of the next attempt.
async fn remove_orphans(work: &Work, plan: &Plan) -> Result<()> {
    let Some(hypervisor) = plan.provider.hypervisor.as_ref() else { return Ok(()) };
    let state = work.dir.state();
    let known = terraform_dir::names(&work.dir.terraform_dir());
    let (spec, id) = (state.spec.clone(), state.id.clone());
    let found = blocking(move || (hypervisor.leftovers)(&spec, &id)).await?;
    let orphans: Vec<_> = found.into_iter().filter(|l| !known.contains(&l.name)).collect();
    if orphans.is_empty() {
        return Ok(());
    }
    let names = orphans.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join(", ");
    if state.ever_ready {
        return Err(Error::other(format!(
            "{names} exist, but Terraform's state does not know them: they may hold data, so nothing was changed"
        )));
    }
    work.detail(format!("removing what an interrupted run left: {names}"));
    let (spec, id) = (state.spec.clone(), state.id.clone());
    blocking(move || orphans.iter().try_for_each(|o| (hypervisor.remove)(&spec, &id, o))).await
}

/// Follows the consoles, waits for addresses and then for shells; leaves the nodes in the state.
pub(super) async fn boot(work: &mut Work, plan: &Plan) -> Result<Vec<Node>> {
    work.begin(BOOT.id);
    let consoles = console::follow(work, plan);
    let nodes = match plan.provider.hypervisor.as_ref() {
        Some(hypervisor) => from_hypervisor(work, plan, hypervisor, &consoles).await?,
        None => connections::from_outputs(work, &plan.nodes).await?,
    };
    work.dir.update(|state| state.nodes = nodes.clone())?;
    connections::write_ssh_files(&mut work.dir, plan.provider, plan.request.edits)?;
    let ssh = connections::ssh(&work.dir)?;
    let names: Vec<_> = nodes.iter().map(|n| n.plan.name.clone()).collect();
    let targets = connections::targets(&work.dir, plan.provider)?;
    let sink = work.sink.clone();
    let tell = |node: &str, progress: &Progress| sink.detail(BOOT.id, format!("{node}: {}", progress.text()));
    let waited = wait_ready(&ssh, &targets, LOGIN_LIMIT, &work.interrupt, &tell).await;
    waited.map_err(|e| consoles.explain(e))?;
    work.done(format!("{} can be reached", names.join(", ")));
    Ok(nodes)
}

async fn from_hypervisor(
    work: &Work,
    plan: &Plan,
    hypervisor: &'static Hypervisor,
    consoles: &console::Consoles,
) -> Result<Vec<Node>> {
    let since = Instant::now();
    let mut known: BTreeMap<String, IpAddr> = BTreeMap::new();
    loop {
        let machines = machines(work, plan, hypervisor).await?;
        for machine in &machines {
            refuse_dead(machine, consoles)?;
            let address = machine.addresses.first().copied().or_else(|| consoles.address(&machine.node));
            if let Some(address) = address.filter(|_| !known.contains_key(&machine.node)) {
                work.detail(format!("{} has the address {address}", machine.node));
                known.insert(machine.node.clone(), address);
            }
        }
        if known.len() == plan.nodes.len() {
            break;
        }
        if since.elapsed() > ADDRESS_LIMIT {
            let missing: Vec<_> = plan.nodes.iter().map(|n| &n.name).filter(|n| !known.contains_key(*n)).collect();
            let missing = missing.into_iter().cloned().collect::<Vec<_>>().join(", ");
            return Err(consoles.explain(Error::Timeout {
                what: format!("waiting for the address of {missing}"),
                limit_s: ADDRESS_LIMIT.as_secs(),
                last_seen: Some("running, without a DHCP lease".into()),
                hint: Some("see whether the network's DHCP works: virsh net-dhcp-leases".into()),
            }));
        }
        work.unless_interrupted(async {
            tokio::time::sleep(ADDRESS_POLL).await;
            Ok(())
        })
        .await?;
    }
    let node = |n: &crate::model::NodePlan| {
        known.get(&n.name).map(|ip| Node { plan: n.clone(), private_ip: *ip, public_ip: *ip })
    };
    Ok(plan.nodes.iter().filter_map(node).collect())
}

async fn machines(work: &Work, plan: &Plan, hypervisor: &'static Hypervisor) -> Result<Vec<Machine>> {
    let (spec, nodes) = (work.dir.state().spec.clone(), plan.nodes.clone());
    work.unless_interrupted(blocking(move || (hypervisor.machines)(&spec, &nodes))).await
}

fn refuse_dead(machine: &Machine, consoles: &console::Consoles) -> Result<()> {
    match machine.power {
        Power::Running | Power::Unknown => Ok(()),
        other => Err(consoles.explain(Error::other(format!(
            "the machine of {} is {} while it should boot",
            machine.node,
            other.as_str()
        )))),
    }
}
