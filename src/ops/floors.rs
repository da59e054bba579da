//! What a real database needs of its nodes: refused below, and warned of where it is little.
//!
//! What is recorded already is only warned of: a deployment of an earlier version, which knew no such limits, can
//! still be opened, started, stopped and destroyed.

use serde_json::Value;

use crate::catalog::{self, needs};
use crate::error::{Error, Result};
use crate::model::{Check, Options, Spec};
use crate::providers::Provider;

/// Refuses sizes that are too small for a database; with `recorded`, only those that differ from it.
///
/// # Errors
/// Exit code 2, with the flag that the size comes from.
pub(super) fn check(provider: &Provider, spec: &Spec, recorded: Option<&Spec>) -> Result<()> {
    if catalog::is_rehearsal(&spec.db_version) {
        return Ok(());
    }
    // A rehearsal's sizes are new for a database.
    let recorded = recorded.filter(|recorded| !catalog::is_rehearsal(&recorded.db_version));
    let before = recorded.and_then(|recorded| memory_mb(provider, recorded, &Options::new()));
    let memory = memory_mb(provider, spec, &Options::new());
    if let Some(mb) = memory.filter(|mb| *mb < needs::MEMORY_MB && before != Some(*mb)) {
        let (flag, value) = source(provider, spec, mb);
        return Err(too_small(flag, value, needs::MEMORY_MB / 1024, "of memory a node", spec));
    }
    let root = spec.root_volume_size;
    let chosen = !provider.has_fixed_root_disk();
    if chosen && root < needs::ROOT_DISK_GB && recorded.is_none_or(|recorded| recorded.root_volume_size != root) {
        let least = u64::from(needs::ROOT_DISK_GB);
        let what = format!("on a root disk, {} GB of them free for the installation", needs::HOME_FREE_GB);
        return Err(too_small("--root-volume-size".into(), root.to_string(), least, &what, spec));
    }
    Ok(())
}

fn too_small(flag: String, value: String, least: u64, of_what: &str, spec: &Spec) -> Error {
    let problem = format!(
        "is too small: {} needs {least} GB or more {of_what}; smaller nodes are for --db-version rehearsal",
        spec.db_version
    );
    Error::invalid(flag, value, problem)
}

/// The same for whoever wants every finding at once.
pub(super) fn refusal(provider: &Provider, spec: &Spec) -> Option<Check> {
    let error = check(provider, spec, None).err()?;
    Some(Check::failed("database_size", "sizes for a database", error.to_string()))
}

/// A warning where a database may start, but with less memory than Exasol wants for it.
pub(super) fn warning(provider: &Provider, spec: &Spec, facts: &Options) -> Option<Check> {
    if catalog::is_rehearsal(&spec.db_version) {
        return None;
    }
    let mb = memory_mb(provider, spec, facts).filter(|mb| *mb < needs::ENOUGH_MEMORY_MB)?;
    let detail = format!(
        "{} GB per node: a database may start with {} GB, but Exasol's guides ask for {} GB or more; a database with \
        too little memory stays at stage c. {} gives it more",
        mb / 1024,
        needs::MEMORY_MB / 1024,
        needs::ENOUGH_MEMORY_MB / 1024,
        more(provider, spec),
    );
    Some(Check::warning("database_memory", "memory for a database", detail))
}

/// As a warning of its own.
pub(super) fn text(check: &Check) -> String {
    format!("{}: {}", check.title, check.detail)
}

/// None for a machine type that the catalogue does not know, and for what other checks refuse.
fn memory_mb(provider: &Provider, spec: &Spec, facts: &Options) -> Option<u64> {
    (provider.size)(spec, facts).ok().flatten().map(|size| size.memory_mb)
}

/// Of providers that let people choose it freely.
const MEMORY: &str = "memory";

/// Where the memory comes from: (flag, value).
fn source(provider: &Provider, spec: &Spec, mb: u64) -> (String, String) {
    match (provider.flag(MEMORY), spec.options.get(MEMORY).and_then(Value::as_u64), &spec.instance_type) {
        (Some(flag), Some(gb), _) => (flag, gb.to_string()),
        (_, _, Some(name)) => ("--instance-type".into(), name.clone()),
        (flag, _, None) => (flag.unwrap_or_else(|| "--instance-type".into()), (mb / 1024).to_string()),
    }
}

/// What to say for enough: the words of a command line.
fn more(provider: &Provider, spec: &Spec) -> String {
    if let Some(flag) = provider.flag(MEMORY) {
        return format!("{flag} {}", needs::ENOUGH_MEMORY_MB / 1024);
    }
    let of = |name: &str| catalog::instance_type(&spec.provider, name);
    let arch = catalog::of_spec(spec).map_or("x86_64", |version| version.arch.as_str());
    let types = catalog::instance_types(&spec.provider);
    let is_enough =
        |name: &&String| of(name).is_some_and(|t| t.arch == arch && t.size.memory_mb >= needs::ENOUGH_MEMORY_MB);
    match types.iter().find(is_enough) {
        Some(name) => format!("--instance-type {name}"),
        None => "another --instance-type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers;

    fn spec(provider: &str, db_version: &str, options: Value) -> Spec {
        serde_json::from_value(serde_json::json!({
            "provider": provider, "cluster_size": 1, "db_version": db_version, "data_volume_size": 100,
            "data_volumes_per_node": 1, "root_volume_size": 50, "options": if options.is_null() { serde_json::json!({}) } else { options },
        }))
        .unwrap()
    }

    fn libvirt(memory: u64, root: u32) -> Spec {
        let spec = spec("libvirt", "exasol-2025.1.8", serde_json::json!({"memory": memory}));
        Spec { root_volume_size: root, ..spec }
    }

    fn refused(spec: &Spec, recorded: Option<&Spec>) -> Option<String> {
        check(providers::find(&spec.provider).unwrap(), spec, recorded).err().map(|error| {
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        })
    }

    fn warned(spec: &Spec) -> Option<String> {
        warning(providers::find(&spec.provider).unwrap(), spec, &Options::new()).map(|check| check.detail)
    }

    #[test]
    fn a_database_gets_four_gb_and_thirty_of_disk_at_least() {
        let text = refused(&libvirt(3, 50), None).unwrap();
        assert!(text.starts_with("--libvirt-memory: '3' is too small: exasol-2025.1.8 needs 4 GB or more"), "{text}");
        assert!(text.contains("--db-version rehearsal"));
        let text = refused(&libvirt(4, 29), None).unwrap();
        assert!(text.starts_with("--root-volume-size: '29' is too small: exasol-2025.1.8 needs 30 GB"), "{text}");
        assert_eq!(refused(&libvirt(4, 30), None), None);
        let provider = providers::find("libvirt").unwrap();
        assert_eq!(refusal(provider, &libvirt(4, 30)), None);
        assert_eq!(refusal(provider, &libvirt(4, 29)).map(|check| check.detail), Some(text));
        let rehearsal = Spec { db_version: "rehearsal".into(), ..libvirt(1, 5) };
        assert_eq!((refused(&rehearsal, None), warned(&rehearsal)), (None, None));
    }

    #[test]
    fn what_is_recorded_is_not_refused_again_but_no_new_small_value_is_taken() {
        let small = libvirt(2, 10);
        assert_eq!(refused(&small, Some(&small)), None);
        assert!(refused(&libvirt(3, 10), Some(&small)).unwrap().contains("--libvirt-memory: '3'"));
        assert!(refused(&libvirt(2, 20), Some(&small)).unwrap().contains("--root-volume-size: '20'"));
        assert_eq!(refused(&libvirt(8, 10), Some(&small)), None);
        let rehearsal = Spec { db_version: "rehearsal".into(), ..small.clone() };
        assert!(refused(&small, Some(&rehearsal)).unwrap().contains("--libvirt-memory"));
        assert!(warned(&small).unwrap().starts_with("2 GB per node"));
    }

    #[test]
    fn below_eight_is_warned_of_with_the_words_that_give_more() {
        assert!(warned(&libvirt(4, 50)).unwrap().ends_with("--libvirt-memory 8 gives it more"));
        assert!(warned(&libvirt(7, 50)).is_some());
        assert_eq!(warned(&libvirt(8, 50)), None);
        let small = Spec { instance_type: Some("cx23".into()), ..spec("hetzner", "exasol-2025.1.8", Value::Null) };
        let text = warned(&small).unwrap();
        assert!(text.starts_with("4 GB per node") && text.contains("--instance-type ccx13 gives"), "{text}");
        let arm =
            Spec { db_version: "exasol-2025.2.0-arm64dev.1".into(), instance_type: Some("cax11".into()), ..small };
        assert!(warned(&arm).unwrap().contains("--instance-type cax21"), "{:?}", warned(&arm));
    }

    #[test]
    fn the_root_disk_of_a_machine_type_is_not_refused() {
        let spec = Spec { root_volume_size: 5, ..spec("hetzner", "exasol-2025.1.8", Value::Null) };
        assert_eq!(refused(&spec, None), None);
    }

    #[test]
    fn nothing_is_said_of_a_type_that_the_catalogue_does_not_know() {
        let options = serde_json::json!({"allow_unlisted": true});
        let spec = Spec { instance_type: Some("cx99".into()), ..spec("hetzner", "exasol-2025.1.8", options) };
        assert_eq!((refused(&spec, None), warned(&spec)), (None, None));
    }

    #[test]
    fn no_machine_of_the_catalogue_is_too_small() {
        for provider in providers::ALL {
            for name in catalog::instance_types(provider.name) {
                let size = catalog::instance_type(provider.name, &name).unwrap().size;
                assert!(size.memory_mb >= needs::MEMORY_MB, "{} {name}", provider.name);
            }
        }
    }
}
