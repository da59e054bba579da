//! `sql`: runs statements as `sys` on the first node that answers.

use std::path::PathBuf;
use std::time::Duration;

use super::Context;
use super::connections::{self, SQL_USER};
use super::operation::{in_dir, unless_interrupted};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{Node, SqlReport};
use crate::sql::{Session, split};

pub struct SqlRequest {
    pub dir: PathBuf,
    pub script: String,
    pub node: Option<String>,
    pub timeout: Duration,
}

const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Runs the statements in order and hands each result over; stops at the first error.
pub async fn run(context: &Context, request: SqlRequest, show: &mut dyn FnMut(&SqlReport) -> Result<()>) -> Result<()> {
    let dir = DeploymentDir::open(&request.dir)?;
    let statements = split(&request.script).finish();
    if statements.is_empty() {
        return Err(Error::Usage {
            message: "there is no statement to run".into(),
            hint: Some("exasol sql -c 'SELECT 1'".into()),
        });
    }
    let mut session = unless_interrupted(&context.interrupt, connect(&dir, &request)).await?;
    for statement in statements {
        let answer = unless_interrupted(&context.interrupt, async {
            tokio::time::timeout(request.timeout, session.execute(&statement)).await.unwrap_or_else(|_| {
                Err(Error::Timeout {
                    what: "waiting for the statement's result".into(),
                    limit_s: request.timeout.as_secs(),
                    last_seen: None,
                    hint: Some("allow more with --timeout SECONDS".into()),
                })
            })
        })
        .await?;
        show(&answer)?;
    }
    session.close().await;
    Ok(())
}

async fn connect(dir: &DeploymentDir, request: &SqlRequest) -> Result<Session> {
    let nodes = candidates(dir, request)?;
    let password = dir.secrets()?.db_password;
    let mut last = None;
    for node in nodes {
        match Session::connect(&connections::sql_endpoint(dir, node), SQL_USER, &password, CONNECT_LIMIT).await {
            Ok(session) => return Ok(session),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::other("no node is known")))
}

fn candidates<'a>(dir: &'a DeploymentDir, request: &SqlRequest) -> Result<Vec<&'a Node>> {
    let nodes = &dir.state().nodes;
    if nodes.is_empty() {
        return Err(Error::Usage {
            message: format!("{} has no nodes yet: it is {}", request.dir.display(), dir.state().phase),
            hint: Some(in_dir("exasol deploy", &request.dir)),
        });
    }
    let Some(wanted) = &request.node else { return Ok(nodes.iter().collect()) };
    let chosen: Vec<_> = nodes.iter().filter(|n| n.plan.name == *wanted).collect();
    if chosen.is_empty() {
        let names: Vec<_> = nodes.iter().map(|n| n.plan.name.as_str()).collect();
        return Err(Error::InvalidValue {
            flag: "--node".into(),
            value: wanted.clone(),
            allowed: format!("one of {}", names.join(", ")),
            suggestion: crate::model::closest(wanted, names.iter().copied()),
        });
    }
    Ok(chosen)
}
