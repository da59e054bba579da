//! The calls that switch machines.

use serde_json::Value;

use super::identity::authorization;
use crate::model::{Body, HttpCall, Power};
use crate::providers::cloud::{PowerApi, Switch};

/// Of the calls that switch machines.
const API_VERSION: &str = "2024-03-01";

pub(super) const POWER: PowerApi = PowerApi {
    endpoint: ("AZURE_RESOURCE_MANAGER_URL", "https://management.azure.com"),
    authorization,
    switch,
    prove: |endpoint, credentials| {
        let subscription = credentials.value("ARM_SUBSCRIPTION_ID").unwrap_or_default();
        HttpCall::get(format!("{endpoint}/subscriptions/{subscription}?api-version=2022-12-01"))
    },
    ask: |endpoint, machine| HttpCall::get(format!("{endpoint}{machine}/instanceView?api-version={API_VERSION}")),
    state,
};

/// Never "powerOff": that machine would still be billed.
fn switch(endpoint: &str, machine: &str, to: Switch) -> HttpCall {
    let action = to.word("start", "deallocate");
    HttpCall::post(format!("{endpoint}{machine}/{action}?api-version={API_VERSION}"), Body::Empty)
}

/// A machine that is merely stopped counts as unknown: it is off, but billed.
fn state(answer: &Value) -> Power {
    let codes = answer["statuses"].as_array().into_iter().flatten().filter_map(|s| s["code"].as_str());
    match codes.filter_map(|code| code.strip_prefix("PowerState/")).next() {
        Some("running") => Power::Running,
        Some("deallocated") => Power::Off,
        _ => Power::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn power() {
        let machine = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m";
        let url = format!("https://e{machine}/deallocate?api-version={API_VERSION}");
        assert_eq!(switch("https://e", machine, Switch::Off), HttpCall::post(url, Body::Empty));
        let answer = |code: &str| json!({"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": code}]});
        assert_eq!(state(&answer("PowerState/running")), Power::Running);
        assert_eq!(state(&answer("PowerState/deallocated")), Power::Off);
        assert_eq!(state(&answer("PowerState/stopped")), Power::Unknown);
        assert_eq!(state(&json!({})), Power::Unknown);
    }
}
