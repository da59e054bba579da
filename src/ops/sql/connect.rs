//! Which node, and what to do when none lets us in.

use std::time::Duration;

use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{InvalidValue, Node, Phase};
use crate::ops::access::{Access, SQL_USER};
use crate::ops::operation::in_dir;
use crate::ops::{login, node_records};
use crate::sql::{Endpoint, Session};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The server's code for a wrong user or password.
const LOGIN_REFUSED: &str = "08004";

/// Logs in on the wanted node, or on the first that answers; returns its name too.
///
/// Errors: [`Error::NotYet`] without a certificate; those of [`Session::connect`], with a hint that names the directory.
pub(super) async fn connect(dir: &DeploymentDir, node: Option<&str>) -> Result<(String, Session)> {
    let nodes = candidates(dir, node)?;
    let password = dir.secrets()?.db_password;
    // An operation that failed may have left none.
    let access = Access::to(dir)?;
    let fingerprint = login::fingerprint(dir, &access).await?;
    let mut failed = Vec::new();
    for node in nodes {
        let endpoint = Endpoint { fingerprint: Some(fingerprint.clone()), ..access.sql(dir.state(), node)? };
        match Session::connect(&endpoint, SQL_USER, &password, CONNECT_LIMIT).await {
            Ok(session) => return Ok((node.plan.name.clone(), session)),
            // Another certificate is told, not walked around; and every node has the same password.
            Err(error @ (Error::Fingerprint { .. } | Error::SqlConnection { code: Some(_), .. })) => {
                return Err(advised(error, dir));
            }
            Err(error) => failed.push((node, error)),
        }
    }
    match failed.len() {
        1 => failed.pop().map_or_else(|| Err(Error::other("no node is known")), |(_, error)| Err(advised(error, dir))),
        _ => {
            let causes = failed.iter().map(|(node, error)| format!("{}: {error}", node.plan.name));
            let (host, cause) = ("every node".to_owned(), causes.collect::<Vec<_>>().join("; "));
            Err(advised(Error::SqlConnection { host, cause, code: None, hint: None }, dir))
        }
    }
}

/// The nodes to try, in order.
pub(super) fn candidates<'a>(dir: &'a DeploymentDir, wanted: Option<&str>) -> Result<Vec<&'a Node>> {
    let nodes = node_records::of(dir)?;
    let Some(wanted) = wanted else { return Ok(nodes.iter().collect()) };
    let chosen: Vec<_> = nodes.iter().filter(|n| n.plan.name == wanted).collect();
    if chosen.is_empty() {
        let names: Vec<_> = nodes.iter().map(|n| n.plan.name.as_str()).collect();
        return Err(InvalidValue::none_of("--node", wanted, &names).into());
    }
    Ok(chosen)
}

/// The error with what to do about it in this deployment.
pub(super) fn advised(mut error: Error, dir: &DeploymentDir) -> Error {
    let command = |text: &str| in_dir(text, dir.named());
    let look = || match dir.state().phase {
        Phase::Stopped => format!("it was stopped; start it: {}", command("exasol start")),
        _ => format!("see what runs: {}", command("exasol status")),
    };
    match &mut error {
        Error::SqlConnection { code: Some(code), hint, .. } if code == LOGIN_REFUSED => {
            let pending = dir.secrets().is_ok_and(|secrets| secrets.next_db_password.is_some());
            *hint = Some(match pending {
                true => format!(
                    "a new password was recorded and the database may have it already; finish the change: {}",
                    command("exasol deploy")
                ),
                false => format!(
                    "the database has another password for {SQL_USER} than this deployment recorded; record the right one:\n\
                     {}\n{}",
                    command("exasol init --update --db-password-file FILE"),
                    command("exasol deploy")
                ),
            });
        }
        Error::SqlConnection { hint, .. } => *hint = Some(look()),
        Error::Fingerprint { hint, .. } => {
            *hint = Some(format!(
                "this is not the certificate that deploy recorded: another machine answers on this address,\n\
                 or the database was given a new certificate. No password was sent.\n\
                 This asks the node itself over SSH, whose host key is known, and records what it has:\n{}",
                command("exasol health --repair")
            ));
        }
        Error::Timeout { hint, what, .. } if what.starts_with("SQL statement") => {
            *hint = Some("allow more with --timeout SECONDS".into());
        }
        Error::Timeout { hint, .. } => *hint = Some(look()),
        _ => {}
    }
    error
}
