//! `adopt`: a directory for a cluster whose own is lost. The hypervisor tells what there is; what nobody can tell, such as
//! passwords and Terraform's state, stays unknown. Nothing is changed but the new directory.

mod key;

use std::path::PathBuf;

use super::host::HostConnection;
use super::hosts::Hosts;
use super::operation::in_dir;
use super::{Context, known, node_records, owners};
use crate::deployment::{Adopted, DeploymentDir, State};
use crate::error::{Error, Result};
use crate::model::{AdoptReport, DeploymentId, Machine, NodePlan, Power, RenderedFile, Spec};
use crate::providers::{self, Marked, Provider, UNKNOWN_VERSION};
use key::Login;

pub struct AdoptRequest {
    pub dir: PathBuf,
    pub id: DeploymentId,
    /// Only its provider and the way to the hypervisor count.
    pub spec: Spec,
    /// A private key that the nodes know, and a file with their host keys.
    pub ssh_key: Option<PathBuf>,
    pub host_keys: Option<PathBuf>,
}

/// # Errors
/// Those of [`DeploymentDir::create`]; [`Error::Usage`] where there is nothing to adopt, where a directory has it, where
/// it is in doubt whose it is, and for a key that does not open the nodes. Nothing is written then.
pub async fn run(context: &Context, request: AdoptRequest) -> Result<AdoptReport> {
    DeploymentDir::check_target(&request.dir)?;
    let provider = providers::find(&request.spec.provider)?;
    let Some(hosts) = Hosts::of(provider, &request.spec, &context.interrupt) else {
        return Err(of_cloud(provider));
    };
    hosts.refuse_several(provider, &format!("exasol adopt {}", request.id))?;
    let host = hosts.first().clone();
    let key = key::read(&request)?;
    let found = host.ask(|host| host.marked()).await?.things;
    let found: Vec<_> = found.into_iter().filter(|one| one.deployment == request.id).collect();
    refuse(&request.id, &found)?;
    refuse_owned(context, &request.id).await?;
    let (state, machines) = look(&host, provider, &request.id, key.as_ref()).await?;
    let mut files = vec![readme(&state)];
    let mut warnings = warnings(&state, &machines);
    if let Some(key) = &key {
        files.extend(key.files(&request.dir, &state, provider)?);
        warnings.extend(context.interrupt.run(key.prove(&state, provider)).await??);
    }
    // From here on nothing waits: the directory is made as a whole.
    context.interrupt.check()?;
    let adopted = DeploymentDir::adopt(&request.dir, state, files)?;
    warnings.extend(known::remember(&adopted));
    Ok(report(&request, &adopted, key.is_some(), warnings))
}

fn of_cloud(provider: &Provider) -> Error {
    Error::Usage {
        message: format!(
            "only Terraform's state knows what exists in {}: without it nothing can be adopted",
            provider.title
        ),
        hint: Some(format!("find it there: exasol sweep --cloud-provider {}", provider.name)),
    }
}

/// What is not there, or may be somebody else's.
fn refuse(id: &DeploymentId, found: &[Marked]) -> Result<()> {
    let usage = |message: String, hint: &str| Err(Error::Usage { message, hint: Some(hint.to_owned()) });
    if found.is_empty() {
        return usage(format!("there is nothing of {id}"), "see what is there: exasol sweep");
    }
    let doubted = found.iter().find_map(|one| Some(format!("{}: {}", one.thing, one.doubt.as_ref()?)));
    match doubted {
        Some(doubted) => usage(format!("it is in doubt whose this is: {doubted}"), "see what is there: exasol sweep"),
        None => Ok(()),
    }
}

async fn refuse_owned(context: &Context, id: &DeploymentId) -> Result<()> {
    let owner = context.interrupt.run(owners::of([id.clone()].into())).await?.remove(id);
    match owner.filter(|owner| owner.state.is_in_care()) {
        None => Ok(()),
        Some(owner) => Err(Error::Usage {
            message: format!("{id} has a directory: {}", owner.directory.display()),
            hint: Some(in_dir("exasol status", &owner.directory)),
        }),
    }
}

/// What the hypervisor tells, as a state.
async fn look(
    host: &HostConnection,
    provider: &Provider,
    id: &DeploymentId,
    key: Option<&Login>,
) -> Result<(State, Vec<Machine>)> {
    let asked = id.clone();
    let Some(recognized) = host.ask(move |host| host.recognize(&asked)).await? else {
        return Err(Error::Usage {
            message: format!("of {id} there is no machine any more, so there is no cluster to adopt"),
            hint: Some(format!("remove what is left: exasol sweep --remove {id}")),
        });
    };
    let plans = NodePlan::all(id, &recognized.spec);
    let asked = plans.clone();
    let machines = host.ask(move |host| host.machines(&asked)).await?;
    let host_keys = key.map(|key| key.host_keys(id)).unwrap_or_default();
    let all_off = machines.iter().all(|machine| matches!(machine.power, Power::Off | Power::Missing));
    let state = State::adopted(id.clone(), (recognized.spec, recognized.facts), Adopted { host_keys }, all_off);
    let at = |(plan, machine): (&NodePlan, &Machine)| {
        machine.addresses.first().map(|address| node_records::at(&state, provider, plan, *address))
    };
    let nodes = plans.iter().zip(&machines).filter_map(at).collect();
    Ok((state.with_nodes(nodes), machines))
}

fn warnings(state: &State, machines: &[Machine]) -> Vec<String> {
    let mut warnings = Vec::new();
    let has_address = |machine: &&Machine| state.nodes.iter().any(|node| node.plan.name == machine.node);
    for machine in machines.iter().filter(|machine| !has_address(machine)) {
        warnings.push(format!("{}: no address is known (its machine is {})", machine.node, machine.power));
    }
    if state.spec.db_version == UNKNOWN_VERSION {
        warnings.push("the database's version is not known: no machine's description names it".into());
    }
    warnings
}

fn readme(state: &State) -> RenderedFile {
    let text = format!(
        "# {}\n\nA cluster whose directory was lost, adopted by `exasol adopt`. Its passwords and Terraform's state are not\n\
         here, so `deploy`, `start`, `stop` and `sql` cannot work. What works, in this directory:\n\n    \
         exasol status          show the status now\n    \
         exasol ssh n11         open a shell on a node, if adopt was given a key\n    \
         exasol destroy         remove everything that was created, with all data\n",
        state.id
    );
    RenderedFile::new("README.md", text)
}

fn report(request: &AdoptRequest, adopted: &DeploymentDir, ssh: bool, warnings: Vec<String>) -> AdoptReport {
    let state = adopted.state();
    let mut unknown = vec!["the passwords of the database, the Admin UI and the nodes' user", "Terraform's state"];
    if !ssh {
        unknown.push("an SSH key for the nodes");
    }
    let mut next = vec![in_dir("exasol status", &request.dir)];
    next.extend(ssh.then(|| in_dir("exasol ssh", &request.dir)));
    next.push(in_dir("exasol destroy --dry-run", &request.dir));
    AdoptReport {
        whose: adopted.whose(),
        directory: request.dir.clone(),
        provider: state.spec.provider.clone(),
        db_version: state.spec.db_version.clone(),
        cluster_size: state.spec.cluster_size,
        phase: state.phase,
        ssh,
        unknown: unknown.into_iter().map(str::to_owned).collect(),
        warnings,
        next,
    }
}
