//! What prepare-node.sh and install-cluster.sh need to know, as shell variables. Every value is
//! made by machines: no quoting could be forgotten here.

use super::ansible::{AnsibleInput, RELEASE_DIR};
use super::guest_file::GuestFile;
use super::{USER, disks};
use crate::model::Node;

pub fn node_conf(me: &Node, input: &AnsibleInput) -> GuestFile {
    let release = &input.release;
    let lines = [
        ("DEPLOYMENT", input.id.to_string()),
        ("NODE", me.plan.name.clone()),
        ("NODES", input.nodes.len().to_string()),
        ("FIRST", yes_no(me.plan.index == 0)),
        ("LOGIN", USER.to_owned()),
        ("REHEARSAL", yes_no(release.rehearsal)),
        ("INSTALLED", yes_no(input.installed)),
        ("SERIES", series(release.working_copy)),
        ("MDNS", yes_no(input.welcome_packages && !input.on_a_cloud)),
        // Exasol's Lakehouse Turbo runs its engine in it.
        ("PODMAN", yes_no(input.welcome_packages && !release.rehearsal)),
        // A disk tells a hypervisor's machine who it is at its first boot, and goes.
        ("SEEDED", yes_no(!input.on_a_cloud)),
        ("DISKS", format!("'{}'", disks::expected(me))),
        ("RELEASE", RELEASE_DIR.to_owned()),
        ("ARCHIVE", release.archive_file.to_owned()),
        ("ARCHIVE_SHA256", release.archive_sha256.to_owned()),
        ("C4_SHA256", release.c4_sha256.to_owned()),
    ];
    let text: String = lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    GuestFile::root("/etc/exasol-deployer/node.conf", text)
}

/// `2025.1` of `@exasol-2025.1.8`; empty where it has no such number.
fn series(working_copy: &str) -> String {
    let number = working_copy.trim_start_matches("@exasol-");
    let parts: Vec<_> = number.split('.').take(2).collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() == 2 && parts.iter().all(is_number) { parts.join(".") } else { String::new() }
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::series;

    #[test]
    fn a_series_is_two_numbers() {
        assert_eq!(series("@exasol-2025.1.8"), "2025.1");
        assert_eq!(series("@exasol-2025.2.0-arm64dev.1"), "2025.2");
        for other in ["@exasol-rehearsal", "", "@exasol-2025.1;reboot", "@exasol-2025"] {
            assert_eq!(series(other), "", "{other}");
        }
    }
}
