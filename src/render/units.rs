//! systemd units and drop-ins of ours.

use super::disks::device_unit;
use super::guest_file::GuestFile;
use crate::model::NodePlan;

/// c4's main unit is ordered after network.target only; it needs addresses and the data disks.
/// `Wants`, not `Requires`: a lost disk is then reported by Exasol, which knows more about it.
/// The drop-in may lie there before c4 brings its unit.
pub fn c4_ordering(node: &NodePlan) -> GuestFile {
    let disks: Vec<_> = node.disks.iter().map(device_unit).collect();
    let needs = format!("network-online.target {}", disks.join(" "));
    GuestFile::root(
        "/etc/systemd/system/c4_cloud_command.service.d/10-exasol-data.conf",
        format!("[Unit]\nWants={needs}\nAfter={needs}\n"),
    )
}

/// What `systemctl enable exasol-firewall` would make.
pub const FIREWALL_ENABLED: (&str, &str) =
    ("/etc/systemd/system/multi-user.target.wants/exasol-firewall.service", "../exasol-firewall.service");

/// What `systemctl enable exasol-overlay` would make.
pub const OVERLAY_ENABLED: (&str, &str) =
    ("/etc/systemd/system/multi-user.target.wants/exasol-overlay.service", "../exasol-overlay.service");

/// Makes the overlay network at boot, before Exasol's services look for the other nodes.
pub fn overlay() -> GuestFile {
    GuestFile::root(
        "/etc/systemd/system/exasol-overlay.service",
        "\
[Unit]
Description=Exasol: network between the nodes (VXLAN)
Wants=network-online.target
After=network-online.target
Before=c4_cloud_command.service c4.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/exasol-deployer/overlay.sh up
ExecStop=/usr/local/lib/exasol-deployer/overlay.sh down

[Install]
WantedBy=multi-user.target
",
    )
}

/// Loads the kept rules. What the machine's owner has laid beside them may be refused (it names a device that is not
/// there yet): then they are loaded without it, since a refused file would leave every port open.
/// `firewall.sh` does the same.
const LOAD_FIREWALL: &str = "/bin/sh -c '/usr/sbin/nft -f /etc/exasol-deployer/firewall.nft || \
                             sed \"/^ *include /d\" /etc/exasol-deployer/firewall.nft | /usr/sbin/nft -f -'";

/// Loads the firewall at boot, before there is a network. Nothing is done at its stop: a machine that goes
/// down opens no ports. A reload changes nothing if something is refused, and says so.
pub fn firewall() -> GuestFile {
    GuestFile::root(
        "/etc/systemd/system/exasol-firewall.service",
        format!(
            "\
[Unit]
Description=Exasol: closes the machine's ports to strangers
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=local-fs.target nftables.service
Conflicts=shutdown.target
ConditionPathExists=/etc/exasol-deployer/firewall.nft

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={LOAD_FIREWALL}
ExecReload=/usr/sbin/nft -f /etc/exasol-deployer/firewall.nft

[Install]
WantedBy=multi-user.target
"
        ),
    )
}

/// The system's own unit flushes all rules when it starts, is reloaded, and stops: ours come back.
pub fn nftables() -> GuestFile {
    let load = LOAD_FIREWALL;
    GuestFile::root(
        "/etc/systemd/system/nftables.service.d/10-exasol.conf",
        format!("[Service]\nExecStartPost=-{load}\nExecReload=-{load}\nExecStopPost=-{load}\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // tests/ansible/test_firewall.py runs its command.
    #[test]
    fn the_firewall_s_unit() {
        insta::assert_snapshot!(firewall().content);
    }

    #[test]
    fn the_system_s_own_unit_brings_the_same_rules_back() {
        assert_eq!(nftables().content.matches(&format!("=-{LOAD_FIREWALL}\n")).count(), 3);
    }
}
