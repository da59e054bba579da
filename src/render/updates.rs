//! The system's own updates leave a running database alone.
//!
//! Ubuntu 24.04 restarts services whose libraries were replaced, early in the morning and by itself: needrestart is
//! part of its server images, and runs after unattended-upgrades. A database whose units restart under it loses its
//! sessions, and a cluster whose nodes do so at different times may stay down.

use super::guest_file::GuestFile;

/// Files that needrestart and unattended-upgrades read where they are installed; on other systems nobody does.
pub fn files() -> [GuestFile; 2] {
    [needrestart(), unattended_upgrades()]
}

/// needrestart (3.5 to 3.8: Ubuntu 22.04 and 24.04, Debian 12 and 13) evaluates `conf.d/*.conf` as Perl after its own
/// settings. A service whose name matches a pattern with 0 is named, and not restarted.
fn needrestart() -> GuestFile {
    GuestFile::root(
        "/etc/needrestart/conf.d/60-exasol.conf",
        "\
# Exasol's services are restarted by `exasol stop` and `exasol start`, never by an update of the system.
$nrconf{override_rc}{qr(^c4)} = 0;
$nrconf{override_rc}{qr(^exa)} = 0;
",
    )
}

/// Read after Debian's and Ubuntu's own 50unattended-upgrades, before a 99local of somebody else's.
fn unattended_upgrades() -> GuestFile {
    GuestFile::root(
        "/etc/apt/apt.conf.d/60exasol",
        "\
// A node of a database restarts when somebody says so: `exasol stop`, `exasol start`.
Unattended-Upgrade::Automatic-Reboot \"false\";
Unattended-Upgrade::InstallOnShutdown \"false\";
",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // tests/ansible/test_updates.py has Perl and apt read them.
    #[test]
    fn what_needrestart_reads() {
        insta::assert_snapshot!(needrestart().content);
    }

    #[test]
    fn what_unattended_upgrades_reads() {
        insta::assert_snapshot!(unattended_upgrades().content);
    }
}
