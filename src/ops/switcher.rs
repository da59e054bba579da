//! Who switches a deployment's machines on and off.

use super::hosts::Hosts;
use crate::model::Spec;
use crate::providers::cloud::{PowerApi, PowerControl, TerraformPower};
use crate::providers::{Place, Provider};
use crate::signal::Interrupt;

#[derive(Clone)]
pub(super) enum Switcher {
    /// The hypervisor's own library.
    Host(Hosts),
    /// The cloud's API.
    Api(&'static PowerApi),
    /// The cloud's Terraform provider.
    Terraform(&'static TerraformPower),
}

impl Switcher {
    pub(super) fn of(provider: &'static Provider, spec: &Spec, interrupt: &Interrupt) -> Self {
        match &provider.place {
            Place::Hypervisor(row) => Self::Host(Hosts::new(row, spec, interrupt)),
            Place::Cloud(cloud) => match &cloud.power {
                PowerControl::Api(api) => Self::Api(api),
                PowerControl::Terraform(power) => Self::Terraform(power),
            },
        }
    }

    pub(super) fn hosts(&self) -> Option<&Hosts> {
        match self {
            Self::Host(host) => Some(host),
            Self::Api(_) | Self::Terraform(_) => None,
        }
    }
}
