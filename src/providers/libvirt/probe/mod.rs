//! Tiny machines that are started to see what works, instead of looking at settings.
//!
//! Each is transient and ends together with the connection at the latest; the volumes of one are
//! removed here. Those of one that was killed are removed by `destroy`, where it was a deployment's, and
//! by later ones.

mod disk;
mod kvm;
mod trial;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use super::options::DomainType;
use crate::model::DeploymentId;

pub(super) use kvm::{Kvm, kvm, kvm_alone};
pub(super) use trial::{Disk, Lease, Trial, lately, mac, run};

/// How often a probe is looked at.
const PAUSE: Duration = Duration::from_millis(20);

const PREFIX: &str = "exasol-probe-";

/// A name that nobody else has: process ids repeat, between containers at the same time.
fn name() -> String {
    format!("{PREFIX}{:016x}", RandomState::new().build_hasher().finish())
}

/// What the names of its volumes begin with: a deployment's with its id, so that `destroy` knows them.
fn volumes_of(name: &str, id: Option<&DeploymentId>) -> String {
    match (id, name.strip_prefix("exasol-")) {
        (Some(id), Some(rest)) => id.named(rest),
        _ => name.to_owned(),
    }
}

/// A PC whose firmware is told to reboot at once where it finds nothing to boot (`rebootTimeout='0'`), and which ends
/// when it reboots: it ends by itself as soon as guest code has run. Other machines have no such firmware, and are
/// only started.
fn xml(name: &str, domain_type: DomainType, architecture: &str, devices: &str) -> String {
    let firmware = if architecture == "x86_64" { "<bios rebootTimeout='0'/>" } else { "" };
    format!(
        "<domain type='{}'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>\
         <os><type arch='{architecture}'>hvm</type>{firmware}</os><cpu mode='{}'/>\
         <on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>\
         <devices><controller type='usb' model='none'/><memballoon model='none'/>{devices}</devices></domain>",
        domain_type.as_str(),
        domain_type.cpu_mode()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PROBE_VOLUMES;

    #[test]
    fn probes_of_one_process_id_do_not_meet() {
        let [one, other] = [name(), name()];
        assert!(one.starts_with("exasol-probe-") && one != other, "{one} {other}");
    }

    #[test]
    fn what_a_killed_probe_leaves_is_its_deployment_s() {
        let id = DeploymentId::from_random([0, 1, 0xab, 0xff]);
        let name = name();
        for volume in PROBE_VOLUMES {
            assert!(id.owns(&format!("{}{volume}", volumes_of(&name, Some(&id)))), "{name} {volume}");
        }
        assert_eq!(volumes_of(&name, None), name);
    }
}
