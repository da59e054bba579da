//! Everything that must be right before anything is made: the provider's checks and the programs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::blocking::within;
use super::credentials::{self, Given};
use super::host::ACTION_LIMIT;
use super::hosts::Hosts;
use super::install_tools::Order;
use super::user_dirs::fetched_tools;
use super::{Confirm, Context, engine, floors};
use crate::deployment::{DeploymentDir, State};
use crate::error::{Error, Result};
use crate::events::{Event, EventSink};
use crate::model::{Check, CheckStatus, DeploymentId, NodePlan, Options, Outcome, Spec};
use crate::providers::{Credentials, PreflightInput, Provider, is_on_host};
use crate::tools::{ansible::Ansible, requirements, terraform::Terraform};

/// For one hypervisor. Many questions, and the probe of KVM: seconds, on a slow machine half a minute.
const LIMIT: Duration = Duration::from_secs(180);

/// What was found out: all checks, facts for rendering, and the programs, so that nobody looks for them again.
pub(super) struct Preflight {
    pub checks: Vec<Check>,
    pub facts: Options,
    programs: Option<Programs>,
}

pub(super) struct Programs {
    pub terraform: Terraform,
    pub ansible: Ansible,
}

impl Preflight {
    /// Runs all checks in parallel; each result is an event. Changes nothing.
    pub(super) async fn run(
        sink: &EventSink,
        provider: &'static Provider,
        spec: &Spec,
        given: &Given,
        recorded: Option<&DeploymentDir>,
    ) -> Result<Self> {
        let dir = recorded;
        let recorded = dir.map(DeploymentDir::state);
        let credentials = credentials::find(provider, spec, given, recorded.map(|state| &state.facts));
        let stop = StopWhenDropped::default();
        let target = {
            let stop = Arc::clone(&stop.0);
            let spec = spec.clone();
            let id = recorded.map(|state| state.id.clone());
            let facts = known_facts(credentials.as_ref().and_then(|c| c.as_ref().ok()), recorded);
            // They are asked one after another.
            within(LIMIT * spec.hosts(), move || {
                let planned = id.clone().unwrap_or_else(|| DeploymentId::from_random([0; 4]));
                let nodes = NodePlan::all(&planned, &spec);
                let (id, facts) = (id.as_ref(), facts.as_ref());
                let input = PreflightInput { spec: &spec, id, nodes: &nodes, facts, stop: &stop };
                Ok((provider.preflight)(&input))
            })
        };
        let fetched = fetched_tools();
        let (target, terraform, ansible) = tokio::join!(target, engine::find(spec, dir), Ansible::find(&fetched));
        let target = target.unwrap_or_else(|error| Outcome { checks: vec![mute(&error)], facts: Options::new() });
        let mut checks: Vec<Check> =
            credentials.iter().map(|c| c.as_ref().map_or_else(Clone::clone, Credentials::check)).collect();
        checks.extend(target.checks);
        checks.extend(floors::warning(provider, spec, &target.facts));
        checks.push(requirements::check(
            "terraform",
            "Terraform or OpenTofu",
            terraform.as_ref().map(|t| found(t.engine.as_str(), &t.version, t.lease.is_some())),
        ));
        checks.push(requirements::check(
            "ansible",
            "Ansible",
            ansible.as_ref().map(|a| found("ansible-core", &a.version, a.lease.is_some())),
        ));
        for check in &checks {
            sink.emit(Event::Check(check.clone()));
        }
        let programs = match (terraform, ansible) {
            (Ok(terraform), Ok(ansible)) => Some(Programs { terraform, ansible }),
            _ => None,
        };
        Ok(Self { checks, facts: target.facts, programs })
    }

    /// Everything passed; else the error that lists what did not.
    pub(super) fn passed(self) -> Result<(Vec<Check>, Options, Programs)> {
        match self.programs {
            Some(programs) if !self.checks.iter().any(Check::is_failed) => Ok((self.checks, self.facts, programs)),
            _ => Err(Error::Preflight { checks: self.checks }),
        }
    }

    /// What failed and can be created, if nothing else failed; with `warned`, also what is only warned of.
    fn creatable(&self, warned: bool) -> BTreeSet<String> {
        let failed = || self.checks.iter().filter(|c| c.is_failed());
        if failed().any(|c| c.creatable.is_none()) {
            return BTreeSet::new();
        }
        let warnings = self.checks.iter().filter(|c| warned && c.status == CheckStatus::Warning);
        failed().chain(warnings).filter_map(|c| c.creatable.clone()).collect()
    }
}

/// Who put a program there that the user does not have on PATH.
pub(super) const FETCHED: &str = "installed by exasol";

fn found(name: &str, version: &str, fetched: bool) -> String {
    let by = if fetched { format!(", {FETCHED}") } else { String::new() };
    format!("{name} {version}{by}")
}

/// Tells the checks' thread that nobody waits for it any more: the command was ended by a signal, or its time was up.
#[derive(Default)]
struct StopWhenDropped(Arc<AtomicBool>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A target that takes calls and does not answer them is one check among the others.
fn mute(error: &Error) -> Check {
    let check = Check::failed("target_answers", "the target answers", error.to_string());
    error.hint().into_iter().fold(check, Check::fix)
}

/// What credentials tell and what `init` recorded; the latter counts, so that another profile of the
/// same person does not move a deployment.
fn known_facts(credentials: Option<&Credentials>, recorded: Option<&State>) -> Option<Options> {
    let mut facts = credentials.map(|c| c.facts.clone());
    if let Some(state) = recorded {
        facts.get_or_insert_default().extend(state.facts.clone());
    }
    facts
}

/// Runs the checks; what is missing and can be fetched or created is that first, if it is wished, and all
/// is checked again.
pub(super) async fn run_or_create(
    context: &Context,
    provider: &'static Provider,
    spec: &Spec,
    given: &Given,
    create: CreateMissing<'_>,
    confirm: Confirm<'_>,
) -> Result<Preflight> {
    let mut preflight = Preflight::run(&context.sink, provider, spec, given, None).await?;
    if preflight.programs.is_none() && fetch_programs(context, spec, confirm).await? {
        preflight = Preflight::run(&context.sink, provider, spec, given, None).await?;
    }
    // Nobody is asked about what is only a warning.
    let missing = preflight.creatable(matches!(create, CreateMissing::Yes));
    let Some(hosts) = Hosts::of(provider, spec, &context.interrupt) else { return Ok(preflight) };
    if missing.is_empty() {
        return Ok(preflight);
    }
    let wanted = create.wanted(&missing);
    context.interrupt.check()?;
    if !wanted {
        return Ok(preflight);
    }
    for what in missing {
        let doing = format!("creating {what}");
        // One of several says with its name what it lacks.
        let there = hosts.all().find_map(|host| Some((host, is_on_host(&what, host.name()?)?.to_owned())));
        let (host, what) = there.unwrap_or_else(|| (hosts.first(), what.clone()));
        let done = host.act(ACTION_LIMIT, doing, move |host| host.create_missing(&what)).await?;
        context.sink.warn(done);
    }
    Preflight::run(&context.sink, provider, spec, given, None).await
}

/// Offers the programs that are missing to somebody on a terminal. What stands in the way of fetching them is told
/// with the checks that failed.
async fn fetch_programs(context: &Context, spec: &Spec, confirm: Confirm<'_>) -> Result<bool> {
    let Ok(order) = context.interrupt.run(Order::of(spec)).await? else { return Ok(false) };
    let wished = order.question().is_some_and(|question| confirm(&question) == Some(true));
    context.interrupt.check()?;
    if wished {
        order.fill(context).await?;
    }
    Ok(wished)
}

/// Whether `init` may create a missing pool or network.
pub enum CreateMissing<'a> {
    Yes,
    Ask(Confirm<'a>),
}

impl CreateMissing<'_> {
    fn wanted(&self, missing: &BTreeSet<String>) -> bool {
        let list = missing.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        match self {
            CreateMissing::Yes => true,
            CreateMissing::Ask(confirm) => confirm(&format!("Create or start what is missing ({list})?")) == Some(true),
        }
    }
}
