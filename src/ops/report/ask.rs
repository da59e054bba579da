use std::time::Duration;

use serde_json::Value;

use super::super::Context;
use super::super::health;
use super::super::status::{self, StatusRequest};
use super::ReportRequest;
use super::cleaner::Cleaner;
use crate::model::{HealthReport, NodeStatus, Power, ProbeState, StatusReport};
use crate::render::page::Fact;

/// Somebody waits for a page, and most of it is there without this.
const HEALTH_LIMIT: Duration = Duration::from_secs(60);

/// What was asked now.
#[derive(Default)]
pub(super) struct Live {
    status: Option<StatusReport>,
    health: Option<HealthReport>,
    /// What has no answer, and why.
    missing: Vec<(&'static str, String)>,
}

/// The same without secrets, as JSON; null where there is no answer.
#[derive(Default)]
pub(super) struct Answers {
    pub status: Value,
    pub health: Value,
    pub missing: Vec<Fact>,
}

/// Never an error: why there is no answer is one too.
pub(super) async fn live(context: &Context, request: &ReportRequest) -> Live {
    let mut live = Live::default();
    if request.offline {
        live.missing.push(("live answers", "no machine was asked: --offline".into()));
        return live;
    }
    let question = StatusRequest { deadline: request.deadline, ..StatusRequest::usual(&request.dir) };
    match status::run(context, &question).await {
        Ok(report) => live.status = Some(report),
        Err(error) => live.missing.push(("live status", error.to_string())),
    }
    let nodes = live.status.as_ref().map(|status| status.nodes.as_slice()).unwrap_or_default();
    if !nodes.iter().any(can_be_examined) {
        live.missing.push(("live health", "no node can be examined now".into()));
        return live;
    }
    match tokio::time::timeout(HEALTH_LIMIT, health::glance(context, &request.dir, request.deadline)).await {
        Ok(Ok(report)) => live.health = Some(report),
        Ok(Err(error)) => live.missing.push(("live health", error.to_string())),
        Err(_) => live.missing.push(("live health", format!("no answer within {} s", HEALTH_LIMIT.as_secs()))),
    }
    live
}

/// It has a machine that should answer, or something answers there.
fn can_be_examined(node: &NodeStatus) -> bool {
    let silent = node.ssh.state == ProbeState::NotProbed && node.private_ip.is_none();
    node.ssh.is_ok() || (!silent && matches!(node.vm, Power::Running | Power::Missing | Power::Unknown))
}

impl Live {
    pub fn clean(&self, cleaner: &Cleaner) -> Answers {
        let missing = self.missing.iter().map(|(what, why)| Fact::new(*what, cleaner.text(why)));
        Answers {
            status: self.status.as_ref().map(|status| cleaner.value(status)).unwrap_or_default(),
            health: self.health.as_ref().map(|health| cleaner.value(health)).unwrap_or_default(),
            missing: missing.collect(),
        }
    }
}
