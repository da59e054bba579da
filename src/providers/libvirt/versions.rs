//! The versions of libvirt and of what is behind it, as far as they can be had.

use super::client::{Client, library_version};
use super::options::OPTIONS;
use super::site::DEFAULT_URI;
use super::uri::Uri;
use crate::model::Component;

const LIBRARY: &str = "libvirt library";
const DAEMON: &str = "libvirt daemon";

/// The library here; daemon and emulator at the address that is used if none is named.
pub(super) fn versions() -> Vec<Component> {
    let library = match library_version() {
        Ok(version) => Component::found(LIBRARY, dotted(version)),
        Err(fault) => return vec![Component::missing(LIBRARY, format!("not found ({fault})"))],
    };
    let address = named_address().unwrap_or_else(|| DEFAULT_URI.to_owned());
    let Some(uri) = Uri::parse(&address) else {
        return vec![library, Component::missing(DAEMON, format!("{address} is not a libvirt address"))];
    };
    let client = match Client::open(&uri.to_connect()) {
        Ok(client) => client,
        Err(fault) => return vec![library, Component::missing(DAEMON, format!("{address}: {fault}"))],
    };
    let answered = |name: &str, version| match version {
        Ok(version) => Component::found(name, dotted(version)).remark(address.clone()),
        Err(fault) => Component::missing(name, format!("{address}: {fault}")),
    };
    let driver = client.driver().unwrap_or_else(|_| "hypervisor".into());
    vec![library, answered(DAEMON, client.daemon_version()), answered(&driver, client.driver_version())]
}

/// As the option --libvirt-uri finds it in the environment.
fn named_address() -> Option<String> {
    let uri = OPTIONS.iter().find(|option| option.key == "uri")?;
    let value = uri.variables().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    value.split_whitespace().next().map(str::to_owned)
}

/// libvirt packs major, minor and release into one number, a thousand each.
fn dotted(version: u32) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_version_is_three_numbers() {
        assert_eq!(dotted(9_000_000), "9.0.0");
        assert_eq!(dotted(8_002_011), "8.2.11");
    }
}
