use serde_json::Value;

use crate::render::page::{Component, Fact, moment};

/// What stands on top.
pub(super) fn facts(state: &Value, rehearsal: bool) -> Vec<Fact> {
    let spec = &state["spec"];
    let database = match rehearsal {
        true => format!("{} (no database)", shown(&spec["db_version"])),
        false => shown(&spec["db_version"]),
    };
    let moment_of = |key: &str| moment(state[key].as_str().unwrap_or_default());
    let all = [
        ("Id", shown(&state["id"])),
        ("Provider", shown(&spec["provider"])),
        ("Database", database),
        ("Nodes", shown(&spec["cluster_size"])),
        ("Created", moment_of("created_at")),
        ("Last change", moment_of("updated_at")),
        ("Owner", shown(&spec["owner"])),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| Fact::new(name, value)).collect()
}

/// Every option that is set, a row each; nested ones with a dot: `options.network`.
pub(super) fn spec(spec: &Value) -> Vec<Fact> {
    let mut rows = Vec::new();
    flatten("", spec, &mut rows);
    rows
}

fn flatten(name: &str, value: &Value, rows: &mut Vec<Fact>) {
    match value {
        Value::Null => {}
        Value::Object(all) => {
            let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
            all.iter().for_each(|(key, value)| flatten(&below(key), value, rows));
        }
        value => rows.push(Fact::new(name, shown(value))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(all) if all.is_empty() => "none".to_owned(),
        Value::Array(all) => all.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// `report`: what `version --verbose` answers. Of the pinned plugins only this provider's matter.
pub(super) fn versions(report: &Value, provider: &str) -> Vec<Component> {
    let row = |name: &str, version: String, remark: String| Component { name: name.to_owned(), version, remark };
    let build = &report["build"];
    let commit = build["commit"].as_str().map(|commit| format!("commit {commit}, ")).unwrap_or_default();
    let mut rows = vec![row("exasol", shown(&report["exasol"]), commit + &shown(&build["target"]))];
    let system = &report["system"];
    rows.push(row("system", shown(&system["os"]), format!("kernel {}", shown(&system["kernel"]))));
    for component in report["components"].as_array().into_iter().flatten() {
        let version = component["version"].as_str().unwrap_or("none").to_owned();
        rows.push(row(&shown(&component["name"]), version, shown(&component["remark"])));
    }
    for plugin in report["terraform_providers"].as_array().into_iter().flatten() {
        if plugin["provider"] == provider {
            rows.push(row(&shown(&plugin["source"]), shown(&plugin["version"]), "plugin of Terraform".to_owned()));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_specification_is_rows_without_what_is_not_set() {
        let rows = spec(&json!({"cluster_size": 2, "owner": null, "allowed_cidrs": [], "multicast_overlay": false,
                                "options": {"network": "default", "tags": ["a", "b"]}}));
        let rows: Vec<_> = rows.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())).collect();
        assert_eq!(
            rows,
            [
                ("cluster_size", "2"),
                ("allowed_cidrs", "none"),
                ("multicast_overlay", "no"),
                ("options.network", "default"),
                ("options.tags", "a, b")
            ]
        );
    }

    #[test]
    fn only_plugins_of_the_provider_are_named() {
        let report = json!({"exasol": "0.1.0", "components": [{"name": "tofu", "version": null, "remark": "not found"}],
                            "terraform_providers": [{"provider": "a", "source": "x/a", "version": "1"}, {"provider": "b", "source": "x/b", "version": "2"}]});
        let names: Vec<_> = versions(&report, "b").into_iter().map(|c| (c.name, c.version)).collect();
        assert_eq!(names[2..], [("tofu".into(), "none".into()), ("x/b".into(), "2".into())]);
    }
}
