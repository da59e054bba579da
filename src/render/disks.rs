//! Data disks get their names from their identity: `/dev/exadata_01` is the same disk after a
//! reboot and in whatever order disks were attached.

use super::guest_file::GuestFile;
use crate::model::{DataDisk, Node, NodePlan};

/// c4 gets these paths, the same list on every node.
pub fn device(disk: &DataDisk) -> String {
    format!("/dev/exadata_{:02}", disk.number)
}

/// The name under which Exasol's own tools make such links.
fn alias(disk: &DataDisk) -> String {
    format!("exasol_data_{:02}", disk.number)
}

/// The udev rules. After all others: they look at the names that those have given (`SYMLINK==` matches
/// what an earlier rule added), and a cloud's own can be as late as `99-systemoci-persistent-names.rules`.
/// `links`: by disk, see [`Node::disk_links`].
pub fn udev_rules(node: &NodePlan, links: &[String]) -> GuestFile {
    let mut rules = String::from("# Exasol's data disks, by identity. Whole disks only: partitions have it too.\n");
    for (disk, link) in node.disks.iter().zip(links) {
        rules += &format!(
            "ACTION!=\"remove\", SUBSYSTEM==\"block\", ENV{{DEVTYPE}}==\"disk\", SYMLINK==\"{link}\", \
             SYMLINK+=\"exadata_{:02} {}\"\n",
            disk.number,
            alias(disk)
        );
    }
    GuestFile::root("/etc/udev/rules.d/99-zz-exasol-data.rules", rules)
}

/// The disks as one word each for prepare-node.sh: device, identity, least and most bytes, divided by
/// commas. Providers round sizes, and some count in powers of ten.
pub fn expected(node: &Node) -> String {
    let word = |(disk, link): (&DataDisk, &String)| {
        let gb = u64::from(disk.size_gb);
        format!("{},{link},{},{}", device(disk), gb * 1_000_000_000, (gb + 1) << 30)
    };
    node.plan.disks.iter().zip(&node.disk_links).map(word).collect::<Vec<_>>().join(" ")
}

/// systemd's name of the unit for a disk's link.
pub fn device_unit(disk: &DataDisk) -> String {
    format!("dev-exadata_{:02}.device", disk.number)
}
