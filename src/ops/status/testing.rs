//! A node as tests of pure code need it.

use crate::model::{NodeStatus, Power, Probe};

/// `n11` with that power, whose SSH and SQL answer the same.
pub(super) fn node(vm: Power, probe: Probe) -> NodeStatus {
    NodeStatus {
        name: "n11".into(),
        vm,
        vm_reason: None,
        private_ip: None,
        public_ip: None,
        address_now: None,
        ssh: probe.clone(),
        sql: probe,
    }
}
