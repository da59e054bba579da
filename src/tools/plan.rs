//! A saved plan, as `terraform show -json` tells it, and the guard that reads it before an apply. Pure.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::model::{PlanReport, PlannedChange};

/// What a saved plan would change. Values of resources are not kept: they hold secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub changes: Vec<Change>,
}

/// A change of one resource; resources that stay as they are have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub action: Action,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Create,
    Update,
    Replace,
    Delete,
    /// Terraform would no longer know it, or does something that this version of us cannot judge.
    Other,
}

/// Which resources the guard protects. Entries are a kind (`libvirt_domain`), or kind and name
/// where one kind has several uses (`libvirt_volume.data`).
#[derive(Debug, Clone, Copy)]
pub struct Protected<'a> {
    /// A node dies with one of these. Their index is the node's name, or begins with it and `-`.
    pub machines: &'a [&'a str],
    /// The database's data dies with one of these.
    pub data_disks: &'a [&'a str],
    /// Attributes (kind, names from the outside in) whose update destroys what a machine holds.
    pub frozen: &'a [(&'a str, &'a [&'a str])],
    /// The database is installed: a data disk that would be made now is one that was lost with its data.
    pub holds_data: bool,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
            Action::Other => "give up",
        }
    }

    fn is_harmless(self) -> bool {
        matches!(self, Action::Create | Action::Update)
    }

    /// Terraform's list of actions; None for what changes nothing.
    fn from_list(actions: &[String]) -> Option<Action> {
        match actions.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] | ["no-op"] | ["read"] => None,
            ["create"] => Some(Action::Create),
            ["update"] => Some(Action::Update),
            ["delete"] => Some(Action::Delete),
            ["delete", "create"] | ["create", "delete"] => Some(Action::Replace),
            _ => Some(Action::Other),
        }
    }
}

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

impl Plan {
    /// Reads `terraform show -json PLANFILE`. Error: [`Error::Other`] if it is not a plan of format 1.x.
    pub fn parse(json: &[u8]) -> Result<Plan> {
        let raw: RawPlan =
            serde_json::from_slice(json).map_err(|e| Error::other(format!("cannot read Terraform's plan: {e}")))?;
        if !raw.format_version.starts_with("1.") {
            return Err(Error::other(format!("cannot read Terraform's plan: its format is {}", raw.format_version)));
        }
        let managed = raw.resource_changes.into_iter().filter(|change| change.mode == "managed");
        let changes = managed.filter_map(|raw| {
            let action = Action::from_list(&raw.change.actions)?;
            let changed = if action == Action::Update { raw.change.changed() } else { Vec::new() };
            let new_name = raw.change.after.get("name").and_then(Value::as_str).filter(|_| action == Action::Create);
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

    pub fn count(&self, action: Action) -> u32 {
        self.changes.iter().filter(|change| change.action == action).count().try_into().unwrap_or(u32::MAX)
    }

    /// Counts and list for people and programs; the summary is the caller's.
    pub fn report(&self) -> PlanReport {
        PlanReport {
            create: self.count(Action::Create),
            update: self.count(Action::Update),
            replace: self.count(Action::Replace),
            delete: self.count(Action::Delete),
            changes: self.changes.iter().map(Change::report).collect(),
            summary: Vec::new(),
        }
    }

    /// The names of what would be made, without data disks.
    pub fn creates(&self, protected: Protected<'_>) -> BTreeSet<String> {
        let others = self.changes.iter().filter(|change| !change.is_one_of(protected.data_disks));
        others.filter_map(|change| change.new_name.clone()).collect()
    }

    /// The nodes whose machine would be made, or made anew.
    pub fn made_nodes(&self, protected: Protected<'_>) -> BTreeSet<String> {
        let made = |change: &&Change| matches!(change.action, Action::Create | Action::Replace);
        let made = self.changes.iter().filter(|change| change.is_one_of(protected.machines)).filter(made);
        made.filter_map(|change| change.node().map(str::to_owned)).collect()
    }

    /// Refuses a plan that deletes or replaces a data disk, puts an empty one in the place of one that was
    /// lost, or loses a node that is not in `allow_replace`. Error: [`Error::PlanRefused`] with the whole list.
    pub fn guard(&self, protected: Protected<'_>, allow_replace: &[String]) -> Result<()> {
        self.guard_lost_disks(protected)?;
        let harmful =
            || self.changes.iter().filter(|change| !change.action.is_harmless() || change.thaws(protected.frozen));
        let disks: Vec<_> = harmful().filter(|change| change.is_one_of(protected.data_disks)).collect();
        let nodes: Vec<_> = harmful()
            .filter(|change| change.is_one_of(protected.machines) && !change.is_of_a_node_in(allow_replace))
            .collect();
        let hint = match (disks.is_empty(), nodes.is_empty()) {
            (true, true) => return Ok(()),
            (false, _) => {
                "only exasol destroy deletes data disks: undo the change of options that asks for this".to_owned()
            }
            (true, false) => {
                let mut names: Vec<_> = nodes.iter().filter_map(|change| change.node()).collect();
                names.dedup();
                let flags: Vec<_> = names.iter().map(|name| format!("--allow-replace {name}")).collect();
                format!("if you accept to lose these nodes: exasol deploy {}", flags.join(" "))
            }
        };
        let changes = disks.iter().chain(&nodes).map(|change| format!("{} {}", change.action.as_str(), change.address));
        Err(Error::PlanRefused { changes: changes.collect(), hint })
    }

    fn guard_lost_disks(&self, protected: Protected<'_>) -> Result<()> {
        let anew = |change: &&Change| change.action == Action::Create && change.is_one_of(protected.data_disks);
        let lost: Vec<_> = self.changes.iter().filter(anew).filter(|_| protected.holds_data).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let tell = |change: &&Change| {
            let node = change.node().unwrap_or("a node");
            format!("create {} again, empty (the data disk of {node} is gone with its data)", change.address)
        };
        let hint = "restore the volume under its old name; or run exasol destroy, and begin again".to_owned();
        Err(Error::PlanRefused { changes: lost.iter().map(tell).collect(), hint })
    }
}

impl Change {
    fn report(&self) -> PlannedChange {
        PlannedChange {
            action: self.action.as_str().to_owned(),
            address: self.address.clone(),
            kind: self.kind.clone(),
        }
    }

    /// Whether an update changes one of these attributes, or something in it.
    fn thaws(&self, frozen: &[(&str, &[&str])]) -> bool {
        let within = |path: &str, attribute: &str| {
            path.strip_prefix(attribute).is_some_and(|r| r.is_empty() || r.starts_with('.'))
        };
        frozen.iter().filter(|(kind, _)| self.kind == *kind).any(|(_, names)| {
            let attribute = names.join(".");
            self.changed.iter().any(|path| within(path, &attribute))
        })
    }

    fn is_one_of(&self, protected: &[&str]) -> bool {
        protected.iter().any(|entry| match entry.split_once('.') {
            Some((kind, name)) => self.kind == kind && self.name == name,
            None => self.kind == *entry,
        })
    }

    /// The node to which the resource belongs, by its index: n11 for `n11` and `n11-1`.
    fn node(&self) -> Option<&str> {
        self.index.as_deref().map(|index| index.split_once('-').map_or(index, |(node, _)| node))
    }

    fn is_of_a_node_in(&self, nodes: &[String]) -> bool {
        self.node().is_some_and(|node| nodes.iter().any(|allowed| allowed == node))
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
mod tests {
    use super::*;

    const CREATE: &[u8] = include_bytes!("../../tests/fixtures/terraform/show-create.json");
    const NOTHING: &[u8] = include_bytes!("../../tests/fixtures/terraform/show-nothing.json");
    const UPDATE: &[u8] = include_bytes!("../../tests/fixtures/terraform/show-update.json");
    const REPLACE: &[u8] = include_bytes!("../../tests/fixtures/terraform/show-replace.json");
    const DESTROY: &[u8] = include_bytes!("../../tests/fixtures/terraform/show-destroy.json");

    const PROTECTED: Protected<'_> = Protected {
        machines: &["libvirt_domain", "libvirt_volume.root"],
        data_disks: &["libvirt_volume.data"],
        frozen: &[],
        holds_data: false,
    };
    /// The fixtures' domains and volumes are of the built-in kind.
    const IN_FIXTURES: Protected<'_> = Protected {
        machines: &["terraform_data.domain"],
        data_disks: &["terraform_data.volume"],
        frozen: &[],
        holds_data: false,
    };

    fn plan(json: &[u8]) -> Plan {
        Plan::parse(json).unwrap()
    }

    #[test]
    fn recorded_plans_are_counted() {
        let counts = |json| {
            let report = plan(json).report();
            (report.create, report.update, report.replace, report.delete)
        };
        assert_eq!(counts(CREATE), (4, 0, 0, 0));
        assert_eq!(counts(UPDATE), (0, 4, 0, 0));
        assert_eq!(counts(REPLACE), (0, 0, 4, 0));
        assert_eq!(counts(DESTROY), (0, 0, 0, 4));
        assert!(plan(NOTHING).is_empty());
        let change = &plan(CREATE).report().changes[0];
        assert_eq!(change.address, "terraform_data.domain[\"n11\"]");
        assert_eq!((change.action.as_str(), change.kind.as_str()), ("create", "terraform_data"));
    }

    #[test]
    fn recorded_plans_are_guarded() {
        for harmless in [CREATE, NOTHING, UPDATE] {
            plan(harmless).guard(IN_FIXTURES, &[]).unwrap();
        }
        for harmful in [REPLACE, DESTROY] {
            let all = ["n11".to_owned(), "n12".to_owned()];
            let Err(Error::PlanRefused { changes, .. }) = plan(harmful).guard(IN_FIXTURES, &all) else { panic!() };
            assert_eq!(changes.len(), 2, "the disks, whatever is allowed: {changes:?}");
        }
    }

    /// Resource, Terraform's actions, nodes allowed, what the guard refuses.
    type Row = (
        (&'static str, &'static str, &'static str),
        &'static [&'static str],
        &'static [&'static str],
        Option<&'static str>,
    );

    #[test]
    fn the_guard_case_by_case() {
        let domain = ("libvirt_domain", "node", "n11");
        let root = ("libvirt_volume", "root", "n11");
        let data = ("libvirt_volume", "data", "n11-1");
        let other = ("libvirt_cloudinit_disk", "init", "n11");
        let table: &[Row] = &[
            (domain, &["create"], &[], None),
            (domain, &["update"], &[], None),
            (domain, &["no-op"], &[], None),
            (domain, &["delete"], &[], Some("delete")),
            (domain, &["delete"], &["n11"], None),
            (domain, &["delete", "create"], &[], Some("replace")),
            (domain, &["create", "delete"], &["n12"], Some("replace")),
            (domain, &["create", "delete"], &["n12", "n11"], None),
            (domain, &["forget"], &[], Some("give up")),
            (domain, &["something", "new"], &[], Some("give up")),
            (root, &["delete", "create"], &[], Some("replace")),
            (root, &["delete", "create"], &["n11"], None),
            (data, &["create"], &[], None),
            (data, &["update"], &[], None),
            (data, &["delete"], &["n11"], Some("delete")),
            (data, &["delete", "create"], &["n11", "n11-1"], Some("replace")),
            (data, &["forget"], &["n11"], Some("give up")),
            (other, &["delete", "create"], &[], None),
        ];
        for ((kind, name, index), actions, allowed, refused) in table {
            let json = serde_json::json!({"format_version": "1.2", "resource_changes": [{
                "address": format!("{kind}.{name}[\"{index}\"]"), "mode": "managed", "type": kind, "name": name,
                "index": index, "change": {"actions": actions},
            }]});
            let allowed: Vec<String> = allowed.iter().map(|node| (*node).to_owned()).collect();
            let result = plan(json.to_string().as_bytes()).guard(PROTECTED, &allowed);
            let expected = refused.map(|action| vec![format!("{action} {kind}.{name}[\"{index}\"]")]);
            let got = match result {
                Ok(()) => None,
                Err(Error::PlanRefused { changes, .. }) => Some(changes),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(got, expected, "{kind}.{name} {actions:?} {allowed:?}");
        }
    }

    #[test]
    fn a_lost_data_disk_is_not_replaced_by_an_empty_one() {
        let create = |kind: &str, name: &str, index: &str| {
            serde_json::json!({"address": format!("{kind}.{name}[\"{index}\"]"), "mode": "managed", "type": kind,
                "name": name, "index": index,
                "change": {"actions": ["create"], "after": {"name": format!("x-{index}-{name}")}}})
        };
        let changes = [
            create("libvirt_domain", "node", "n12"),
            create("libvirt_volume", "root", "n12"),
            create("libvirt_volume", "data", "n12-1"),
        ];
        let json = |changes: &[Value]| {
            serde_json::json!({"format_version": "1.2", "resource_changes": changes}).to_string().into_bytes()
        };
        let installed = Protected { holds_data: true, ..PROTECTED };
        plan(&json(&changes)).guard(PROTECTED, &[]).unwrap();
        plan(&json(&changes[..2])).guard(installed, &[]).unwrap();
        let refused = plan(&json(&changes)).guard(installed, &["n12".to_owned()]).unwrap_err();
        assert!(refused.to_string().contains("the data disk of n12 is gone with its data"), "{refused}");
        assert!(refused.hint().unwrap().contains("restore the volume"));
        let names: Vec<_> = plan(&json(&changes)).creates(PROTECTED).into_iter().collect();
        assert_eq!(names, ["x-n12-node", "x-n12-root"]);
    }

    #[test]
    fn an_update_in_place_that_destroys_is_refused_like_a_replacement() {
        let frozen: &[(&str, &[&str])] = &[("oci_core_instance", &["source_details", "source_id"])];
        let protected = Protected { machines: &["oci_core_instance"], data_disks: &[], frozen, holds_data: true };
        let update = |after: Value, unknown: Value| {
            let json = serde_json::json!({"format_version": "1.2", "resource_changes": [{
                "address": "oci_core_instance.node[\"n11\"]", "mode": "managed", "type": "oci_core_instance",
                "name": "node", "index": "n11", "change": {"actions": ["update"], "after_unknown": unknown,
                "before": {"source_details": [{"source_id": "a", "type": "image"}], "state": "RUNNING"},
                "after": after}}]});
            plan(json.to_string().as_bytes()).guard(protected, &[])
        };
        let same = serde_json::json!([{"source_id": "a", "type": "image"}]);
        update(serde_json::json!({"source_details": same, "state": "STOPPED"}), Value::Null).unwrap();
        let other = serde_json::json!({"source_details": [{"source_id": "b", "type": "image"}]});
        assert!(update(other, Value::Null).is_err());
        let unknown = serde_json::json!({"source_details": [{"source_id": true}]});
        assert!(update(serde_json::json!({"source_details": same, "state": "RUNNING"}), unknown).is_err());
    }

    #[test]
    fn the_hint_names_the_flag_for_nodes_and_none_for_disks() {
        let hint_of = |json: &[u8], protected| match plan(json).guard(protected, &[]) {
            Err(Error::PlanRefused { hint, .. }) => hint,
            other => panic!("{other:?}"),
        };
        let nodes_only = Protected { data_disks: &[], ..IN_FIXTURES };
        assert!(hint_of(REPLACE, nodes_only).ends_with("--allow-replace n11 --allow-replace n12"));
        assert!(!hint_of(REPLACE, IN_FIXTURES).contains("--allow-replace"));
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in ["", "{}", r#"{"format_version":"2.0"}"#, "[]"] {
            assert!(Plan::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
