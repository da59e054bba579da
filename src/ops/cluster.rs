//! What the steps of several operations need to know about a deployment.

use super::host::HostConnection;
use super::operation::Work;
use super::recorded;
use super::switcher::Switcher;
use crate::deployment::EditPolicy;
use crate::error::Result;
use crate::model::{DbVersion, NodePlan};
use crate::providers::Provider;

pub(super) struct Cluster {
    pub provider: &'static Provider,
    /// Who switches the machines.
    pub switcher: Switcher,
    pub version: DbVersion,
    pub nodes: Vec<NodePlan>,
    /// What becomes of generated files that somebody edited.
    pub edits: EditPolicy,
    /// The same of those in `ssh/`.
    pub ssh_edits: EditPolicy,
}

impl Cluster {
    /// The hypervisor, if the machines are on one.
    pub(super) fn host(&self) -> Option<&HostConnection> {
        self.switcher.host()
    }

    pub(super) fn of(work: &Work, edits: EditPolicy) -> Result<Self> {
        let state = work.dir.state();
        let provider = recorded::provider(&work.dir)?;
        Ok(Self {
            provider,
            switcher: Switcher::of(provider, &state.spec, &work.interrupt),
            version: recorded::version(&work.dir)?.clone(),
            nodes: NodePlan::all(&state.id, &state.spec),
            edits,
            ssh_edits: edits,
        })
    }

    /// For operations in which nobody has a word about edits, and which must not fail for them halfway:
    /// playbooks and Terraform files that somebody edited are theirs; `ssh/` is ours, for nothing works
    /// without it.
    pub(super) fn leaving_edits(work: &Work) -> Result<Self> {
        Ok(Self { ssh_edits: EditPolicy::Overwrite, ..Self::of(work, EditPolicy::Keep)? })
    }
}
