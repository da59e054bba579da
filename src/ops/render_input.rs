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
        secrets: &borrowed(secrets),
    })
}

pub(super) fn borrowed(secrets: &Secrets) -> render::Secrets<'_> {
    render::Secrets {
        db_password: &secrets.db_password,
        adminui_password: &secrets.adminui_password,
        host_password: &secrets.host_password,
        host_password_hash: &secrets.host_password_hash,
        ssh_key: &secrets.ssh_key,
        host_keys: &secrets.host_keys,
        // Nothing that is rendered before the key was made has it inside.
        cluster_key: secrets.cluster_key.as_deref().unwrap_or_default(),
    }
}
