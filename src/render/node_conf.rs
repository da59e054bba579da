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
        ("DISKS", format!("'{}'", disks::expected(me))),
        ("RELEASE", RELEASE_DIR.to_owned()),
        ("ARCHIVE", release.archive_file.to_owned()),
        ("ARCHIVE_SHA256", release.archive_sha256.to_owned()),
        ("C4_SHA256", release.c4_sha256.to_owned()),
    ];
    let text: String = lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    GuestFile::root("/etc/exasol-deployer/node.conf", text)
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
