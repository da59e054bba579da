//! `deploy`: from a directory to a cluster that accepts a login on every node. Every step looks
//! first whether an earlier run has done it, so that a rerun resumes.

mod anew;
pub(super) mod artifacts;
mod cluster_key;
mod download;
pub(super) mod image;
mod newest_release;
pub(super) mod nodes;
mod proxy;
mod sending;

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::apply::{self, APPLY, PLAN};
use super::boot::{self, BOOT};
use super::info::admin_ui;
use super::login::{self, LOGIN};
use super::operation::{Work, in_dir, millis, with_operation};
use super::power::{self, POWER_ON};
use super::preflight::{Preflight, Programs};
use super::user_dirs::{CacheDirs, fetched_tools};
use super::{Confirm, Context, Given, Passwords, cache_use, mend, plan, recorded, render_input, seed, terraform_dir};
use crate::deployment::EditPolicy;
use crate::error::{Error, Result};
use crate::events::StepInfo;
use crate::model::{DeployReport, InvalidValue, NodeAddress, NodePlan, Operation, Phase, PlanReport};
use crate::providers::Provider;
use crate::render::Proxies;
use crate::tools::ansible::Ansible;
use crate::tools::ssh::Ssh;
use nodes::Installer;
use sending::Sending;

pub struct DeployRequest<'a> {
    pub dir: PathBuf,
    pub allow_replace: Vec<String>,
    pub edits: EditPolicy,
    pub offline: bool,
    /// Machines may be made from a warm base, if there is one.
    pub warm: bool,
    /// For a destroyed directory, which gets new ones: those that are given.
    pub passwords: Passwords,
    /// The same of a cloud's credentials.
    pub credentials: Given,
    /// Asks before something is made that is paid for; None: `--yes` was given.
    pub confirm: Option<Confirm<'a>>,
}

/// A database that is ready answers at once.
const VERIFY_LIMIT: Duration = Duration::from_secs(5);

pub(super) const PREFLIGHT: StepInfo = StepInfo { id: "preflight", title: "check this machine" };
pub(super) const IMAGE: StepInfo = StepInfo { id: "image", title: "get the base image" };
pub(super) const RENDER: StepInfo = StepInfo { id: "render", title: "write Terraform's files" };
const ARTIFACTS: StepInfo = StepInfo { id: "artifacts", title: "get the database release" };
const INSTALL: StepInfo = StepInfo { id: "install", title: "install the database" };

pub async fn run(context: &Context, request: DeployRequest<'_>) -> Result<DeployReport> {
    let since = Instant::now();
    let root = request.dir.clone();
    check_warm(super::up::provider(&root)?, request.warm)?;
    anew::begin(context, &root, &request.passwords, &request.credentials)?;
    let steps = [PREFLIGHT, IMAGE, RENDER, PLAN, ARTIFACTS, APPLY, POWER_ON, BOOT, INSTALL, LOGIN];
    with_operation(context, &root, Operation::Deploy, &steps, async |work| {
        // It may have been moved: machines that ssh cannot reach are not made.
        work.dir.check_name()?;
        work.version()?;
        (work.cluster.edits, work.cluster.ssh_edits) = (request.edits, request.edits);
        check_names(&request.allow_replace, &work.cluster.nodes)?;
        if is_still_ready(work).await {
            tell_nodes(work).await?;
            return Ok(report(work, &request, since));
        }
        let programs = check(work).await?;
        // The inter-node key needs nothing but seconds of a processor.
        let key = cluster_key::start(work)?;
        let cache = use_cache(work).await?;
        // The release's download needs nothing from Terraform.
        let mut pending = artifacts::start(work, request.offline)?;
        let mut release = None;
        image::provide(work, request.offline, request.warm).await?;
        render(work).await?;
        let allow_replace = &request.allow_replace;
        let agree = async |work: &mut Work, report: &PlanReport| {
            agree(work, &request, report).await?;
            // Machines are made for a release that is here and right, or not at all.
            release = Some(artifacts::release(work, &mut pending).await?);
            Ok(())
        };
        // A kernel may panic while Terraform still makes the other machines.
        let consoles = boot::follow(work);
        apply::run(work, &programs.terraform, allow_replace, agree).await?;
        // What fails from here on fails at the cluster itself, whatever was recorded of it.
        work.found_otherwise();
        let release = match release {
            Some(release) => release,
            None => artifacts::release(work, &mut pending).await?,
        };
        let installer = Installer { release: &release, ansible: &programs.ansible, cache: &cache };
        let started = installer.start(work)?;
        // What was just made is on; what an earlier run made may have been switched off since, even if that
        // run ended before it knew addresses. A cloud can only be asked for machines that are known.
        if !work.cluster.provider.is_cloud() || !work.dir.state().nodes.is_empty() {
            work.begin(POWER_ON.id);
            power::on(work, None).await?;
        }
        // A first run copies the release while other nodes still boot.
        let is_first = started.is_some() && !work.dir.state().installed;
        let sending = is_first.then(|| Sending::new(work, &release)).transpose()?;
        let on_ready = |ssh: &Ssh, node: &str| sending.iter().for_each(|sending| sending.is_ready(ssh, node));
        let nodes = boot::wait_with(work, &consoles, &on_ready).await?;
        if let Some(sending) = sending {
            sending.end(work).await?;
        }
        key.store(work).await?;
        let installed = installer.install(work, &nodes, started, request.offline).await;
        installed.map_err(|error| consoles.blame(error))?;
        drop(cache);
        seed::retire_of_prepared(work).await?;
        login::change_password(work).await?;
        login::prove(work).await?;
        let form = nodes::form(work, &nodes, &release)?;
        work.dir.deployed(form)?;
        Ok(report(work, &request, since))
    })
    .await
}

/// `--no-warm` is for machines on a hypervisor.
///
/// # Errors
/// [`Error::Usage`] where it would be ignored.
pub(super) fn check_warm(provider: Option<&Provider>, warm: bool) -> Result<()> {
    match provider {
        Some(provider) if !warm && provider.is_cloud() => Err(Error::Usage {
            message: format!(
                "--no-warm: {} makes machines from its own images, and never from a warm base",
                provider.name
            ),
            hint: Some("leave it out".into()),
        }),
        _ => Ok(()),
    }
}

/// What nodes are told of the deployer's proxies, and what of it must not be told to others.
pub(super) fn proxies() -> (Proxies, Vec<String>) {
    let proxies = proxy::of_environment();
    let secrets = proxy::secrets(&proxies);
    (proxies, secrets)
}

/// As long as it is held, `cache prune` leaves everything where it is. None where there is no cache to use.
async fn use_cache(work: &Work) -> Result<Option<File>> {
    let waits = || work.detail("waiting for exasol cache prune");
    match cache_use::wait(&CacheDirs::of_user()?, waits, &work.interrupt).await {
        Ok(used) => Ok(Some(used)),
        Err(error @ Error::Interrupted { .. }) => Err(error),
        // What cannot be written there is told by whoever has to write there.
        Err(_) => Ok(None),
    }
}

/// A name that no node has would protect a machine that its owner meant to give up.
fn check_names(allow_replace: &[String], nodes: &[NodePlan]) -> Result<()> {
    let nodes: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    match allow_replace.iter().find(|name| !nodes.contains(&name.as_str())) {
        Some(name) => Err(InvalidValue::none_of("--allow-replace", name, &nodes).into()),
        None => Ok(()),
    }
}

/// A ready deployment whose every node still accepts a login needs no deploy.
async fn is_still_ready(work: &mut Work) -> bool {
    let state = work.dir.state();
    if work.from != Phase::DatabaseReady
        || state.nodes.len() != work.cluster.nodes.len()
        || state.certificate_fingerprint.is_none()
        || state.update_pending
    {
        return false;
    }
    work.begin(LOGIN.id);
    match login::log_in_everywhere(&work.dir, &work.access, VERIFY_LIMIT, &|_| {}).await {
        Ok(()) => {
            // Of an earlier version's machines; an interruption loses nothing.
            if mend::in_passing(work).await.is_ok() {
                let _ = seed::retire(work).await;
            }
            work.unchanged("the database already accepts logins on every node");
            true
        }
        Err(error) => {
            work.done(format!("not ready any more ({error}): deploying again"));
            false
        }
    }
}

/// Another version of this program may tell the nodes more than they know. They are told, while the database goes on.
async fn tell_nodes(work: &mut Work) -> Result<()> {
    // What cannot be found out is no reason to touch a cluster that is ready.
    let Ok(Some(release)) = artifacts::known_release(work.version()?) else { return Ok(()) };
    let nodes = work.dir.state().nodes.clone();
    match nodes::form(work, &nodes, &release) {
        Ok(form) if work.dir.state().nodes_form.as_ref() != Some(&form) => {}
        _ => return Ok(()),
    }
    work.begin(INSTALL.id);
    work.detail("they lack settings of this version: only these are applied, and the database keeps running");
    let told = async {
        let ansible = work.interrupt.run(Ansible::find(&fetched_tools())).await??;
        nodes::prepare(work, &nodes, &release, &ansible).await
    };
    told.await
}

/// Says what is about to be made, and asks where somebody can answer and it costs money. Without a
/// terminal it goes on, as scripts expect.
async fn agree(work: &Work, request: &DeployRequest<'_>, report: &PlanReport) -> Result<()> {
    let state = work.dir.state();
    let summary = plan::summary(work.cluster.provider, work.cluster.hosts(), state).await?;
    summary.iter().for_each(|line| work.detail(line.clone()));
    let costs = work.cluster.provider.is_cloud() && report.create > 0;
    let Some(confirm) = request.confirm.filter(|_| costs) else { return Ok(()) };
    let list: String = summary.iter().map(|line| format!("  {line}\n")).collect();
    let answer = confirm(&format!(
        "{list}  {}\nCreate this on {}? It costs money.",
        apply::counts(report),
        work.cluster.provider.title
    ));
    work.interrupt.check()?;
    match answer {
        Some(false) => Err(Error::Declined { done: "nothing was made".into() }),
        Some(true) | None => Ok(()),
    }
}

pub(super) async fn check(work: &mut Work) -> Result<Programs> {
    work.begin(PREFLIGHT.id);
    let state = work.dir.state();
    let given = work.dir.secrets()?.cloud;
    let checking = Preflight::run(&work.sink, work.cluster.provider, &state.spec, &given, Some(&work.dir));
    let preflight = work.interrupt.run(checking).await??;
    let (_, facts, programs) = preflight.passed()?;
    // A machine that exists keeps the kind of virtualization it was made with.
    if !terraform_dir::has_any(&work.dir.terraform_dir(), work.cluster.provider.resources.machines) {
        work.dir.found_facts(facts)?;
    }
    Ok(programs)
}

pub(super) async fn render(work: &mut Work) -> Result<()> {
    work.begin(RENDER.id);
    let secrets = work.dir.secrets()?;
    let files = render_input::terraform(work.cluster.provider, work.dir.state(), &secrets, &work.cluster.nodes, true)?;
    work.dir.write_files(&files, work.cluster.edits)
}

/// The report of a deployment whose every node has just accepted a login.
fn report(work: &Work, request: &DeployRequest<'_>, since: Instant) -> DeployReport {
    let state = work.dir.state();
    let nodes = state.nodes.iter().map(|n| NodeAddress {
        name: n.plan.name.clone(),
        private_ip: n.private_ip.to_string(),
        public_ip: n.public_ip.to_string(),
    });
    DeployReport {
        whose: work.dir.whose(),
        directory: request.dir.clone(),
        admin_ui: state.nodes.first().map(|node| admin_ui(node.public_ip)).unwrap_or_default(),
        status: Phase::DatabaseReady,
        rehearsal: recorded::is_rehearsal(&work.dir),
        nodes: nodes.collect(),
        certificate_fingerprint: state.certificate_fingerprint.clone().unwrap_or_default(),
        took_ms: millis(since),
        next: ["exasol status", "exasol info", "exasol sql -c 'SELECT 1'"].map(|c| in_dir(c, &request.dir)).to_vec(),
    }
}
