//! What follows from something else and has gone astray: addresses, rendered files, the pinned
//! certificate, and a phase that a proof contradicts. A machine that is on and cut off from its network is connected
//! again, one that is dead is reset; else nothing on a node is touched.

use super::super::boot::BOOT;
use super::super::deploy::{artifacts, nodes};
use super::super::operation::{Work, with_operation};
use super::super::{Context, boot, login, node_records, power, rendered, ssh_files, status};
use super::judge;
use super::{HealthRequest, examine};
use crate::error::Result;
use crate::events::StepInfo;
use crate::model::{Operation, Power};

const FILES: StepInfo = StepInfo { id: "files", title: "render addresses and files again" };
const PROOF: StepInfo = StepInfo { id: "proof", title: "look at the cluster" };

/// What was put right, in words.
pub(super) async fn run(context: &Context, request: &HealthRequest) -> Result<Vec<String>> {
    with_operation(context, &request.dir, Operation::Repair, &[BOOT, FILES, PROOF], async |work| {
        work.version()?;
        let mut repaired = dead_machines(work, request).await?;
        repaired.extend(addresses(work).await?);
        repaired.extend(render(work).await?);
        work.begin(PROOF.id);
        repaired.extend(certificate(work).await?);
        repaired.extend(phase(work, request).await?);
        Ok(repaired)
    })
    .await
}

/// Machines that are on, and cut off from their network, are connected again; the dead are reset. Those that are off stay so: that is `start`'s work.
async fn dead_machines(work: &mut Work, request: &HealthRequest) -> Result<Vec<String>> {
    work.begin(BOOT.id);
    let looking = status::nodes(&work.dir, &work.cluster.nodes, None, request.deadline);
    let nodes = work.interrupt.run(looking).await?;
    let all_on = nodes.iter().all(|node| node.vm == Power::Running && node.private_ip.is_some());
    // Behind a jump host nothing was probed from here; what answers a login lives.
    let silent = nodes.iter().any(|node| !node.ssh.is_ok() && !node.sql.is_ok());
    if !all_on || !silent {
        work.unchanged("every machine that is on answers");
        return Ok(Vec::new());
    }
    if work.cluster.provider.is_cloud() {
        return Ok(Vec::new());
    }
    let consoles = boot::follow(work);
    // First: one that nothing reaches looks dead.
    let machines = power::machines(work).await?;
    let connected = power::replug(work, &machines).await?;
    let reset = boot::revive(work, &consoles).await?;
    let connected = connected.iter().map(|node| format!("the network interface of {node}: it is connected again"));
    let reset = reset.iter().map(|node| format!("the machine of {node}: it was dead, and was reset"));
    Ok(connected.chain(reset).collect())
}

/// Where the hypervisor knows another address than the recorded one.
async fn addresses(work: &mut Work) -> Result<Vec<String>> {
    work.begin(FILES.id);
    if work.cluster.provider.is_cloud() {
        return Ok(Vec::new());
    }
    let machines = power::machines(work).await?;
    let mut repaired = Vec::new();
    let mut known = work.dir.state().nodes.clone();
    for node in &mut known {
        let addresses = machines.iter().find(|m| m.node == node.plan.name).map(|m| &m.addresses);
        let Some(now) = addresses.and_then(|a| status::moved_to(a, node.private_ip)) else { continue };
        repaired.push(format!("the address of {}: {} instead of {}", node.plan.name, now, node.private_ip));
        *node = node_records::at(work.dir.state(), work.cluster.provider, &node.plan, now);
    }
    if !repaired.is_empty() {
        work.dir.found_nodes(known)?;
        // An address may be another node's now.
        work.connections.close().await;
    }
    Ok(repaired)
}

async fn render(work: &mut Work) -> Result<Vec<String>> {
    let stale = rendered::files(&work.dir)?.stale;
    ssh_files::write(work)?;
    // Without the nodes' key or the release's checksums deploy has not come so far, and renders the rest.
    let has_key = work.dir.secrets()?.cluster_key.is_some();
    if let Some(release) = artifacts::known_release(work.version()?)?.filter(|_| has_key) {
        let nodes = work.dir.state().nodes.clone();
        nodes::write_files(work, &nodes, &release, false).await?;
    }
    let left = rendered::files(&work.dir)?.stale;
    Ok(stale.into_iter().filter(|file| !left.contains(file)).collect())
}

/// Read on the first node, over SSH with its own host key: nobody in between can have answered.
async fn certificate(work: &mut Work) -> Result<Option<String>> {
    let recorded = work.dir.state().certificate_fingerprint.clone();
    // Before the first login there is none to record; after it, somebody was interrupted while he changed it.
    if recorded.is_none() && !work.dir.state().ever_ready {
        return Ok(None);
    }
    let Ok(shown) = work.interrupt.run(login::fingerprint_over_ssh(&work.access, &work.dir.state().nodes)).await?
    else {
        return Ok(None);
    };
    if recorded.as_ref() == Some(&shown) {
        return Ok(None);
    }
    work.dir.certificate(Some(shown.clone()))?;
    Ok(Some(format!("the certificate: SHA-256 {shown}")))
}

async fn phase(work: &mut Work, request: &HealthRequest) -> Result<Option<String>> {
    let recorded = work.dir.state().phase;
    let looking = examine::nodes(&work.dir, &request.dir, request.deadline);
    let found = work.interrupt.run(looking).await??;
    let Some(proven) = judge::proven(recorded, &found.statuses) else { return Ok(None) };
    work.dir.proved(proven)?;
    Ok(Some(format!("the phase: {proven} instead of {recorded}")))
}
