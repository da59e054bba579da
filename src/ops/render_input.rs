//! From recorded state to the inputs of the pure renderers.

use crate::deployment::{Secrets, State};
use crate::error::Result;
use crate::model::{NodePlan, RenderedFile};
use crate::providers::Provider;
use crate::render::{self, TerraformInput};

/// Everything below `terraform/`. `powered`: whether the machines shall be on.
pub(super) fn terraform(
    provider: &Provider,
    state: &State,
    secrets: &Secrets,
    nodes: &[NodePlan],
    powered: bool,
) -> Result<Vec<RenderedFile>> {
    render::terraform_files(&TerraformInput {
        provider,
        id: &state.id,
        spec: &state.spec,
        facts: &state.facts,
        nodes,
        powered,
        base_volume: state.base_volume.as_deref().unwrap_or_default(),
        secrets,
    })
}
