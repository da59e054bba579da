//! `ssh`: OpenSSH with the deployment's config takes this process's place.
//!
//! A container's root may know the cluster's key only, which is on the nodes: then the way leads through its node.

use std::path::Path;

use super::access::Access;
use super::{node_records, ssh_files};
use crate::deployment::DeploymentDir;
use crate::error::Result;
use crate::model::InvalidValue;
use crate::tools::ssh::Ssh;

const COS: &str = "-cos";

/// A session that can be begun.
pub struct Session {
    ssh: Ssh,
    node: String,
    beyond: bool,
}

/// Finds out how to get to a node, or to its container.
pub async fn find(root: &Path, node: &str) -> Result<Session> {
    let dir = DeploymentDir::open(root)?;
    let nodes = node_records::of(&dir)?;
    let names: Vec<String> =
        nodes.iter().flat_map(|n| [n.plan.name.clone(), format!("{}{COS}", n.plan.name)]).collect();
    if !names.iter().any(|n| n == node) {
        return Err(InvalidValue::none_of("NODE", node, &names).into());
    }
    let dir = ssh_files::heal(dir)?;
    let ssh = Access::to(&dir)?.ssh()?;
    match node.strip_suffix(COS) {
        Some(machine) if ssh.is_refused(node).await => Ok(Session { ssh, node: machine.to_owned(), beyond: true }),
        _ => Ok(Session { ssh, node: node.to_owned(), beyond: false }),
    }
}

impl Session {
    /// Returns only when it failed: otherwise the process is `ssh` now.
    pub fn begin(&self, command: &[String]) -> Result<std::convert::Infallible> {
        Err(match self.beyond {
            // The node's own configuration has that host, and the key.
            true => self.ssh.interactive_beyond(&self.node, "cos", command),
            false => self.ssh.interactive(&self.node, command),
        })
    }
}
