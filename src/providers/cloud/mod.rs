//! What all clouds share: where credentials come from, region and machine type, addresses, Terraform's variables.
//!
//! Belongs here: what two clouds need. Does not belong here: a cloud's name, and anything that asks
//! a cloud (Terraform does, or `ops` sends the calls that a row describes).

mod credentials;
mod options;
mod power;
mod preflight;
mod row;
mod target;
mod tfvars;

#[cfg(test)]
pub(super) mod testing;

pub use credentials::{CredentialInput, Credentials};
pub use power::{Authorization, PowerApi, PowerControl, Switch, TerraformPower};

pub(super) use credentials::{Found, InFile, malformed, missing, search};
pub use options::OPTIONS;
pub(super) use preflight::preflight;
pub(super) use row::row;
pub(super) use target::{Target, at_least, at_most, owner_within, region_option};
pub(super) use tfvars::{relabel_owner, tfvars};

use crate::model::{Check, Options, SecretDef, Spec};

/// What is paid for and where: "machine type m5.large in eu-west-1". `facts`: as for [`Target::of`].
pub fn type_and_place(spec: &Spec, facts: &Options) -> crate::error::Result<String> {
    let target = Target::of(spec, facts)?;
    Ok(format!("machine type {} in {}", target.instance_type, target.region))
}

/// What only clouds have.
pub struct Cloud {
    /// Secrets that can be given on the command line.
    pub secrets: &'static [SecretDef],
    /// Finds the credentials: typed ones first, then the environment, then the cloud's own files.
    /// Err is the failed check: exit code 4 where there are none, 2 where they cannot be right.
    pub credentials: fn(&CredentialInput) -> Result<Credentials, Check>,
    pub power: PowerControl,
    /// How a person finds what any deployment has in the account, by its own command line. The last line names the mark.
    pub find: &'static [&'static str],
    /// What is still paid for while the machines are off, for people.
    pub when_off: &'static str,
    /// The cloud's network passes neither broadcasts nor multicasts: its nodes always get an overlay.
    pub always_overlay: bool,
    /// The root disk is as big as the machine type says.
    pub fixed_root_disk: bool,
}

impl Cloud {
    /// A cloud like most: no secrets on the command line, a network that passes broadcasts, a root disk of any size,
    /// and nothing but the disks costs money while the machines are off.
    pub(super) const fn new(
        credentials: fn(&CredentialInput) -> Result<Credentials, Check>,
        power: PowerControl,
    ) -> Self {
        Self {
            secrets: &[],
            credentials,
            power,
            find: &[],
            when_off: "the disks",
            always_overlay: false,
            fixed_root_disk: false,
        }
    }
}
