//! What Terraform's state file says, as far as this program reads it.

use serde::Deserialize;

/// Both lists and numbers are always there: JSON without them (OpenTofu's encrypted state, say) is no
/// state that can be read here, and must not be taken for an empty one.
#[derive(Deserialize)]
pub struct TerraformState {
    #[serde(rename = "version")]
    _version: u32,
    /// Counts the writes.
    #[serde(default)]
    pub serial: u64,
    pub resources: Vec<TerraformResource>,
}

#[derive(Deserialize)]
pub struct TerraformResource {
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    /// `provider["registry.terraform.io/dmacvicar/libvirt"]`
    #[serde(default)]
    pub provider: String,
    #[serde(default)]
    pub instances: Vec<TerraformInstance>,
}

#[derive(Deserialize)]
pub struct TerraformInstance {
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

/// Whether a resource's name is that one, or its namesake on a further hypervisor: `root`, `root_2`.
pub fn is_namesake(name: &str, wanted: &str) -> bool {
    let number =
        |rest: &str| rest.strip_prefix('_').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || number(rest))
}

impl TerraformState {
    /// None: it is no state that can be read.
    pub fn parse(text: &[u8]) -> Option<TerraformState> {
        serde_json::from_slice(text).ok()
    }

    /// Addresses of everything that Terraform has made: `libvirt_domain.node["n11"]`.
    pub fn addresses(&self) -> Vec<String> {
        let managed = self.resources.iter().filter(|resource| resource.mode == "managed");
        managed.flat_map(TerraformResource::addresses).collect()
    }
}

impl TerraformResource {
    fn addresses(&self) -> impl Iterator<Item = String> {
        self.instances.iter().map(|instance| match &instance.index_key {
            Some(key) => format!("{}.{}[{key}]", self.kind, self.name),
            None => format!("{}.{}", self.kind, self.name),
        })
    }
}

impl TerraformInstance {
    /// How the provider calls it.
    pub fn into_name(self) -> Option<String> {
        self.attributes.name
    }
}
