//! Terraform for a deployment: its folder, the credentials, the way to the hypervisor, and what its plugin needs.

use std::time::Duration;

use super::blocking::{ANSWER_LIMIT, within};
use super::operation::Work;
use super::user_dirs::CacheDirs;
use super::{credentials, links, plugin_checksums};
use crate::error::Result;
use crate::model::Spec;
use crate::providers::Provider;
use crate::signal::Interrupt;
use crate::tools::terraform::{Limits, Terraform, Workdir};

/// Terraform for the deployment's directory. It inherits the lock, so that the lock outlives us
/// for as long as Terraform works.
pub(super) async fn of(work: &Work, terraform: &Terraform) -> Result<Workdir> {
    let provider = work.cluster.provider;
    let workdir = terraform
        .workdir(work.dir.terraform_dir(), work.sink.clone(), work.interrupt.clone())?
        .log(work.log.file("terraform.jsonl"))
        .plugin_cache(CacheDirs::of_user()?.plugins())
        .holding(&work.dir.lock_fd())?;
    let workdir = reaching(&work.interrupt, provider, &work.dir.state().spec, workdir).await?;
    Ok(credentials::give(&credentials::of(&work.dir, provider)?, made_for(provider, workdir)?))
}

/// With the way to a hypervisor that its address alone does not lead to. Terraform keeps it open for as long
/// as it runs, as it does the lock.
pub(super) async fn reaching(
    interrupt: &Interrupt,
    provider: &'static Provider,
    spec: &Spec,
    workdir: Workdir,
) -> Result<Workdir> {
    let Some(hypervisor) = provider.hypervisor() else { return Ok(workdir) };
    let asked = spec.clone();
    let variables = interrupt.run(within(ANSWER_LIMIT, move || (hypervisor.terraform_variables)(&asked))).await??;
    let workdir = variables.into_iter().fold(workdir, |workdir, (name, value)| workdir.variable(name, value));
    let logins = spec.on_each_host().iter().map(hypervisor.login).collect::<Result<Vec<_>>>()?;
    let held: Vec<_> = logins.iter().flatten().flat_map(links::holds).collect();
    held.iter().try_fold(workdir, |workdir, fd| workdir.holding(fd))
}

/// libvirt's provider (0.8.3) was seen to hang for ever while it reads back a cloud-init disk: its client
/// library waits for a lock that is never given back (go-libvirt's issue 241). Usually it takes seconds.
const LIMITS: Limits = Limits { plan: Duration::from_secs(120), apply: Duration::from_secs(APPLY_S) };
const APPLY_S: u64 = if cfg!(test) { 4 } else { 180 };

/// With what the provider's plugin needs, and with limits where some can be named: a cloud may take long
/// for good reasons.
pub(super) fn made_for(provider: &Provider, workdir: Workdir) -> Result<Workdir> {
    // Later the deployment's own lock file counts: nobody needs the list then.
    let workdir = match workdir.has_plugin_lock() {
        true => workdir,
        false => {
            let lock = plugin_checksums::lock(provider, workdir.engine())?;
            workdir.plugins_as(lock)
        }
    };
    let Some(hypervisor) = provider.hypervisor() else { return Ok(workdir) };
    let workdir = workdir.limits(LIMITS);
    match &hypervisor.stand_in {
        Some(stand_in) => workdir.standing_in_for(stand_in.program),
        None => Ok(workdir),
    }
}
