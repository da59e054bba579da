//! `doctor`: every preflight check at once; changes nothing. `--fix` runs commands of the advice, after that.

mod remedy;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::preflight::Preflight;
use super::{Context, Given, ReleaseRequest, account, credentials, floors, release, update};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::model::{Check, DoctorReport, Options, Spec, SpecChange};
use crate::providers::{self, Provider};
use crate::tools::process::Tool;

#[derive(Debug, Clone)]
pub struct DoctorRequest {
    pub asked: Asked,
    pub release: ReleaseRequest,
    /// Credentials that were typed.
    pub credentials: Given,
    /// A cloud is not asked whether it knows the account.
    pub offline: bool,
}

/// What this machine is checked for.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A new deployment; its release is not resolved yet.
    New(Spec),
    /// The deployment in this directory, with these changes.
    There(PathBuf, Vec<SpecChange>),
}

/// Whether a deployment is in this directory, in whatever state it is.
pub fn is_deployment(dir: &Path) -> bool {
    !matches!(DeploymentDir::open(dir), Err(Error::NotADeployment { .. } | Error::BashDeployment { .. }))
}

impl Asked {
    /// Its release may not be resolved yet.
    ///
    /// # Errors
    /// Those of opening the directory.
    pub fn spec(&self) -> Result<Spec> {
        match self {
            Asked::New(spec) => Ok(spec.clone()),
            Asked::There(root, changes) => {
                let spec = DeploymentDir::open(root)?.state().spec.clone();
                Ok(changes.iter().cloned().fold(spec, Spec::with))
            }
        }
    }
}

pub async fn run(context: &Context, request: DoctorRequest) -> Result<DoctorReport> {
    let DoctorRequest { asked, release: asked_release, credentials: mut given, offline } = request;
    let (spec, dir) = match asked {
        Asked::New(mut spec) => {
            release::resolve(&mut spec, &asked_release, None)?;
            (spec, None)
        }
        Asked::There(root, changes) => {
            let dir = DeploymentDir::open(&root)?;
            let spec = update::merged(context, &dir.state().spec, &changes, &asked_release).await?;
            (spec, Some(dir))
        }
    };
    // After destroy it has none.
    if let Some(dir) = dir.as_ref().filter(|dir| dir.has_secrets()) {
        given = dir.secrets()?.cloud.into_iter().chain(given).collect();
    }
    let provider = providers::find(&spec.provider)?;
    (provider.validate)(&spec)?;
    // The report has every check.
    let silent = EventSink::silent();
    let Preflight { mut checks, .. } = Preflight::run(&silent, provider, &spec, &given, dir.as_ref()).await?;
    let facts = dir.as_ref().map(|dir| &dir.state().facts);
    let credentials = credentials::find(provider, &spec, &given, facts).and_then(Result::ok);
    checks.extend(account::check(provider, credentials, offline, &context.interrupt).await?);
    checks.extend(floors::refusal(provider, &spec));
    Ok(DoctorReport {
        whose: dir.as_ref().map(DeploymentDir::whose),
        provider: provider.name.into(),
        wanted: wanted(provider, &spec),
        ok: !checks.iter().any(Check::is_failed),
        fix: remedy::commands(&checks),
        checks,
    })
}

/// "3 nodes on libvirt: 16 GB, 4 CPUs and 150 GB of disk each; exasol-2025.1.8"
fn wanted(provider: &Provider, spec: &Spec) -> String {
    let nodes = if spec.cluster_size == 1 { "1 node".to_owned() } else { format!("{} nodes", spec.cluster_size) };
    let size = (provider.size)(spec, &Options::new()).ok().flatten().map(|size| {
        let cpus = if size.vcpus == 1 { "1 CPU".to_owned() } else { format!("{} CPUs", size.vcpus) };
        format!("{} GB, {cpus} and ", size.memory_mb as f64 / 1024.0)
    });
    let disk = spec.root_volume_size + spec.data_volume_size * spec.data_volumes_per_node;
    let each = if spec.cluster_size == 1 { "" } else { " each" };
    format!("{nodes} on {}: {}{disk} GB of disk{each}; {}", provider.name, size.unwrap_or_default(), spec.db_version)
}

/// Runs one of the report's commands. It has the terminal: sudo may ask for a password there.
///
/// # Errors
/// [`Error::Usage`] for a command that is none of ours; those of the program.
pub async fn fix(command: &str) -> Result<()> {
    let refused = || Error::Usage { message: format!("'{command}' is not run by --fix"), hint: None };
    let words = remedy::words(command).ok_or_else(refused)?;
    let (program, args) = words.split_first().ok_or_else(refused)?;
    if program == "exasol" {
        let this = std::env::current_exe().map_err(Error::io("cannot find this program"))?;
        // Whoever wants the fix has been asked.
        return Tool::new(this).args(args).arg("--yes").run_on_terminal(FIX_LIMIT).await;
    }
    Tool::new(program).args(args).run_on_terminal(FIX_LIMIT).await
}

/// Packages may have to be downloaded.
const FIX_LIMIT: Duration = Duration::from_secs(1800);
