//! What cloud-init reads at a node's first boot: a small FAT disk with the label `cidata`, which its data
//! source NoCloud looks for. Made here, so that no program has to be installed for it, and put into the
//! pool for its owner alone, since a host key and a password's hash are in it. It goes as soon as the first
//! boot is proven.
//!
//! <https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html>

use std::io::{Cursor, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use serde_json::json;

use super::client::{Access, Answer, Client, Fault, FaultKind, Upload};
use super::connection::Libvirt;
use super::definition;
use crate::error::{Error, Result};
use crate::model::{NodePlan, Power};

const LABEL: &[u8; 11] = b"cidata     ";
/// Beside the content: tables, folder, and room for whole clusters.
const OVERHEAD: usize = 256 * 1024;
const MIB: usize = 1024 * 1024;

/// A guest lets a disk go in milliseconds; one that is busy or has no driver for it, not at all.
const DETACH_LIMIT: Duration = Duration::from_secs(20);
const DETACH_POLL: Duration = Duration::from_millis(100);

/// The seed's volume; the template has the same name.
pub(super) fn name(machine: &str) -> String {
    format!("{machine}-seed.img")
}

/// What earlier versions had Terraform make, with everything in it.
fn former_name(machine: &str) -> String {
    format!("{machine}-cloudinit.iso")
}

/// Whether a volume of that name is a seed, of this version or an earlier one.
pub(super) fn is_seed(volume: &str) -> bool {
    volume.ends_with("-seed.img") || volume.ends_with("-cloudinit.iso")
}

/// Puts a seed into the pool for a machine that is about to be made; one that is there is made anew.
pub(super) fn provide(host: &Libvirt, node: &NodePlan, user_data: &str) -> Result<()> {
    let Libvirt { client, site, .. } = host;
    let doing = format!("put the cloud-init disk of {} into storage pool '{}'", node.machine, site.pool);
    let image = image(node, user_data).map_err(Error::io(doing.clone()))?;
    put(client, &site.pool, &name(&node.machine), &image).map_err(|f| f.during(doing))
}

fn put(client: &Client, pool: &str, volume: &str, image: &[u8]) -> Answer<()> {
    client.delete_volume(pool, volume)?;
    let length = image.len() as u64;
    client.create_raw_volume(pool, volume, length, Access::Private)?;
    match client.upload(pool, volume, &mut &*image, length, &mut |_, _| true)? {
        Upload::Complete { .. } => Ok(()),
        Upload::GivenUp => Err(Fault { kind: FaultKind::Other, message: "the upload was given up".into() }),
    }
}

/// The machine's only network card asks for an address by its MAC. By default systemd-networkd (under netplan: on Ubuntu and
/// Debian) asks by a number derived from /etc/machine-id, and an image that has such a number gives all its
/// machines the same: a DHCP server then gives their address to one of them only. Other DHCP clients leave out what they do
/// not know. A card without `set-name` would be called what its key here is, by some renderers only.
///
/// <https://docs.cloud-init.io/en/latest/reference/network-config-format-v2.html>
fn network_config(node: &NodePlan) -> String {
    const CARD: &str = "eth0";
    let card = json!({
        "match": { "macaddress": node.mac },
        "set-name": CARD,
        "dhcp4": true,
        "dhcp-identifier": "mac",
    });
    json!({ "version": 2, "ethernets": { CARD: card } }).to_string()
}

/// The disk's bytes. The same content gives the same bytes.
fn image(node: &NodePlan, user_data: &str) -> std::io::Result<Vec<u8>> {
    let meta_data = json!({ "instance-id": node.machine, "local-hostname": node.name }).to_string();
    let network_config = network_config(node);
    let size = (user_data.len() + meta_data.len() + OVERHEAD).next_multiple_of(MIB);
    let mut disk = vec![0; size];
    format_volume(Cursor::new(&mut disk), FormatVolumeOptions::new().volume_label(*LABEL))?;
    let files = FileSystem::new(Cursor::new(&mut disk), FsOptions::new())?;
    let texts = [user_data, &meta_data, &network_config];
    for (name, text) in ["user-data", "meta-data", "network-config"].into_iter().zip(texts) {
        let mut file = files.root_dir().create_file(name)?;
        file.write_all(text.as_bytes())?;
        file.flush()?;
    }
    files.unmount()?;
    Ok(disk)
}

/// Whether a machine has a seed still, or its pool has one of it.
pub(super) fn is_there(Libvirt { client, site, .. }: &Libvirt, node: &NodePlan) -> Result<bool> {
    let there = |name: String| client.volume(&site.pool, &name).map(|volume| volume.is_some());
    let asked = there(name(&node.machine)).and_then(|there_now| Ok(there_now || there(former_name(&node.machine))?));
    asked.map_err(|f| f.during(format!("look for the cloud-init disk of {}", node.machine)))
}

/// Takes the seed away: from the definition, from the machine that runs, from the pool. False: the guest
/// does not let go of it now, so it stays in the pool until the machine has been switched off and on.
pub(super) fn remove(Libvirt { client, site, .. }: &Libvirt, node: &NodePlan) -> Result<bool> {
    take_away(client, &site.pool, &node.machine)
        .map_err(|f| f.during(format!("remove the cloud-init disk of {}", node.machine)))
}

fn take_away(client: &Client, pool: &str, machine: &str) -> Answer<bool> {
    if let Some(xml) = client.definition(machine)?
        && let Some(without) = definition::without_disks(&xml, &is_seed)
    {
        client.define(&without)?;
    }
    let runs = matches!(client.power(machine)?, Power::Running | Power::Paused);
    if runs && !unplug(client, machine)? {
        return Ok(false);
    }
    for volume in [name(machine), former_name(machine)] {
        client.delete_volume(pool, &volume)?;
    }
    Ok(true)
}

/// From a machine that runs, with the guest's help. False: it does not give any.
fn unplug(client: &Client, machine: &str) -> Answer<bool> {
    let attached = || -> Answer<_> { Ok(definition::disks(&client.live_definition(machine)?, &is_seed)) };
    for disk in attached()? {
        match client.detach(machine, &disk) {
            // Asked for before, and not done yet.
            Err(fault) if fault.kind == FaultKind::Other => {}
            answer => answer?,
        }
    }
    let since = Instant::now();
    while !attached()?.is_empty() {
        if since.elapsed() >= DETACH_LIMIT {
            return Ok(false);
        }
        sleep(DETACH_POLL);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::model::{DeploymentId, Spec};

    fn node() -> NodePlan {
        let spec: Spec = serde_json::from_value(serde_json::json!({
            "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 2, "options": {},
        }))
        .unwrap();
        NodePlan::all(&DeploymentId::from_random([1, 2, 3, 4]), &spec).swap_remove(0)
    }

    #[test]
    fn the_disk_has_the_label_and_the_files_that_cloud_init_looks_for() {
        for length in [0, 10, 5000, 3 << 20] {
            let user_data = format!("#cloud-config\n{}", "ä".repeat(length));
            let image = image(&node(), &user_data).unwrap();
            assert_eq!(image.len() % MIB, 0);
            let files = FileSystem::new(Cursor::new(image.clone()), FsOptions::new()).unwrap();
            assert_eq!(files.volume_label(), "cidata");
            assert_eq!(files.read_volume_label_from_root_dir().unwrap().unwrap(), "cidata");
            let read = |name: &str| {
                let mut text = String::new();
                files.root_dir().open_file(name).unwrap().read_to_string(&mut text).unwrap();
                text
            };
            assert!(read("user-data") == user_data);
            assert_eq!(read("meta-data"), r#"{"instance-id":"exasol-01020304-n11","local-hostname":"n11"}"#);
            let mac = node().mac;
            assert_eq!(
                read("network-config"),
                format!(
                    r#"{{"version":2,"ethernets":{{"eth0":{{"match":{{"macaddress":"{mac}"}},"set-name":"eth0","dhcp4":true,"dhcp-identifier":"mac"}}}}}}"#
                )
            );
            assert!(image == super::image(&node(), &user_data).unwrap(), "the same bytes every time");
        }
    }

    #[test]
    fn seeds_are_known_by_their_names() {
        let machine = node().machine;
        assert!(is_seed(&name(&machine)) && is_seed(&former_name(&machine)));
        assert!(!is_seed(&format!("{machine}-root.qcow2")) && !is_seed(&format!("{machine}-data-01.qcow2")));
    }
}
