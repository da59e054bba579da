//! Probes from here, then one session on every node that can be reached, all at once.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;

use super::super::access::Access;
use super::super::{recorded, status};
use super::facts::Facts;
use super::judge::{self, Expected, Session};
use crate::deployment::DeploymentDir;
use crate::error::Result;
use crate::model::{Issue, NodeHealth, NodePlan, NodeStatus, Power, ProbeState};
use crate::tools::ssh::{NO_SESSION, Refusal, Ssh};

/// On a node: see ansible/node/.
const QUESTIONS: &str = "exec /usr/local/lib/exasol-deployer/health.sh";
/// c4 may take a minute for its answer while a node is gone, and confd another where that leaves doubts.
const SESSION_LIMIT: Duration = Duration::from_secs(240);

pub(super) struct Findings {
    /// What `status` would say.
    pub statuses: Vec<NodeStatus>,
    pub nodes: Vec<NodeHealth>,
    pub issues: Vec<Issue>,
}

/// # Errors
/// [`crate::error::Error::ToolMissing`] without `ssh`; whatever is wrong with a node is an issue.
pub(super) async fn nodes(dir: &DeploymentDir, root: &Path, deadline: Duration) -> Result<Findings> {
    let state = dir.state();
    let plans = NodePlan::all(&state.id, &state.spec);
    let statuses = status::nodes(dir, &plans, None, deadline).await;
    // After the hypervisor was asked: sessions go through the connection to it.
    let ssh = Access::to(dir)?.ssh()?;
    let sessions = join_all(statuses.iter().map(|status| session(&ssh, status))).await;
    let stages = sessions.iter().find_map(|session| match session {
        Session::Told { facts, .. } => facts.stages.as_ref(),
        _ => None,
    });
    let deployment = state.id.to_string();
    let expected = Expected {
        root,
        deployment: &deployment,
        phase: state.phase,
        hypervisor: !recorded::provider(dir)?.is_cloud(),
        cluster_size: plans.len(),
        fingerprint: state.certificate_fingerprint.as_deref(),
        stages,
        databases_run: sessions
            .iter()
            .any(|it| matches!(it, Session::Told { facts, .. } if facts.databases_run == Some(true))),
    };
    let judged = statuses.iter().zip(&sessions).map(|(status, session)| judge::node(&expected, status, session));
    let (nodes, issues): (Vec<_>, Vec<_>) = judged.unzip();
    Ok(Findings { nodes, issues: issues.into_iter().flatten().collect(), statuses })
}

async fn session(ssh: &Ssh, status: &NodeStatus) -> Session {
    // Behind a jump host nothing was probed from here.
    let unseen = status.ssh.state == ProbeState::NotProbed && matches!(status.vm, Power::Running | Power::Unknown);
    let can_be_tried = status.ssh.is_ok() || (unseen && status.private_ip.is_some());
    if !can_be_tried {
        return Session::NotTried;
    }
    let before = now();
    match ssh.run_script(&status.name, QUESTIONS, SESSION_LIMIT).await {
        Err(error) => Session::Failed(error.to_string()),
        Ok(output) if output.status.code() == Some(NO_SESSION) => {
            Session::Refused(Refusal::read(&output.stderr_text()))
        }
        Ok(output) => {
            let facts = Facts::parse(&output.stdout_text());
            match facts.identity {
                None => Session::Failed(output.stderr_text().trim().to_owned()),
                Some(_) => Session::Told { facts, before, after: now() },
            }
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
