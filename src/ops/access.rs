//! How this machine reaches a deployment's nodes: SSH by the deployment's configuration, SQL by the pinned certificate.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{links, recorded};
use crate::deployment::{DeploymentDir, State};
use crate::error::{Error, Result};
use crate::model::{Login, Node};
use crate::providers::Provider;
use crate::render;
use crate::sql::{Endpoint, Stream, Tunnel};
use crate::tools::process::Output;
use crate::tools::ssh::Ssh;
use crate::tools::ssh_connections::Connections;
use crate::tools::ssh_ready::Target;

pub(super) const SSH_PORT: u16 = 22;
pub(super) const SQL_PORT: u16 = 8563;
pub(super) const ADMIN_UI_PORT: u16 = 8443;
/// How long one question over SSH may take.
pub(super) const SSH_LIMIT: Duration = Duration::from_secs(60);
/// The database's administrator.
pub(super) const SQL_USER: &str = "sys";

/// Made once for an operation, and again after `ssh/` was written.
pub(super) struct Access {
    /// The deployment's directory.
    root: PathBuf,
    config: PathBuf,
    route: Option<Login>,
    /// Why nobody can open a session.
    keyless: Option<String>,
    /// Those that sessions share where nodes are reached straight; else each session logs in, because ssh hides what a
    /// program on the way says when it shares a connection.
    connections: Option<Arc<Connections>>,
    /// Looked for when it is first needed: not everything needs an `ssh` on this machine.
    ssh: OnceLock<Ssh>,
}

impl Access {
    /// # Errors
    /// Those of [`recorded::provider`].
    pub(super) fn to(dir: &DeploymentDir) -> Result<Self> {
        Self::through(recorded::provider(dir)?, dir)
    }

    /// As [`Access::to`], where the provider is known.
    pub(super) fn through(provider: &Provider, dir: &DeploymentDir) -> Result<Self> {
        let login = |row: &crate::providers::Hypervisor| (row.login)(&dir.state().spec);
        let route = provider.hypervisor().map_or(Ok(None), login)?;
        let config = ssh_config(dir);
        let keyless = (dir.state().adopted.is_some() && !dir.has_ssh_key()).then(|| dir.name());
        Ok(Self { root: dir.root().to_owned(), config, route, keyless, connections: None, ssh: OnceLock::new() })
    }

    /// With one connection a node for all sessions.
    pub(super) fn sharing(self, connections: &Arc<Connections>) -> Self {
        Self { connections: Some(Arc::clone(connections)), ..self }
    }

    /// The login through which nodes are reached; None where they are reached straight.
    pub(super) fn route(&self) -> Option<&Login> {
        self.route.as_ref()
    }

    /// The line that leads through a connection which this process has to the hypervisor already, instead of the
    /// configuration's, which logs in anew.
    pub(super) fn shared_way(&self) -> Result<Option<String>> {
        let Some(login) = &self.route else { return Ok(None) };
        let Some(control) = links::control(login) else { return Ok(None) };
        render::ssh_proxy(login, Some(&control)).map(Some)
    }

    /// For Ansible: lines of ssh's configuration that are in force instead of those in `ssh/config`.
    pub(super) fn lines(&self) -> Result<Vec<String>> {
        let mut lines = self.connections.as_ref().map_or(Ok(Vec::new()), |connections| connections.lines())?;
        lines.extend(self.shared_way()?);
        Ok(lines)
    }

    /// With the deployment's configuration, which may still name a place that the directory has left.
    ///
    /// # Errors
    /// [`Error::ToolMissing`] without `ssh`, [`Error::NotYet`] where an adopted deployment has no key.
    pub(super) fn ssh(&self) -> Result<Ssh> {
        if let Some(ssh) = self.ssh.get() {
            return Ok(ssh.clone());
        }
        if let Some(name) = &self.keyless {
            return Err(Error::NotYet {
                message: format!("no SSH key of {name} is known: its directory was adopted without one"),
                hint: Some("remove this directory, and adopt with --ssh-key and --host-keys: exasol adopt -h".into()),
            });
        }
        let way = self.shared_way()?;
        let is_last = self.route.is_none() || way.is_some();
        // Without a place for sockets each session logs in.
        let shared = self.connections.as_ref().filter(|_| self.route.is_none()).and_then(|shared| shared.lines().ok());
        let ssh = Ssh::new(&self.config)?.with_lines(shared.unwrap_or_default()).with_lines(way);
        // To a hypervisor the user's own configuration leads, with programs that may want a token.
        let ssh = if self.route.is_none() { ssh.without_secrets() } else { ssh };
        let place = render::ssh_place(&self.root)?;
        let ssh = if has_lines(&self.config, &place) { ssh } else { ssh.with_lines(place) };
        // A connection to the hypervisor may be opened later, and is to be shared then.
        Ok(if is_last { self.ssh.get_or_init(|| ssh).clone() } else { ssh })
    }

    /// Runs a script of `sh` on a node, and captures what it prints.
    pub(super) async fn run(&self, node: &str, script: &str, limit: Duration) -> Result<Output> {
        self.ssh()?.run_script(node, script, limit).await
    }

    /// Where a node's SQL port is and how it is reached, with the certificate that deploy recorded.
    pub(super) fn sql(&self, state: &State, node: &Node) -> Result<Endpoint> {
        let tunnel = match &self.route {
            None => None,
            Some(_) => Some(sql_tunnel(self.ssh()?, node.plan.name.clone())),
        };
        Ok(Endpoint {
            host: node.public_ip.to_string(),
            port: SQL_PORT,
            fingerprint: state.certificate_fingerprint.clone(),
            tunnel,
        })
    }

    /// The nodes' SSH ports, as far as this machine reaches them itself.
    pub(super) fn targets(&self, nodes: &[Node]) -> Vec<Target> {
        let target = |node: &Node| Target {
            node: node.plan.name.clone(),
            address: self.route.is_none().then_some((node.public_ip, SSH_PORT).into()),
        };
        nodes.iter().map(target).collect()
    }
}

fn sql_tunnel(ssh: Ssh, node: String) -> Tunnel {
    Tunnel::new(move || {
        let stream = ssh.tunnel(&node, &format!("localhost:{SQL_PORT}")).map_err(std::io::Error::other)?;
        Ok(Box::new(stream) as Box<dyn Stream>)
    })
}

pub(super) fn ssh_config(dir: &DeploymentDir) -> PathBuf {
    dir.ssh_dir().join("config")
}

/// Whether `ssh/config` names the place where the directory is now.
pub(super) fn is_in_place(dir: &DeploymentDir) -> Result<bool> {
    Ok(has_lines(&ssh_config(dir), &render::ssh_place(dir.root())?))
}

fn has_lines(config: &Path, wanted: &[String]) -> bool {
    let config = std::fs::read_to_string(config).unwrap_or_default();
    wanted.iter().all(|wanted| config.lines().any(|line| line.trim() == wanted))
}
