//! What Terraform's state file says, read without starting Terraform.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
struct TerraformState {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    /// `provider["registry.terraform.io/dmacvicar/libvirt"]`
    #[serde(default)]
    provider: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<serde_json::Value>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize, Default)]
struct Attributes {
    #[serde(default)]
    name: Option<String>,
}

/// Addresses of everything that Terraform has made: `libvirt_domain.node["n11"]`.
/// Empty when there is no state; None when there is one that cannot be read.
pub(super) fn resources(terraform_dir: &Path) -> Option<Vec<String>> {
    let text = match std::fs::read_to_string(terraform_dir.join("terraform.tfstate")) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(Vec::new()),
        Err(_) => return None,
    };
    addresses(&text)
}

fn addresses(text: &str) -> Option<Vec<String>> {
    // Terraform truncates the file before it writes the first state.
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let state: TerraformState = serde_json::from_str(text).ok()?;
    let managed = state.resources.iter().filter(|r| r.mode == "managed");
    Some(
        managed
            .flat_map(|r| {
                r.instances.iter().map(move |i| match &i.index_key {
                    Some(key) => format!("{}.{}[{key}]", r.kind, r.name),
                    None => format!("{}.{}", r.kind, r.name),
                })
            })
            .collect(),
    )
}

/// Whether Terraform has made anything of these types (`libvirt_domain`, `libvirt_volume.root`).
pub(super) fn has_any(terraform_dir: &Path, types: &[&str]) -> bool {
    let known = resources(terraform_dir).unwrap_or_default();
    let is_of = |address: &str, kind: &str| address.strip_prefix(kind).is_some_and(|rest| rest.starts_with(['.', '[']));
    known.iter().any(|address| types.iter().any(|kind| is_of(address, kind)))
}

/// The `name` attributes of everything that Terraform has made: how the provider calls it.
pub(super) fn names(terraform_dir: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(terraform_dir.join("terraform.tfstate")).unwrap_or_default();
    let Ok(state) = serde_json::from_str::<TerraformState>(&text) else { return BTreeSet::new() };
    state.resources.into_iter().flat_map(|r| r.instances).filter_map(|i| i.attributes.name).collect()
}

/// Whether OpenTofu wrote the state: its registry is part of every provider's address.
pub(super) fn is_of_tofu(terraform_dir: &Path) -> bool {
    let text = std::fs::read_to_string(terraform_dir.join("terraform.tfstate")).unwrap_or_default();
    let state = serde_json::from_str::<TerraformState>(&text);
    state.is_ok_and(|state| state.resources.iter().any(|r| r.provider.contains("registry.opentofu.org/")))
}

/// One sentence for a failure: what has been created so far.
pub(super) fn what_exists(root: &Path) -> String {
    match resources(&root.join("terraform")).as_deref() {
        None => "terraform/terraform.tfstate cannot be read".into(),
        Some([]) => "nothing has been created".into(),
        Some(some) => format!("{} resources exist ({})", some.len(), counts(some)),
    }
}

fn counts(addresses: &[String]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for address in addresses {
        let kind = address.split('.').next().unwrap_or_default();
        match kinds.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, n)) => *n += 1,
            None => kinds.push((kind, 1)),
        }
    }
    kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_terraforms_own() {
        let text = r#"{"version":4,"resources":[
            {"mode":"managed","type":"libvirt_domain","name":"node","instances":[{"index_key":"n11"},{"index_key":"n12"}]},
            {"mode":"data","type":"x","name":"y","instances":[{}]},
            {"mode":"managed","type":"libvirt_network","name":"own","instances":[{"index_key":0}]},
            {"mode":"managed","type":"k","name":"k","instances":[{}]}]}"#;
        let found = addresses(text).unwrap();
        assert_eq!(
            found,
            [r#"libvirt_domain.node["n11"]"#, r#"libvirt_domain.node["n12"]"#, "libvirt_network.own[0]", "k.k"]
        );
        assert_eq!(counts(&found), "2 libvirt_domain, 1 libvirt_network, 1 k");
        assert_eq!(addresses(""), Some(vec![]));
        assert_eq!(addresses("{"), None);
    }
}
