//! Definitions and disks of machines that exist, brought to what this version would have made, and to the
//! sizes that are asked for.

use super::client::{Answer, Client, Fault, Volume};
use super::connection::Libvirt;
use super::definition::{self, Size};
use super::facts::Facts;
use super::options::Options;
use crate::error::Result;
use crate::model::{NodePlan, Options as Map, Power, Spec};

const GB: u64 = 1 << 30;

/// What was mended, for people; nothing where all is right or there is no such machine. One that runs goes
/// on as it is until it is switched off and on; disks grow while it is off.
pub(super) fn mend(host: &Libvirt, facts: &Map, node: &NodePlan) -> Result<Vec<String>> {
    let Libvirt { client, site, spec } = host;
    let doing = |f: Fault| f.during(format!("bring the machine {} up to date", node.machine));
    let mut changes = redefine(client, node, size(&Options::from_spec(spec)?, facts)).map_err(doing)?;
    if client.power(&node.machine).map_err(doing)? == Power::Off {
        changes.extend(grow(client, &site.pool, spec, node).map_err(doing)?);
    }
    Ok(changes)
}

/// By what was recorded when the machine was made: a default that came later is not for it.
fn size(options: &Options, facts: &Map) -> Size {
    let size = options.size_with(Facts::from_map(facts).ok().as_ref());
    Size { memory_kib: size.memory_mb * 1024, vcpus: size.vcpus.into() }
}

fn redefine(client: &Client, node: &NodePlan, size: Size) -> Answer<Vec<String>> {
    let Some(xml) = client.definition(&node.machine)? else { return Ok(Vec::new()) };
    let mended = definition::mend(&xml, Some(size), &mut |pool, volume| path(client, pool, volume));
    let Some(mended) = mended else { return Ok(Vec::new()) };
    client.define(&mended.xml)?;
    Ok(mended.changes)
}

/// None for what cannot be found now: libvirt says better why the machine does not start then.
fn path(client: &Client, pool: &str, volume: &str) -> Option<String> {
    let volume = client.volume(pool, volume).ok().flatten()?;
    Some(volume.path).filter(|path| path.starts_with('/'))
}

/// A disk is never made smaller; one that is not there is for others to tell.
fn grow(client: &Client, pool: &str, spec: &Spec, node: &NodePlan) -> Answer<Vec<String>> {
    let machine = &node.machine;
    let root = ("root disk".to_owned(), root(node), u64::from(spec.root_volume_size));
    let data = node.disks.iter().map(|disk| {
        let name = format!("{machine}-data-{:02}", disk.number);
        (format!("data disk {}", disk.number), name, u64::from(disk.size_gb))
    });
    let mut changes = Vec::new();
    for (title, name, wanted_gb) in std::iter::once(root).chain(data) {
        let Some(volume) = disk(client, pool, &name)? else { continue };
        if volume.capacity < wanted_gb * GB {
            client.grow_volume(pool, &volume.name, wanted_gb * GB)?;
            changes.push(format!("{title} {} GB → {wanted_gb} GB", volume.capacity / GB));
        }
    }
    Ok(changes)
}

fn root(node: &NodePlan) -> String {
    format!("{}-root", node.machine)
}

/// What a disk's volume is called, and what earlier versions called it.
fn names(disk: &str) -> [String; 2] {
    [format!("{disk}.qcow2"), disk.to_owned()]
}

fn disk(client: &Client, pool: &str, name: &str) -> Answer<Option<Volume>> {
    for name in names(name) {
        if let Some(volume) = client.volume(pool, &name)? {
            return Ok(Some(volume));
        }
    }
    Ok(None)
}

/// What a machine that exists lacks of what is asked for, and Terraform leaves as it is; for people.
pub(super) fn misfits(host: &Libvirt, facts: &Map, node: &NodePlan) -> Result<Vec<String>> {
    let Libvirt { client, site, spec } = host;
    let doing = |f: Fault| f.during(format!("look at domain {}", node.machine));
    let Some(xml) = client.definition(&node.machine).map_err(doing)? else { return Ok(Vec::new()) };
    let wwns: Vec<_> = node.disks.iter().map(|disk| disk.wwn.as_str()).collect();
    let mut found = definition::misfits(&xml, size(&Options::from_spec(spec)?, facts), &wwns);
    let wanted_gb = u64::from(spec.root_volume_size);
    let volume = disk(client, &site.pool, &root(node)).map_err(doing)?;
    if let Some(volume) = volume.filter(|volume| volume.capacity != wanted_gb * GB) {
        found.push(format!("root disk {} GB → {wanted_gb} GB", volume.capacity / GB));
    }
    Ok(found)
}

/// Removes a machine with its root disk, for Terraform to make both anew.
pub(super) fn discard(Libvirt { client, site, .. }: &Libvirt, node: &NodePlan) -> Result<()> {
    let doing = |f: Fault| f.during(format!("remove the machine {}", node.machine));
    client.remove_domain(&node.machine).map_err(doing)?;
    for name in names(&root(node)) {
        client.delete_volume(&site.pool, &name).map_err(doing)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_emulated_machine_of_an_earlier_version_keeps_its_processors() {
        let vcpus = |given: serde_json::Value, default: serde_json::Value| {
            let spec = json!({
                "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
                "data_volumes_per_node": 1, "root_volume_size": 5, "options": given,
            });
            let facts = json!({
                "domain_type": "qemu", "cpu_mode": "maximum", "default_vcpus": default, "architecture": "x86_64",
                "uri": "qemu:///system", "own_network": false, "external_addresses": false,
            });
            let options = Options::from_spec(&serde_json::from_value(spec).unwrap()).unwrap();
            size(&options, &serde_json::from_value(facts).unwrap()).vcpus
        };
        assert_eq!(vcpus(json!({}), json!(null)), 2);
        assert_eq!(vcpus(json!({}), json!(1)), 1);
        assert_eq!(vcpus(json!({"vcpus": 3}), json!(1)), 3);
    }
}
