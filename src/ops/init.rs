//! `init`: check the target, then make a directory; nothing is written before all checks passed.

use std::path::{Path, PathBuf};

use super::operation::in_dir;
use super::preflight::{self, CreateMissing};
use super::{
    Confirm, Context, Given, Passwords, ReleaseRequest, floors, known, release, render_input, this_machine, update,
    versions,
};
use crate::catalog;
use crate::deployment::{DeploymentDir, NewDeployment, Secrets, State, keys};
use crate::error::{Error, Result};
use crate::model::{
    Check, CheckStatus, DbVersion, DeploymentId, InitReport, Listed, NodePlan, PermissionsReport, RELEASE_TREE, Secret,
    Spec, SpecChange, count,
};
use crate::providers::{self, Provider};
use crate::render::{self, ReadmeInput};

pub struct InitRequest<'a> {
    pub dir: PathBuf,
    /// What people call it; None: the directory's name.
    pub name: Option<String>,
    pub spec: Asked,
    pub release: ReleaseRequest,
    /// This machine's address is allowed too.
    pub me: bool,
    pub passwords: Passwords,
    /// Credentials of a cloud that were typed.
    pub credentials: Given,
    /// Warnings about the command line itself.
    pub warnings: Vec<String>,
    pub create_missing: CreateMissing<'a>,
    /// Asks whether programs that are missing shall be fetched.
    pub confirm: Confirm<'a>,
}

/// What is to be deployed.
pub enum Asked {
    Spec(Spec),
    /// The same as another deployment, but for these changes.
    Like(Spec, Vec<SpecChange>),
}

/// What another deployment was asked to be, and where.
///
/// # Errors
/// Those of reading it; this version may not know what it names.
pub fn like(dir: &Path) -> Result<(Spec, &'static Provider)> {
    let provider = update::provider(dir)?;
    Ok((DeploymentDir::open(dir)?.state().spec.clone(), provider))
}

pub async fn run(context: &Context, request: InitRequest<'_>) -> Result<InitReport> {
    let InitRequest { dir, name, spec, release, me, passwords, credentials, mut warnings, create_missing, confirm } =
        request;
    DeploymentDir::check_target(&dir)?;
    let mut spec = match spec {
        Asked::Spec(mut spec) => {
            release::resolve(&mut spec, &release, None)?;
            spec
        }
        Asked::Like(other, changes) => update::merged(context, &other, &changes, &release).await?,
    };
    let provider = providers::find(&spec.provider)?;
    spec.multicast_overlay |= provider.cloud().is_some_and(|cloud| cloud.always_overlay);
    (provider.validate)(&spec)?;
    floors::check(provider, &spec, None)?;
    release::pin_files(&mut spec, &context.interrupt).await?;
    let preflight = preflight::run_or_create(context, provider, &spec, &credentials, create_missing, confirm).await?;
    let (checks, facts, _) = preflight.passed()?;
    if me {
        warnings.push(this_machine::allow(context, provider, &mut spec, &facts).await?);
        (provider.validate)(&spec)?;
    }
    warnings.extend(warnings_of(provider, &spec, &checks));
    let version = catalog::of_spec(&spec)?.clone();
    let secrets = (passwords, credentials);
    let deployment = new_deployment(provider, (name, spec), &version, secrets, facts)?;
    // From here on nothing waits: the directory is made as a whole.
    context.interrupt.check()?;
    let created = DeploymentDir::create(&dir, deployment)?;
    warnings.extend(known::remember(&created));
    Ok(report(&dir, &created, &version, warnings, checks))
}

/// What is to be told of it where a deploy follows, which looks at this machine again and says what fixes it.
pub(super) fn before_deploy(made: InitReport) -> Vec<String> {
    let told_again = |warning: &String| {
        made.checks.iter().any(|check| check.status == CheckStatus::Warning && check.finding() == *warning)
    };
    made.warnings.iter().filter(|warning| !told_again(warning)).cloned().collect()
}

fn warnings_of(provider: &Provider, spec: &Spec, checks: &[Check]) -> Vec<String> {
    let mut warnings: Vec<_> = checks.iter().filter(|c| c.status == CheckStatus::Warning).map(Check::finding).collect();
    if spec.allowed_cidrs.is_empty() {
        warnings.push(
            "SSH, SQL and Admin UI will be open to every address that can reach the nodes; \
             limit them with --allowed-cidr"
                .into(),
        );
    }
    warnings.extend(this_machine::locked_out(provider, spec));
    warnings
}

/// A deployment that nobody has deployed yet: with an id, keys and passwords of its own.
pub(super) fn new_deployment(
    provider: &Provider,
    (name, spec): (Option<String>, Spec),
    version: &DbVersion,
    (passwords, credentials): (Passwords, Given),
    facts: crate::model::Options,
) -> Result<NewDeployment> {
    let id = keys::generate_id()?;
    let nodes = NodePlan::all(&id, &spec);
    let own_passwords = passwords.given();
    let secrets = Secrets { cloud: credentials, ..new_secrets(&id, &nodes, passwords)? };
    let mut state = State::new(id, spec, facts);
    (state.name, state.own_passwords) = (name, own_passwords);
    let mut files = render_input::terraform(provider, &state, &secrets, &nodes, true)?;
    files.push(render::readme(&ReadmeInput { id: &state.id, spec: &state.spec, rehearsal: version.rehearsal }));
    Ok(NewDeployment { state, secrets, files })
}

fn new_secrets(id: &DeploymentId, nodes: &[NodePlan], passwords: Passwords) -> Result<Secrets> {
    let given_or_made = |given: Option<Secret>| given.map_or_else(|| keys::generate_password().map(Secret::from), Ok);
    let host_password = given_or_made(passwords.host)?;
    let host_keys = nodes
        .iter()
        .map(|n| Ok((n.name.clone(), keys::ed25519_key(&format!("{}-{}", id, n.name))?.into())))
        .collect::<Result<_>>()?;
    Ok(Secrets {
        db_password: given_or_made(passwords.db)?,
        adminui_password: given_or_made(passwords.adminui)?,
        host_password_hash: keys::hash_password(&host_password)?.into(),
        host_password,
        ssh_key: keys::ed25519_key(id.as_str())?.into(),
        host_keys,
        next_db_password: None,
        cluster_key: None,
        cloud: Given::new(),
    })
}

fn report(
    dir: &Path,
    created: &DeploymentDir,
    version: &DbVersion,
    warnings: Vec<String>,
    checks: Vec<Check>,
) -> InitReport {
    let state = created.state();
    InitReport {
        whose: created.whose(),
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

/// `init --list-types`: the provider's machine types in the catalogue, the smallest first.
pub fn list_types(provider: &Provider) -> Vec<Listed> {
    let row = |name: String| {
        let known = catalog::instance_type(provider.name, &name)?;
        let size = known.size;
        let region = catalog::default_region(provider.name);
        let standard = catalog::default_instance_type(provider.name, region, &known.arch) == Some(name.as_str());
        let aliases = if standard { vec!["default".to_owned()] } else { Vec::new() };
        let only = known.regions().map(|regions| format!("; only in {}", regions.join(", "))).unwrap_or_default();
        let vcpus = count(size.vcpus as usize, "vCPU");
        let detail = format!("{vcpus}, {} GB, {}{only}", size.memory_mb / 1024, known.arch);
        Some(Listed { name, detail, aliases })
    };
    catalog::instance_types(provider.name).into_iter().filter_map(row).collect()
}

/// `init --list-regions`: those in the catalogue.
///
/// # Errors
/// Of a provider that has none.
pub fn list_regions(provider: &Provider) -> Result<Vec<Listed>> {
    let regions = catalog::regions(provider.name);
    if regions.is_empty() {
        return Err(Error::Usage {
            message: format!("{} has no regions", provider.name),
            hint: Some("name a cloud with --cloud-provider".into()),
        });
    }
    let standard = catalog::default_region(provider.name);
    let detail = |name: &str| {
        let facts = catalog::region(provider.name, name).into_iter().flatten();
        facts
            .filter(|(_, value)| !value.is_table())
            .map(|(key, value)| format!("{} {value}", key.replace('_', " ")))
            .collect::<Vec<_>>()
            .join(", ")
            .replace('"', "")
    };
    let row = |name: String| Listed {
        detail: detail(&name),
        aliases: if name == standard { vec!["default".into()] } else { Vec::new() },
        name,
    };
    Ok(regions.into_iter().map(row).collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Whose;

    #[test]
    fn what_deploy_tells_again_is_not_told_before_it() {
        let slow = Check::warning("kvm", "KVM runs guests", "no").fix("sudo modprobe kvm");
        let made = InitReport {
            whose: Whose { deployment: "exasol-0001abff".into(), name: "demo".into() },
            directory: "demo".into(),
            provider: "libvirt".into(),
            db_version: "rehearsal".into(),
            rehearsal: true,
            cluster_size: 1,
            warnings: vec![slow.finding(), "open to everybody".into()],
            checks: vec![slow],
            next: Vec::new(),
        };
        assert_eq!(before_deploy(made), ["open to everybody"]);
    }

    #[test]
    fn one_vcpu_is_one() {
        let types = providers::ALL.iter().flat_map(|provider| list_types(provider));
        for listed in types {
            assert!(!listed.detail.starts_with("1 vCPUs"), "{}: {}", listed.name, listed.detail);
        }
    }

    #[test]
    fn permissions_are_names_without_sentences() {
        for provider in providers::ALL {
            let text = permissions(provider).unwrap().permissions.to_string();
            assert!(!text.contains("not needed"), "{}: {text}", provider.name);
        }
    }
}
