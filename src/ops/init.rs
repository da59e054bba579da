//! `init`: check the target, then make a directory; nothing is written before all checks passed.

use std::path::{Path, PathBuf};

use super::operation::in_dir;
use super::preflight::{self, CreateMissing};
use super::{Context, Given, ReleaseRequest, floors, known, release, render_input, versions};
use crate::catalog;
use crate::deployment::{DeploymentDir, NewDeployment, Secrets, State, keys, name_of};
use crate::error::{Error, Result};
use crate::model::{
    Check, CheckStatus, DbVersion, DeploymentId, InitReport, Listed, NodePlan, PermissionsReport, RELEASE_TREE, Spec,
};
use crate::providers::{self, Provider};
use crate::render::{self, ReadmeInput};

pub struct InitRequest<'a> {
    pub dir: PathBuf,
    pub spec: Spec,
    pub release: ReleaseRequest,
    pub passwords: Passwords,
    /// Credentials of a cloud that were typed.
    pub credentials: Given,
    /// Warnings about the command line itself.
    pub warnings: Vec<String>,
    pub create_missing: CreateMissing<'a>,
}

/// None: generated.
#[derive(Default)]
pub struct Passwords {
    pub db: Option<String>,
    pub adminui: Option<String>,
    pub host: Option<String>,
}

pub async fn run(context: &Context, request: InitRequest<'_>) -> Result<InitReport> {
    let InitRequest { dir, mut spec, release, passwords, credentials, mut warnings, create_missing } = request;
    DeploymentDir::check_target(&dir)?;
    let provider = providers::find(&spec.provider)?;
    release::resolve(&mut spec, &release, None)?;
    spec.multicast_overlay |= provider.cloud().is_some_and(|cloud| cloud.always_overlay);
    (provider.validate)(&spec)?;
    floors::check(provider, &spec, None)?;
    release::pin_files(&mut spec, &context.interrupt).await?;
    let preflight = preflight::run_or_create(context, provider, &spec, &credentials, create_missing).await?;
    let (checks, facts, _) = preflight.passed()?;
    warnings.extend(warnings_of(&spec, &checks));
    let version = catalog::of_spec(&spec)?.clone();
    let secrets = (passwords, credentials);
    let deployment = new_deployment(provider, spec, &version, secrets, facts)?;
    // From here on nothing waits: the directory is made as a whole.
    context.interrupt.check()?;
    let created = DeploymentDir::create(&dir, deployment)?;
    warnings.extend(known::remember(&created));
    Ok(report(&dir, created.state(), &version, warnings, checks))
}

fn warnings_of(spec: &Spec, checks: &[Check]) -> Vec<String> {
    let mut warnings: Vec<_> = checks.iter().filter(|c| c.status == CheckStatus::Warning).map(floors::text).collect();
    if spec.allowed_cidrs.is_empty() {
        warnings.push(
            "SSH, SQL and Admin UI will be open to every address that can reach the nodes; \
             limit them with --allowed-cidr"
                .into(),
        );
    }
    warnings
}

fn new_deployment(
    provider: &Provider,
    spec: Spec,
    version: &DbVersion,
    (passwords, credentials): (Passwords, Given),
    facts: crate::model::Options,
) -> Result<NewDeployment> {
    let id = keys::generate_id()?;
    let nodes = NodePlan::all(&id, &spec);
    let secrets = Secrets { cloud: credentials, ..new_secrets(&id, &nodes, passwords)? };
    let state = State::new(id, spec, facts);
    let mut files = render_input::terraform(provider, &state, &secrets, &nodes, true)?;
    files.push(render::readme(&ReadmeInput { id: &state.id, spec: &state.spec, rehearsal: version.rehearsal }));
    Ok(NewDeployment { state, secrets, files })
}

fn new_secrets(id: &DeploymentId, nodes: &[NodePlan], passwords: Passwords) -> Result<Secrets> {
    let given_or_made = |given: Option<String>| given.map_or_else(keys::generate_password, Ok);
    let host_password = given_or_made(passwords.host)?;
    let host_keys = nodes
        .iter()
        .map(|n| Ok((n.name.clone(), keys::ed25519_key(&format!("{}-{}", id, n.name))?)))
        .collect::<Result<_>>()?;
    Ok(Secrets {
        db_password: given_or_made(passwords.db)?,
        adminui_password: given_or_made(passwords.adminui)?,
        host_password_hash: keys::hash_password(&host_password)?,
        host_password,
        ssh_key: keys::ed25519_key(id.as_str())?,
        host_keys,
        next_db_password: None,
        cluster_key: None,
        cloud: Given::new(),
    })
}

fn report(dir: &Path, state: &State, version: &DbVersion, warnings: Vec<String>, checks: Vec<Check>) -> InitReport {
    InitReport {
        deployment: state.id.to_string(),
        name: name_of(dir, state),
        directory: dir.to_owned(),
        provider: state.spec.provider.clone(),
        db_version: state.spec.db_version.clone(),
        rehearsal: version.rehearsal,
        cluster_size: state.spec.cluster_size,
        warnings,
        checks,
        next: vec![in_dir("exasol deploy", dir)],
    }
}

/// `init --list-providers`.
pub fn list_providers() -> Vec<Listed> {
    providers::ALL.iter().map(|p| Listed { name: p.name.into(), detail: p.title.into(), aliases: Vec::new() }).collect()
}

/// `init --show-permissions`.
///
/// # Errors
/// Never with this program's own files, which a test reads.
pub fn permissions(provider: &Provider) -> Result<PermissionsReport> {
    let permissions = render::permissions(provider)?;
    let derived = "these permissions are derived from the API calls that the deployment's resources make; they have \
        not been tested with a restricted account";
    Ok(PermissionsReport { provider: provider.name.into(), permissions, warnings: vec![derived.into()] })
}

/// `init --list-versions`.
pub fn list_versions(asked: &ReleaseRequest) -> Result<Vec<Listed>> {
    let all = versions::all(asked)?;
    Ok(all.iter().map(|v| Listed { name: v.name.clone(), detail: describe(v), aliases: v.aliases.clone() }).collect())
}

fn describe(version: &DbVersion) -> String {
    match version.rehearsal {
        true => "rehearsal: no database, checks a machine in a minute".into(),
        false if version.is_local() => format!("{}, from files below {RELEASE_TREE}", version.arch),
        false => {
            let unknown = (!version.is_pinned()).then_some("pinned at its first download");
            let words = [Some(version.arch.as_str()), version.remark.as_deref(), unknown];
            words.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
    }
}
