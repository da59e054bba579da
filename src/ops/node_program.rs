//! A program for the first node that asks confd: its text goes with the question, so that clusters of earlier
//! versions have it too, and what is secret goes by standard input alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::access::Access;
use super::node_records;
use super::operation::in_dir;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::render;
use crate::tools::ssh::{NO_SESSION, Refusal, Ssh};

/// Looking for a way to confd may take a few minutes where most ways lead nowhere.
const LIMIT: Duration = Duration::from_secs(420);
/// What stands before every one: who the node is, and how c4 and confd are asked.
const CONFIGURED: &str = "set -u; . /etc/exasol-deployer/node.conf";

/// What is said where a node lets nobody in.
pub(super) fn unreachable(root: &Path, node: &str, why: &str) -> Error {
    Error::NodeUnreachable {
        node: node.to_owned(),
        why: why.to_owned(),
        hint: format!("see whether its machine runs: {}", in_dir("exasol status", root)),
    }
}

pub(super) struct NodeProgram {
    ssh: Ssh,
    node: String,
    text: String,
    root: PathBuf,
}

impl NodeProgram {
    /// `name`: a script in ansible/node/ that takes one word.
    pub fn first(dir: &DeploymentDir, access: &Access, name: &str) -> Result<NodeProgram> {
        let nodes = node_records::of(dir)?;
        let Some(first) = nodes.first() else { return Err(node_records::none(dir)) };
        let parts = ["c4.sh", "confd.sh", name].into_iter().map(render::node_script).collect::<Result<Vec<_>>>()?;
        let text = format!("{CONFIGURED}\n{}", parts.join("\n"));
        Ok(NodeProgram { ssh: access.ssh()?, node: first.plan.name.clone(), text, root: dir.named().to_owned() })
    }

    /// What it prints.
    ///
    /// # Errors
    /// With its own words, if it fails.
    pub async fn run(&self, word: &str, input: Vec<u8>) -> Result<String> {
        let output = self.ssh.run_program(&self.node, &["sh", "-c", &self.text, "sh", word], input, LIMIT).await?;
        if output.success() {
            return Ok(output.stdout_text());
        }
        let said = output.stderr_text();
        if output.status.code() == Some(NO_SESSION) {
            return Err(unreachable(&self.root, &self.node, Refusal::read(&said).text()));
        }
        let why = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing");
        let why = why.trim_start_matches("error: ");
        Err(Error::other(format!("{}: {why}", self.node)))
    }
}
