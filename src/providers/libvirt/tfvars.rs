//! Variables for Terraform. Structure is decided by the templates, values come from here.

use serde_json::{Map, Value, json};

use super::super::addresses::host_address;
use super::facts::Facts;
use super::options::Options;
use super::own_network_name;
use super::route::uri_variable;
use crate::error::Result;
use crate::model::NodePlan;
use crate::providers::TfvarsInput;

pub(super) fn tfvars(input: &TfvarsInput) -> Result<Map<String, Value>> {
    let options = Options::from_spec(input.spec)?;
    let facts = Facts::from_map(input.facts)?;
    let size = options.size_with(Some(&facts));
    let mut variables = Map::new();
    let mut set = |name: &str, value: Value| variables.insert(name.to_owned(), value);
    for (index, uri) in options.hypervisors().enumerate() {
        set(&uri_variable(index), json!(uri.to_string()));
    }
    set("libvirt_domain_type", json!(facts.domain_type));
    set("libvirt_cpu_mode", json!(facts.cpu_mode));
    if let Some(firmware) = &facts.firmware {
        set("libvirt_firmware", json!(firmware));
    }
    set("libvirt_memory_gb", json!(size.memory_mb / 1024));
    set("libvirt_vcpus", json!(size.vcpus));
    set("libvirt_disk_pool", json!(options.pool));
    set("base_volume", json!(input.base_volume));
    set("root_volume_gb", json!(input.spec.root_volume_size));
    set("description", json!(description(input)));
    set("nodes", nodes(input.nodes, &facts, !options.further.is_empty()));
    match (&facts.bridge, facts.network_cidr) {
        (Some(bridge), _) => set("libvirt_network_bridge", json!(bridge)),
        (None, Some(range)) if facts.own_network => {
            set("network_cidr", json!(range));
            set("libvirt_network_name", json!(own_network_name(input.id)))
        }
        _ => set("libvirt_network_name", json!(facts.network_name)),
    };
    Ok(variables)
}

/// Around the number of hypervisors in a machine's description, where there are several.
pub(super) const ON: &str = ", on ";
pub(super) const HYPERVISORS: &str = " hypervisors";

/// Seen by `virsh desc`.
fn description(input: &TfvarsInput) -> String {
    let owner = input.spec.owner.as_ref().map(|owner| format!(", owner: {owner}")).unwrap_or_default();
    let hosts = match input.spec.hosts() {
        1 => String::new(),
        hosts => format!("{ON}{hosts}{HYPERVISORS}"),
    };
    format!("Exasol deployment {}, database {}{hosts}{owner}", input.id, input.spec.db_version)
}

fn nodes(nodes: &[NodePlan], facts: &Facts, several_hosts: bool) -> Value {
    let node = |plan: &NodePlan| {
        let disks: Vec<_> =
            plan.disks.iter().map(|d| json!({"number": d.number, "size_gb": d.size_gb, "wwn": d.wwn})).collect();
        let mut node = json!({"machine": plan.machine, "mac": plan.mac, "disks": disks});
        if several_hosts {
            node["host"] = json!(plan.host);
        }
        if let (true, Some(range)) = (facts.own_network, facts.network_cidr) {
            node["address"] = json!(host_address(range, plan.index));
        }
        (plan.name.clone(), node)
    };
    Value::Object(nodes.iter().map(node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeploymentId, Options as Facts, Spec};

    fn variables(options: Value, facts: Value) -> Map<String, Value> {
        let spec: Spec = serde_json::from_value(json!({
            "provider": "libvirt", "cluster_size": 2, "db_version": "rehearsal", "data_volume_size": 10,
            "data_volumes_per_node": 2, "root_volume_size": 20, "owner": "O'Neil & <co>", "options": options,
        }))
        .unwrap();
        let id = DeploymentId::from_random([1, 2, 3, 4]);
        let facts: Facts = serde_json::from_value(facts).unwrap();
        let nodes = NodePlan::all(&id, &spec);
        tfvars(&TfvarsInput {
            id: &id,
            spec: &spec,
            facts: &facts,
            nodes: &nodes,
            base_volume: "base",
            ssh_public_key: "",
            powered: true,
        })
        .unwrap()
    }

    fn facts(own: bool, bridge: Option<&str>) -> Value {
        json!({
            "domain_type": "qemu", "cpu_mode": "maximum", "architecture": "x86_64", "uri": "qemu:///system",
            "own_network": own, "network_name": if own || bridge.is_some() { None } else { Some("default") },
            "bridge": bridge, "network_cidr": own.then_some("10.77.0.0/24"), "external_addresses": bridge.is_some(),
        })
    }

    #[test]
    fn a_network_by_name() {
        let variables = variables(json!({"memory": 1}), facts(false, None));
        insta::assert_json_snapshot!(variables);
    }

    #[test]
    fn firmware_is_named_only_where_it_is_uefi() {
        let mut with = facts(false, None);
        with["firmware"] = json!("/usr/share/AAVMF/AAVMF_CODE.fd");
        assert_eq!(variables(json!({}), with)["libvirt_firmware"], "/usr/share/AAVMF/AAVMF_CODE.fd");
        assert!(!variables(json!({}), facts(false, None)).contains_key("libvirt_firmware"));
    }

    #[test]
    fn a_network_of_its_own_has_fixed_addresses() {
        let variables = variables(json!({"network": "new"}), facts(true, None));
        assert_eq!(variables["network_cidr"], "10.77.0.0/24");
        assert_eq!(variables["libvirt_network_name"], "exasol-01020304-net");
        assert_eq!(variables["nodes"]["n11"]["address"], "10.77.0.11");
        assert_eq!(variables["nodes"]["n12"]["address"], "10.77.0.12");
    }

    #[test]
    fn nodes_are_on_several_hypervisors_in_turn() {
        let uris = json!(["qemu+ssh://a/system", "qemu+ssh://b/system"]);
        let variables = variables(json!({"network": "br0", "uri": uris}), facts(false, Some("br0")));
        assert_eq!(variables["libvirt_uri"], "qemu+ssh://a/system");
        assert_eq!(variables["libvirt_uri_2"], "qemu+ssh://b/system");
        assert_eq!(variables["nodes"]["n11"]["host"], 0);
        assert_eq!(variables["nodes"]["n12"]["host"], 1);
        assert!(variables["description"].as_str().unwrap().contains("rehearsal, on 2 hypervisors, owner: "));
    }

    #[test]
    fn a_bridge_is_attached_directly() {
        let variables = variables(json!({"network": "br0"}), facts(false, Some("br0")));
        assert_eq!(variables["libvirt_network_bridge"], "br0");
        assert!(!variables.contains_key("libvirt_network_name") && !variables.contains_key("network_cidr"));
        assert!(variables["nodes"]["n11"].get("address").is_none());
    }
}
