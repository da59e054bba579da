//! `destroy`: list, ask, remove, prove. Works on a half-made deployment and again on a destroyed one.

use std::path::PathBuf;
use std::time::Instant;

use super::host::HostConnection;
use super::hosts::{Found, Hosts};
use super::operation::{Work, in_dir, millis, with_operation};
use super::terraform_dir::Doubt;
use super::{Confirm, Context, engine, known, recorded, terraform_dir, workdir};
use crate::deployment::{DeploymentDir, LockStatus};
use crate::error::{Error, Result};
use crate::events::{Event, StepInfo, Unit};
use crate::model::{DestroyReport, Operation, Phase, quote};
use crate::providers::Provider;
use crate::tools::terraform::Workdir;

pub struct DestroyRequest<'a> {
    pub dir: PathBuf,
    pub dry_run: bool,
    /// None: `--yes` was given.
    pub confirm: Option<Confirm<'a>>,
}

const REMOVE: StepInfo = StepInfo { id: "terraform_destroy", title: "remove what Terraform created" };
const REST: StepInfo = StepInfo { id: "leftovers", title: "remove what else is left" };
const PROOF: StepInfo = StepInfo { id: "proof", title: "prove that nothing is left" };
const CLEAN: StepInfo = StepInfo { id: "clean", title: "remove keys and generated files" };

pub async fn run(context: &Context, request: DestroyRequest<'_>) -> Result<DestroyReport> {
    let since = Instant::now();
    let dir = DeploymentDir::open(&request.dir)?;
    let id = format!("{} ({})", dir.name(), dir.state().id);
    if dir.state().phase == Phase::Destroyed && !request.dry_run {
        return Ok(report(&dir, Phase::Destroyed, false, Vec::new(), since));
    }
    if !request.dry_run
        && let LockStatus::Held(holder) = dir.lock_status()?
    {
        return Err(Error::Locked { holder, dir: dir.named().to_path_buf() });
    }
    let doomed = doomed(context, &dir).await;
    context.interrupt.check()?;
    if request.dry_run {
        return Ok(report(&dir, dir.state().phase, true, doomed?, since));
    }
    // What cannot be listed now is an error of the operation itself, recorded there; the question needs no list then.
    let listed = doomed.unwrap_or_default();
    confirm(context, &request, &id, &listed)?;
    let steps = [REMOVE, REST, PROOF, CLEAN];
    with_operation(context, &request.dir, Operation::Destroy, &steps, async |work| {
        believe(&work.dir, work.cluster.provider, work.from)?;
        all_answer(work).await?;
        let state = terraform_destroy(work).await?;
        remove_leftovers(work).await?;
        prove(work, state).await?;
        work.begin(CLEAN.id);
        // Without its secrets and keys it is no longer what it was.
        work.changes();
        work.dir.remove_after_destroy()?;
        Ok(report(&work.dir, Phase::Destroyed, false, listed, since))
    })
    .await
    .inspect(|_| {
        // It stays in the list for as long as its directory does. Of a failure the beginning has told.
        let _ = DeploymentDir::open(&request.dir).map(|dir| known::remember(&dir));
    })
}

fn confirm(context: &Context, request: &DestroyRequest<'_>, name: &str, listed: &[String]) -> Result<()> {
    let Some(confirm) = request.confirm else { return Ok(()) };
    let list: String = listed.iter().map(|thing| format!("  {thing}\n")).collect();
    let heading = if listed.is_empty() { "" } else { "This would be removed:\n" };
    let answer = confirm(&format!("{heading}{list}Destroy {name} with all its data?"));
    context.interrupt.check()?;
    match answer {
        Some(true) => Ok(()),
        Some(false) => Err(Error::Declined { done: "nothing was destroyed".into() }),
        None => Err(Error::Usage {
            message: "destroy asks before it removes anything, but there is no terminal to ask on".into(),
            hint: Some(in_dir("exasol destroy --yes", &request.dir)),
        }),
    }
}

/// Everything that exists of the deployment: what Terraform made and what else carries its name.
async fn doomed(context: &Context, dir: &DeploymentDir) -> Result<Vec<String>> {
    let provider = recorded::provider(dir)?;
    believe(dir, provider, dir.state().phase)?;
    let known = terraform_dir::resources(&dir.terraform_dir()).unwrap_or_default();
    let hosts = Hosts::of(provider, &dir.state().spec, &context.interrupt);
    let found = leftovers(hosts.as_ref(), dir).await?;
    let names = terraform_dir::names(&dir.terraform_dir()).unwrap_or_default();
    let unknown = found.into_iter().filter(|l| !names.contains(&l.thing.name)).map(|l| l.to_string());
    Ok(known.into_iter().chain(unknown).collect())
}

/// Refuses a state that does not tell what exists, where nobody else can tell it: a cloud's machines would
/// go on costing money, and nobody would know.
fn believe(dir: &DeploymentDir, provider: &Provider, from: Phase) -> Result<()> {
    let destroying = matches!(from, Phase::DestroyInProgress | Phase::DestroyFailed);
    // A run that was killed while it cleaned up had its proof.
    if from == Phase::Destroyed || (destroying && !dir.has_secrets()) {
        return Ok(());
    }
    let Some(doubt) = terraform_dir::doubt(dir) else { return Ok(()) };
    if !provider.is_cloud() {
        let folder = dir.terraform_dir();
        let folder = folder.to_string_lossy();
        // It knows by name what there is, once Terraform is not asked.
        return match doubt {
            Doubt::Errored | Doubt::Lost => Ok(()),
            Doubt::Unreadable => Err(Error::TerraformState {
                why: doubt.text().into(),
                hint: format!(
                    "{}; or move it away, and destroy finds everything by its name: mv {} {}",
                    terraform_dir::mend(dir, doubt),
                    quote(&format!("{folder}/terraform.tfstate")),
                    quote(&format!("{folder}/unreadable.tfstate"))
                ),
            }),
        };
    }
    let mend = terraform_dir::mend(dir, doubt);
    let (id, title) = (&dir.state().id, provider.title);
    Err(Error::TerraformState {
        why: format!("{}: only Terraform's state knows what exists in {title}, so nothing was removed", doubt.text()),
        hint: format!(
            "{mend}\nwithout it: look in {title} for everything whose name begins with {id}, remove that by hand, and \
             then this directory: rm -r {}",
            quote(&dir.root().to_string_lossy())
        ),
    })
}

/// What the hypervisor has; nobody can be asked in a cloud.
async fn leftovers(hosts: Option<&Hosts>, dir: &DeploymentDir) -> Result<Vec<Found>> {
    let Some(hosts) = hosts else { return Ok(Vec::new()) };
    hosts.leftovers(&dir.state().id).await
}

/// Of several hypervisors all have to be there: else some of the cluster would be gone, and the rest could not be
/// proved to be. Nothing has been removed yet.
async fn all_answer(work: &Work) -> Result<()> {
    let Some(hosts) = work.cluster.hosts().filter(|hosts| hosts.are_several()) else { return Ok(()) };
    let (mut silent, found) = hosts.silent(&work.dir.state().id, &work.cluster.nodes).await;
    work.interrupt.check()?;
    let others: Vec<_> = silent.iter().skip(1).map(|(error, _)| error.to_string()).collect();
    if silent.is_empty() {
        return Ok(());
    }
    let (error, nodes) = silent.swap_remove(0);
    let Error::LibvirtUnreachable { uri, cause, mut fix } = error else { return Err(error) };
    let names = nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(" and ");
    let there = if names.is_empty() { String::new() } else { format!("; its nodes are {names}") };
    let others: String = others.iter().map(|other| format!("; {other}")).collect();
    let silent_names: Vec<_> = silent.iter().filter_map(|(error, _)| uri_of(error)).chain([uri.as_str()]).collect();
    let answering = hosts.all().filter_map(HostConnection::name).filter(|name| !silent_names.contains(name));
    let flag = work.cluster.provider.flag("uri").unwrap_or_default();
    let (root, id) = (quote(&work.dir.root().to_string_lossy()), &work.dir.state().id);
    let sweeps = answering.map(|name| format!("exasol sweep {flag} {} --remove {id}", quote(name)));
    let for_good: Vec<_> = std::iter::once(format!("rm -r {root}")).chain(sweeps).collect();
    let found = found.iter().map(Found::to_string).collect::<Vec<_>>().join(", ");
    let found = if found.is_empty() { "nothing else is left".to_owned() } else { format!("still there: {found}") };
    fix.push(in_dir("exasol destroy", work.dir.root()) + "   # once it answers");
    fix.push(format!("{}   # only if it is gone for good", for_good.join(" && ")));
    Err(Error::LibvirtUnreachable {
        uri,
        cause: format!("{cause}{there}{others}. Nothing was removed, because destroy needs every hypervisor; {found}"),
        fix,
    })
}

fn uri_of(error: &Error) -> Option<&str> {
    match error {
        Error::LibvirtUnreachable { uri, .. } => Some(uri),
        _ => None,
    }
}

/// What Terraform's state says after Terraform has run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Current,
    /// Terraform was ended before it came to its end, so the state may list what is gone.
    Outdated,
}

async fn terraform_destroy(work: &mut Work) -> Result<State> {
    work.begin(REMOVE.id);
    let dir = work.dir.terraform_dir();
    let known = terraform_dir::resources(&dir);
    if known.as_ref().is_some_and(|known| known.is_empty()) {
        work.unchanged(match terraform_dir::doubt(&work.dir) {
            None => "Terraform has made nothing",
            Some(_) => "Terraform's state tells nothing: what exists is removed by its name",
        });
        return Ok(State::Current);
    }
    let total = known.map(|known| known.len() as u64);
    work.sink.emit(Event::StepProgress { step: REMOVE.id, done: 0, total, unit: Unit::Resources });
    let terraform = workdir::of(work, &engine::of_work(work).await?).await?;
    terraform.init().await?;
    match remove_all(work, &terraform).await {
        Ok(()) => Ok(State::Current),
        // A hypervisor can be asked by name for everything that Terraform would have removed.
        Err(Error::Timeout { limit_s, .. }) if work.cluster.hosts().is_some() => {
            work.sink.warn(format!(
                "Terraform was ended after {limit_s} s without a result: what is left is removed by name"
            ));
            Ok(State::Outdated)
        }
        Err(error) => Err(error),
    }
}

async fn remove_all(work: &Work, terraform: &Workdir) -> Result<()> {
    // What is to be removed need not be read first: that costs time, and the libvirt provider's read of
    // a cloud-init disk was seen to hang. If something has gone behind Terraform's back, it has to look.
    terraform.plan_destroy(false).await?;
    work.changes();
    match terraform.apply().await {
        Err(Error::Tool(_)) if work.interrupt.signal().is_none() => {
            work.detail("not everything was as recorded: looking for what exists");
            terraform.plan_destroy(true).await?;
            terraform.apply().await
        }
        result => result,
    }
}

async fn remove_leftovers(work: &mut Work) -> Result<()> {
    let Some(hosts) = work.cluster.hosts().cloned() else { return Ok(()) };
    work.begin(REST.id);
    let mut found = leftovers(Some(&hosts), &work.dir).await?;
    if found.is_empty() {
        work.unchanged("there is nothing");
        return Ok(());
    }
    found.sort_by_key(|l| l.thing.kind);
    work.changes();
    for leftover in found {
        work.detail(leftover.to_string());
        leftover.host.remove(&work.dir.state().id, leftover.thing).await?;
    }
    Ok(())
}

/// Asks again, after everything: the hypervisor by name, and Terraform's own state where it can be current.
async fn prove(work: &mut Work, state: State) -> Result<()> {
    work.begin(PROOF.id);
    let found = leftovers(work.cluster.hosts(), &work.dir).await?;
    let mut left: Vec<String> = found.iter().map(Found::to_string).collect();
    let unreadable = || Error::TerraformState {
        why: Doubt::Unreadable.text().into(),
        hint: format!("{}, and run exasol destroy again", terraform_dir::mend(&work.dir, Doubt::Unreadable)),
    };
    if state == State::Current {
        left.extend(terraform_dir::resources(&work.dir.terraform_dir()).ok_or_else(unreadable)?);
    }
    let again = in_dir("exasol destroy", work.dir.root());
    if left.is_empty() { Ok(()) } else { Err(Error::LeftBehind { things: left, again }) }
}

fn report(dir: &DeploymentDir, status: Phase, dry_run: bool, removed: Vec<String>, since: Instant) -> DestroyReport {
    let kept = if status == Phase::Destroyed {
        ["deployment.json", "logs/", "README.md"].map(str::to_owned).to_vec()
    } else {
        Vec::new()
    };
    DestroyReport { whose: dir.whose(), status, dry_run, removed, kept, took_ms: millis(since) }
}
