//! Terraform's plan, read before it is applied: nothing that holds data dies by accident.

use std::collections::BTreeSet;
use std::path::Path;

use super::host::REMOVAL_LIMIT;
use super::hosts::{Found, Hosts};
use super::operation::Work;
use super::terraform_dir::Doubt;
use super::{lost_image, seed, terraform_dir, workdir};
use crate::deployment::State;
use crate::error::{Error, Result};
use crate::events::{Event, StepInfo, Unit};
use crate::model::{NodePlan, PlanReport};
use crate::providers::{LeftoverKind, Place, Provider, Resources};
use crate::tools::plan::{Plan, Protected};
use crate::tools::terraform::{Terraform, Workdir};

pub(super) const PLAN: StepInfo = StepInfo { id: "plan", title: "plan the infrastructure" };
pub(super) const APPLY: StepInfo = StepInfo { id: "apply", title: "create the machines" };

/// Plans, guards and applies what is rendered. `agree` sees the plan's counts, does what has to be done before
/// anything is made, and may refuse it.
pub(super) async fn run(
    work: &mut Work,
    terraform: &Terraform,
    allow_replace: &[String],
    agree: impl AsyncFnOnce(&mut Work, &PlanReport) -> Result<()>,
) -> Result<()> {
    work.begin(PLAN.id);
    let engine = terraform.engine.as_str();
    let terraform = workdir::of(work, terraform).await?;
    let Some(planned) = plan(work, &terraform, allow_replace).await? else {
        forget_creating(work)?;
        work.unchanged("the infrastructure is as planned");
        return Ok(());
    };
    let report = planned.report();
    work.done(counts(&report));
    if let Err(refused) = agree(work, &report).await {
        terraform.forget_plan();
        return Err(refused);
    }
    work.begin(APPLY.id);
    // Terraform tells of a replacement twice.
    let total = u64::from(report.create + report.update + report.delete + 2 * report.replace);
    work.sink.emit(Event::StepProgress { step: APPLY.id, done: 0, total: Some(total), unit: Unit::Resources });
    work.dir.applying(engine)?;
    prepare(work, &planned).await?;
    let applied = apply(work, &terraform, allow_replace).await;
    if terraform_dir::resources(&work.dir.terraform_dir()).is_some_and(|made| !made.is_empty()) {
        work.dir.made_something()?;
    }
    if let Err(error) = applied {
        lost_image::forget(work, &error)?;
        return Err(error);
    }
    forget_creating(work)
}

async fn apply(work: &mut Work, terraform: &Workdir, allow_replace: &[String]) -> Result<()> {
    // Only of Terraform: a hypervisor that does not answer would not answer the second time.
    match terraform.apply().await {
        Err(Error::Timeout { limit_s, .. }) => {
            work.sink
                .warn(format!("Terraform's provider was ended after {limit_s} s without a result: trying once more"));
            let Some(planned) = plan(work, terraform, allow_replace).await? else { return Ok(()) };
            prepare(work, &planned).await?;
            terraform.apply().await
        }
        result => result,
    }
}

/// What has to be there before the plan is applied. What it makes is recorded until all of it is in Terraform's
/// state: a provider that is killed leaves things that the state does not know.
async fn prepare(work: &mut Work, planned: &Plan) -> Result<()> {
    work.changes();
    let creating = match work.cluster.provider.place {
        Place::Hypervisor(_) => planned.creates(protected(work)),
        Place::Cloud(_) => BTreeSet::new(),
    };
    work.dir.creating(creating)?;
    seed::provide(work, &planned.made_nodes(protected(work))).await
}

/// Everything that was being made is in Terraform's state now.
fn forget_creating(work: &mut Work) -> Result<()> {
    match work.dir.state().creating.is_empty() {
        true => Ok(()),
        false => work.dir.creating(BTreeSet::new()),
    }
}

fn protected(work: &Work) -> Protected<'static> {
    let &Resources { machines, data_disks, frozen } = &work.cluster.provider.resources;
    Protected { machines, data_disks, frozen, holds_data: work.dir.state().installed }
}

/// A saved plan that loses nothing; None if there is nothing to do.
async fn plan(work: &Work, terraform: &Workdir, allow_replace: &[String]) -> Result<Option<Plan>> {
    refuse_doubt(work)?;
    remove_orphans(work).await?;
    terraform.init().await?;
    forget_former(work.cluster.provider, terraform, &work.dir.terraform_dir()).await?;
    let misfits = misfits(work.cluster.hosts(), work.dir.state(), &work.cluster.nodes).await?;
    refuse_misfits(&misfits, allow_replace)?;
    let mut planned = guarded(work, terraform, allow_replace).await?;
    if !misfits.is_empty() {
        // Only now that nothing speaks against the rest: what is removed is gone.
        remove_misfits(work, &misfits).await?;
        planned = guarded(work, terraform, allow_replace).await?;
    }
    if planned.is_empty() {
        terraform.forget_plan();
        return Ok(None);
    }
    Ok(Some(planned))
}

async fn guarded(work: &Work, terraform: &Workdir, allow_replace: &[String]) -> Result<Plan> {
    let planned = terraform.plan().await?;
    if let Err(refused) = planned.guard(protected(work), allow_replace) {
        terraform.forget_plan();
        return Err(refused);
    }
    Ok(planned)
}

/// A node whose machine is not what is asked for, and how it differs.
pub(super) type Misfit = (NodePlan, String);

/// Before the database is installed other sizes and disks are other machines, as they were for Terraform
/// before it was told to leave them alone: made anew, if that is allowed. Later they change in place.
pub(super) async fn misfits(hosts: Option<&Hosts>, state: &State, nodes: &[NodePlan]) -> Result<Vec<Misfit>> {
    let mut found = Vec::new();
    let Some(hosts) = hosts.filter(|_| !state.installed) else { return Ok(found) };
    for node in nodes {
        let (facts, plan) = (state.facts.clone(), node.clone());
        let differences = hosts.of_node(node).ask(move |host| host.misfits(&facts, &plan)).await?;
        if !differences.is_empty() {
            found.push((node.clone(), differences.join(", ")));
        }
    }
    Ok(found)
}

fn refuse_misfits(misfits: &[Misfit], allow_replace: &[String]) -> Result<()> {
    let refused: Vec<_> = misfits.iter().filter(|(node, _)| !allow_replace.contains(&node.name)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let flags: Vec<_> = refused.iter().map(|(node, _)| format!("--allow-replace {}", node.name)).collect();
    Err(Error::PlanRefused {
        changes: refused.iter().map(|(node, why)| format!("replace the machine of {} ({why})", node.name)).collect(),
        hint: format!("if you accept to lose these nodes: exasol deploy {}", flags.join(" ")),
    })
}

async fn remove_misfits(work: &Work, misfits: &[Misfit]) -> Result<()> {
    let Some(hosts) = work.cluster.hosts() else { return Ok(()) };
    for (node, why) in misfits {
        work.changes();
        work.detail(format!("{}: creating its machine again: {why}", node.name));
        let plan = node.clone();
        let what = format!("removing the machine of {}", node.name);
        hosts.of_node(node).act(REMOVAL_LIMIT, what, move |host| host.discard(&plan)).await?;
    }
    Ok(())
}

/// What an earlier version had Terraform make, and this one takes care of itself, stays where it is.
pub(super) async fn forget_former(provider: &Provider, terraform: &Workdir, dir: &Path) -> Result<()> {
    let Some(hypervisor) = provider.hypervisor() else { return Ok(()) };
    let former = terraform_dir::of_types(dir, hypervisor.no_more_terraforms);
    if former.is_empty() { Ok(()) } else { terraform.forget(&former).await }
}

/// From a state that does not tell what exists Terraform would make everything a second time. A
/// hypervisor is asked by name for what a lost one would have told.
fn refuse_doubt(work: &Work) -> Result<()> {
    match terraform_dir::doubt(&work.dir) {
        None => Ok(()),
        Some(Doubt::Lost) if !work.cluster.provider.is_cloud() => Ok(()),
        Some(doubt) => Err(Error::TerraformState {
            why: format!("{}: nothing was planned, because it might exist already", doubt.text()),
            hint: terraform_dir::mend(&work.dir, doubt),
        }),
    }
}

pub(super) fn counts(report: &PlanReport) -> String {
    let PlanReport { create, update, replace, delete, .. } = report;
    format!("{create} to create, {update} to change, {replace} to replace, {delete} to remove")
}

/// A Terraform that was killed may have left things that its state does not know, and they would be in
/// the way of the next attempt. Before the database is installed none of them holds data; later only
/// what the killed apply had begun to make goes, and never a data disk.
async fn remove_orphans(work: &Work) -> Result<()> {
    let Some(hosts) = work.cluster.hosts() else { return Ok(()) };
    let state = work.dir.state();
    let restore = "put terraform/terraform.tfstate back from a backup";
    let known = terraform_dir::names(&work.dir.terraform_dir()).unwrap_or_default();
    let found = hosts.leftovers(&state.id).await?;
    // Seeds were never Terraform's; one that is needed is made anew.
    let found = found.into_iter().filter(|l| l.thing.kind != LeftoverKind::Seed);
    let orphans = found.filter(|l| !known.contains(&l.thing.name));
    let holds_data = state.installed || state.ever_ready;
    let was_begun = |o: &Found| o.thing.kind != LeftoverKind::Network && state.creating.contains(&o.thing.name);
    let (orphans, kept): (Vec<_>, Vec<_>) = orphans.partition(|o| !holds_data || was_begun(o));
    if !orphans.is_empty() {
        work.changes();
        work.detail(format!("removing what an interrupted run left: {}", names(&orphans)));
        for orphan in orphans {
            orphan.host.remove(&state.id, orphan.thing).await?;
        }
    }
    if kept.is_empty() {
        return Ok(());
    }
    let commands: Vec<_> =
        kept.iter().map(|o| (hosts.row().removal)(o.host.spec(), &o.thing)).collect::<Result<_>>()?;
    let hint = match commands.into_iter().collect::<Option<Vec<_>>>() {
        // Without its data disks the state is what was lost.
        None => restore.to_owned(),
        Some(commands) => format!(
            "if the state was lost: {restore}. If an interrupted run left them behind, these commands remove them, \
            and deploy creates them again:\n{}",
            commands.join("\n")
        ),
    };
    let why = format!(
        "{} exist, but Terraform's state does not know them: they may hold data, so they were left alone",
        names(&kept)
    );
    Err(Error::TerraformState { why, hint })
}

fn names(leftovers: &[Found]) -> String {
    leftovers.iter().map(|l| l.thing.name.as_str()).collect::<Vec<_>>().join(", ")
}
