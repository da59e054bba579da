//! The deployment directory's `terraform/`.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use super::cloud_init;
use super::engine::{self, TemplateInput};
use crate::deployment::Secrets;
use crate::error::Result;
use crate::model::{DeploymentId, NodePlan, Options, RenderedFile, Spec};
use crate::providers::{Place, Provider, TfvarsInput};

pub struct TerraformInput<'a> {
    pub provider: &'a Provider,
    pub id: &'a DeploymentId,
    pub spec: &'a Spec,
    /// What preflight found out and `init` recorded.
    pub facts: &'a Options,
    pub nodes: &'a [NodePlan],
    /// Name of the base image's volume; empty while only planning.
    pub base_volume: &'a str,
    /// Whether the machines shall be on.
    pub powered: bool,
    pub secrets: &'a Secrets,
}

/// Templates, the provider's variables, and `user_data`: node name → cloud-init text. The latter is
/// in a file of its own that only the owner can read.
pub fn terraform_files(input: &TerraformInput) -> Result<Vec<RenderedFile>> {
    let TerraformInput { provider, id, spec, facts, nodes, base_volume, powered, secrets } = *input;
    let ssh_public_key = &secrets.public_ssh_key()?;
    let mut files = engine::render(&provider.template_folders(), &TemplateInput { spec, facts, nodes })?;
    let variables = (provider.tfvars)(&TfvarsInput { id, spec, facts, nodes, base_volume, ssh_public_key, powered })?;
    // Where exasol brings it to the machines itself, Terraform and its state have no secrets.
    let user_data: Result<BTreeMap<&str, String>> = match provider.place {
        Place::Hypervisor(_) => Ok(BTreeMap::new()),
        Place::Cloud(_) => {
            nodes.iter().map(|node| Ok((node.name.as_str(), cloud_init::user_data(node, provider, secrets)?))).collect()
        }
    };
    files.push(RenderedFile::new("terraform/terraform.tfvars.json", json(&variables)?));
    files.push(RenderedFile::secret("terraform/secrets.auto.tfvars.json", json(&json!({ "user_data": user_data? }))?));
    Ok(files)
}

fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).context("Terraform's variables")?;
    Ok(text + "\n")
}
