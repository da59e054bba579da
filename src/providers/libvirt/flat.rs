//! A copy of a machine's root disk that stands on no base image, for whoever keeps it.

use std::fs::File;

use super::client::Upload;
use super::connection::Libvirt;
use crate::error::{Error, Result};
use crate::model::NodePlan;
use crate::providers::UploadProgress;

/// As the template names it.
fn root(machine: &str) -> String {
    format!("{machine}-root.qcow2")
}

/// It has the mark of the machine: whatever removes the machine's volumes removes it too.
fn copy(machine: &str) -> String {
    format!("{machine}-root.flat.qcow2")
}

/// Of a machine that is off. A copy that is there already is made anew.
pub(super) fn make(Libvirt { client, site, .. }: &Libvirt, node: &NodePlan) -> Result<()> {
    let (root, copy) = (root(&node.machine), copy(&node.machine));
    let made = client.delete_volume(&site.pool, &copy).and_then(|_| client.flatten_volume(&site.pool, &root, &copy));
    made.map_err(|f| f.during(format!("copy volume {root} in storage pool '{}'", site.pool)))
}

/// Writes the copy into a local file, and returns its SHA-256, lower-case hex.
pub(super) fn download(host: &Libvirt, node: &NodePlan, to: &mut File, progress: UploadProgress<'_>) -> Result<String> {
    let Libvirt { client, site, .. } = host;
    let copy = copy(&node.machine);
    let during = format!("download volume {copy} from storage pool '{}'", site.pool);
    match client.download(&site.pool, &copy, to, progress).map_err(|f| f.during(&during))? {
        Upload::Complete { sha256 } => Ok(sha256),
        Upload::GivenUp => Err(Error::other(format!("{during}: given up"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeploymentId;

    #[test]
    fn the_copy_goes_with_its_machine() {
        let id = DeploymentId::from_random([1, 2, 3, 4]);
        assert!(id.owns(&copy(&id.named("n11"))) && id.owns(&root(&id.named("n11"))));
        assert!(include_str!("../../../templates/terraform-libvirt/main.tf.tera").contains("}-root.qcow2"));
    }
}
