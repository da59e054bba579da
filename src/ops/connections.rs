//! How this machine reaches the deployment: Terraform in its directory, SSH by its config, SQL by
//! its pinned certificate.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::blocking::{ANSWER_LIMIT, within};
use super::operation::{Work, in_dir};
use super::user_dirs::CacheDirs;
use super::{credentials, engine, known, links, recorded, render_input};
use crate::deployment::{DeploymentDir, EditPolicy, Locked, State, transitions};
use crate::error::{Error, Result};
use crate::model::{Login, Node, NodePlan, Operation, Phase, RenderedFile, Spec};
use crate::providers::Provider;
use crate::render::{self, SshInput};
use crate::signal::Interrupt;
use crate::sql::{Endpoint, Stream, Tunnel};
use crate::tools::ssh::Ssh;
use crate::tools::ssh_ready::Target;
use crate::tools::terraform::{Limits, Terraform, Workdir};

pub(super) const SSH_PORT: u16 = 22;
pub(super) const SQL_PORT: u16 = 8563;
pub(super) const ADMIN_UI_PORT: u16 = 8443;
/// How long one question over SSH may take.
pub(super) const SSH_LIMIT: Duration = Duration::from_secs(60);
/// n11 has .11, as in a network of its own.
const FIRST_OVERLAY_HOST: u32 = 11;
/// The database's administrator.
pub(super) const SQL_USER: &str = "sys";

/// Terraform for the deployment's directory. It inherits the lock, so that the lock outlives us
/// for as long as Terraform works.
pub(super) async fn workdir(work: &Work, terraform: &Terraform) -> Result<Workdir> {
    let provider = recorded::provider(&work.dir)?;
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
    let held = (hypervisor.login)(spec)?.map(|login| links::holds(&login)).unwrap_or_default();
    held.iter().try_fold(workdir, |workdir, fd| workdir.holding(fd))
}

/// libvirt's provider (0.8.3) was seen to hang for ever while it reads back a cloud-init disk: its client
/// library waits for a lock that is never given back (go-libvirt's issue 241). Usually it takes seconds.
const LIMITS: Limits = Limits { plan: Duration::from_secs(120), apply: Duration::from_secs(180) };

/// With what the provider's plugin needs, and with limits where some can be named: a cloud may take long
/// for good reasons.
pub(super) fn made_for(provider: &Provider, workdir: Workdir) -> Result<Workdir> {
    let Some(hypervisor) = provider.hypervisor() else { return Ok(workdir) };
    let workdir = workdir.limits(LIMITS);
    match &hypervisor.stand_in {
        Some(stand_in) => workdir.standing_in_for(stand_in.program),
        None => Ok(workdir),
    }
}

pub(super) fn ssh_config(dir: &DeploymentDir) -> PathBuf {
    dir.ssh_dir().join("config")
}

/// With the deployment's configuration, which may still name a place that the directory has left.
pub(super) fn ssh(dir: &DeploymentDir) -> Result<Ssh> {
    let ssh = Ssh::new(ssh_config(dir))?.with_lines(shared_way(dir)?);
    let place = render::ssh_place(dir.root())?;
    Ok(if names(dir, &place) { ssh } else { ssh.with_lines(place) })
}

/// The line that leads through a connection which this process has to the hypervisor already, instead of the
/// configuration's, which logs in anew.
pub(super) fn shared_way(dir: &DeploymentDir) -> Result<Option<String>> {
    let Some(login) = jump(dir)? else { return Ok(None) };
    let Some(control) = links::control(&login) else { return Ok(None) };
    render::ssh_proxy(&login, Some(&control)).map(Some)
}

/// Whether `ssh/config` has these lines, which are those of the place where the directory is now.
fn names(dir: &DeploymentDir, place: &[String]) -> bool {
    let config = std::fs::read_to_string(ssh_config(dir)).unwrap_or_default();
    place.iter().all(|wanted| config.lines().any(|line| line.trim() == wanted))
}

/// The nodes, for commands that need some.
///
/// # Errors
/// [`Error::NotYet`] before there are any, and for a destroyed deployment, whose record keeps them.
pub(super) fn nodes(dir: &DeploymentDir) -> Result<&[Node]> {
    let state = dir.state();
    match state.phase == Phase::Destroyed || state.nodes.is_empty() {
        true => Err(no_nodes(dir)),
        false => Ok(&state.nodes),
    }
}

/// For commands that need nodes, before there are any and after.
pub(super) fn no_nodes(dir: &DeploymentDir) -> Error {
    let message = format!("{} has no nodes: it is {}", dir.named().display(), dir.state().phase);
    Error::NotYet { message, hint: next(dir) }
}

/// The command that leads on to a database.
pub(super) fn next(dir: &DeploymentDir) -> Option<String> {
    let (root, phase) = (dir.named(), dir.state().phase);
    match transitions::allowed(Operation::Deploy, phase) {
        Ok(()) => Some(in_dir("exasol deploy", root)),
        Err(_) => transitions::next_commands(phase, false).first().map(|next| next.at(root)),
    }
}

/// Where a node's SQL port is and how it is reached, with the certificate that deploy recorded.
pub(super) fn sql_endpoint(dir: &DeploymentDir, node: &Node) -> Result<Endpoint> {
    let tunnel = match jump(dir)? {
        None => None,
        Some(_) => Some(sql_tunnel(ssh(dir)?, node.plan.name.clone())),
    };
    Ok(Endpoint {
        host: node.public_ip.to_string(),
        port: SQL_PORT,
        fingerprint: dir.state().certificate_fingerprint.clone(),
        tunnel,
    })
}

fn sql_tunnel(ssh: Ssh, node: String) -> Tunnel {
    Tunnel::new(move || {
        let stream = ssh.tunnel(&node, &format!("localhost:{SQL_PORT}")).map_err(std::io::Error::other)?;
        Ok(Box::new(stream) as Box<dyn Stream>)
    })
}

/// The login through which nodes are reached; None where they are reached straight.
pub(super) fn jump(dir: &DeploymentDir) -> Result<Option<Login>> {
    let hypervisor = recorded::provider(dir)?.hypervisor();
    hypervisor.map_or(Ok(None), |hypervisor| (hypervisor.login)(&dir.state().spec))
}

/// The nodes' SSH ports, as far as this machine reaches them itself.
pub(super) fn targets(dir: &DeploymentDir) -> Result<Vec<Target>> {
    let direct = jump(dir)?.is_none();
    let target = |node: &Node| Target {
        node: node.plan.name.clone(),
        address: direct.then_some((node.public_ip, SSH_PORT).into()),
    };
    Ok(dir.state().nodes.iter().map(target).collect())
}

/// Writes `ssh/` anew from what the state knows.
pub(super) fn write_ssh_files(dir: &mut Locked, edits: EditPolicy) -> Result<()> {
    let files = ssh_files(dir)?;
    dir.write_files(&files, edits)
}

/// What belongs in `ssh/`.
pub(super) fn ssh_files(dir: &DeploymentDir) -> Result<Vec<RenderedFile>> {
    let state = dir.state();
    let jump = jump(dir)?;
    let secrets = dir.secrets()?;
    render::ssh_files(&SshInput {
        directory: dir.root(),
        nodes: &state.nodes,
        secrets: &render_input::borrowed(&secrets),
        jump: jump.as_ref(),
        cos_host_keys: &state.cos_host_keys,
    })
}

/// What Terraform's outputs tell of the machines, for providers without another way.
pub(super) struct Outputs {
    pub nodes: Vec<Node>,
    /// The image that the machines were made from.
    pub image_id: Option<Value>,
}

pub(super) async fn from_outputs(work: &Work, plans: &[NodePlan]) -> Result<Outputs> {
    let outputs = workdir(work, &engine::of(&work.dir).await?).await?.outputs().await?;
    let state = work.dir.state();
    let nodes = plans.iter().map(|plan| node_from(&outputs, plan, overlay_ip(state, plan))).collect::<Result<_>>()?;
    Ok(Outputs { nodes, image_id: outputs.get("image_id").cloned() })
}

fn node_from(outputs: &Map<String, Value>, plan: &NodePlan, overlay_ip: Option<IpAddr>) -> Result<Node> {
    let of_node = |name: &str| outputs.get(name).and_then(|v| v.get(&plan.name));
    let missing = |name: &str| Error::other(format!("Terraform's output {name} has nothing for {}", plan.name));
    let address = |name: &str| of_node(name).and_then(|v| v.as_str()?.parse().ok()).ok_or_else(|| missing(name));
    let links = of_node("data_disks").cloned().and_then(|v| serde_json::from_value::<Vec<String>>(v).ok());
    let links = links.filter(|links| links.len() == plan.disks.len()).ok_or_else(|| missing("data_disks"))?;
    Ok(Node {
        private_ip: address("private_ips")?,
        public_ip: address("public_ips")?,
        overlay_ip,
        machine_id: of_node("machine_ids").and_then(|v| v.as_str()).map(str::to_owned),
        disk_links: links,
        plan: plan.clone(),
    })
}

/// A node of a hypervisor: everything but its address is known before.
pub(super) fn node_at(state: &State, provider: &Provider, plan: &NodePlan, address: IpAddr) -> Node {
    Node {
        private_ip: address,
        public_ip: address,
        overlay_ip: overlay_ip(state, plan),
        machine_id: None,
        disk_links: provider.disk_link.map(|link| plan.disks.iter().map(link).collect()).unwrap_or_default(),
        plan: plan.clone(),
    }
}

/// In a network that follows from the deployment's id: nothing outside the cluster ever sees it.
fn overlay_ip(state: &State, plan: &NodePlan) -> Option<IpAddr> {
    let [a, b] = state.id.network_bytes("overlay");
    let host = u8::try_from(FIRST_OVERLAY_HOST + plan.index).ok()?;
    state.spec.multicast_overlay.then(|| Ipv4Addr::new(172, 28 + a % 4, b, host).into())
}

/// OpenSSH knows no paths relative to its configuration, so `ssh/config` names the directory; when
/// that has been moved, it is written again.
pub(super) fn heal_ssh_config(dir: DeploymentDir) -> Result<DeploymentDir> {
    if names(&dir, &render::ssh_place(dir.root())?) {
        return Ok(dir);
    }
    let named = dir.named().to_owned();
    let mut locked = match dir.clone().lock(Operation::Repair) {
        // Another time: until then [`ssh`] says what the configuration has wrong.
        Err(Error::Locked { .. }) => return Ok(dir),
        locked => locked?,
    };
    match write_ssh_files(&mut locked, EditPolicy::Refuse) {
        // Its lines stay as somebody wrote them; [`ssh`] gives those that matter.
        Err(Error::EditedFiles { .. }) => return Ok(dir),
        written => written?,
    }
    // It has moved, and nobody is listening to warnings here.
    let _ = known::remember(&locked);
    DeploymentDir::open(&named)
}
