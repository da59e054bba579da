use serde_json::Value;

use crate::deployment::DeploymentDir;
use crate::model::NodePlan;
use crate::render::page::{Answer, Bus, BusKind, Health, NodeBox, Tone};

/// Every node that there should be. `status`: what `status` answered, or null. `last`: the last look of
/// `health` that is recorded.
pub(super) fn all(
    dir: &DeploymentDir,
    state: &Value,
    status: &Value,
    last: Option<&Value>,
    health: &Health,
) -> Vec<NodeBox> {
    let (id, spec) = (&dir.state().id, &dir.state().spec);
    let phase = state["phase"].as_str().unwrap_or_default();
    let last = last.filter(|last| last["phase"] == phase);
    let plans = NodePlan::all(id, spec);
    plans
        .iter()
        .map(|plan| {
            let known = named(&state["nodes"], &plan.name);
            let address = |key: &str| known?[key].as_str().map(str::to_owned);
            let answered = named(&status["nodes"], &plan.name);
            let trouble = health.issues.iter().filter(|issue| issue.place == plan.name);
            let trouble: Vec<Tone> = trouble.map(|issue| issue.tone).collect();
            let (tone, state) = match answered {
                Some(node) => with_trouble(seen(node, phase), &trouble),
                None => remembered(last, phase, &trouble),
            };
            let (public, private) = (address("public_ip"), address("private_ip"));
            NodeBox {
                name: plan.name.clone(),
                tone,
                state,
                public: public.filter(|public| private.as_ref() != Some(public)),
                private,
                overlay: address("overlay_ip"),
                answers: answered.map(answers).unwrap_or_default(),
                root_gb: spec.root_volume_size,
                data_gb: plan.disks.iter().map(|disk| disk.size_gb).collect(),
            }
        })
        .collect()
}

fn named<'a>(nodes: &'a Value, name: &str) -> Option<&'a Value> {
    nodes.as_array()?.iter().find(|node| node["name"] == name)
}

/// What `status` says of a node, in a few words.
fn seen(node: &Value, phase: &str) -> (Tone, String) {
    let word = |port: &str| node[port]["state"].as_str().unwrap_or("not_probed");
    let (tone, words) = match (node["vm"].as_str().unwrap_or_default(), word("ssh"), word("sql")) {
        ("absent", ..) if phase == "destroyed" => (Tone::Quiet, "removed".to_owned()),
        ("absent", ..) => (Tone::Quiet, "not created".to_owned()),
        ("off", ..) if phase == "database_ready" => (Tone::Bad, "off".to_owned()),
        ("off", ..) => (Tone::Quiet, "off".to_owned()),
        ("paused", ..) => (Tone::Warning, "paused".to_owned()),
        (vm @ ("crashed" | "missing"), ..) => (Tone::Bad, vm.to_owned()),
        (_, _, "ok") => (Tone::Good, "SQL answers".to_owned()),
        (_, "ok", "not_probed") => (Tone::Active, "SSH answers".to_owned()),
        (_, "not_probed", "not_probed") => (Tone::Quiet, "not asked".to_owned()),
        (_, "ok" | "not_probed", sql) => (Tone::Bad, format!("SQL: {sql}")),
        (_, ssh, _) => (Tone::Bad, format!("SSH: {ssh}")),
    };
    (tone, words.replace('_', " "))
}

/// Something is wrong with a node that answers. What it answers is beside the picture.
fn with_trouble((tone, words): (Tone, String), trouble: &[Tone]) -> (Tone, String) {
    match (tone, trouble.contains(&Tone::Bad), trouble.is_empty()) {
        (Tone::Good | Tone::Active, true, _) => (Tone::Bad, "errors".to_owned()),
        (Tone::Good | Tone::Active, false, false) => (Tone::Warning, "warnings".to_owned()),
        _ => (tone, words),
    }
}

/// Without an answer: as the last look found it, where nothing happened since.
fn remembered(last: Option<&Value>, phase: &str, trouble: &[Tone]) -> (Tone, String) {
    match (last, phase) {
        (_, "initialized") => (Tone::Quiet, "not created".to_owned()),
        (_, "destroyed") => (Tone::Quiet, "removed".to_owned()),
        (_, "stopped") => (Tone::Quiet, "was off".to_owned()),
        (None, _) => (Tone::Quiet, "not asked".to_owned()),
        (Some(_), _) if trouble.contains(&Tone::Bad) => (Tone::Bad, "had errors".to_owned()),
        (Some(_), _) if !trouble.is_empty() => (Tone::Warning, "had warnings".to_owned()),
        (Some(_), _) => (Tone::Good, "was healthy".to_owned()),
    }
}

fn answers(node: &Value) -> Vec<Answer> {
    let answer = |tone, name: &str, word: &str, reason: &Value| Answer {
        tone,
        name: name.to_owned(),
        word: word.replace('_', " "),
        reason: reason.as_str().map(str::to_owned),
    };
    let vm = node["vm"].as_str().unwrap_or("unknown");
    let tone = match vm {
        "running" => Tone::Good,
        "paused" => Tone::Warning,
        "crashed" | "missing" => Tone::Bad,
        _ => Tone::Quiet,
    };
    let mut all = vec![answer(tone, "machine", vm, &node["vm_reason"])];
    for (key, name) in [("ssh", "SSH"), ("sql", "SQL")] {
        let word = node[key]["state"].as_str().unwrap_or("not_probed");
        let tone = match word {
            "ok" => Tone::Good,
            "not_probed" => Tone::Quiet,
            _ => Tone::Bad,
        };
        all.push(answer(tone, name, word, &node[key]["reason"]));
    }
    if let Some(now) = node["address_now"].as_str() {
        all.push(answer(Tone::Warning, "address", &format!("now {now}"), &Value::Null));
    }
    all
}

/// The networks, from outside to inside.
pub(super) fn buses(state: &Value) -> Vec<Bus> {
    let nodes = state["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let options = &state["spec"]["options"];
    let name = ["network", "network_cidr"].iter().find_map(|key| options[*key].as_str());
    let named = |title: &str| name.map_or_else(|| title.to_owned(), |name| format!("{title} {name}"));
    let bus = |kind, name: String, detail: String| Bus { kind, name, detail };
    let open = open_to(&state["spec"]["allowed_cidrs"]);
    let apart = nodes.iter().any(|node| node["public_ip"] != node["private_ip"]);
    let mut all = match apart {
        true => vec![
            bus(BusKind::Public, "Public addresses".into(), format!("SSH, SQL and the Admin UI, {open}")),
            bus(BusKind::Private, named("Private network"), "the nodes among themselves".into()),
        ],
        false => vec![bus(
            BusKind::Private,
            named("Network"),
            format!("the nodes among themselves; SSH, SQL and the Admin UI, {open}"),
        )],
    };
    if nodes.iter().any(|node| node["overlay_ip"].is_string()) {
        all.push(bus(BusKind::Overlay, "Overlay".into(), "VXLAN for the database's own traffic".into()));
    }
    all
}

fn open_to(networks: &Value) -> String {
    let networks = super::strings(networks);
    if networks.is_empty() { "open to everybody".to_owned() } else { format!("open to {}", networks.join(", ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(vm: &str, ssh: &str, sql: &str, phase: &str) -> (Tone, String) {
        seen(&json!({"vm": vm, "ssh": {"state": ssh}, "sql": {"state": sql}}), phase)
    }

    #[test]
    fn a_node_is_as_good_as_what_it_is_for() {
        assert_eq!(said("running", "ok", "ok", "database_ready"), (Tone::Good, "SQL answers".into()));
        assert_eq!(said("running", "ok", "refused", "database_ready"), (Tone::Bad, "SQL: refused".into()));
        assert_eq!(
            said("unknown", "identity_mismatch", "not_probed", ""),
            (Tone::Bad, "SSH: identity mismatch".into())
        );
        assert_eq!(said("off", "not_probed", "not_probed", "stopped").0, Tone::Quiet);
        assert_eq!(said("off", "not_probed", "not_probed", "database_ready").0, Tone::Bad);
        let good = (Tone::Good, "SQL answers".to_owned());
        assert_eq!(with_trouble(good.clone(), &[Tone::Warning]).0, Tone::Warning);
        assert_eq!(with_trouble(good.clone(), &[Tone::Warning, Tone::Bad]).0, Tone::Bad);
        assert_eq!(with_trouble(good.clone(), &[]), good);
    }

    #[test]
    fn a_memory_counts_only_where_nothing_happened_since() {
        let last = json!({"status": "healthy"});
        assert_eq!(remembered(Some(&last), "database_ready", &[]).0, Tone::Good);
        assert_eq!(remembered(None, "database_ready", &[]), (Tone::Quiet, "not asked".into()));
        assert_eq!(remembered(None, "initialized", &[]).1, "not created");
    }

    #[test]
    fn one_network_is_one_line_and_public_addresses_are_another() {
        let state = |public: &str| {
            json!({"nodes": [{"private_ip": "10.0.0.1", "public_ip": public, "overlay_ip": null}],
                   "spec": {"allowed_cidrs": [], "options": {"network": "default"}}})
        };
        let names = |state: &Value| buses(state).into_iter().map(|bus| bus.name).collect::<Vec<_>>();
        assert_eq!(names(&state("10.0.0.1")), ["Network default"]);
        assert_eq!(names(&state("192.0.2.1")), ["Public addresses", "Private network default"]);
        assert!(buses(&state("192.0.2.1"))[0].detail.ends_with("open to everybody"));
    }
}
