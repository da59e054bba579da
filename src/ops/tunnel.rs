//! `tunnel`: ports of a node on this machine's loopback address, through SSH, until a signal ends it. For clusters
//! whose SQL port is closed to this machine, or that are behind a jump host.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use super::access::{ADMIN_UI_PORT, Access, SQL_PORT, SQL_USER};
use super::node_program::unreachable;
use super::{Context, node_records, ssh_files};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{InvalidValue, TunnelReport};
use crate::tools::ssh_forward::Forward;

pub struct TunnelRequest {
    pub dir: PathBuf,
    pub node: String,
    /// Local ports; None: that service is not forwarded.
    pub sql: Option<LocalPort>,
    pub admin_ui: Option<LocalPort>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalPort {
    /// The service's own number if it is free here, else any that is.
    Any,
    Exactly(u16),
}

/// From the first connection to an open tunnel: SSH logs in meanwhile, on an emulated guest slowly.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// Opens it, shows it to `open`, and keeps it open.
///
/// # Errors
/// [`Error::Interrupted`] never: a signal is its usual end. [`Error::Tool`] if SSH ends by itself.
pub async fn run(
    context: &Context,
    request: TunnelRequest,
    open: &mut (dyn FnMut(&TunnelReport) -> Result<()> + Send),
) -> Result<()> {
    let dir = DeploymentDir::open(&request.dir)?;
    let nodes = node_records::of(&dir)?;
    let names: Vec<_> = nodes.iter().map(|node| node.plan.name.clone()).collect();
    if !names.contains(&request.node) {
        return Err(InvalidValue::none_of("NODE", &request.node, &names).into());
    }
    let dir = ssh_files::heal(dir)?;
    let sql = request.sql.map(|wish| local(wish, SQL_PORT, "--sql-port")).transpose()?;
    let admin_ui = request.admin_ui.map(|wish| local(wish, ADMIN_UI_PORT, "--admin-ui-port")).transpose()?;
    let ports = [(sql, SQL_PORT), (admin_ui, ADMIN_UI_PORT)];
    let forwards = ports.into_iter().filter_map(|(local, remote)| Some(Forward { local: local?, remote })).collect();
    let report = report(&dir, &request.node, sql, admin_ui);
    let ssh = Access::to(&dir)?.ssh()?;
    let forwarded = ssh.forward(&request.node, forwards, OPEN_LIMIT, &context.interrupt, &mut || open(&report)).await;
    forwarded.map_err(|error| match error {
        // What ssh says says nothing of what can be done.
        Error::Tool(failure) if failure.status == NO_SESSION => {
            let why = failure.diagnostics.first().map_or("ssh printed nothing", String::as_str);
            unreachable(&request.dir, &request.node, why)
        }
        other => other,
    })
}

/// ssh's own exit status.
const NO_SESSION: &str = "exit status 255";

fn report(dir: &DeploymentDir, node: &str, sql: Option<SocketAddr>, admin_ui: Option<SocketAddr>) -> TunnelReport {
    let fingerprint = dir.state().certificate_fingerprint.clone();
    // As `info` has it, but for the address.
    let dsn = |at: SocketAddr| match &fingerprint {
        Some(print) => format!("{}/{}:{}", at.ip(), print.to_uppercase(), at.port()),
        None => at.to_string(),
    };
    TunnelReport {
        whose: dir.whose(),
        node: node.to_owned(),
        sql: sql.map(|at| at.to_string()),
        dsn: sql.map(dsn),
        user: SQL_USER.into(),
        certificate_fingerprint: fingerprint.clone(),
        admin_ui: admin_ui.map(|at| format!("https://{at}")),
    }
}

/// A port of the loopback address that nobody uses. It is free again when ssh asks for it, a moment later; who takes
/// it in between makes ssh fail, and nothing goes astray.
fn local(wish: LocalPort, usual: u16, flag: &str) -> Result<SocketAddr> {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    match wish {
        LocalPort::Any => free(usual).or_else(|_| free(0)).map_err(Error::io("no free port on 127.0.0.1")),
        LocalPort::Exactly(port) => free(port).map_err(|error| Error::InvalidValue {
            flag: flag.into(),
            value: port.to_string(),
            problem: format!("must be a port that is free on 127.0.0.1 ({error})"),
            suggestion: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_gives_way_unless_it_was_asked_for() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let other = local(LocalPort::Any, port, "--sql-port").unwrap();
        assert!(other.ip().is_loopback() && other.port() != port);
        let error = local(LocalPort::Exactly(port), SQL_PORT, "--sql-port").unwrap_err();
        assert!(error.to_string().starts_with(&format!("--sql-port: '{port}'")), "{error}");
    }
}
