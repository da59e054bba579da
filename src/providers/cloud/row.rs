//! A cloud's row in the table of providers, as most clouds have it. A cloud's own file says what differs.

use super::{Cloud, Target, preflight, tfvars};
use crate::model::Options;
use crate::providers::{Place, Provider, Resources};

/// The row of a cloud without options of its own: its size is that of the machine type, and what [`Target::of`] refuses
/// is refused.
pub(in crate::providers) const fn row(
    name: &'static str,
    title: &'static str,
    cloud: Cloud,
    resources: Resources,
) -> Provider {
    Provider {
        name,
        title,
        templates: |name| vec!["cloud".to_owned(), format!("terraform-{name}")],
        options: &[],
        size: |spec, _| Ok(Target::of(spec, &Options::new())?.listed.map(|listed| listed.size)),
        validate: |spec| Target::of(spec, &Options::new()).map(drop),
        preflight,
        tfvars: |input| tfvars(input, &Target::of(input.spec, input.facts)?),
        resources,
        disk_link: None,
        place: Place::Cloud(cloud),
    }
}
