//! `sweep`: what carries the mark of any deployment on a hypervisor, and whose it is; on request it removes what nobody
//! has a directory for, and proves that nothing is left. A cloud is not asked: a person learns how to look there.

mod group;

use std::collections::BTreeSet;

use super::host::HostConnection;
use super::hosts::Hosts;
use super::operation::in_dir;
use super::{Confirm, Context, owners};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, Ownership, Power, Spec, SweepReport, SweptDeployment, ThingKind, quote};
use crate::providers::{self, Marked, MarkedThings, Provider};

pub struct SweepRequest<'a> {
    /// Only its provider and the way to the hypervisor count.
    pub spec: Spec,
    /// The deployments whose things are removed; none: everything is only listed.
    pub remove: BTreeSet<DeploymentId>,
    /// None: `--yes` was given.
    pub confirm: Option<Confirm<'a>>,
}

/// # Errors
/// [`Error::Usage`] for deployments that a directory has, or of which something is in doubt: nothing is removed then.
/// [`Error::LeftBehind`] if something is still there afterwards.
pub async fn run(context: &Context, request: SweepRequest<'_>) -> Result<SweepReport> {
    let provider = providers::find(&request.spec.provider)?;
    let Some(hosts) = Hosts::of(provider, &request.spec, &context.interrupt) else {
        return of_cloud(provider, &request);
    };
    hosts.refuse_several(provider, "exasol sweep")?;
    let host = hosts.first().clone();
    let at = way_to(provider, &request.spec);
    let found = host.ask(|host| host.marked()).await?;
    let deployments = grouped(context, &found).await?;
    let mut report = SweepReport {
        provider: provider.name.to_owned(),
        asked: true,
        next: next(&deployments, &at),
        deployments,
        removed: Vec::new(),
        steps: Vec::new(),
        warnings: found.unseen.iter().map(|why| format!("{why}: what is in it was not looked at")).collect(),
    };
    if request.remove.is_empty() {
        return Ok(report);
    }
    report.warnings.extend(absent(&request.remove, &report.deployments));
    let doomed = doomed(found.things, &request.remove);
    refuse(&report.deployments, &doomed, &request.remove)?;
    if !doomed.is_empty() {
        agree(context, &request, &doomed, &at)?;
        report.removed = remove(context, &host, &doomed).await?;
    }
    let left = host.ask(|host| host.marked()).await?;
    report.deployments = grouped(context, &left).await?;
    report.next = next(&report.deployments, &at);
    prove(left, &request.remove, &at)?;
    Ok(report)
}

/// What a person does who looks there.
fn of_cloud(provider: &Provider, request: &SweepRequest<'_>) -> Result<SweepReport> {
    let steps: Vec<_> = provider.cloud().into_iter().flat_map(|cloud| cloud.find).map(ToString::to_string).collect();
    if !request.remove.is_empty() {
        return Err(Error::Usage {
            message: format!("exasol does not look into an account of {}, and removes nothing there", provider.title),
            hint: Some(format!("find it, and remove it by hand:\n{}", steps.join("\n"))),
        });
    }
    Ok(SweepReport {
        provider: provider.name.to_owned(),
        asked: false,
        deployments: Vec::new(),
        removed: Vec::new(),
        steps,
        warnings: Vec::new(),
        next: vec!["exasol list".to_owned()],
    })
}

/// The option that leads to the same hypervisor again; empty where it is the usual one.
fn way_to(provider: &Provider, spec: &Spec) -> String {
    let Some(def) = provider.options.iter().find(|def| def.key == "uri") else { return String::new() };
    let typed = spec.options.get(def.key).and_then(serde_json::Value::as_str);
    let other = typed.filter(|typed| Some(*typed) != def.default);
    other.map(|uri| format!(" --{} {}", def.flag, quote(uri))).unwrap_or_default()
}

async fn grouped(context: &Context, found: &MarkedThings) -> Result<Vec<SweptDeployment>> {
    let ids = found.things.iter().map(|one| one.deployment.clone()).collect();
    let owners = context.interrupt.run(owners::of(ids)).await?;
    Ok(group::by_deployment(&found.things, &owners))
}

/// The things of those deployments, in the order in which they are removed.
fn doomed(things: Vec<Marked>, ids: &BTreeSet<DeploymentId>) -> Vec<Marked> {
    let mut doomed: Vec<_> = things.into_iter().filter(|one| ids.contains(&one.deployment)).collect();
    doomed.sort_by_key(|one| one.thing.kind);
    doomed
}

fn absent(ids: &BTreeSet<DeploymentId>, deployments: &[SweptDeployment]) -> Vec<String> {
    let is_there = |id: &&DeploymentId| deployments.iter().any(|found| found.deployment == id.as_str());
    ids.iter().filter(|id| !is_there(id)).map(|id| format!("there is nothing of {id}")).collect()
}

fn refuse(deployments: &[SweptDeployment], doomed: &[Marked], ids: &BTreeSet<DeploymentId>) -> Result<()> {
    let usage = |message: String, hint: String| Err(Error::Usage { message, hint: Some(hint) });
    let wanted = |found: &&SweptDeployment| ids.iter().any(|id| id.as_str() == found.deployment);
    let owned = deployments.iter().filter(wanted).find(|found| found.owner.is_in_care());
    if let Some((owned, directory)) = owned.and_then(|owned| Some((owned, owned.directory.as_deref()?))) {
        let id = &owned.deployment;
        return match owned.owner {
            Ownership::Unreadable => usage(
                format!("{id} may belong to {}, which cannot be read now: nothing was removed", directory.display()),
                format!("find out why: {}", in_dir("exasol status", directory)),
            ),
            _ => usage(
                format!("{id} belongs to {}: nothing was removed", directory.display()),
                in_dir("exasol destroy", directory),
            ),
        };
    }
    let doubted = doomed.iter().filter_map(|one| Some(format!("{}: {}", one.thing, one.doubt.as_deref()?)));
    let doubted: Vec<_> = doubted.collect();
    if doubted.is_empty() {
        return Ok(());
    }
    usage(
        format!("it is in doubt whose this is, so nothing was removed: {}", doubted.join("; ")),
        "look at it, and remove by hand what is yours, with the hypervisor's own tools".into(),
    )
}

fn agree(context: &Context, request: &SweepRequest<'_>, doomed: &[Marked], at: &str) -> Result<()> {
    let Some(confirm) = request.confirm else { return Ok(()) };
    let runs = |one: &Marked| if one.power == Some(Power::Running) { ", which runs" } else { "" };
    let list: String = doomed.iter().map(|one| format!("  {}{}\n", one.thing, runs(one))).collect();
    let ids: BTreeSet<_> = doomed.iter().map(|one| one.deployment.as_str()).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let question = format!(
        "This would be removed:\n{list}No directory that you have on this machine has it; another user's may.\n\
         Remove {} with all data?",
        ids.join(" and ")
    );
    let answer = confirm(&question);
    context.interrupt.check()?;
    match answer {
        Some(true) => Ok(()),
        Some(false) => Err(Error::Declined { done: "nothing was removed".into() }),
        None => Err(Error::Usage {
            message: "sweep asks before it removes anything, but there is no terminal to ask on".into(),
            hint: Some(format!("{} --yes", command(&ids, at))),
        }),
    }
}

fn command(ids: &[&str], at: &str) -> String {
    format!("exasol sweep --remove {}{at}", ids.join(" "))
}

async fn remove(context: &Context, host: &HostConnection, doomed: &[Marked]) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for one in doomed {
        context.interrupt.check()?;
        host.remove(&one.deployment, one.thing.clone()).await?;
        removed.push(one.thing.to_string());
    }
    Ok(removed)
}

fn prove(found: MarkedThings, ids: &BTreeSet<DeploymentId>, at: &str) -> Result<()> {
    let left = doomed(found.things, ids);
    let things: Vec<_> = left.iter().map(|one| one.thing.to_string()).collect();
    let ids: Vec<_> = ids.iter().map(DeploymentId::as_str).collect();
    if things.is_empty() { Ok(()) } else { Err(Error::LeftBehind { things, again: command(&ids, at) }) }
}

fn next(deployments: &[SweptDeployment], at: &str) -> Vec<String> {
    let owned = deployments.iter().filter(|found| found.owner == Ownership::Known);
    let mut next: Vec<_> =
        owned.filter_map(|found| Some(in_dir("exasol status", found.directory.as_deref()?))).collect();
    let in_doubt = |found: &SweptDeployment| found.things.iter().any(|thing| thing.doubt.is_some());
    let lost = deployments.iter().filter(|found| !found.owner.is_in_care() && !in_doubt(found));
    let lost: Vec<_> = lost.map(|found| found.deployment.as_str()).collect();
    if !lost.is_empty() {
        let has_machine = |found: &&SweptDeployment| found.things.iter().any(|thing| thing.kind == ThingKind::Domain);
        let cluster = deployments.iter().filter(has_machine).find(|found| lost.contains(&&*found.deployment));
        next.extend(cluster.map(|found| format!("exasol adopt -d DIR {}{at}", found.deployment)));
        next.push(command(&lost, at));
    }
    next
}

#[cfg(test)]
mod tests;
