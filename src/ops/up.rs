//! `up`: `init`, where nothing is there yet, and `deploy`. Run again, it goes on.

use std::path::Path;

use super::deploy::{self, DeployRequest};
use super::init::{self, Asked, InitRequest};
use super::operation::in_dir;
use super::update::{self, UpdateRequest};
use super::{Context, recorded};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{DeployReport, OptionChange, Phase, quote};
use crate::providers::{self, Provider};

/// The provider of the deployment that is there; None: there is none yet.
///
/// # Errors
/// Those of reading a deployment that is there.
pub fn provider(dir: &Path) -> Result<Option<&'static Provider>> {
    match DeploymentDir::open(dir) {
        Ok(dir) => recorded::provider(&dir).map(Some),
        Err(Error::NotADeployment { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the deployment, and deploys it.
pub async fn begin(context: &Context, init: InitRequest<'_>, deploy: DeployRequest<'_>) -> Result<DeployReport> {
    check_warm(&init, &deploy)?;
    let made = context.interrupt.run(init::run(context, init)).await??;
    for warning in init::before_deploy(made) {
        context.sink.warn(warning);
    }
    deploy::run(context, deploy).await
}

/// Before a directory is made that its deploy would refuse.
pub(super) fn check_warm(init: &InitRequest<'_>, deploy: &DeployRequest<'_>) -> Result<()> {
    let (Asked::Spec(spec) | Asked::Like(spec, _)) = &init.spec;
    deploy::check_warm(Some(providers::find(&spec.provider)?), deploy.warm)
}

/// Goes on with a deployment that is there. `asked`: what the command line says of it, which has to be what is
/// recorded.
pub async fn go_on(context: &Context, asked: UpdateRequest, deploy: DeployRequest<'_>) -> Result<DeployReport> {
    let other = context.interrupt.run(update::differences_from(context, &asked)).await??;
    if !other.is_empty() {
        let dir = DeploymentDir::open(&asked.dir)?;
        return Err(refused(&dir, recorded::provider(&dir)?, &other));
    }
    for warning in asked.warnings {
        context.sink.warn(warning);
    }
    deploy::run(context, deploy).await
}

fn refused(dir: &DeploymentDir, provider: &Provider, other: &[OptionChange]) -> Error {
    let one = |change: &OptionChange| match (change.from.is_null(), change.to.is_null()) {
        // A secret, which has no values here.
        (true, true) => format!("the {}", change.option.replace('_', " ")),
        _ => format!("--{} is {}, asked for: {}", update::flag(provider, &change.option), change.from, change.to),
    };
    let named = dir.named();
    let change = match dir.state().phase {
        Phase::Destroyed => format!("make another: exasol init --like {} -d NEW_DIR", quote(&named.to_string_lossy())),
        _ => format!("change the deployment: {}", in_dir("exasol init --update", named)),
    };
    Error::Usage {
        message: format!(
            "{} holds a deployment with other options: {}",
            named.display(),
            other.iter().map(one).collect::<Vec<_>>().join("; ")
        ),
        hint: Some(format!("leave them out; or, with these options, {change}")),
    }
}
