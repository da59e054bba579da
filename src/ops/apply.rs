//! Terraform's plan, read before it is applied: nothing that holds data dies by accident.

use super::blocking::{ask_hypervisor, blocking};
use super::cluster::Cluster;
use super::operation::Work;
use super::terraform_dir::Doubt;
use super::{connections, terraform_dir};
use crate::error::{Error, Result};
use crate::events::StepInfo;
use crate::model::PlanReport;
use crate::tools::plan::Protected;
use crate::tools::terraform::{Terraform, Workdir};

pub(super) const PLAN: StepInfo = StepInfo { id: "plan", title: "plan the infrastructure" };
pub(super) const APPLY: StepInfo = StepInfo { id: "apply", title: "create the machines" };

/// Plans, guards and applies what is rendered. `agree` sees the plan's counts and may refuse it.
pub(super) async fn run(
    work: &mut Work,
    cluster: &Cluster,
    terraform: &Terraform,
    allow_replace: &[String],
    agree: impl AsyncFnOnce(&Work, &PlanReport) -> Result<()>,
) -> Result<()> {
    work.begin(PLAN.id);
    let engine = terraform.engine.as_str();
    let terraform = connections::workdir(work, terraform)?;
    let Some(report) = plan(work, cluster, &terraform, allow_replace).await? else {
        work.unchanged("the infrastructure is as planned");
        return Ok(());
    };
    work.done(counts(&report));
    if let Err(refused) = agree(work, &report).await {
        terraform.forget_plan();
        return Err(refused);
    }
    work.begin(APPLY.id);
    work.dir.update(|state| state.engine = Some(engine.to_owned()))?;
    work.changes();
    match terraform.apply().await {
        Err(Error::Timeout { limit_s, .. }) => {
            work.sink.warn(format!("Terraform's provider was ended after {limit_s} s without a result: going on"));
            match plan(work, cluster, &terraform, allow_replace).await? {
                Some(_) => terraform.apply().await,
                None => Ok(()),
            }
        }
        result => result,
    }
}

/// A saved plan that loses nothing, and what it would do; None if there is nothing to do.
async fn plan(
    work: &Work,
    cluster: &Cluster,
    terraform: &Workdir,
    allow_replace: &[String],
) -> Result<Option<PlanReport>> {
    remove_orphans(work, cluster).await?;
    terraform.init().await?;
    let planned = terraform.plan().await?;
    let protected = Protected {
        machines: cluster.provider.machine_types,
        data_disks: cluster.provider.disk_types,
        frozen: cluster.provider.frozen,
    };
    if let Err(refused) = planned.guard(protected, allow_replace) {
        terraform.forget_plan();
        return Err(refused);
    }
    if planned.is_empty() {
        terraform.forget_plan();
        return Ok(None);
    }
    Ok(Some(planned.report()))
}

pub(super) fn counts(report: &PlanReport) -> String {
    let PlanReport { create, update, replace, delete, .. } = report;
    format!("{create} to create, {update} to change, {replace} to replace, {delete} to remove")
}

/// A Terraform that was killed may have left things that its state does not know. Before the
/// first success they hold no data, and would be in the way of the next attempt.
async fn remove_orphans(work: &Work, cluster: &Cluster) -> Result<()> {
    let Some(hypervisor) = cluster.provider.hypervisor.as_ref() else { return Ok(()) };
    let state = work.dir.state();
    let Some(known) = terraform_dir::names(&work.dir.terraform_dir()) else {
        let why = Doubt::Unreadable.text().to_owned();
        return Err(Error::TerraformState { why, hint: "put terraform/terraform.tfstate back from a backup".into() });
    };
    let (spec, id) = (state.spec.clone(), state.id.clone());
    let found = ask_hypervisor(&work.interrupt, move || (hypervisor.leftovers)(&spec, &id)).await?;
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
    let removing = blocking(move || orphans.iter().try_for_each(|o| (hypervisor.remove)(&spec, &id, o)));
    work.unless_interrupted(removing).await
}
