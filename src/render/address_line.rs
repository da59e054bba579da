//! Every boot ends with a line on the serial console that says which address the node got.
//!
//! On a bridge whose DHCP server is not ours this is how the deployer learns it, through the
//! hypervisor and without a network of its own there; elsewhere it tells that the boot is over.

use super::guest_file::GuestFile;

/// `exasol-address: n11 192.168.1.7`
const PREFIX: &str = "exasol-address:";

/// cloud-init runs what is in this folder at the end of every boot.
const PATH: &str = "/var/lib/cloud/scripts/per-boot/exasol-address";

pub fn script(node: &str) -> GuestFile {
    GuestFile::root(PATH, SCRIPT.replace("@NODE@", node).replace("@PREFIX@", PREFIX)).mode(0o755)
}

// With several addresses the one that the default route uses counts; 192.0.2.1 is a documentation
// address that nobody has, and asking for the route to it sends nothing.
const SCRIPT: &str = r#"#!/bin/sh
# Tells the node's address on the console.
address=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
[ -n "$address" ] || address=$(ip -4 -o address show scope global | sed -n '1s/.* inet \([0-9.]*\).*/\1/p')
printf '\n%s %s %s\n' '@PREFIX@' '@NODE@' "$address" >/dev/console
"#;
