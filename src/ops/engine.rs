//! Which engine a deployment uses: what its last apply was made with, else what was asked for, else
//! whichever is there.
//!
//! Both take the same templates and the same form of state. OpenTofu takes over a state of
//! Terraform's: it reads the addresses of Terraform's registry as those of its own, and writes those
//! with its first apply (seen with 1.11.4 and 1.12: an empty plan). Terraform does no such thing: it
//! wants the plugins of both registries, and what OpenTofu alone writes it does not know. So there is
//! no way back while anything exists.

use std::path::Path;

use super::operation::{Work, in_dir};
use super::terraform_dir;
use super::user_dirs::fetched_tools;
use crate::deployment::{DeploymentDir, State, transitions};
use crate::error::{Error, Result};
use crate::model::{Operation, Spec};
use crate::tools::terraform::{Engine, Terraform};

/// For operations that did not look for programs before.
pub(super) async fn of(dir: &DeploymentDir) -> Result<Terraform> {
    find(&dir.state().spec, Some(dir)).await
}

/// As [`of`], until a signal comes.
pub(super) async fn of_work(work: &Work) -> Result<Terraform> {
    work.interrupt.run(of(&work.dir)).await?
}

/// # Errors
/// [`Error::ToolMissing`] with the ways to mend it.
pub(super) async fn find(spec: &Spec, recorded: Option<&DeploymentDir>) -> Result<Terraform> {
    let used = recorded.and_then(|dir| parse(dir.state().engine.as_ref()));
    let wanted = used.or_else(|| parse(spec.engine.as_ref()));
    let found = Terraform::find(wanted, &fetched_tools()).await;
    found.map_err(|error| match (wanted, recorded) {
        (Some(wanted), Some(dir)) => with_other(error, wanted, used.is_some(), dir),
        _ => error,
    })
}

fn parse(name: Option<&String>) -> Option<Engine> {
    name.and_then(|name| Engine::parse(name))
}

/// The deployment has chosen one that is not here: says how it can go on with the other.
fn with_other(error: Error, wanted: Engine, used: bool, dir: &DeploymentDir) -> Error {
    let Error::ToolMissing { tool, needed, install, fetched } = error else { return error };
    let switch = match (wanted, used) {
        (Engine::Terraform, _) => Some("exasol init --update --engine tofu"),
        (Engine::Tofu, false) => Some("exasol init --update --engine terraform"),
        (Engine::Tofu, true) => None,
    };
    let needed = needed.unwrap_or_else(|| format!("deployment.json says {}", wanted.as_str()));
    let may_switch = transitions::allowed(Operation::Update, dir.state().phase).is_ok();
    let install = match switch.filter(|_| may_switch) {
        Some(switch) => format!("{install}, or go on with the other engine: {}", in_dir(switch, dir.named())),
        None => install,
    };
    Error::ToolMissing { tool, needed: Some(needed), install, fetched }
}

/// What `init --update --engine` records, and what somebody should know of it.
pub(super) struct Change {
    pub engine: Option<String>,
    pub warning: Option<String>,
}

/// # Errors
/// Exit code 2: OpenTofu's state would have to become Terraform's.
pub(super) fn change(state: &State, wanted: Option<&String>, terraform_dir: &Path) -> Result<Change> {
    let exists = terraform_dir::resources(terraform_dir).is_none_or(|some| !some.is_empty());
    if !exists {
        return Ok(Change { engine: None, warning: None });
    }
    let of_tofu = terraform_dir::is_of_tofu(terraform_dir);
    match parse(wanted) {
        None => Ok(Change { engine: state.engine.clone(), warning: None }),
        Some(Engine::Terraform) if of_tofu => Err(Error::Usage {
            message: "--engine: OpenTofu keeps the state of what exists, and there is no way back to Terraform".into(),
            hint: Some("leave it at tofu; or destroy, and init a new directory with --engine terraform".into()),
        }),
        Some(Engine::Tofu) if !of_tofu => Ok(Change {
            engine: None,
            warning: Some(
                "OpenTofu takes Terraform's state over with the next deploy; \
                 after that there is no way back while anything exists"
                    .into(),
            ),
        }),
        Some(_) => Ok(Change { engine: None, warning: None }),
    }
}
