//! One open connection to libvirt.

use super::client::{Client, Fault};
use super::reach;
use super::site::Site;
use crate::error::Result;
use crate::model::Spec;

/// The connection, where it leads, and what the deployment asks for.
pub(super) struct Libvirt {
    pub client: Client,
    pub site: Site,
    pub spec: Spec,
}

/// Names of pools and networks, for the options that take one.
pub(super) fn existing(key: &str, uri: Option<&str>) -> Result<Vec<String>> {
    let client = || reach::open(&Site::given(uri, None)?.uri);
    let asking = |fault: Fault| fault.during("asking what there is");
    let names = match key {
        "pool" => client()?.active_pools().map_err(asking)?.into_iter().map(|pool| pool.name).collect(),
        "network" => client()?.networks().map_err(asking)?.into_iter().map(|network| network.name).collect(),
        _ => Vec::new(),
    };
    Ok(names)
}

impl Libvirt {
    pub fn open(spec: &Spec) -> Result<Self> {
        let site = Site::of(spec)?;
        Ok(Self { client: reach::open(&site.uri)?, site, spec: spec.clone() })
    }
}
