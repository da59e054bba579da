//! Making what the preflight missed, when the user has agreed.

use super::client::Client;
use crate::error::{Error, Result};

/// Where distributions put the pool `default`.
pub(super) const POOL_DIRECTORY: &str = "/var/lib/libvirt/images";
pub(super) const DEFAULT_NETWORK_NAME: &str = "default";

/// libvirt's own definition of `default` (share/libvirt/networks/default.xml).
const DEFAULT_NETWORK_XML: &str = "<network><name>default</name><bridge name='virbr0'/><forward/>\
    <ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>\
    <range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>";

/// Something that a check called creatable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    Pool(String),
    Network(String),
}

impl Missing {
    pub fn to_token(&self) -> String {
        match self {
            Missing::Pool(name) => format!("pool:{name}"),
            Missing::Network(name) => format!("network:{name}"),
        }
    }

    fn from_token(token: &str) -> Option<Self> {
        match token.split_once(':')? {
            ("pool", name) => Some(Missing::Pool(name.to_owned())),
            ("network", name) => Some(Missing::Network(name.to_owned())),
            _ => None,
        }
    }
}

/// Makes or starts it, for every boot; says what was done.
pub(super) fn create_missing(client: &Client, token: &str) -> Result<String> {
    let missing = Missing::from_token(token).ok_or_else(|| Error::other(format!("cannot create '{token}'")))?;
    match missing {
        Missing::Pool(name) => pool(client, &name),
        Missing::Network(name) => network(client, &name),
    }
}

fn pool(client: &Client, name: &str) -> Result<String> {
    let during = format!("start storage pool '{name}'");
    if let Some(pool) = client.pool(name).map_err(|f| f.during(&during))? {
        client.start_pool(name).map_err(|f| f.during(&during))?;
        return Ok(said(pool.active, &format!("storage pool '{name}'")));
    }
    client
        .create_directory_pool(name, POOL_DIRECTORY)
        .map_err(|f| f.during(format!("create storage pool '{name}'")))?;
    Ok(format!("created storage pool '{name}' in {POOL_DIRECTORY}"))
}

fn network(client: &Client, name: &str) -> Result<String> {
    let during = format!("start network '{name}'");
    let defined = client.network(name).map_err(|f| f.during(&during))?;
    if defined.is_none() {
        if name != DEFAULT_NETWORK_NAME {
            return Err(Error::other(format!("there is no network '{name}' to start")));
        }
        client.define_network(DEFAULT_NETWORK_XML).map_err(|f| f.during("define network 'default'"))?;
    }
    client.start_network(name).map_err(|f| f.during(&during))?;
    let what = format!("network '{name}'");
    Ok(defined.map_or_else(|| format!("created {what}"), |network| said(network.active, &what)))
}

fn said(was_active: bool, what: &str) -> String {
    if was_active { format!("{what} starts with its host from now on") } else { format!("started {what}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        for missing in [Missing::Pool("a:b".into()), Missing::Network("default".into())] {
            assert_eq!(Missing::from_token(&missing.to_token()), Some(missing));
        }
        assert_eq!(Missing::from_token("nonsense"), None);
    }
}
