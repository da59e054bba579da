//! One open connection to libvirt.

use super::client::Client;
use super::options::Options;
use super::reach;
use crate::error::Result;
use crate::model::Spec;

/// The connection, and what the deployment asks for.
pub(super) struct Libvirt {
    pub client: Client,
    pub options: Options,
    pub spec: Spec,
}

impl Libvirt {
    pub fn open(spec: &Spec) -> Result<Self> {
        let options = Options::from_spec(spec)?;
        Ok(Self { client: reach::open(&options.uri)?, options, spec: spec.clone() })
    }
}
