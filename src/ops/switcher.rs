//! Who switches a deployment's machines on and off.

use super::host::HostConnection;
use crate::model::Spec;
use crate::providers::cloud::{PowerApi, PowerControl, TerraformPower};
use crate::providers::{Place, Provider};
use crate::signal::Interrupt;

#[derive(Clone)]
pub(super) enum Switcher {
    /// The hypervisor's own library.
    Host(HostConnection),
    /// The cloud's API.
    Api(&'static PowerApi),
    /// The cloud's Terraform provider.
    Terraform(&'static TerraformPower),
}

impl Switcher {
    pub(super) fn of(provider: &'static Provider, spec: &Spec, interrupt: &Interrupt) -> Self {
        match &provider.place {
            Place::Hypervisor(row) => Self::Host(HostConnection::new(row, spec, interrupt)),
            Place::Cloud(cloud) => match &cloud.power {
                PowerControl::Api(api) => Self::Api(api),
                PowerControl::Terraform(power) => Self::Terraform(power),
            },
        }
    }

    pub(super) fn host(&self) -> Option<&HostConnection> {
        match self {
            Self::Host(host) => Some(host),
            Self::Api(_) | Self::Terraform(_) => None,
        }
    }
}
