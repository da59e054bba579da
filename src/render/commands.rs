//! Commands that the deployer runs on a node over SSH, as one line for a POSIX shell.

/// Prints the host keys of the node's COS, one `ssh-ed25519 AAAA…` a line. The connection does not
/// leave the node, so they are as trustworthy as the node itself.
pub const COS_HOST_KEYS: &str =
    "ssh-keyscan -T 5 -p 20002 127.0.0.1 2>/dev/null | sed -n 's/^[^# ][^ ]* \\(.* .*\\)$/\\1/p'";
