use serde_json::Value;

use super::*;
use crate::error::Error;

const CREATE: &[u8] = include_bytes!("../../../tests/fixtures/terraform/show-create.json");
const NOTHING: &[u8] = include_bytes!("../../../tests/fixtures/terraform/show-nothing.json");
const UPDATE: &[u8] = include_bytes!("../../../tests/fixtures/terraform/show-update.json");
const REPLACE: &[u8] = include_bytes!("../../../tests/fixtures/terraform/show-replace.json");
const DESTROY: &[u8] = include_bytes!("../../../tests/fixtures/terraform/show-destroy.json");

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
    let changes = ["node", "root"].map(|name| ["n11", "n12"].map(|node| replaced(name, node)));
    let json = serde_json::json!({"format_version": "1.2", "resource_changes": changes.concat()});
    let hint = hint_of(json.to_string().as_bytes(), PROTECTED);
    assert!(hint.ends_with("exasol deploy --allow-replace n11 --allow-replace n12"), "{hint}");
}

fn replaced(name: &str, node: &str) -> Value {
    let kind = if name == "node" { "libvirt_domain" } else { "libvirt_volume" };
    serde_json::json!({"address": format!("{kind}.{name}[\"{node}\"]"), "mode": "managed", "type": kind,
        "name": name, "index": node, "change": {"actions": ["delete", "create"]}})
}

#[test]
fn what_is_no_plan_is_refused() {
    for text in ["", "{}", r#"{"format_version":"2.0"}"#, "[]"] {
        assert!(Plan::parse(text.as_bytes()).is_err(), "{text}");
    }
}
#[test]
fn fuzz_terraform_plan() {
    crate::fuzz::target("terraform-plan", &[CREATE, NOTHING, UPDATE, REPLACE, DESTROY], |bytes| {
        let Ok(plan) = Plan::parse(bytes) else { return };
        let protected =
            Protected { frozen: &[("terraform_data", &["input", "kind"])], holds_data: true, ..IN_FIXTURES };
        let _ = plan.guard(protected, &["n11".to_owned()]);
        let _ = (plan.report(), plan.creates(protected), plan.made_nodes(protected));
    });
}
