//! `status --refresh`: how a cloud says its machines are. Everything happens in a temporary copy, so
//! that the deployment stays as it is.

use super::super::{Context, plan, power, recorded};
use super::probes;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{Machine, NodePlan};
use crate::providers::cloud::{PowerControl, TerraformPower};
use crate::providers::{Place, Provider};
use crate::tools::scratch::Scratch;

pub(super) async fn machines(context: &Context, dir: &DeploymentDir, plans: &[NodePlan]) -> Result<Vec<Machine>> {
    let provider = recorded::provider(dir)?;
    let Place::Cloud(cloud) = &provider.place else {
        return Err(Error::Usage {
            message: format!("--refresh: {} is asked by every status anyway", provider.name),
            hint: Some("leave it out".into()),
        });
    };
    if let Some(machines) = probes::none_made(dir.state().phase, plans) {
        return Ok(machines);
    }
    match &cloud.power {
        PowerControl::Api(api) => power::ask(dir, provider, api, &context.interrupt).await,
        PowerControl::Terraform(power) => by_terraform(context, dir, provider, power, plans).await,
    }
}

async fn by_terraform(
    context: &Context,
    dir: &DeploymentDir,
    provider: &'static Provider,
    switch: &TerraformPower,
    plans: &[NodePlan],
) -> Result<Vec<Machine>> {
    let copy = Scratch::make()?;
    let workdir = plan::in_copy(context, dir, provider, &copy).await?;
    Ok(power::in_prior_state(&workdir.refreshed().await?, switch, plans))
}
