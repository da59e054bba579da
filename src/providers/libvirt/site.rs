//! Where a deployment is: the hypervisor and the storage pool.

use serde::Deserialize;

use super::uri::{Refused, Uri};
use crate::error::{Error, Result};
use crate::model::{Spec, shown_address};

pub(super) const DEFAULT_URI: &str = "qemu:///system";
pub(super) const DEFAULT_POOL: &str = "default";

/// All that is needed of a spec to find what exists, to switch it off and to remove it. The rest is not read for that:
/// it may name an instance type that is gone, or an option of a newer version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    pub uri: Uri,
    pub pool: String,
}

/// The option of hypervisors as a spec records it: one address as a text, several as a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Addresses {
    One(String),
    Several(Vec<String>),
}

impl Site {
    /// Of a spec that names one hypervisor, or of what a spec asks of one. Every error is one of exit code 2.
    pub fn of(spec: &Spec) -> Result<Self> {
        let mut all = Self::all(spec)?;
        match (all.pop(), all.len()) {
            (Some(site), 0) => Ok(site),
            _ => Err(Error::Usage {
                message: "--libvirt-uri: several hypervisors are named where one is asked".into(),
                hint: Some("name one of them: --libvirt-uri URI".into()),
            }),
        }
    }

    /// One for each hypervisor, in their order; at least one.
    pub fn all(spec: &Spec) -> Result<Vec<Self>> {
        #[derive(Deserialize)]
        struct Given {
            uri: Option<Addresses>,
            pool: Option<String>,
        }
        let given: Given = serde_json::to_value(&spec.options)
            .and_then(serde_json::from_value)
            .map_err(|e| Error::Usage { message: format!("libvirt options: {e}"), hint: None })?;
        Self::each(given.uri, given.pool.as_deref())
    }

    pub fn each(addresses: Option<Addresses>, pool: Option<&str>) -> Result<Vec<Self>> {
        match addresses {
            None => Ok(vec![Self::given(None, pool)?]),
            Some(Addresses::One(uri)) => Ok(vec![Self::given(Some(&uri), pool)?]),
            Some(Addresses::Several(all)) if all.is_empty() => {
                Err(Error::invalid("--libvirt-uri", "[]", "must name at least one hypervisor"))
            }
            Some(Addresses::Several(all)) => all.iter().map(|uri| Self::given(Some(uri), pool)).collect(),
        }
    }

    pub fn given(uri: Option<&str>, pool: Option<&str>) -> Result<Self> {
        Ok(Self {
            pool: named("--libvirt-pool", pool.unwrap_or(DEFAULT_POOL))?,
            uri: address(uri.unwrap_or(DEFAULT_URI))?,
        })
    }
}

fn address(value: &str) -> Result<Uri> {
    let flag = "--libvirt-uri";
    // It may hold a password.
    let shown = if value.contains('@') { shown_address(value) } else { value.to_owned() };
    let uri = Uri::parse(value).ok_or_else(|| {
        Error::invalid(flag, &shown, "must be an address such as qemu:///system or qemu+ssh://user@host/system")
    })?;
    match uri.check() {
        Ok(()) => Ok(uri),
        Err(Refused { why, instead }) => {
            Err(Error::Usage { message: format!("{flag}: '{shown}' cannot be used: {why}"), hint: Some(instead) })
        }
    }
}

/// Names of pools, networks and bridges: they go into file names on the hypervisor.
pub(super) fn named(flag: &str, value: &str) -> Result<String> {
    let ok =
        !value.is_empty() && !value.starts_with('-') && !value.contains('/') && !value.chars().any(char::is_control);
    if ok {
        Ok(value.to_owned())
    } else {
        Err(Error::invalid(flag, value, "must be a name without '/' that does not begin with '-'"))
    }
}
