//! What a plan of Terraform would change.

use serde::Serialize;

use super::words::words;

/// `deploy --plan`, and the first half of `deploy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlanReport {
    pub create: u32,
    pub update: u32,
    pub replace: u32,
    pub delete: u32,
    pub changes: Vec<PlannedChange>,
    /// For people: open ports, addresses that are always allowed, sizes.
    pub summary: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlannedChange {
    /// `create`, `update`, `replace`, `delete`.
    #[cfg_attr(test, schemars(with = "String"))]
    pub action: ChangeAction,
    /// Terraform address: `libvirt_domain.node["n11"]`.
    pub address: String,
    pub kind: String,
}

words! {
    /// What Terraform does, or would do, with a resource.
    pub enum ChangeAction {
        Create = "create",
        Read = "read",
        Update = "update",
        Replace = "replace",
        Delete = "delete",
        /// Terraform would no longer know the resource, or does something that this version of exasol cannot judge.
        GiveUp = "give up",
    }
}
