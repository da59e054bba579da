use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::words::words;

/// What the hypervisor says of one of the deployment's machines, now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Machine {
    /// The node's name (n11), without the deployment's prefix.
    pub node: String,
    pub power: Power,
    /// Newest first; empty while none is known.
    pub addresses: Vec<IpAddr>,
    /// Why nothing reaches it although it runs, where that can be seen: it is cut off from its network.
    pub unplugged: Option<String>,
    /// Why it is paused, where the hypervisor tells; with what has to be done before it can go on.
    pub halted: Option<String>,
}

impl Machine {
    /// "paused: its disk … got an I/O error"
    pub fn state(&self) -> String {
        let why = self.halted.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        format!("{}{why}", self.power.as_str())
    }

    /// One of which nothing but its power is known.
    pub fn with_power(node: &str, power: Power) -> Self {
        Self { node: node.to_owned(), power, addresses: Vec::new(), unplugged: None, halted: None }
    }
}

words! {
    #[derive(Deserialize)]
    pub enum Power {
        Running = "running",
        Off = "off",
        Paused = "paused",
        Crashed = "crashed",
        /// The machine should exist, but it does not.
        Missing = "missing",
        /// Nothing has been made yet, or everything was removed.
        Absent = "absent",
        /// The hypervisor did not answer.
        Unknown = "unknown",
    }
}

impl Power {
    /// It exists and does not run: `start` switches it on.
    pub fn is_at_rest(self) -> bool {
        matches!(self, Power::Off | Power::Paused | Power::Crashed)
    }
}
