use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use toml::{Table, Value};

use crate::model::NodeSize;

// A test proves that the embedded file is TOML; the empty table is never seen.
static PROVIDERS: LazyLock<Table> =
    LazyLock::new(|| include_str!("providers.toml").parse::<Table>().unwrap_or_default());

/// Of a provider, or of a region that lacks its provider's.
const DEFAULT_TYPE: &str = "default_instance_type";

/// A machine type as the catalogue has it.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceType {
    pub size: NodeSize,
    /// As `uname -m` says it.
    pub arch: String,
    /// What else its provider needs to know of it.
    pub facts: Table,
}

// By provider and name; made once.
static INSTANCE_TYPES: LazyLock<BTreeMap<&str, BTreeMap<&str, InstanceType>>> = LazyLock::new(|| {
    let types = |entry: &'static Value| entry.get("instance_types").and_then(Value::as_table);
    let read = |table: &'static Table| {
        table.iter().filter_map(|(name, entry)| Some((name.as_str(), instance_type_from(entry)?))).collect()
    };
    PROVIDERS.iter().filter_map(|(name, entry)| Some((name.as_str(), read(types(entry)?)))).collect()
});

/// A provider's whole table in `providers.toml`.
pub fn provider_table(provider: &str) -> Option<&'static Table> {
    PROVIDERS.get(provider)?.as_table()
}

/// The machine that `--instance-type name` stands for.
pub fn instance_type(provider: &str, name: &str) -> Option<&'static InstanceType> {
    INSTANCE_TYPES.get(provider)?.get(name)
}

/// The names that `--instance-type` takes, smallest machine first.
pub fn instance_types(provider: &str) -> Vec<String> {
    let types = INSTANCE_TYPES.get(provider).into_iter().flatten();
    let mut named: Vec<_> = types.map(|(name, t)| (t.size.memory_mb, t.size.vcpus, *name)).collect();
    named.sort_unstable();
    named.into_iter().map(|(_, _, name)| name.to_owned()).collect()
}

impl InstanceType {
    /// The regions that have it; None where all have it, as far as the catalogue knows.
    pub fn regions(&self) -> Option<Vec<&str>> {
        let regions = self.facts.get("regions")?.as_array()?;
        Some(regions.iter().filter_map(Value::as_str).collect())
    }
}

/// The machine type when none is asked for, by architecture.
pub fn default_instance_type(provider: &str, region_name: &str, arch: &str) -> Option<&'static str> {
    let own = region(provider, region_name).and_then(|region| region.get(DEFAULT_TYPE));
    own.or_else(|| provider_table(provider)?.get(DEFAULT_TYPE))?.get(arch)?.as_str()
}

/// What an option is on that provider where a rehearsal is asked for and the option is not, as it would be typed.
pub fn rehearsal_default(provider: &str, region_name: &str, flag: &str) -> Option<String> {
    let of = |table: &'static Table| table.get("rehearsal")?.get(flag);
    match region(provider, region_name).and_then(of).or_else(|| of(provider_table(provider)?))? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Empty for a provider without regions.
pub fn default_region(provider: &str) -> &'static str {
    provider_table(provider).and_then(|t| t.get("default_region")?.as_str()).unwrap_or_default()
}

/// What the catalogue knows of a region.
pub fn region(provider: &str, name: &str) -> Option<&'static Table> {
    regions_table(provider)?.get(name)?.as_table()
}

/// The regions' names, in order.
pub fn regions(provider: &str) -> Vec<String> {
    let mut names: Vec<_> = regions_table(provider).into_iter().flat_map(Table::keys).cloned().collect();
    names.sort_unstable();
    names
}

fn regions_table(provider: &str) -> Option<&'static Table> {
    provider_table(provider)?.get("regions")?.as_table()
}

/// `{ memory_gb = 4, vcpus = 2 }`; a GB is 1024 MB, as everywhere here.
fn instance_type_from(entry: &Value) -> Option<InstanceType> {
    #[derive(Deserialize)]
    struct Entry {
        memory_gb: u64,
        vcpus: u32,
        #[serde(default = "x86_64")]
        arch: String,
        #[serde(flatten)]
        facts: Table,
    }
    let Entry { memory_gb, vcpus, arch, facts } = entry.clone().try_into().ok()?;
    let memory_mb = memory_gb.checked_mul(1024)?;
    (memory_mb > 0 && vcpus > 0).then_some(InstanceType { size: NodeSize { memory_mb, vcpus }, arch, facts })
}

fn x86_64() -> String {
    "x86_64".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_parses_and_every_instance_type_has_a_size() {
        let table = include_str!("providers.toml").parse::<Table>().unwrap();
        for (provider, entry) in &table {
            let Some(types) = entry.get("instance_types") else { continue };
            for (name, entry) in types.as_table().unwrap() {
                let found = instance_type_from(entry).unwrap_or_else(|| panic!("{provider}.{name}"));
                assert!(["x86_64", "aarch64"].contains(&found.arch.as_str()), "{provider}.{name}");
            }
        }
    }

    #[test]
    fn every_default_is_listed() {
        for (provider, table) in PROVIDERS.iter().filter(|(_, t)| t.get("regions").is_some()) {
            assert!(region(provider, default_region(provider)).is_some(), "{provider}");
            let defaults = table["default_instance_type"].as_table().unwrap();
            assert!(defaults.contains_key("x86_64"), "{provider}");
            for (arch, name) in defaults {
                let listed = instance_type(provider, name.as_str().unwrap()).unwrap();
                assert_eq!(listed.arch, *arch, "{provider}");
            }
        }
    }

    #[test]
    fn regions_have_the_types_that_they_stand_for() {
        for (provider, table) in PROVIDERS.iter().filter(|(_, t)| t.get("regions").is_some()) {
            for name in instance_types(provider) {
                for of_type in instance_type(provider, &name).unwrap().regions().into_iter().flatten() {
                    assert!(region(provider, of_type).is_some(), "{provider} {name} {of_type}");
                }
            }
            let of_rehearsal = |region: &str| rehearsal_default(provider, region, "instance-type");
            for region in table["regions"].as_table().unwrap().keys() {
                let defaults = ["x86_64", "aarch64"].map(|arch| default_instance_type(provider, region, arch));
                assert!(defaults[0].is_some(), "{provider} {region}");
                let defaults = defaults.into_iter().flatten().map(str::to_owned);
                for name in defaults.chain(of_rehearsal(region)) {
                    let regions = instance_type(provider, &name).unwrap().regions();
                    assert!(regions.is_none_or(|all| all.contains(&region.as_str())), "{provider} {region} {name}");
                }
            }
        }
        assert_eq!(default_instance_type("hetzner", "hil", "x86_64"), Some("cpx31"));
        assert_eq!(default_instance_type("hetzner", "hil", "aarch64"), None);
        assert_eq!(default_instance_type("hetzner", "nowhere", "x86_64"), Some("cpx32"));
        assert_eq!(rehearsal_default("hetzner", "ash", "data-volume-size").as_deref(), Some("10"));
    }

    #[test]
    fn libvirt_sizes_are_listed_smallest_first() {
        assert_eq!(instance_types("libvirt"), ["small", "medium", "large"]);
        assert_eq!(instance_type("libvirt", "medium").unwrap().size, NodeSize { memory_mb: 8192, vcpus: 4 });
        assert_eq!(instance_type("libvirt", "huge"), None);
    }

    #[test]
    fn an_unknown_provider_has_nothing() {
        assert!(provider_table("mainframe").is_none());
        assert!(instance_types("mainframe").is_empty());
        assert!(regions("mainframe").is_empty());
    }

    #[test]
    fn a_size_without_vcpus_or_below_one_is_none() {
        for entry in
            ["memory_gb = 4", "memory_gb = 0\nvcpus = 2", "memory_gb = 4\nvcpus = -1", "memory_gb = 'x'\nvcpus = 1"]
        {
            assert_eq!(instance_type_from(&Value::Table(entry.parse().unwrap())), None, "{entry}");
        }
    }
}
