//! The disk of a probe: a copy-on-write layer over a tiny base, made as the nodes' disks are.

use super::super::client::{Answer, Client, Volume};
use crate::model::{DeploymentId, PROBE_VOLUMES};

const BASE: &str = PROBE_VOLUMES[0];
const LAYER: &str = PROBE_VOLUMES[1];
/// A probe is over in less than a minute; one whose volumes are older than this was killed.
const LEFT_BEHIND_SECONDS: i64 = 1800;

/// Both volumes; removed with this.
pub(super) struct ProbeDisk<'a> {
    client: &'a Client,
    pool: &'a str,
    base: String,
    layer: String,
    /// Of the layer, on the hypervisor.
    pub path: String,
}

impl<'a> ProbeDisk<'a> {
    pub fn make(client: &'a Client, pool: &'a str, name: &str) -> Answer<Self> {
        let (base, layer) = (format!("{name}{BASE}"), format!("{name}{LAYER}"));
        let mut disk = Self { client, pool, base, layer, path: String::new() };
        let base = client.create_private_volume(pool, &disk.base)?;
        let layer = client.create_private_layer(pool, &disk.layer, &base.path)?;
        disk.path = layer.path.clone();
        disk.sweep(&layer);
        Ok(disk)
    }

    /// Volumes of probes that were killed. Ages are compared by the hypervisor's own clock.
    fn sweep(&self, ours: &Volume) {
        let volumes = self.client.volumes(self.pool).unwrap_or_default();
        for volume in volumes.iter().filter(|volume| is_left_behind(volume, ours.modified)) {
            // Another preflight may be at it as well.
            let _ = self.client.delete_volume(self.pool, &volume.name);
        }
    }
}

impl Drop for ProbeDisk<'_> {
    fn drop(&mut self) {
        for name in [&self.layer, &self.base] {
            // If it cannot be removed now, a later preflight does it.
            let _ = self.client.delete_volume(self.pool, name);
        }
    }
}

fn is_left_behind(volume: &Volume, now: Option<i64>) -> bool {
    let ours = DeploymentId::names_a_probe(&volume.name);
    let age = now.zip(volume.modified).map(|(now, modified)| now - modified);
    ours && age.is_some_and(|age| age > LEFT_BEHIND_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_volumes_of_probes_are_swept() {
        let volume = |name: &str, modified| Volume {
            pool: "p".into(),
            name: name.into(),
            path: String::new(),
            capacity: 0,
            allocation: 0,
            physical: None,
            backing: None,
            modified,
        };
        let gone = |name: &str, modified| is_left_behind(&volume(name, modified), Some(10_000));
        assert!(gone("exasol-probe-0123456789abcdef-base.img", Some(1000)));
        assert!(gone("exasol-probe-0123456789abcdef-disk.qcow2", Some(1000)));
        assert!(gone("exasol-1a2b3c4d-probe-0123456789abcdef-disk.qcow2", Some(1000)));
        assert!(!gone("exasol-mine-probe-0123456789abcdef-disk.qcow2", Some(1000)));
        assert!(!gone("exasol-probe-0123456789abcdef-disk.qcow2", Some(9000)));
        assert!(!gone("exasol-probe-0123456789abcdef-disk.qcow2", None));
        assert!(!gone("exasol-probe-mine-disk.qcow2", Some(1000)));
        assert!(!gone("exasol-probe-0123456789abcdef-notes.txt", Some(1000)));
        assert!(!gone("exasol-1a2b3c4d-n11-root.qcow2", Some(1000)));
        assert!(!is_left_behind(&volume("exasol-probe-0123456789abcdef-base.img", Some(1)), None));
    }
}
