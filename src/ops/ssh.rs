//! `ssh`: OpenSSH with the deployment's config takes this process's place.

use std::path::Path;

use super::connections;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::closest;

/// Returns only when it failed: otherwise the process is `ssh` now.
pub fn run(root: &Path, node: &str, command: &[String]) -> Result<std::convert::Infallible> {
    let dir = DeploymentDir::open(root)?;
    let nodes = connections::nodes(&dir)?;
    let names: Vec<String> = nodes.iter().flat_map(|n| [n.plan.name.clone(), format!("{}-cos", n.plan.name)]).collect();
    if !names.iter().any(|n| n == node) {
        return Err(Error::InvalidValue {
            flag: "NODE".into(),
            value: node.into(),
            allowed: format!("one of {}", names.join(", ")),
            suggestion: closest(node, names.iter().map(String::as_str)),
        });
    }
    let dir = connections::heal_ssh_config(dir)?;
    Err(connections::ssh(&dir)?.interactive(node, command))
}
