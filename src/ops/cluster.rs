//! What an operation knows of a deployment's machines before it begins.

use super::hosts::Hosts;
use super::recorded;
use super::switcher::Switcher;
use crate::deployment::{DeploymentDir, EditPolicy};
use crate::error::Result;
use crate::model::NodePlan;
use crate::providers::Provider;
use crate::signal::Interrupt;

pub(super) struct Cluster {
    pub provider: &'static Provider,
    /// Who switches the machines.
    pub switcher: Switcher,
    pub nodes: Vec<NodePlan>,
    /// What becomes of generated files that somebody edited.
    pub edits: EditPolicy,
    /// The same of those in `ssh/`.
    pub ssh_edits: EditPolicy,
}

impl Cluster {
    /// As operations have it in which nobody has a word about edits, and which must not fail for them halfway:
    /// playbooks and Terraform files that somebody edited are theirs; `ssh/` is ours, for nothing works without it.
    ///
    /// # Errors
    /// Those of [`recorded::provider`].
    pub(super) fn of(dir: &DeploymentDir, interrupt: &Interrupt) -> Result<Self> {
        let (provider, state) = (recorded::provider(dir)?, dir.state());
        Ok(Self {
            provider,
            switcher: Switcher::of(provider, &state.spec, interrupt),
            nodes: NodePlan::all(&state.id, &state.spec),
            edits: EditPolicy::Keep,
            ssh_edits: EditPolicy::Overwrite,
        })
    }

    /// The hypervisors, if the machines are on some.
    pub(super) fn hosts(&self) -> Option<&Hosts> {
        self.switcher.hosts()
    }
}
