//! A cloud's row in the table of providers: what each cloud has to say, and the rest as most clouds have it.

use serde_json::{Map, Value};

use super::{Cloud, Target, preflight};
use crate::error::Result;
use crate::model::{NodeSize, OptionDef, Options, Spec};
use crate::providers::{Place, Provider, TfvarsInput};

/// As the fields of [`Provider`] with these names.
pub(in crate::providers) struct Row {
    pub name: &'static str,
    pub title: &'static str,
    pub templates: &'static [&'static str],
    pub options: &'static [OptionDef],
    pub machine_types: &'static [&'static str],
    pub disk_types: &'static [&'static str],
    pub permissions: &'static str,
    pub validate: fn(&Spec) -> Result<()>,
    pub tfvars: fn(&TfvarsInput) -> Result<Map<String, Value>>,
    pub cloud: Cloud,
}

pub(in crate::providers) const fn row(row: Row) -> Provider {
    Provider {
        name: row.name,
        title: row.title,
        templates: row.templates,
        options: row.options,
        size,
        validate: row.validate,
        preflight,
        tfvars: row.tfvars,
        machine_types: row.machine_types,
        disk_types: row.disk_types,
        frozen: &[],
        disk_link: None,
        permissions: row.permissions,
        place: Place::Cloud(row.cloud),
    }
}

/// By the machine type.
fn size(spec: &Spec, _: &Options) -> Result<Option<NodeSize>> {
    Ok(Target::of(spec, &Options::new())?.listed.map(|listed| listed.size))
}
