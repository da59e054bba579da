//! What a plan has read of the machines, for a cloud that only Terraform can ask. Pure.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What a plan has found before it plans: the resources as they are.
#[derive(Debug, Default, Deserialize)]
pub struct PriorState {
    #[serde(default)]
    prior_state: Prior,
}

#[derive(Debug, Default, Deserialize)]
struct Prior {
    #[serde(default)]
    values: Values,
}

#[derive(Debug, Default, Deserialize)]
struct Values {
    #[serde(default)]
    root_module: Module,
}

#[derive(Debug, Default, Deserialize)]
struct Module {
    #[serde(default)]
    resources: Vec<Found>,
}

#[derive(Debug, Deserialize)]
struct Found {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    index: Value,
    #[serde(default)]
    values: Map<String, Value>,
}

impl PriorState {
    /// A text attribute of the resource of that type and index.
    pub fn attribute(&self, kind: &str, index: &str, name: &str) -> Option<&str> {
        let resources = &self.prior_state.values.root_module.resources;
        let found = resources.iter().find(|r| r.kind == kind && r.index.as_str() == Some(index))?;
        found.values.get(name)?.as_str()
    }
}
