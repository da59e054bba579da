//! `sweep`: what deployments have on a hypervisor, among what others have under similar names.
//!
//! libvirt's mock driver reads its hypervisor from a file, anew for each process. That nothing but what was asked for is
//! removed is shown by the answers here, and beside the code that looks and removes by everything that is left.

use std::path::Path;

use deployer::model::DeploymentId;
use serde_json::Value;

use crate::support::{Call, World};

/// Nobody has a directory of these.
const LOST: &str = "exasol-0000000a";
const OTHER: &str = "exasol-0000000b";
/// Names that nobody may take for ours.
const SIMILAR: [&str; 6] = [
    "n11",
    "exasol-n11",
    "exasol-0000000a0-n11",
    "exasol-0000000A-n11",
    "exasol-0000000a-backup",
    "exasol-base-0000000a",
];

pub fn id(text: &str) -> DeploymentId {
    DeploymentId::try_from(text.to_owned()).unwrap()
}

fn domain(name: &str, mac: &str, devices: &str) -> String {
    format!(
        "<domain type='test'><name>{name}</name>\
         <description>Exasol deployment {}, database rehearsal, owner: eva</description>\
         <memory unit='KiB'>2097152</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os><devices>{devices}\
         <interface type='network'><mac address='{mac}'/><source network='default'/></interface></devices></domain>",
        name.get(..15).unwrap_or_default()
    )
}

fn volume(name: &str, gigabytes: u64) -> String {
    format!(
        "<volume type='file'><name>{name}</name><capacity unit='G'>{gigabytes}</capacity><allocation>512</allocation>\
         <target><path>/p/{name}</path></target></volume>"
    )
}

/// A hypervisor with a machine, a disk and a network of each of these deployments among similar things of others.
pub fn hypervisor(world: &World, owners: &[&str]) -> String {
    // The mock driver gives every running machine an address of its network, and ends the process where that has none.
    let mut text = String::from(
        "<node><network><name>default</name><bridge name='virbr0'/><ip address='192.0.2.1' netmask='255.255.255.0'>\
         <dhcp><range start='192.0.2.2' end='192.0.2.99'/></dhcp></ip></network>",
    );
    let mut volumes: String = SIMILAR.iter().map(|name| volume(name, 1)).collect();
    for owner in owners {
        let machine = format!("{owner}-n11");
        let disk = format!(
            "<disk type='file' device='disk'><source file='/default-pool/{machine}-data-01.qcow2'/>\
             <target dev='sda' bus='scsi'/><wwn>{}</wwn></disk>",
            id(owner).wwn("n11", 1)
        );
        text += &domain(&machine, &id(owner).mac("n11"), &disk);
        text += &format!("<network><name>{owner}-net</name><bridge name='br{}'/></network>", &owner[14..]);
        volumes += &volume(&format!("{machine}-root.qcow2"), 5);
        volumes += &volume(&format!("{machine}-data-01.qcow2"), 2);
    }
    for (index, name) in SIMILAR.iter().enumerate() {
        text += &domain(name, &format!("52:54:00:00:00:{index:02x}"), "");
        text += &format!("<network><name>{name}</name><bridge name='br-{index}'/></network>");
    }
    text += &format!(
        "<pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target>{volumes}</pool>"
    );
    std::fs::write(world.path("host.xml"), text + "</node>").unwrap();
    format!("--libvirt-uri test://{}", world.path("host.xml").display())
}

fn sweep<'a>(world: &'a World, owners: &[&str], more: &str) -> Call<'a> {
    let at = hypervisor(world, owners);
    world.exasol(&format!("sweep {at} {more}"))
}

fn deployments(answer: &Value) -> Vec<(&str, &str)> {
    let all = answer["deployments"].as_array().unwrap().iter();
    all.map(|found| (found["deployment"].as_str().unwrap(), found["owner"].as_str().unwrap())).collect()
}

fn names(things: &Value) -> Vec<String> {
    let all = things.as_array().unwrap().iter();
    all.map(|thing| thing["name"].as_str().unwrap_or_else(|| thing.as_str().unwrap()).to_owned()).collect()
}

fn made(world: &World) -> String {
    world.init("").run().code(0);
    world.state()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_list_says_what_is_there_and_whose_it_is() {
    let world = World::complete();
    let owned = made(&world);
    let json = sweep(&world, &[LOST, &owned], "--json").run().code(0).json();
    assert!(
        deployments(&json).contains(&(LOST, "unknown")) && deployments(&json).contains(&(&owned, "known")),
        "{json}"
    );
    assert_eq!(deployments(&json).len(), 2, "{json}");
    let lost = json["deployments"].as_array().unwrap().iter().find(|found| found["deployment"] == LOST).unwrap();
    let expected = ["n11", "n11-data-01.qcow2", "n11-root.qcow2", "net"].map(|rest| format!("{LOST}-{rest}"));
    assert_eq!(names(&lost["things"]), expected);
    assert_eq!(lost["things"][0]["state"], "running");
    assert_eq!(json["removed"], serde_json::json!([]));
    let text =
        sweep(&world, &[LOST, &owned], "").run().code(0).says("no known directory").says(&format!("--remove {LOST}"));
    assert!(text.stdout.contains("initialized") && !text.stdout.contains("backup"), "{}", text.stdout);
    std::fs::remove_dir_all(world.deployment()).unwrap();
    let json = sweep(&world, &[&owned], "--json").run().code(0).json();
    assert_eq!(deployments(&json), [(owned.as_str(), "gone")]);
}

#[test]
fn only_what_was_named_is_removed() {
    let world = World::complete();
    let json = sweep(&world, &[LOST, OTHER], &format!("--remove {LOST} --yes --json")).run().code(0).json();
    let expected = [
        format!("domain {LOST}-n11"),
        format!("volume {LOST}-n11-root.qcow2 in pool default-pool"),
        format!("volume {LOST}-n11-data-01.qcow2 in pool default-pool"),
        format!("network {LOST}-net"),
    ];
    let (mut removed, mut wanted) = (names(&json["removed"]), expected.to_vec());
    removed.sort();
    wanted.sort();
    assert_eq!(removed, wanted);
    assert_eq!(deployments(&json), [(OTHER, "unknown")]);
    assert_eq!(json["deployments"][0]["things"].as_array().unwrap().len(), 4);
    let nothing = sweep(&world, &[OTHER], &format!("--remove {LOST} --yes --json")).run().code(0).json();
    assert_eq!((names(&nothing["removed"]).len(), deployments(&nothing).len()), (0, 1));
    assert!(nothing["warnings"][0].as_str().unwrap().contains("nothing of exasol-0000000a"), "{nothing}");
}

#[test]
fn what_a_directory_has_is_left_to_destroy() {
    let world = World::complete();
    let owned = made(&world);
    let files = world.files();
    let command = format!("exasol destroy -d {}", world.deployment().display());
    for yes in ["--yes", ""] {
        sweep(&world, &[LOST, &owned], &format!("--remove {LOST} {owned} {yes}")).run().code(2).says(&command);
    }
    assert_eq!(world.files(), files);
    world.edit_state(|state| state["phase"] = "destroyed".into());
    let json = sweep(&world, &[&owned], &format!("--remove {owned} --yes --json")).run().code(0).json();
    assert_eq!(names(&json["removed"]).len(), 4, "a destroyed directory cannot do it: {json}");
}

#[test]
fn what_somebody_else_uses_is_not_removed() {
    let world = World::complete();
    let at = hypervisor(&world, &[LOST]);
    let rescue = domain(
        "rescue",
        "52:54:00:00:01:00",
        &format!("<disk type='file' device='disk'><source file='/p/{LOST}-n11-root.qcow2'/><target dev='vda'/></disk>"),
    );
    let stranger = domain(&format!("{OTHER}-n11"), "52:54:00:00:01:01", "");
    let host = world.path("host.xml");
    let text = std::fs::read_to_string(&host).unwrap().replace("<node>", &format!("<node>{rescue}{stranger}"));
    std::fs::write(host, text).unwrap();
    for (lost, why) in [(LOST, "domain rescue"), (OTHER, "neither the MAC address nor a disk")] {
        world.exasol(&format!("sweep {at} --remove {lost} --yes")).run().code(2).says(why).says("nothing was removed");
    }
    let list = world.exasol(&format!("sweep {at}")).run().code(0).says("In doubt");
    assert!(!list.stdout.contains("--remove"), "{}", list.stdout);
}

#[test]
fn nothing_is_removed_without_a_yes() {
    let world = World::complete();
    let remove = format!("--remove {LOST}");
    sweep(&world, &[LOST], &remove).run().code(2).says("no terminal").says(&format!("--remove {LOST}")).says("--yes");
    let mut terminal = sweep(&world, &[LOST], &remove).on_a_terminal();
    terminal.exp_string(&format!("domain {LOST}-n11, which runs")).unwrap();
    terminal.exp_string("[y/N]").unwrap();
    terminal.send_line("n").unwrap();
    terminal.exp_string("nothing was removed").unwrap();
    terminal.exp_eof().unwrap();
}

#[test]
fn wrong_words_remove_nothing() {
    let world = World::complete();
    sweep(&world, &[LOST], "--yes").run().code(2).says("--remove");
    for wrong in ["exasol-", "exasol-0000000A", "exasol-0000000a-n11", "*", "n11"] {
        sweep(&world, &[LOST], &format!("--remove {wrong} --yes")).run().code(2).says("is not a deployment id");
    }
    world.exasol("sweep --libvirt-uri test:///no/such/file.xml").run().code(4).says("no/such/file.xml");
    world.exasol("sweep --cloud-provider moon").run().code(2).says("moon");
}

#[test]
fn a_cloud_is_not_asked_and_how_to_look_is_said() {
    let world = World::new();
    let clouds = deployer::providers::ALL.iter().filter(|provider| provider.is_cloud());
    for name in clouds.map(|provider| provider.name) {
        let json = world.exasol(&format!("sweep --cloud-provider {name} --json")).run().code(0).json();
        assert!(json["asked"] == false && json["steps"].as_array().unwrap().len() > 1, "{json}");
        world.exasol(&format!("sweep --cloud-provider {name}")).run().code(0).says("does not look into an account");
        world
            .exasol(&format!("sweep --cloud-provider {name} --remove {LOST} --yes"))
            .run()
            .code(2)
            .says("removes nothing");
    }
    assert!(!Path::new(&world.path("state/exasol")).exists(), "sweep writes nothing");
}
