//! Terraform's variables that all clouds share: those of `templates/cloud/common.tf.tera`.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::super::TfvarsInput;
use super::super::addresses::host_address;
use super::target::{Target, network};
use crate::error::{Error, Result};
use crate::model::NodePlan;

/// SSH, SQL, Admin UI.
const OPEN_PORTS: [u16; 3] = [22, 8563, 8443];
/// Everybody, of both families.
const ANYONE: [&str; 2] = ["0.0.0.0/0", "::/0"];

pub(in crate::providers) fn tfvars(input: &TfvarsInput, target: &Target) -> Result<Map<String, Value>> {
    let spec = input.spec;
    let range = network(input.id, spec)?;
    let allowed: Vec<IpNet> = match spec.allowed_cidrs.as_slice() {
        [] => ANYONE.iter().filter_map(|net| net.parse().ok()).collect(),
        some => some.to_vec(),
    };
    let (ipv4, ipv6): (Vec<IpNet>, Vec<IpNet>) = allowed.into_iter().partition(|net| net.addr().is_ipv4());
    let variables = json!({
        "deployment": input.id.as_str(),
        "owner": spec.owner.as_deref().unwrap_or_default(),
        "ssh_public_key": input.ssh_public_key,
        "nodes": nodes(input.nodes, range)?,
        "allowed_ipv4": ipv4,
        "allowed_ipv6": ipv6,
        "open_tcp_ports": OPEN_PORTS,
        "network_cidr": range,
        "region": target.region,
        "instance_type": target.instance_type,
        "architecture": target.arch,
        "root_volume_gb": spec.root_volume_size,
        // Null until the first apply has told which image the machines were made from.
        "image_id": input.facts.get("image_id").cloned().unwrap_or(Value::Null),
    });
    match variables {
        Value::Object(map) => Ok(map),
        _ => Err(Error::other("Terraform's variables are no object")),
    }
}

fn nodes(plans: &[NodePlan], range: ipnet::Ipv4Net) -> Result<Value> {
    let node = |plan: &NodePlan| {
        let address = host_address(range, plan.index)
            .ok_or_else(|| Error::other(format!("{range} has no address for {}", plan.name)))?;
        let disks: Vec<_> = plan
            .disks
            .iter()
            .map(|d| {
                let name = format!("{}-data-{:02}", plan.machine, d.number);
                json!({"number": d.number, "size_gb": d.size_gb, "name": name})
            })
            .collect();
        Ok((plan.name.clone(), json!({"machine": plan.machine, "private_ip": address, "disks": disks})))
    };
    plans.iter().map(node).collect::<Result<Map<_, _>>>().map(Value::Object)
}

/// Makes the owner a label, for clouds whose labels cannot hold every text.
pub(in crate::providers) fn relabel_owner(variables: &mut Map<String, Value>) {
    if let Some(Value::String(owner)) = variables.get_mut("owner") {
        *owner = label(owner);
    }
}

/// Lower-case letters, digits, `-` and `_`, at most 63, beginning and ending with a letter or digit.
fn label(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let label: String = text.chars().map(safe).take(63).collect();
    label.trim_matches(['-', '_']).to_owned()
}
