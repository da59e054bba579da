//! Who switches a cloud's machines, and how.

use serde_json::Value;

use super::Credentials;
use crate::model::{HttpCall, Power};

/// How machines are switched on and off.
pub enum PowerControl {
    /// Terraform's variable `power` ("running", "stopped"): the provider calls the real start and stop, and waits.
    Terraform(TerraformPower),
    /// The cloud's own API: its Terraform provider cannot.
    Api(PowerApi),
}

impl PowerControl {
    /// `attribute`: a resource of Terraform's and its attribute that tells how the machine is; `words`: what it says of
    /// a machine that runs, and of one that is off.
    pub(in crate::providers) const fn by_terraform(
        attribute: (&'static str, &'static str),
        words: (&'static str, &'static str),
    ) -> Self {
        Self::Terraform(TerraformPower {
            resource: attribute.0,
            attribute: attribute.1,
            running: words.0,
            off: words.1,
        })
    }
}

/// Where Terraform's state tells how a machine is, and in which words.
pub struct TerraformPower {
    /// With the node's name as its index: `aws_ec2_instance_state`.
    pub resource: &'static str,
    pub attribute: &'static str,
    /// The attribute's value while the machine runs.
    pub running: &'static str,
    /// Its value while the machine is off.
    pub off: &'static str,
}

/// One call a machine. Machines are named as Terraform's output `machine_ids` has them.
pub struct PowerApi {
    /// The variable that names another endpoint (as the cloud's own tools know it), and the endpoint itself.
    pub endpoint: (&'static str, &'static str),
    /// `Authorization: Bearer …` of every call.
    pub authorization: fn(&Credentials) -> Option<Authorization>,
    /// Endpoint, machine, what to do.
    pub switch: fn(&str, &str, Switch) -> HttpCall,
    /// Endpoint and machine: asks how it is.
    pub ask: fn(&str, &str) -> HttpCall,
    /// Endpoint and credentials: a question that only a valid account may ask, and that changes nothing.
    pub prove: fn(&str, &Credentials) -> HttpCall,
    /// What the answer to `ask` means. `Off` only if it is as off as `switch` makes it.
    pub state: fn(&Value) -> Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

impl Switch {
    /// The cloud's word for it.
    pub(in crate::providers) fn word(self, on: &'static str, off: &'static str) -> &'static str {
        match self {
            Switch::On => on,
            Switch::Off => off,
        }
    }
}

/// Where the token of a call comes from.
pub enum Authorization {
    Token(String),
    /// A call whose answer has it.
    Call(HttpCall, fn(&Value) -> Option<String>),
    /// A program that prints JSON with it.
    Program(&'static str, Vec<String>, fn(&Value) -> Option<String>),
}

impl Authorization {
    /// The token that Terraform's provider gets in this variable.
    pub(in crate::providers) fn token(credentials: &Credentials, variable: &str) -> Option<Self> {
        credentials.value(variable).map(|token| Self::Token(token.to_owned()))
    }
}
