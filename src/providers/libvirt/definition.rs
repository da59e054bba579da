//! What a domain's definition says that this version would not write so: mended as text. Pure.
//!
//! Earlier versions gave disks by pool and volume, for which libvirt's AppArmor helper writes a profile
//! without them (9.0 and 11.3), so that QEMU is denied its own disks; and a screen on a port of the
//! loopback, which every local user can open. Definitions are mended before a machine is switched on,
//! and under one that runs, for the next time that its host starts it.

use roxmltree::{Document, Node};

use super::xml_edit::Edits;
use crate::model::count;

const NO_SCREEN: &str = "no screen on a port";

/// What a domain shall have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub memory_kib: u64,
    pub vcpus: u64,
}

/// A definition that says it as this version does, and what is different in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mended {
    pub xml: String,
    /// For people: "memory 1024 MiB → 2048 MiB".
    pub changes: Vec<String>,
}

/// None: there is nothing to mend. `path` knows where the volume of a pool is; what it does not know
/// stays as it is.
pub(super) fn mend(
    xml: &str,
    size: Option<Size>,
    path: &mut dyn FnMut(&str, &str) -> Option<String>,
) -> Option<Mended> {
    let document = Document::parse(xml).ok()?;
    let domain = document.root_element();
    let mut edits = Edits::of(xml);
    let mut changes = Vec::new();
    let devices = child(domain, "devices");
    let disks = devices.iter().flat_map(|devices| children(*devices, "disk"));
    let by_path = disks.filter(|disk| by_path(*disk, path, &mut edits).is_some()).count();
    if by_path > 0 {
        changes.push(format!("{} given by path", count(by_path, "disk")));
    }
    for screen in devices.iter().flat_map(|devices| children(*devices, "graphics")).filter(|g| is_open(*g)) {
        edits.remove(screen);
        changes.push(NO_SCREEN.to_owned());
    }
    if let Some(size) = size {
        changes.extend(memory(domain, size.memory_kib, &mut edits));
        changes.extend(vcpus(domain, size.vcpus, &mut edits));
    }
    (!changes.is_empty()).then(|| Mended { xml: edits.done(), changes })
}

/// How a machine differs in what needs another one before there is a database on it.
pub(super) fn misfits(xml: &str, size: Size, wwns: &[&str]) -> Vec<String> {
    let mut differences = mend(xml, Some(size), &mut |_, _| None).map(|mended| mended.changes).unwrap_or_default();
    differences.retain(|change| change != NO_SCREEN);
    if let Ok(document) = Document::parse(xml) {
        let devices = child(document.root_element(), "devices");
        let disks = devices.into_iter().flat_map(|devices| children(devices, "disk"));
        let found: Vec<_> = disks.filter_map(|disk| child(disk, "wwn")?.text()).collect();
        if found != wwns {
            differences.push(format!("data disks: {} → {}", found.len(), wwns.len()));
        }
    }
    differences
}

/// Without the disks whose file or volume has such a name; None if there is none.
pub(super) fn without_disks(xml: &str, is_it: &dyn Fn(&str) -> bool) -> Option<String> {
    let document = Document::parse(xml).ok()?;
    let mut edits = Edits::of(xml);
    let found = found_disks(&document, is_it);
    found.iter().for_each(|disk| edits.remove(*disk));
    (!found.is_empty()).then(|| edits.done())
}

/// Those disks, each as it stands there.
pub(super) fn disks(xml: &str, is_it: &dyn Fn(&str) -> bool) -> Vec<String> {
    let Ok(document) = Document::parse(xml) else { return Vec::new() };
    found_disks(&document, is_it).iter().filter_map(|disk| xml.get(disk.range())).map(str::to_owned).collect()
}

fn found_disks<'a, 'i>(document: &'a Document<'i>, is_it: &dyn Fn(&str) -> bool) -> Vec<Node<'a, 'i>> {
    let devices = child(document.root_element(), "devices");
    let name = |disk: &Node<'a, 'i>| {
        let source = child(*disk, "source")?;
        let path = source.attribute("file").or_else(|| source.attribute("volume"))?;
        path.rsplit('/').next().map(str::to_owned)
    };
    let disks = devices.into_iter().flat_map(|devices| children(devices, "disk"));
    disks.filter(|disk| name(disk).is_some_and(|name| is_it(&name))).collect()
}

pub(super) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}

pub(super) fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// Makes a disk of a pool's volume one of a file. Everything else about it stays: its address is where
/// the guest finds it.
fn by_path(disk: Node, path: &mut dyn FnMut(&str, &str) -> Option<String>, edits: &mut Edits) -> Option<()> {
    let kind = disk.attribute_node("type").filter(|kind| kind.value() == "volume")?;
    let source = child(disk, "source")?;
    let (pool, volume) = (source.attribute_node("pool")?, source.attribute_node("volume")?);
    let file = path(pool.value(), volume.value())?;
    // Without its format QEMU guesses, and the helper does not look for what it is based on.
    child(disk, "driver")?.attribute("type")?;
    edits.replace(kind.range(), "type='file'");
    edits.replace(pool.range(), format!("file='{}'", super::client::escape(&file)));
    edits.replace(volume.range(), "");
    Some(())
}

/// The screen of earlier versions: VNC on the loopback, without a password. Another one is somebody's choice.
fn is_open(graphics: Node) -> bool {
    let listens = |address: Option<&str>| address.is_some_and(|address| address == "127.0.0.1");
    graphics.attribute("type") == Some("vnc")
        && graphics.attribute("passwd").is_none()
        && graphics.attribute("autoport") == Some("yes")
        && listens(child(graphics, "listen").and_then(|listen| listen.attribute("address")))
}

fn memory(domain: Node, wanted_kib: u64, edits: &mut Edits) -> Option<String> {
    let memory = child(domain, "memory")?;
    let now = kib(memory)?;
    // Whoever gave it slots for more has made it another machine.
    if now == wanted_kib || child(domain, "maxMemory").is_some() {
        return None;
    }
    for element in [Some(memory), child(domain, "currentMemory")].into_iter().flatten() {
        edits.replace(element.range(), format!("<{0} unit='KiB'>{wanted_kib}</{0}>", element.tag_name().name()));
    }
    Some(format!("memory {} MiB → {} MiB", now / 1024, wanted_kib / 1024))
}

/// libvirt itself always says KiB.
pub(super) fn kib(memory: Node) -> Option<u64> {
    let value: u64 = memory.text()?.trim().parse().ok()?;
    match memory.attribute("unit") {
        None | Some("KiB" | "k") => Some(value),
        Some("MiB" | "M") => value.checked_mul(1024),
        Some("GiB" | "G") => value.checked_mul(1024 * 1024),
        Some(_) => None,
    }
}

fn vcpus(domain: Node, wanted: u64, edits: &mut Edits) -> Option<String> {
    let vcpu = child(domain, "vcpu")?;
    let now: u64 = vcpu.text()?.trim().parse().ok()?;
    // A topology has a number of its own.
    if now == wanted || child(domain, "cpu").is_some_and(|cpu| child(cpu, "topology").is_some()) {
        return None;
    }
    edits.replace(vcpu.range(), format!("<vcpu placement='static'>{wanted}</vcpu>"));
    Some(format!("virtual processors: {now} → {wanted}"))
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
