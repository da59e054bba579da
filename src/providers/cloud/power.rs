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

/// Where Terraform's state tells how a machine is, and in which words.
pub struct TerraformPower {
    /// With the node's name as its index: `aws_ec2_instance_state`.
    pub resource: &'static str,
    pub attribute: &'static str,
    pub running: &'static [&'static str],
    pub off: &'static [&'static str],
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
    /// What the answer to `ask` means. `Off` only if it is as off as `switch` makes it.
    pub state: fn(&Value) -> Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

/// Where the token comes from.
pub enum Authorization {
    Token(String),
    /// A call whose answer has it.
    Call(HttpCall, fn(&Value) -> Option<String>),
    /// A program that prints JSON with it.
    Program(&'static str, Vec<String>, fn(&Value) -> Option<String>),
}
