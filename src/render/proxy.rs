//! The deployer's proxy, for the package managers of the nodes.

use super::guest_file::GuestFile;

/// What nodes are told of the proxies that this machine uses.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// (name in lower case, value) of variables: one line each, whatever is in them.
    pub variables: Vec<(&'static str, String)>,
    /// Why others are of no use on a node: one line each, without secrets.
    pub withheld: Vec<String>,
}

/// `packages.sh` reads it line by line; no shell evaluates it. It may hold a password: for root alone.
pub fn file(proxies: &Proxies) -> GuestFile {
    let remarks = proxies.withheld.iter().map(|text| format!("# {text}\n"));
    let variables = proxies.variables.iter().map(|(name, value)| format!("{name}={value}\n"));
    GuestFile::root("/etc/exasol-deployer/proxy", remarks.chain(variables).collect::<String>()).mode(0o600)
}
