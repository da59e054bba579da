//! A saved plan, as `terraform show -json` tells it. Pure.
//!
//! Belongs here: what a plan changes, what it has read, and the guard that looks at it before an apply. Does not belong
//! here: running Terraform.

mod guard;
mod prior;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::model::{ChangeAction, PlanReport, PlannedChange, parse_error};

pub use guard::Protected;
pub use prior::PriorState;

/// What a saved plan would change. Values of resources are not kept: they hold secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub changes: Vec<Change>,
}

/// A change of one resource; resources that stay as they are have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub action: ChangeAction,
    /// `libvirt_volume.data["n11-1"]`
    pub address: String,
    /// `libvirt_volume`
    pub kind: String,
    /// `data`
    pub name: String,
    /// `n11-1`; None without `for_each` or `count`.
    pub index: Option<String>,
    /// Of an update: what changes, as names divided by dots, without positions in lists:
    /// `source_details.source_id`.
    pub changed: Vec<String>,
    /// Of a creation: how the provider will call it, where the plan knows.
    pub new_name: Option<String>,
}

/// Terraform's list of actions; None for what changes nothing.
fn action_of(list: &[String]) -> Option<ChangeAction> {
    match list.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] | ["no-op"] | ["read"] => None,
        ["create"] => Some(ChangeAction::Create),
        ["update"] => Some(ChangeAction::Update),
        ["delete"] => Some(ChangeAction::Delete),
        ["delete", "create"] | ["create", "delete"] => Some(ChangeAction::Replace),
        _ => Some(ChangeAction::GiveUp),
    }
}

impl Plan {
    /// Reads `terraform show -json PLANFILE`. Error: [`Error::Other`] if it is not a plan of format 1.x.
    pub fn parse(json: &[u8]) -> Result<Plan> {
        let raw: RawPlan = serde_json::from_slice(json)
            .map_err(|error| Error::other(format!("cannot read Terraform's plan: {}", parse_error(&error))))?;
        if !raw.format_version.starts_with("1.") {
            return Err(Error::other(format!("cannot read Terraform's plan: its format is {}", raw.format_version)));
        }
        let managed = raw.resource_changes.into_iter().filter(|change| change.mode == "managed");
        let changes = managed.filter_map(|raw| {
            let action = action_of(&raw.change.actions)?;
            let changed = if action == ChangeAction::Update { raw.change.changed() } else { Vec::new() };
            let new_name =
                raw.change.after.get("name").and_then(Value::as_str).filter(|_| action == ChangeAction::Create);
            Some(Change {
                action,
                changed,
                new_name: new_name.map(str::to_owned),
                address: raw.address,
                kind: raw.kind,
                name: raw.name,
                index: raw.index.map(|index| match index {
                    serde_json::Value::String(text) => text,
                    number => number.to_string(),
                }),
            })
        });
        Ok(Plan { changes: changes.collect() })
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub fn count(&self, action: ChangeAction) -> u32 {
        self.changes.iter().filter(|change| change.action == action).count().try_into().unwrap_or(u32::MAX)
    }

    /// Counts and list for people and programs; the summary is the caller's.
    pub fn report(&self) -> PlanReport {
        PlanReport {
            create: self.count(ChangeAction::Create),
            update: self.count(ChangeAction::Update),
            replace: self.count(ChangeAction::Replace),
            delete: self.count(ChangeAction::Delete),
            changes: self.changes.iter().map(Change::report).collect(),
            summary: Vec::new(),
        }
    }
}

impl Change {
    fn report(&self) -> PlannedChange {
        PlannedChange { action: self.action, address: self.address.clone(), kind: self.kind.clone() }
    }
}

#[derive(Deserialize)]
struct RawPlan {
    format_version: String,
    #[serde(default)]
    resource_changes: Vec<RawChange>,
}

#[derive(Deserialize)]
struct RawChange {
    address: String,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    index: Option<serde_json::Value>,
    change: RawActions,
}

#[derive(Deserialize)]
struct RawActions {
    actions: Vec<String>,
    #[serde(default)]
    before: Value,
    #[serde(default)]
    after: Value,
    /// True in the place of every value that only the apply will tell.
    #[serde(default)]
    after_unknown: Value,
}

impl RawActions {
    /// Paths of what differs; values are only compared.
    fn changed(&self) -> Vec<String> {
        let mut paths = Vec::new();
        differences(&self.before, &self.after, &self.after_unknown, "", &mut paths);
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}

fn differences(before: &Value, after: &Value, unknown: &Value, path: &str, found: &mut Vec<String>) {
    if unknown == &Value::Bool(true) {
        found.push(path.to_owned());
        return;
    }
    let inside = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys()).chain(unknown.as_object().into_iter().flat_map(Map::keys)) {
                let (a, b) = (a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null));
                differences(a, b, unknown.get(name).unwrap_or(&Value::Null), &inside(name), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (position, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, unknown.get(position).unwrap_or(&Value::Null), path, found);
            }
        }
        (a, b) if a == b => (),
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests;
