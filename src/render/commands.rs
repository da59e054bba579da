//! Commands that the deployer runs on a node over SSH, as one line for a POSIX shell.

/// Prints the SHA-256 of the certificate that the node's SQL port shows, 64 lower-case hex digits,
/// as read on the node itself. Exit code 1 and nothing while nobody listens.
pub const CERTIFICATE_FINGERPRINT: &str = "openssl s_client -connect 127.0.0.1:8563 </dev/null 2>/dev/null | \
     openssl x509 -noout -fingerprint -sha256 2>/dev/null | sed -n 's/.*=//p' | tr -d : | tr A-F a-f | grep .";

/// Prints the host keys of the node's COS, one `ssh-ed25519 AAAA…` a line. The connection does not
/// leave the node, so they are as trustworthy as the node itself.
pub const COS_HOST_KEYS: &str =
    "ssh-keyscan -T 5 -p 20002 127.0.0.1 2>/dev/null | sed -n 's/^[^# ][^ ]* \\(.* .*\\)$/\\1/p'";
