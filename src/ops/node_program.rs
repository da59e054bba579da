//! A program for the first node that asks confd: its text goes with the question, so that clusters of earlier
//! versions have it too, and what is secret goes by standard input alone.

use std::time::Duration;

use super::access::Access;
use super::node_records;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::render;
use crate::tools::ssh::{NO_SESSION, Refusal, Ssh};

/// Looking for a way to confd may take a few minutes where most ways lead nowhere.
const LIMIT: Duration = Duration::from_secs(420);
/// What stands before every one: who the node is, and how c4 and confd are asked.
const CONFIGURED: &str = "set -u; . /etc/exasol-deployer/node.conf";

pub(super) struct NodeProgram {
    ssh: Ssh,
    node: String,
    text: String,
}

impl NodeProgram {
    /// `name`: a script in ansible/node/ that takes one word.
    pub fn first(dir: &DeploymentDir, access: &Access, name: &str) -> Result<NodeProgram> {
        let nodes = node_records::of(dir)?;
        let Some(first) = nodes.first() else { return Err(node_records::none(dir)) };
        let parts = ["c4.sh", "confd.sh", name].into_iter().map(render::node_script).collect::<Result<Vec<_>>>()?;
        let text = format!("{CONFIGURED}\n{}", parts.join("\n"));
        Ok(NodeProgram { ssh: access.ssh()?, node: first.plan.name.clone(), text })
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
        let why = match output.status.code() == Some(NO_SESSION) {
            true => Refusal::read(&said).text().to_owned(),
            false => said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing").to_owned(),
        };
        let why = why.trim_start_matches("error: ");
        Err(Error::other(format!("{}: {why}", self.node)))
    }
}
