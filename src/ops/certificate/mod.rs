//! `certificate show` and `certificate set`: one's own TLS certificate on all nodes, through confd, and the pin
//! that follows it.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the story: ask, forget the pin, hand over, prove on every node, pin |
//! | `pair` | certificates and key as they are given, checked before anything is sent |
//!
//! The pin is forgotten before the certificate goes, and recorded when every node shows the new one: whoever
//! comes after an interruption in between reads it anew, over SSH.

mod pair;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::access::{Access, SSH_LIMIT};
use super::operation::in_dir;
use super::{Context, login, node_program, node_records};
use crate::deployment::{DeploymentDir, Locked};
use crate::error::{Error, Result};
use crate::model::{CertificateReport, NodeCertificate, Operation, is_sha256};
use crate::render;
use crate::tools::ssh::Ssh;
use node_program::NodeProgram;
use pair::Pair;

/// The documentation has no number; Exasol's nodes take it over at once.
const TAKEN_OVER_LIMIT: Duration = Duration::from_secs(120);
/// Where confd says that it failed: its connection may have broken off although it has done its work.
const REFUSED_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_secs(1);
const LOGIN_LIMIT: Duration = Duration::from_secs(60);
const PROGRAM: &str = "certificate-set.sh";

pub struct SetRequest {
    pub dir: PathBuf,
    /// The server's certificate, then its issuers', the root's last; PEM.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What every node shows now, read on the node, beside what is recorded.
pub async fn show(context: &Context, root: &Path) -> Result<CertificateReport> {
    let dir = DeploymentDir::open(root)?;
    node_records::of(&dir)?;
    let ssh = Access::to(&dir)?.ssh()?;
    let shown = context.interrupt.run(shown(&ssh, &dir)).await?;
    let recorded = dir.state().certificate_fingerprint.clone();
    let other = shown.iter().any(|node| node.fingerprint.is_some() && node.fingerprint != recorded);
    let next = match shown.iter().all(|node| node.fingerprint.is_none()) {
        true => vec![in_dir("exasol status", root)],
        false if other => vec![in_dir("exasol health --repair", root)],
        false => Vec::new(),
    };
    Ok(CertificateReport { whose: dir.whose(), recorded, nodes: shown, changed: false, warnings: Vec::new(), next })
}

pub async fn set(context: &Context, request: SetRequest) -> Result<CertificateReport> {
    let dir = DeploymentDir::open(&request.dir)?;
    let addresses: Vec<_> = node_records::of(&dir)?.iter().map(|node| node.public_ip).collect();
    let pair = Pair::read(&request.cert, &request.key, &addresses)?;
    let mut dir = dir.lock(Operation::Update)?;
    let access = Access::to(&dir)?;
    let program = NodeProgram::first(&dir, &access, PROGRAM)?;
    let ssh = access.ssh()?;
    let before = context.interrupt.run(shown(&ssh, &dir)).await?;
    let changed = !all_show(&before, &pair.fingerprint);
    let mut nodes = before;
    if changed {
        context.interrupt.run(program.run("ready", Vec::new())).await??;
        nodes = context.interrupt.run(hand_over(&mut dir, &ssh, &program, &pair, &nodes)).await??;
    }
    dir.certificate(Some(pair.fingerprint.clone()))?;
    context.interrupt.run(login::log_in_everywhere(&dir, &access, LOGIN_LIMIT, &|_| {})).await??;
    Ok(CertificateReport {
        whose: dir.whose(),
        recorded: Some(pair.fingerprint),
        nodes,
        changed,
        warnings: pair.warnings,
        next: vec![in_dir("exasol info", &request.dir)],
    })
}

/// What the nodes show in the end, which is the new one.
async fn hand_over(
    dir: &mut Locked,
    ssh: &Ssh,
    program: &NodeProgram,
    pair: &Pair,
    before: &[NodeCertificate],
) -> Result<Vec<NodeCertificate>> {
    let pinned = dir.state().certificate_fingerprint.clone();
    dir.certificate(None)?;
    let answer = program.run("set", pair.text.clone()).await;
    let said = match &answer {
        Ok(text) => text.trim().to_owned(),
        Err(error) => error.to_string(),
    };
    let limit = if said.ends_with("status 0") { TAKEN_OVER_LIMIT } else { REFUSED_LIMIT };
    let since = Instant::now();
    loop {
        let now = shown(ssh, dir).await;
        if all_show(&now, &pair.fingerprint) {
            return Ok(now);
        }
        if since.elapsed() > limit {
            // Nothing has changed: the pin is right again.
            if now.iter().zip(before).all(|(now, before)| now.fingerprint == before.fingerprint) {
                dir.certificate(pinned)?;
            }
            return Err(not_taken(dir, &now, &said, limit));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn not_taken(dir: &DeploymentDir, now: &[NodeCertificate], said: &str, limit: Duration) -> Error {
    let shows = |node: &NodeCertificate| match (&node.fingerprint, &node.why) {
        (Some(fingerprint), _) => format!("{} shows {}…", node.name, fingerprint.get(..16).unwrap_or(fingerprint)),
        (None, why) => format!("{}: {}", node.name, why.as_deref().unwrap_or("nothing is known")),
    };
    let nodes = now.iter().map(shows).collect::<Vec<_>>().join("; ");
    Error::NotYet {
        message: format!(
            "the new certificate is not on every node after {} s: {nodes}; confd said: {said}",
            limit.as_secs()
        ),
        hint: Some(format!(
            "run it again; to see what each node presents: {}",
            in_dir("exasol certificate show", dir.named())
        )),
    }
}

fn all_show(nodes: &[NodeCertificate], fingerprint: &str) -> bool {
    nodes.iter().all(|node| node.fingerprint.as_deref() == Some(fingerprint))
}

async fn shown(ssh: &Ssh, dir: &DeploymentDir) -> Vec<NodeCertificate> {
    join_all(dir.state().nodes.iter().map(|node| one(ssh, &node.plan.name))).await
}

async fn one(ssh: &Ssh, node: &str) -> NodeCertificate {
    let read = async {
        let output = ssh.run_script(node, render::node_script("certificate.sh")?, SSH_LIMIT).await?;
        let text = output.stdout_text().trim().to_ascii_lowercase();
        match output.success() && is_sha256(&text) {
            true => Ok(text),
            false => Err(Error::other(match output.stderr_text().trim() {
                "" => "its SQL port shows no certificate".to_owned(),
                said => said.to_owned(),
            })),
        }
    };
    let (fingerprint, why) = match read.await {
        Ok(fingerprint) => (Some(fingerprint), None),
        Err(error) => (None, Some(error.to_string())),
    };
    NodeCertificate { name: node.to_owned(), fingerprint, why }
}
