//! The proof: the certificate is read over SSH and pinned, and every node answers `SELECT 1`.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::access::{Access, SQL_USER, SSH_LIMIT};
use super::operation::Work;
use super::patience::{Patience, is_refusal};
use super::{node_records, ssh_files};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::events::StepInfo;
use crate::model::{Node, NodePlan, is_sha256};
use crate::render;
use crate::sql::{Endpoint, Session};

pub(super) const LOGIN: StepInfo = StepInfo { id: "login", title: "log in with SQL on every node" };

/// After stage d the database usually accepts logins at once; see [`super::patience`].
const LOGIN_LIMIT: Duration = Duration::from_secs(300);
/// On a node: see ansible/node/.
const CERTIFICATE: &str = "exec /usr/local/lib/exasol-deployer/certificate.sh";

/// Pins the certificate, then logs in on every node.
pub(super) async fn prove(work: &mut Work) -> Result<()> {
    work.begin(LOGIN.id);
    pin(work).await?;
    learn_cos_host_keys(work).await?;
    let tell = |text| work.detail(text);
    work.interrupt.run(log_in_everywhere(&work.dir, &work.access, LOGIN_LIMIT, &tell)).await??;
    work.dir.logged_in()?;
    work.done(format!("SELECT 1 came back from {} of {} nodes", work.cluster.nodes.len(), work.cluster.nodes.len()));
    Ok(())
}

/// Records the certificate to which alone the password is sent.
async fn pin(work: &mut Work) -> Result<()> {
    let fingerprint = work.interrupt.run(fingerprint_over_ssh(&work.access, &work.dir.state().nodes)).await??;
    work.dir.certificate(Some(fingerprint))
}

/// Gives `sys` the password that `init --update` recorded. A run that was killed in between finds the
/// database with either password.
pub(super) async fn change_password(work: &mut Work) -> Result<()> {
    let mut secrets = work.dir.secrets()?;
    let Some(next) = secrets.next_db_password.take() else { return Ok(()) };
    work.begin(LOGIN.id);
    pin(work).await?;
    work.changes();
    let Some(node) = work.dir.state().nodes.first().cloned() else { return Err(Error::other("no node is known")) };
    let endpoint = work.access.sql(work.dir.state(), &node)?;
    let statement = format!("ALTER USER {SQL_USER} IDENTIFIED BY \"{}\"", next.replace('"', "\"\""));
    let change = async {
        let mut patience = Patience::new(&node.plan.name, LOGIN_LIMIT);
        loop {
            let failed = match Session::connect(&endpoint, SQL_USER, &secrets.db_password, patience.for_one()).await {
                Ok(mut session) => {
                    session.execute(&statement).await?;
                    session.close().await;
                    return Ok::<(), Error>(());
                }
                // It has the new one already, or neither is right, or it refuses everybody for a while.
                Err(refused) if is_refusal(&refused) => {
                    match Session::connect(&endpoint, SQL_USER, &next, patience.for_one()).await {
                        Ok(_) => return Ok(()),
                        Err(_) => refused,
                    }
                }
                Err(error) => error,
            };
            let (pause, tell) = patience.after(failed)?;
            tell.into_iter().for_each(|text| work.detail(text));
            tokio::time::sleep(pause).await;
        }
    };
    work.interrupt.run(change).await??;
    secrets.db_password = next;
    work.dir.write_secrets(&secrets)?;
    work.detail("the password of sys was changed");
    Ok(())
}

/// The certificate, recorded or else asked on the node itself: no password goes to any other.
///
/// # Errors
/// [`Error::NotYet`] where there is none to be had.
pub(super) async fn fingerprint(dir: &DeploymentDir, access: &Access) -> Result<String> {
    if let Some(recorded) = dir.state().certificate_fingerprint.clone() {
        return Ok(recorded);
    }
    fingerprint_over_ssh(access, &dir.state().nodes).await.map_err(|error| Error::NotYet {
        message: format!("no certificate is recorded, so no password was sent ({error})"),
        hint: node_records::next(dir),
    })
}

/// How often a node is asked for its certificate.
const CERTIFICATE_TRIES: u32 = 3;

/// The certificate that the first node itself serves, asked on the node: nobody on the way can answer for it.
pub(super) async fn fingerprint_over_ssh(access: &Access, nodes: &[Node]) -> Result<String> {
    let Some(first) = nodes.first() else {
        return Err(Error::other("no node is known"));
    };
    let mut why = String::new();
    // A node that has much to do may not answer itself in time.
    for _ in 0..CERTIFICATE_TRIES {
        let output = access.run(&first.plan.name, CERTIFICATE, SSH_LIMIT).await?;
        let text = output.stdout_text().trim().to_ascii_lowercase();
        if output.success() && is_sha256(&text) {
            return Ok(text);
        }
        why = output.stderr_text().trim().to_owned();
    }
    let why = if why.is_empty() { "its SQL port did not show one in time".to_owned() } else { why };
    Err(Error::SqlConnection {
        host: first.plan.name.clone(),
        cause: format!("its certificate could not be read on the node: {why}"),
        code: None,
        hint: None,
    })
}

/// The containers' own host keys, read on the nodes. The rehearsal's are the nodes' own, known before.
async fn learn_cos_host_keys(work: &mut Work) -> Result<()> {
    if work.version()?.rehearsal {
        return Ok(());
    }
    let known = &work.dir.state().cos_host_keys;
    let ask = async |node: &NodePlan| {
        let output = work.access.run(&node.name, render::COS_HOST_KEYS, SSH_LIMIT).await?;
        let mut keys: Vec<_> =
            output.stdout_text().lines().filter(|line| line.contains(' ')).map(str::to_owned).collect();
        if !output.success() || keys.is_empty() {
            work.sink.warn(format!(
                "the host keys of {}'s COS could not be read, so the earlier ones are kept: {}",
                node.name,
                output.stderr_text().trim()
            ));
            keys = known.get(&node.name).cloned().unwrap_or_default();
        }
        Ok::<_, Error>((node.name.clone(), keys))
    };
    let asking = try_join_all(work.cluster.nodes.iter().map(ask));
    let learned: BTreeMap<_, _> = work.interrupt.run(asking).await??.into_iter().collect();
    work.dir.cos_host_keys(learned)?;
    ssh_files::write(work)
}

/// `tell` gets what is worth telling while it waits.
pub(super) async fn log_in_everywhere(
    dir: &DeploymentDir,
    access: &Access,
    limit: Duration,
    tell: &dyn Fn(String),
) -> Result<()> {
    let password = dir.secrets()?.db_password;
    let log_in = |node: &Node| {
        let (endpoint, name) = (access.sql(dir.state(), node), node.plan.name.clone());
        let password = &password;
        async move { log_in(&endpoint?, &name, password, limit, tell).await }
    };
    try_join_all(dir.state().nodes.iter().map(log_in)).await?;
    Ok(())
}

async fn log_in(endpoint: &Endpoint, node: &str, password: &str, limit: Duration, tell: &dyn Fn(String)) -> Result<()> {
    let mut patience = Patience::new(node, limit);
    loop {
        let Err(error) = select_one(endpoint, password, patience.for_one()).await else { return Ok(()) };
        let (pause, text) = patience.after(error)?;
        text.into_iter().for_each(tell);
        tokio::time::sleep(pause).await;
    }
}

async fn select_one(endpoint: &Endpoint, password: &str, limit: Duration) -> Result<()> {
    let mut session = Session::connect(endpoint, SQL_USER, password, limit).await?;
    let answer = session.execute("SELECT 1").await?;
    session.close().await;
    let one = answer.rows.first().and_then(|row| row.first());
    if one.is_some_and(|v| v.as_i64() == Some(1) || v.as_str() == Some("1")) {
        return Ok(());
    }
    let cause = "SELECT 1 did not return 1".into();
    Err(Error::SqlConnection { host: endpoint.host.clone(), cause, code: None, hint: None })
}
