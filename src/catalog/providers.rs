use std::sync::LazyLock;

use toml::{Table, Value};

use crate::model::NodeSize;

// A test proves that the embedded file is TOML; the empty table is never seen.
static PROVIDERS: LazyLock<Table> =
    LazyLock::new(|| include_str!("providers.toml").parse::<Table>().unwrap_or_default());

/// A provider's whole table in `providers.toml`.
pub fn provider_table(provider: &str) -> Option<&'static Table> {
    PROVIDERS.get(provider)?.as_table()
}

/// The size that `--instance-type name` stands for.
pub fn instance_type(provider: &str, name: &str) -> Option<NodeSize> {
    sizes(provider)?.get(name).and_then(node_size)
}

/// The names that `--instance-type` takes, smallest machine first.
pub fn instance_types(provider: &str) -> Vec<String> {
    let mut named: Vec<_> = sizes(provider)
        .into_iter()
        .flatten()
        .filter_map(|(name, entry)| node_size(entry).map(|size| (size.memory_mb, size.vcpus, name.clone())))
        .collect();
    named.sort();
    named.into_iter().map(|(_, _, name)| name).collect()
}

fn sizes(provider: &str) -> Option<&'static Table> {
    provider_table(provider)?.get("instance_types")?.as_table()
}

/// `{ memory_gb = 4, vcpus = 2 }`; a GB is 1024 MB, as everywhere here.
fn node_size(entry: &Value) -> Option<NodeSize> {
    let number = |key| entry.get(key).and_then(Value::as_integer).filter(|n| *n > 0);
    Some(NodeSize {
        memory_mb: u64::try_from(number("memory_gb")?).ok()?.checked_mul(1024)?,
        vcpus: u32::try_from(number("vcpus")?).ok()?,
    })
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
                assert!(node_size(entry).is_some(), "{provider}.{name}");
            }
        }
    }

    #[test]
    fn libvirt_sizes_are_listed_smallest_first() {
        assert_eq!(instance_types("libvirt"), ["small", "medium", "large"]);
        assert_eq!(instance_type("libvirt", "medium"), Some(NodeSize { memory_mb: 8192, vcpus: 4 }));
        assert_eq!(instance_type("libvirt", "huge"), None);
    }

    #[test]
    fn an_unknown_provider_has_nothing() {
        assert!(provider_table("mainframe").is_none());
        assert!(instance_types("mainframe").is_empty());
    }

    #[test]
    fn a_size_without_vcpus_or_below_one_is_none() {
        for entry in
            ["memory_gb = 4", "memory_gb = 0\nvcpus = 2", "memory_gb = 4\nvcpus = -1", "memory_gb = 'x'\nvcpus = 1"]
        {
            assert_eq!(node_size(&Value::Table(entry.parse().unwrap())), None, "{entry}");
        }
    }
}
