//! `deploy`: from a directory to a cluster that accepts a login on every node. Every step looks
//! first whether an earlier run has done it, so that a rerun resumes.

mod artifacts;
mod console;
mod database;
mod image;
mod machines;
mod nodes;

use std::path::PathBuf;
use std::time::Instant;

use super::operation::{Work, in_dir, millis, with_operation};
use super::preflight::{Preflight, Programs};
use super::{Context, render_input, terraform_dir};
use crate::catalog::{self, DbVersion};
use crate::deployment::EditPolicy;
use crate::error::Result;
use crate::events::StepInfo;
use crate::model::{DeployReport, NodeAddress, NodePlan, Operation};
use crate::providers::{self, Provider};

pub struct DeployRequest {
    pub dir: PathBuf,
    pub allow_replace: Vec<String>,
    pub edits: EditPolicy,
    pub offline: bool,
}

const PREFLIGHT: StepInfo = StepInfo { id: "preflight", title: "check this machine and the target" };
const IMAGE: StepInfo = StepInfo { id: "image", title: "provide the base image" };
const RENDER: StepInfo = StepInfo { id: "render", title: "render Terraform files" };
const PLAN: StepInfo = StepInfo { id: "plan", title: "plan the infrastructure" };
const APPLY: StepInfo = StepInfo { id: "apply", title: "create the machines" };
const BOOT: StepInfo = StepInfo { id: "boot", title: "wait for the nodes to boot" };
const ARTIFACTS: StepInfo = StepInfo { id: "artifacts", title: "provide the database release" };
const INSTALL: StepInfo = StepInfo { id: "install", title: "set up the nodes and install the database" };
const LOGIN: StepInfo = StepInfo { id: "login", title: "log in with SQL on every node" };

/// What all steps need to know about this deployment.
struct Plan {
    provider: &'static Provider,
    version: &'static DbVersion,
    nodes: Vec<NodePlan>,
    request: DeployRequest,
}

pub async fn run(context: &Context, request: DeployRequest) -> Result<DeployReport> {
    let since = Instant::now();
    let root = request.dir.clone();
    let steps = [PREFLIGHT, IMAGE, RENDER, PLAN, APPLY, BOOT, ARTIFACTS, INSTALL, LOGIN];
    with_operation(context, &root, Operation::Deploy, &steps, async |work| {
        let plan = Plan::of(work, request)?;
        if let Some(report) = database::verify_ready(work, &plan, since).await? {
            return Ok(report);
        }
        let programs = check(context, work, &plan).await?;
        // The release's download and the inter-node key need nothing from the machines: they run beside them.
        let release = artifacts::start(work, &plan)?;
        image::provide(work, &plan).await?;
        render(work, &plan).await?;
        machines::plan_and_apply(work, &plan, &programs.terraform).await?;
        let nodes = machines::boot(work, &plan).await?;
        let release = artifacts::wait(work, release).await?;
        nodes::install(work, &plan, &nodes, &release, &programs.ansible).await?;
        database::login(work, &plan, since).await
    })
    .await
}

impl Plan {
    fn of(work: &Work, request: DeployRequest) -> Result<Self> {
        let state = work.dir.state();
        Ok(Self {
            provider: providers::find(&state.spec.provider)?,
            version: catalog::find_version(&state.spec.db_version)?,
            nodes: NodePlan::all(&state.id, &state.spec),
            request,
        })
    }
}

async fn check(context: &Context, work: &mut Work, plan: &Plan) -> Result<Programs> {
    work.begin(PREFLIGHT.id);
    let state = work.dir.state();
    let preflight = Preflight::run(context, plan.provider, &state.spec, Some(state)).await?;
    let (_, facts, programs) = preflight.passed()?;
    // A machine that exists keeps the kind of virtualization it was made with.
    if !terraform_dir::has_any(&work.dir.terraform_dir(), plan.provider.machine_types) {
        work.dir.update(|state| state.facts = facts)?;
    }
    Ok(programs)
}

async fn render(work: &mut Work, plan: &Plan) -> Result<()> {
    work.begin(RENDER.id);
    let secrets = work.dir.secrets()?;
    let files = render_input::terraform(plan.provider, work.dir.state(), &secrets, &plan.nodes)?;
    work.dir.write_files(&files, plan.request.edits)
}

/// The report of a deployment whose every node has just accepted a login.
fn report(work: &Work, plan: &Plan, since: Instant) -> DeployReport {
    let state = work.dir.state();
    let nodes = state.nodes.iter().map(|n| NodeAddress {
        name: n.plan.name.clone(),
        private_ip: n.private_ip.to_string(),
        public_ip: n.public_ip.to_string(),
    });
    DeployReport {
        deployment: state.id.to_string(),
        status: crate::model::Phase::DatabaseReady,
        rehearsal: plan.version.rehearsal,
        nodes: nodes.collect(),
        certificate_fingerprint: state.certificate_fingerprint.clone().unwrap_or_default(),
        took_ms: millis(since),
        next: ["exasol status", "exasol info", "exasol sql -c 'SELECT 1'"]
            .map(|c| in_dir(c, &plan.request.dir))
            .to_vec(),
    }
}
