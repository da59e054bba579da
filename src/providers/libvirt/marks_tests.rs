//! On libvirt's own mock driver, with a hypervisor that has things of two deployments among those of others.

use proptest::prelude::*;

use super::*;
use crate::model::{Power, Spec};
use crate::providers::Host;

const ID: &str = "exasol-0000000a";
const OTHER: &str = "exasol-0000000b";
/// What has a similar name and is nobody's of ours.
const SIMILAR: [&str; 9] = [
    "n11",
    "exasol-n11",
    "exasol-0000000a0-n11",
    "exasol-0000000A-n11",
    "my-exasol-0000000a-n11",
    "exasol-0000000a",
    "exasol-0000000a-backup",
    "exasol-0000000an11",
    "exasol-base-0000000a",
];

fn id(text: &str) -> DeploymentId {
    DeploymentId::try_from(text.to_owned()).unwrap()
}

fn domain(name: &str, mac: &str, devices: &str) -> String {
    format!(
        "<domain type='test'><name>{name}</name><memory>1024</memory><os><type>hvm</type></os><devices>{devices}\
         <interface type='network'><mac address='{mac}'/><source network='default'/></interface></devices></domain>"
    )
}

fn volume(name: &str) -> String {
    format!(
        "<volume type='file'><name>{name}</name><capacity>4096</capacity><allocation>512</allocation>\
         <target><path>/p/{name}</path></target></volume>"
    )
}

/// Things of both deployments, and of others all that is similar; a `rescue` with these devices.
fn hypervisor(rescue: &str) -> String {
    let mut text = String::from("<node>");
    for owner in [ID, OTHER] {
        text += &domain(&format!("{owner}-n11"), &id(owner).mac("n11"), "");
    }
    for (index, name) in SIMILAR.iter().enumerate() {
        text += &domain(name, &format!("52:54:00:00:00:{index:02x}"), "");
    }
    text += &domain("rescue", "52:54:00:00:01:00", rescue);
    text += "<network><name>default</name><bridge name='virbr0'/></network>";
    for (index, name) in SIMILAR.iter().chain(&[&*format!("{ID}-net"), &*format!("{OTHER}-net")]).enumerate() {
        text += &format!("<network><name>{name}</name><bridge name='br-{index}'/></network>");
    }
    for pool in ["default", "second"] {
        text += &format!("<pool type='dir'><name>{pool}</name><target><path>/{pool}</path></target>");
        let ours = [ID, OTHER].map(|owner| format!("{owner}-n11-root.{pool}"));
        let all = SIMILAR.iter().copied().chain(ours.iter().map(String::as_str));
        all.for_each(|name| text += &volume(name));
        text += "</pool>";
    }
    text + "</node>"
}

/// None where the client library is not on this machine.
fn open(rescue: &str) -> Option<(tempfile::TempDir, Libvirt)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.xml");
    std::fs::write(&file, hypervisor(rescue)).unwrap();
    let mut spec = Spec::sample("libvirt");
    spec.options.insert("uri".into(), format!("test://{}", file.display()).into());
    if crate::providers::libvirt::client::library_version().is_err() {
        return None;
    }
    Some((folder, Libvirt::open(&spec).unwrap()))
}

/// Everything that the hypervisor has, by name.
fn everything(host: &Libvirt) -> Vec<String> {
    let client = &host.client;
    let mut all: Vec<_> = client.domain_names().unwrap().into_iter().map(|name| format!("domain {name}")).collect();
    all.extend(client.networks().unwrap().into_iter().map(|network| format!("network {}", network.name)));
    for pool in client.pools().unwrap() {
        let names = client.volume_names(&pool.name).unwrap();
        all.extend(names.into_iter().map(|name| format!("volume {name} in pool {}", pool.name)));
    }
    all.sort();
    all
}

fn things(found: &MarkedThings, owner: &str) -> Vec<String> {
    let own = found.things.iter().filter(|one| one.deployment.as_str() == owner);
    let mut things: Vec<_> = own.map(|one| one.thing.to_string()).collect();
    things.sort();
    things
}

fn all_of(owner: &str) -> Vec<String> {
    vec![
        format!("domain {owner}-n11"),
        format!("network {owner}-net"),
        format!("volume {owner}-n11-root.default in pool default"),
        format!("volume {owner}-n11-root.second in pool second"),
    ]
}

#[test]
fn what_is_marked_is_found_and_nothing_similar() {
    let Some((_keep, host)) = open("") else { return };
    let before = everything(&host);
    let found = host.marked().unwrap();
    assert_eq!((things(&found, ID), things(&found, OTHER)), (all_of(ID), all_of(OTHER)));
    assert_eq!(found.things.len(), 8, "{found:?}");
    assert!(found.things.iter().all(|one| one.doubt.is_none()), "{found:?}");
    let running = |one: &&Marked| one.power == Some(Power::Running);
    assert_eq!(found.things.iter().filter(running).count(), 2);
    assert_eq!(everything(&host), before, "to look changes nothing");
}

#[test]
fn what_one_deployment_has_goes_and_all_else_stays() {
    let Some((_keep, host)) = open("") else { return };
    let before = everything(&host);
    let mut doomed: Vec<_> = host.marked().unwrap().things;
    doomed.retain(|one| one.deployment.as_str() == ID);
    doomed.sort_by_key(|one| one.thing.kind);
    for one in doomed {
        host.remove(&one.deployment, &one.thing).unwrap();
    }
    let left: Vec<_> = before.into_iter().filter(|name| !all_of(ID).contains(name)).collect();
    assert_eq!(everything(&host), left);
    assert_eq!(things(&host.marked().unwrap(), ID), Vec::<String>::new());
}

#[test]
fn a_disk_or_a_network_that_somebody_else_uses_is_in_doubt() {
    let disk = format!(
        "<disk type='file' device='disk'><source file='/default/{ID}-n11-root.default'/><target dev='vda'/></disk>\
         <interface type='network'><mac address='52:54:00:00:02:00'/><source network='{ID}-net'/></interface>"
    );
    let Some((_keep, host)) = open(&disk) else { return };
    let found = host.marked().unwrap();
    let doubted: Vec<_> = found.things.iter().filter(|one| one.doubt.is_some()).map(|one| &one.thing.name).collect();
    assert_eq!(doubted, [&format!("{ID}-n11-root.default"), &format!("{ID}-net")]);
    assert!(found.things.iter().flat_map(|one| &one.doubt).all(|why| why.starts_with("domain rescue, ")));
}

#[test]
fn a_machine_has_an_identity_that_follows_from_its_name() {
    let own = id(ID);
    for (xml, ours) in [
        (domain("x", &own.mac("n11"), ""), true),
        (domain("x", &own.mac("n11").to_uppercase(), ""), true),
        (domain("x", &own.mac("n12"), ""), false),
        (domain("x", &id(OTHER).mac("n11"), ""), false),
        (domain("x", "52:54:00:00:00:01", &format!("<disk><wwn>{}</wwn></disk>", own.wwn("n11", 2))), true),
        (domain("x", "52:54:00:00:00:01", &format!("<disk><wwn>{}</wwn></disk>", own.wwn("n12", 2))), false),
        ("<domain>".to_owned(), false),
    ] {
        assert_eq!(has_identity(&xml, &own, "n11"), ours, "{xml}");
    }
}

#[test]
fn a_machine_made_by_an_earlier_version_has_one_too() {
    let by_volume = include_str!("../../../tests/fixtures/libvirt/by-volume.xml");
    let (own, node) = node_of("exasol-3edacf00-n11").unwrap();
    assert!(has_identity(by_volume, &own, &node));
    assert!(Uses::read(by_volume).disks.contains("exasol-3edacf00-n11-root"));
}

proptest! {
    #[test]
    fn names_of_another_form_are_not_ours(name in "(exasol-)?[0-9a-fA-F]{7,9}-?(n[0-9]{0,3}|net|backup|[ -~]{0,6})(-root|\\.qcow2)?") {
        let strict = |rest: &str| DeploymentId::of_name(&name).is_some_and(|id| name == format!("{id}{rest}"));
        let node: String = name.chars().skip("exasol-00000000-".len()).take(3).collect();
        let is_machine = strict(&format!("-{node}")) && is_node(&node);
        prop_assert_eq!(node_of(&name).is_some(), is_machine);
        if let Some(id) = volume_of(&name) {
            prop_assert!(id.owns(&name) && is_node(&node) && name[18 + 1..].starts_with('-'), "{}", name);
        }
    }
}

#[test]
fn fuzz_domain_marks() {
    crate::fuzz::text_target("domain-xml", &super::super::RECORDED, |xml| {
        has_identity(xml, &id("exasol-1a2b3c4d"), "n11");
        Uses::read(xml);
    });
}
