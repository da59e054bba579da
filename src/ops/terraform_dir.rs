//! What Terraform's state file says, read without starting Terraform.

use std::collections::BTreeSet;
use std::path::Path;

use crate::deployment::{DeploymentDir, Kept};
use crate::model::{TerraformInstance, TerraformResource, TerraformState, in_dir, is_namesake, quote};

enum File {
    /// Missing, or empty: Terraform truncates the file before it writes the first state.
    Absent,
    Unreadable,
    State(TerraformState),
}

fn read(file: &Path) -> File {
    // To open a pipe would wait for another process.
    if file.metadata().is_ok_and(|there| !there.is_file()) {
        return File::Unreadable;
    }
    match std::fs::read(file) {
        Ok(text) if text.trim_ascii().is_empty() => File::Absent,
        Ok(text) => TerraformState::parse(&text).map_or(File::Unreadable, File::State),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => File::Absent,
        Err(_) => File::Unreadable,
    }
}

fn current(terraform_dir: &Path) -> File {
    read(&terraform_dir.join("terraform.tfstate"))
}

/// Addresses of everything that Terraform has made: `libvirt_domain.node["n11"]`.
/// Empty when there is no state; None when there is one that cannot be read.
pub(super) fn resources(terraform_dir: &Path) -> Option<Vec<String>> {
    match current(terraform_dir) {
        File::Absent => Some(Vec::new()),
        File::Unreadable => None,
        File::State(state) => Some(state.addresses()),
    }
}

/// Why the state file does not tell what exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It is there, and is no state that we can read.
    Unreadable,
    /// Terraform could not write its last state there, and left it in `errored.tfstate`.
    Errored,
    /// It is gone or empty, although something was made.
    Lost,
}

impl Doubt {
    pub(super) fn text(self) -> &'static str {
        match self {
            Doubt::Unreadable => "terraform/terraform.tfstate cannot be read",
            Doubt::Errored => "terraform/errored.tfstate has what terraform/terraform.tfstate lacks",
            Doubt::Lost => "terraform/terraform.tfstate is gone or empty, although something was made",
        }
    }
}

/// None: what the state file tells is what exists.
pub(super) fn doubt(dir: &DeploymentDir) -> Option<Doubt> {
    let state = dir.state();
    doubt_in(&dir.terraform_dir(), state.made_something || !state.nodes.is_empty())
}

fn doubt_in(terraform_dir: &Path, made_something: bool) -> Option<Doubt> {
    let state = current(terraform_dir);
    let is_newer = match (read(&terraform_dir.join("errored.tfstate")), &state) {
        (File::Absent, _) => false,
        // `state push` leaves the file where it was.
        (File::State(errored), File::State(state)) => errored.serial > state.serial,
        _ => true,
    };
    match state {
        File::Unreadable => Some(Doubt::Unreadable),
        _ if is_newer => Some(Doubt::Errored),
        File::Absent if made_something => Some(Doubt::Lost),
        File::Absent => match read(&terraform_dir.join("terraform.tfstate.backup")) {
            File::Absent => None,
            File::State(before) if before.resources.is_empty() => None,
            _ => Some(Doubt::Lost),
        },
        File::State(_) => None,
    }
}

/// What makes the state tell again what exists.
pub(super) fn mend(dir: &DeploymentDir, doubt: Doubt) -> String {
    let folder = dir.terraform_dir();
    let folder = folder.to_string_lossy();
    match doubt {
        Doubt::Errored => format!(
            "let Terraform take it over: {} -chdir={} state push errored.tfstate",
            dir.state().engine.as_deref().unwrap_or("terraform"),
            quote(&folder)
        ),
        Doubt::Unreadable | Doubt::Lost if dir.has_copy(Kept::Terraform) => {
            format!("put the newest sound copy in its place: {}", in_dir("exasol state repair", dir.named()))
        }
        Doubt::Unreadable | Doubt::Lost => {
            format!("put it back from a backup: {}", quote(&format!("{folder}/terraform.tfstate")))
        }
    }
}

/// Addresses of what Terraform has made of these types; none where its state cannot be read.
pub(super) fn of_types(terraform_dir: &Path, types: &[&str]) -> Vec<String> {
    let mut known = resources(terraform_dir).unwrap_or_default();
    known.retain(|address| types.iter().any(|kind| is_of(address, kind)));
    known
}

fn is_of(address: &str, kind: &str) -> bool {
    let resource = address.split('[').next().unwrap_or_default();
    match kind.split_once('.') {
        Some(_) => is_namesake(resource, kind),
        None => resource.strip_prefix(kind).is_some_and(|rest| rest.starts_with('.')),
    }
}

/// Whether Terraform has made anything of these types (`libvirt_domain`, `libvirt_volume.root`). It may
/// have where its state cannot be read.
pub(super) fn has_any(terraform_dir: &Path, types: &[&str]) -> bool {
    let has = |known: Vec<String>| known.iter().any(|address| types.iter().any(|kind| is_of(address, kind)));
    resources(terraform_dir).is_none_or(has)
}

/// The `name` attributes of everything that Terraform has made: how the provider calls it. As
/// [`resources`], None when the state cannot be read.
pub(super) fn names(terraform_dir: &Path) -> Option<BTreeSet<String>> {
    match current(terraform_dir) {
        File::Absent => Some(BTreeSet::new()),
        File::Unreadable => None,
        File::State(state) => {
            let instances = state.resources.into_iter().flat_map(|r| r.instances);
            Some(instances.filter_map(TerraformInstance::into_name).collect())
        }
    }
}

/// Whether OpenTofu wrote the state: its registry is part of every provider's address.
pub(super) fn is_of_tofu(terraform_dir: &Path) -> bool {
    let is_tofus = |r: &TerraformResource| r.provider.contains("registry.opentofu.org/");
    matches!(current(terraform_dir), File::State(state) if state.resources.iter().any(is_tofus))
}

/// For a failure: what has been created so far, for people. `machine` is Terraform's type of a machine; those of the
/// nodes in `missing` were seen not to be there.
pub(super) fn what_exists(dir: &DeploymentDir, machine: &str, missing: &[String]) -> String {
    if let Some(doubt) = doubt(dir) {
        return doubt.text().into();
    }
    match resources(&dir.terraform_dir()) {
        None => Doubt::Unreadable.text().into(),
        Some(some) => told(&there(some, machine, missing), machine),
    }
}

fn there(mut addresses: Vec<String>, machine: &str, missing: &[String]) -> Vec<String> {
    let is_missing = |address: &str| missing.iter().any(|node| address.ends_with(&format!("[\"{node}\"]")));
    addresses.retain(|address| !is_of(address, machine) || !is_missing(address));
    addresses
}

fn told(addresses: &[String], machine: &str) -> String {
    let machines: Vec<_> = addresses.iter().filter(|address| is_of(address, machine)).collect();
    let keys: Vec<_> =
        machines.iter().filter_map(|address| Some(address.split_once("[\"")?.1.trim_end_matches("\"]"))).collect();
    let others = addresses.len() - machines.len();
    let things =
        |number: usize| if number == 1 { "1 other thing".to_owned() } else { format!("{number} other things") };
    let machines = match (keys.as_slice(), machines.len()) {
        (_, 0) if others == 0 => return "nothing".to_owned(),
        (_, 0) => return format!("no machine, {}", things(others)),
        ([one], 1) => format!("the machine of {one}"),
        (several, number) if several.len() == number => format!("the machines of {}", several.join(", ")),
        (_, 1) => "1 machine".to_owned(),
        (_, number) => format!("{number} machines"),
    };
    if others == 0 { machines } else { format!("{machines}, and {}", things(others)) }
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
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("terraform.tfstate"), text).unwrap();
        let found = resources(folder.path()).unwrap();
        assert_eq!(
            found,
            [r#"libvirt_domain.node["n11"]"#, r#"libvirt_domain.node["n12"]"#, "libvirt_network.own[0]", "k.k"]
        );
        const MACHINE: &str = "libvirt_domain";
        assert_eq!(told(&found, MACHINE), "the machines of n11, n12, and 2 other things");
        assert_eq!(told(&found[..1], MACHINE), "the machine of n11");
        assert_eq!(told(&found[3..], MACHINE), "no machine, 1 other thing");
        assert_eq!(told(&[], MACHINE), "nothing");
        let seen = there(found.clone(), MACHINE, &["n11".into(), "n12".into()]);
        assert_eq!(told(&seen, MACHINE), "no machine, 2 other things");
        let with_disk = [found[0].clone(), r#"libvirt_volume.root["n11"]"#.to_owned()];
        assert_eq!(told(&with_disk, MACHINE), "the machine of n11, and 1 other thing");
    }

    const SOME: &str =
        r#"{"version":4,"serial":7,"resources":[{"mode":"managed","type":"k","name":"k","instances":[{}]}]}"#;
    const NONE: &str = r#"{"version":4,"serial":8,"resources":[]}"#;

    #[test]
    fn only_a_state_that_can_be_read_tells_that_nothing_exists() {
        // State, errored state, backup, whether it is recorded that something was made; the doubt.
        let table = [
            ("", "", "", false, None),
            ("", "", "", true, Some(Doubt::Lost)),
            ("", "", SOME, false, Some(Doubt::Lost)),
            ("", "", NONE, false, None),
            ("", SOME, "", false, Some(Doubt::Errored)),
            (NONE, "", SOME, true, None),
            (NONE, SOME, SOME, true, None),
            (SOME, NONE, "", true, Some(Doubt::Errored)),
            (SOME, "", "", true, None),
            ("{", "", "", false, Some(Doubt::Unreadable)),
            ("{}", "", "", false, Some(Doubt::Unreadable)),
            (r#"{"version":4}"#, "", "", false, Some(Doubt::Unreadable)),
            (r#"{"serial":1,"lineage":"x","encrypted_data":"eA=="}"#, "", "", false, Some(Doubt::Unreadable)),
        ];
        for (state, errored, backup, made, expected) in table {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in
                [("terraform.tfstate", state), ("errored.tfstate", errored), ("terraform.tfstate.backup", backup)]
            {
                std::fs::write(folder.path().join(name), text).unwrap();
            }
            let told = format!("{state} {errored} {backup} {made}");
            assert_eq!(doubt_in(folder.path(), made), expected, "{told}");
            let unreadable = expected == Some(Doubt::Unreadable);
            assert_eq!((resources(folder.path()).is_none(), names(folder.path()).is_none()), (unreadable, unreadable));
        }
    }
}
