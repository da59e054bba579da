//! One open connection to libvirt.

use super::client::Client;
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

impl Libvirt {
    pub fn open(spec: &Spec) -> Result<Self> {
        let site = Site::of(spec)?;
        Ok(Self { client: reach::open(&site.uri)?, site, spec: spec.clone() })
    }
}
