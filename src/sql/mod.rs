//! A small client for Exasol's WebSocket protocol: login, statements, certificate fingerprint.
//!
//! Belongs here: what goes over the SQL port. Does not belong here: printing results, asking people.
//! It exists because no Rust client can pin a certificate's fingerprint, and the certificate of
//! a new cluster is self-signed: pinning is the only check that there is.
//!
//! The protocol is the one of github.com/exasol/websocket-api (version 3: Exasol 7.1 and later):
//! TLS from the first byte, an RFC 6455 upgrade, then one JSON object a message, question and
//! answer in turn. Whatever a server answers becomes an [`Error`](crate::error::Error), never a
//! panic, and every wait has a limit.

mod confidential;
mod deadline;
mod fault;
mod login;
mod probe;
mod protocol;
mod rows;
mod session;
mod statements;
mod tls;
mod tunnel;
mod wire;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use std::fmt;

pub use confidential::may_hold_password;
pub use login::ServerInfo;
pub use probe::{accepts_logins, fingerprint, lets_in};
pub use session::Session;
pub use statements::{Open, Split, split, with_end_mark};
pub use tunnel::{Stream, Tunnel};

/// A node's SQL port, and the certificate that it must show.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// SHA-256 of the server's own certificate in DER form: 64 hex digits, no colons.
    /// None: any certificate will do, and [`Session::fingerprint`] tells which one it was.
    pub fingerprint: Option<String>,
    /// How bytes get there; None: by a TCP connection to host and port.
    pub tunnel: Option<Tunnel>,
}

/// `n11:8563`, `[fe80::1]:8563`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
