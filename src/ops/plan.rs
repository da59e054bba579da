//! `deploy --plan`: what would be created, planned in a temporary copy; the deployment stays as it is.

use std::path::{Path, PathBuf};

use super::hosts::Hosts;
use super::operation::in_dir;
use super::user_dirs::CacheDirs;
use super::{Context, apply, credentials, engine, floors, recorded, render_input, workdir};
use crate::deployment::{DeploymentDir, State};
use crate::error::{Error, Result};
use crate::model::{ChangeAction, NodePlan, Operation, Phase, PlanReport, PlannedChange, count, host_suffix};
use crate::providers::{Provider, cloud};
use crate::tools::scratch::Scratch;
use crate::tools::terraform::Workdir;

/// The folder of its files, in a deployment and in the copy.
const TERRAFORM: &str = "terraform";

pub async fn run(context: &Context, root: &Path) -> Result<PlanReport> {
    let dir = DeploymentDir::open(root)?;
    dir.check_allowed(Operation::Deploy)?;
    if dir.state().phase == Phase::Destroyed {
        return Err(Error::NotYet {
            message: "the deployment is destroyed: deploy creates all of it anew, and there is nothing to compare"
                .into(),
            hint: Some(in_dir("exasol deploy", root)),
        });
    }
    let provider = recorded::provider(&dir)?;
    let copy = Scratch::make()?;
    let plan = in_copy(context, &dir, provider, &copy).await?.plan().await?;
    let mut report = plan.report();
    let state = dir.state();
    let hosts = Hosts::of(provider, &state.spec, &context.interrupt);
    report.summary = summary(provider, hosts.as_ref(), state).await?;
    if let Some(check) = floors::warning(provider, &state.spec, &state.facts) {
        context.sink.warn(floors::text(&check));
    }
    let nodes = NodePlan::all(&state.id, &state.spec);
    add(&mut report, provider, &apply::misfits(hosts.as_ref(), state, &nodes).await?);
    Ok(report)
}

/// Machines that `deploy` would have Terraform make anew, which Terraform alone would leave as they are.
fn add(report: &mut PlanReport, provider: &Provider, misfits: &[apply::Misfit]) {
    for (node, why) in misfits {
        let name = &node.name;
        report.summary.push(format!(
            "{name}: its machine has to be created again ({why}), which only deploy --allow-replace {name} does"
        ));
        let kind = provider.resources.machine();
        let address = format!("{kind}.node{}[\"{name}\"]", host_suffix(node.host));
        if !report.changes.iter().any(|change| change.address == address) {
            report.replace += 1;
            report.changes.push(PlannedChange { action: ChangeAction::Replace, address, kind: kind.into() });
        }
    }
}

/// Terraform in a copy of the deployment's files, ready to plan. It has no log: that would go with the
/// copy, and an error shows what Terraform said. It keeps the copy for as long as it runs.
pub(super) async fn in_copy(
    context: &Context,
    dir: &DeploymentDir,
    provider: &'static Provider,
    copy: &Scratch,
) -> Result<Workdir> {
    let terraform = engine::of(dir)
        .await?
        .workdir(copy_of(dir, provider, copy.path())?, context.sink.clone(), context.interrupt.clone())?
        .plugin_cache(CacheDirs::of_user()?.plugins())
        .holding(copy)?;
    let terraform = workdir::reaching(&context.interrupt, provider, &dir.state().spec, terraform).await?;
    let terraform = workdir::made_for(provider, terraform)?;
    let terraform = credentials::give(&credentials::of(dir, provider)?, terraform);
    terraform.init().await?;
    apply::forget_former(provider, &terraform, &copy.path().join(TERRAFORM)).await?;
    Ok(terraform)
}

/// The files as `deploy` would render them, with the state and the plugin lock beside them.
fn copy_of(dir: &DeploymentDir, provider: &Provider, to: &Path) -> Result<PathBuf> {
    let state = dir.state();
    let nodes = NodePlan::all(&state.id, &state.spec);
    let files = render_input::terraform(provider, state, &dir.secrets()?, &nodes, true)?;
    let terraform_dir = to.join(TERRAFORM);
    std::fs::create_dir(&terraform_dir).map_err(Error::io("a temporary directory"))?;
    for file in files {
        let path = to.join(&file.path);
        std::fs::write(&path, &file.content).map_err(Error::io(path.display().to_string()))?;
    }
    for name in ["terraform.tfstate", ".terraform.lock.hcl"] {
        let from = dir.terraform_dir().join(name);
        if from.exists() {
            std::fs::copy(&from, terraform_dir.join(name)).map_err(Error::io(from.display().to_string()))?;
        }
    }
    Ok(terraform_dir)
}

/// As options and lists of machine types count it.
fn memory(megabytes: u64) -> String {
    match megabytes % 1024 {
        0 => format!("{} GB", megabytes / 1024),
        _ => format!("{megabytes} MB"),
    }
}

/// Sizes and access, for people.
pub(super) async fn summary(
    provider: &Provider,
    hosts: Option<&Hosts>,
    State { id, spec, facts, .. }: &State,
) -> Result<Vec<String>> {
    let size = match (provider.size)(spec, facts)? {
        Some(size) => format!("{}, {} of memory", count(size.vcpus as usize, "vCPU"), memory(size.memory_mb)),
        None => "as many vCPUs and as much memory as its type has".to_owned(),
    };
    let root = match provider.has_fixed_root_disk() {
        true => "the root disk of its type".to_owned(),
        false => format!("a root disk of {} GB", spec.root_volume_size),
    };
    let mut lines = vec![
        format!(
            "{} with {size}, {root} and {} of {} GB",
            count(spec.cluster_size as usize, "node"),
            count(spec.data_volumes_per_node as usize, "data disk"),
            spec.data_volume_size
        ),
        match spec.allowed_cidrs.as_slice() {
            [] => "open to everybody: SSH (22), SQL (8563), Admin UI (8443)".to_owned(),
            some => format!(
                "SSH (22), SQL (8563), Admin UI (8443) open to {}",
                some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        },
        "closed outside the cluster: all others, as COS SSH (20002), confd (20003), BucketFS (2580, 2581), \
         Administration API (4444)"
            .to_owned(),
    ];
    for (at, (host, name)) in (0..).zip(spec.hypervisors()).enumerate().filter(|_| spec.hosts() > 1) {
        let nodes = NodePlan::all(id, spec).into_iter().filter(|node| node.host == host).map(|node| node.name);
        lines.insert(1 + at, format!("on {name}: {}", nodes.collect::<Vec<_>>().join(", ")));
    }
    if provider.is_cloud() {
        lines.insert(1, cloud::type_and_place(spec, facts)?);
    }
    if let Some(hosts) = hosts {
        let addresses = hosts.deployer_addresses(facts).await?;
        let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let addresses = if addresses.is_empty() {
            "the addresses that the nodes see at the first login".to_owned()
        } else {
            addresses
        };
        lines.push(format!("always allowed: the nodes themselves and the deployer ({addresses})"));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::memory;

    #[test]
    fn memory_is_counted_as_it_is_asked_for() {
        assert_eq!([memory(4096), memory(1024), memory(1536)], ["4 GB", "1 GB", "1536 MB"]);
    }
}
