//! Data disks get their names from their identity: `/dev/exadata_01` is the same disk after a
//! reboot and in whatever order disks were attached.

use super::guest_file::GuestFile;
use crate::model::{DataDisk, NodePlan};

/// c4 gets these paths, the same list on every node.
pub fn device(disk: &DataDisk) -> String {
    format!("/dev/exadata_{:02}", disk.number)
}

/// The name under which Exasol's own tools make such links.
fn alias(disk: &DataDisk) -> String {
    format!("exasol_data_{:02}", disk.number)
}

/// The udev rules. After 60-persistent-storage.rules, which finds out `ID_WWN`.
pub fn udev_rules(node: &NodePlan) -> GuestFile {
    let mut rules =
        String::from("# Exasol's data disks, by world wide name. Whole disks only: partitions inherit it.\n");
    for disk in &node.disks {
        rules += &format!(
            "ACTION!=\"remove\", SUBSYSTEM==\"block\", ENV{{DEVTYPE}}==\"disk\", ENV{{ID_WWN}}==\"0x{}\", \
             SYMLINK+=\"exadata_{:02} {}\"\n",
            disk.wwn,
            disk.number,
            alias(disk)
        );
    }
    GuestFile::root("/etc/udev/rules.d/69-exasol-data.rules", rules)
}

/// The disks as one word each for prepare-node.sh: `/dev/exadata_01:5000…:107374182400`.
pub fn expected(node: &NodePlan) -> String {
    let bytes = |disk: &DataDisk| u64::from(disk.size_gb) << 30;
    let words: Vec<_> = node.disks.iter().map(|d| format!("{}:{}:{}", device(d), d.wwn, bytes(d))).collect();
    words.join(" ")
}

/// systemd's name of the unit for a disk's link.
pub fn device_unit(disk: &DataDisk) -> String {
    format!("dev-exadata_{:02}.device", disk.number)
}
