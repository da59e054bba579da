//! Machines of a cloud whose Terraform provider switches them: their state is a variable of Terraform's.

use super::super::operation::Work;
use super::super::{apply, engine, render_input, workdir};
use crate::error::{Error, Result};
use crate::model::{Machine, NodePlan, Power};
use crate::providers::cloud::TerraformPower;
use crate::tools::plan::PriorState;

/// Nothing is known without a run of Terraform, which takes minutes.
pub(super) fn machines(work: &Work) -> Vec<Machine> {
    work.cluster.nodes.iter().map(|plan| Machine::with_power(&plan.name, Power::Unknown)).collect()
}

/// Terraform's provider shuts the guests down itself.
pub(super) async fn off(work: &mut Work, power: &TerraformPower) -> Result<()> {
    apply(work, false).await?;
    refuse_edits_that_keep_it_on(work, power).await?;
    work.done("Terraform's provider has stopped every machine");
    Ok(())
}

/// Renders and applies the machines' state, for clouds whose Terraform provider switches them.
pub(in crate::ops) async fn apply(work: &mut Work, powered: bool) -> Result<()> {
    let secrets = work.dir.secrets()?;
    let files =
        render_input::terraform(work.cluster.provider, work.dir.state(), &secrets, &work.cluster.nodes, powered)?;
    work.dir.write_files(&files, work.cluster.edits)?;
    let terraform = engine::of_work(work).await?;
    apply::run(work, &terraform, &[], async |_, _| Ok(())).await
}

/// Terraform's files stay as somebody edited them, and may not ask for machines that are off any more.
async fn refuse_edits_that_keep_it_on(work: &Work, power: &TerraformPower) -> Result<()> {
    let edited = work.dir.edited_files()?;
    let edited: Vec<_> = edited.iter().filter(|file| file.starts_with("terraform")).collect();
    if edited.is_empty() || all_off(work, power).await? {
        return Ok(());
    }
    let edited = edited.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(Error::other(format!(
        "the machines are still on: Terraform was asked for what {edited} says, edited by hand; undo the edit, and run \
         exasol stop again"
    )))
}

/// Whether Terraform's provider says of every machine that it is off.
pub(super) async fn all_off(work: &Work, power: &TerraformPower) -> Result<bool> {
    let terraform = workdir::of(work, &engine::of_work(work).await?).await?;
    terraform.init().await?;
    let seen = terraform.refreshed().await?;
    Ok(in_prior_state(&seen, power, &work.cluster.nodes).iter().all(|machine| machine.power == Power::Off))
}

/// What Terraform has just read of the machines.
pub(in crate::ops) fn in_prior_state(seen: &PriorState, power: &TerraformPower, plans: &[NodePlan]) -> Vec<Machine> {
    let of = |plan: &NodePlan| match seen.attribute(power.resource, &plan.name, power.attribute) {
        Some(word) if word == power.running => Power::Running,
        Some(word) if word == power.off => Power::Off,
        Some(_) => Power::Unknown,
        None => Power::Missing,
    };
    plans.iter().map(|plan| Machine::with_power(&plan.name, of(plan))).collect()
}
