//! A directory that `adopt` made for a deployment whose own is lost: what is special about it, and what it cannot do.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::dir::LOCK_FILE;
use super::{DeploymentDir, State, create, edits};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, Node, Operation, Options, Phase, RenderedFile, Spec, in_dir};

/// Part of the state of such a directory. Passwords, keys and Terraform's state are in no file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopted {
    /// By node: its public SSH host key as somebody gave it, `ssh-ed25519 AAAA…`. Empty: nobody knows them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub host_keys: BTreeMap<String, String>,
}

impl State {
    /// The state of an adopted deployment. Whether its database takes logins is not known; that its machines are off is.
    pub fn adopted(id: DeploymentId, (spec, facts): (Spec, Options), adopted: Adopted, all_off: bool) -> State {
        let phase = if all_off { Phase::Stopped } else { Phase::DatabaseConnectionFailed };
        let adopted = Some(adopted);
        // Something was made: a Terraform state that is not there is lost.
        State { adopted, phase, made_something: true, installed: true, ..State::new(id, spec, facts) }
    }

    /// With the nodes whose addresses are known.
    pub fn with_nodes(self, nodes: Vec<Node>) -> State {
        State { nodes, ..self }
    }
}

impl DeploymentDir {
    /// Makes the directory of an adopted deployment, all of it or nothing. Only files without secrets are recorded as
    /// rendered: there is no key to hash the others with.
    ///
    /// # Errors
    /// Those of [`DeploymentDir::create`].
    pub fn adopt(path: &Path, mut state: State, mut files: Vec<RenderedFile>) -> Result<DeploymentDir> {
        let hasher = edits::Hasher::without_key();
        state.rendered.clear();
        for file in files.iter().filter(|file| !edits::is_secret(file.mode)) {
            state.rendered.insert(edits::name(&file.path)?, hasher.hash(&file.content, false));
        }
        files.push(RenderedFile::secret(LOCK_FILE, ""));
        create::make(path, &files, state)
    }

    /// Refuses what needs the passwords or Terraform's state of an adopted deployment.
    pub(super) fn refuse_if_adopted(&self, operation: Operation) -> Result<()> {
        let works = operation == Operation::Destroy || self.state.phase == Phase::Destroyed;
        match &self.state.adopted {
            Some(_) if !works => Err(Error::NotYet {
                message: format!(
                    "{} was adopted: without its passwords and Terraform's state, {operation} cannot work",
                    self.name()
                ),
                hint: Some(format!(
                    "what works: {}; its machines are switched with the hypervisor's own tools",
                    self.what_works().map(|command| in_dir(command, &self.named)).collect::<Vec<_>>().join("  or  ")
                )),
            }),
            _ => Ok(()),
        }
    }

    /// The commands that an adopted deployment is for.
    fn what_works(&self) -> impl Iterator<Item = &'static str> {
        let ssh = self.has_ssh_key().then_some("exasol ssh");
        ["exasol status"].into_iter().chain(ssh).chain(["exasol destroy"])
    }

    /// Whether there is a configuration of ssh: an adopted deployment has one only if its key was given.
    pub fn has_ssh_key(&self) -> bool {
        self.ssh_dir().join("config").exists()
    }

    /// Why there are no secrets to read.
    pub(super) fn unknown_secrets(&self) -> Error {
        Error::NotYet {
            message: format!("the passwords of {} are not known: its directory was adopted", self.name()),
            hint: Some(format!(
                "whoever knows one uses another client: {}; what works: {}",
                in_dir("exasol info", &self.named),
                in_dir("exasol status", &self.named)
            )),
        }
    }
}
