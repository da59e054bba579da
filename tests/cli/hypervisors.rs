//! Several hypervisors, each a mock of libvirt's with a file of its own.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Call, World};

const BRIDGED: &str = "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>";
const NAT: &str = "<network><name>lan</name><forward mode='nat'/><bridge name='virbr7'/>\
    <ip address='10.7.0.1' netmask='255.255.255.0'><dhcp><range start='10.7.0.2' end='10.7.0.99'/></dhcp></ip></network>";

fn file(world: &World, host: &str) -> PathBuf {
    world.path(&format!("{host}.xml"))
}

fn address(world: &World, host: &str) -> String {
    format!("test://{}", file(world, host).display())
}

/// A hypervisor with that network and these volumes.
fn host(world: &World, name: &str, network: &str, volumes: &[String]) {
    let volume = |name: &String| format!("<volume><name>{name}</name><capacity>1</capacity></volume>");
    let volumes: String = volumes.iter().map(volume).collect();
    let pool = format!(
        "<pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target>{volumes}</pool>"
    );
    std::fs::write(file(world, name), format!("<node>{network}{pool}</node>")).unwrap();
}

fn two_hosts(network: &str) -> World {
    let world = World::complete();
    host(&world, "a", network, &[]);
    host(&world, "b", network, &[]);
    world
}

fn init<'a>(world: &'a World, hosts: &[&str], more: &str) -> Call<'a> {
    let uris: Vec<_> = hosts.iter().map(|host| format!("--libvirt-uri {}", address(world, host))).collect();
    let words = format!("{} {more}", uris.join(" "));
    world.init_on("default-pool", "lan", words.trim_end())
}

/// Nodes n11 to n14, in turn on a and b.
fn spread() -> World {
    let world = two_hosts(BRIDGED);
    init(&world, &["a", "b"], "--cluster-size 4").run().code(0);
    world
}

fn nothing_written(world: &World) {
    assert!(!world.deployment().join("deployment.json").exists());
}

fn id(world: &World) -> String {
    world.state()["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_nodes_are_spread_over_them_in_turn() {
    let world = spread();
    let uris = serde_json::json!([address(&world, "a"), address(&world, "b")]);
    assert_eq!(world.state()["spec"]["options"]["uri"], uris);
    let terraform = world.deployment().join("terraform");
    let variables: Value =
        serde_json::from_slice(&std::fs::read(terraform.join("terraform.tfvars.json")).unwrap()).unwrap();
    assert_eq!([&variables["libvirt_uri"], &variables["libvirt_uri_2"]], [&uris[0], &uris[1]]);
    let hosts: Vec<_> = ["n11", "n12", "n13", "n14"].map(|node| variables["nodes"][node]["host"].clone()).into();
    assert_eq!(hosts, [0, 1, 0, 1]);
    let main = std::fs::read_to_string(terraform.join("main.tf")).unwrap();
    for part in [
        "alias = \"host_2\"",
        "\"libvirt_domain\" \"node_2\"",
        "\"libvirt_volume\" \"root_2\"",
        "\"libvirt_volume\" \"data_2\"",
    ] {
        assert!(main.contains(part), "{part}: {main}");
    }
}

#[test]
fn one_of_them_alone_is_recorded_as_ever() {
    let world = two_hosts(BRIDGED);
    init(&world, &["b"], "").run().code(0);
    assert_eq!(world.state()["spec"]["options"]["uri"], address(&world, "b").as_str());
}

#[test]
fn what_cannot_be_a_cluster_is_refused_before_anything_is_written() {
    let world = two_hosts(BRIDGED);
    let refused = |hosts: &[&str], more: &str, text: &str| {
        init(&world, hosts, more).run().code(2).says(text);
        nothing_written(&world);
    };
    refused(&["a", "a"], "--cluster-size 2", "is the same hypervisor as one that is named before it");
    refused(&["a", "b"], "", "2 hypervisors are named, but the cluster has 1 node only");
    let own = format!("--libvirt-uri {} --libvirt-uri {} --cluster-size 2", address(&world, "a"), address(&world, "b"));
    world.init_on("default-pool", "new", &own).run().code(2).says("NAT network inside one hypervisor");
    nothing_written(&world);
}

#[test]
fn a_hypervisor_that_does_not_answer_is_named_before_anything_is_written() {
    let world = two_hosts(BRIDGED);
    std::fs::remove_file(file(&world, "b")).unwrap();
    let answer = init(&world, &["a", "b"], "--cluster-size 2").run().code(4);
    answer.says(&format!("hypervisor {}", address(&world, "b")));
    nothing_written(&world);
}

#[test]
fn a_network_inside_one_host_is_refused_with_the_reason() {
    let world = two_hosts(NAT);
    init(&world, &["a", "b"], "--cluster-size 2")
        .run()
        .code(4)
        .says("'lan' on")
        .says("is a NAT network: no other host can open a connection to a node in it")
        .says("--libvirt-network BRIDGE");
    nothing_written(&world);
}

#[test]
fn what_one_of_them_lacks_is_told_with_its_name() {
    let world = two_hosts(BRIDGED);
    std::fs::write(file(&world, "b"), format!("<node>{BRIDGED}</node>")).unwrap();
    let answer = init(&world, &["a", "b"], "--cluster-size 2").run().code(4);
    answer.says(&format!("{}: storage pool 'default-pool'", address(&world, "b")));
    nothing_written(&world);
}

#[test]
fn doctor_looks_at_all_of_them() {
    let world = spread();
    let report = world.exasol(&format!("doctor -d {} --json", world.deployment().display())).run().code(0).json();
    let checks = report["checks"].as_array().unwrap();
    let of = |id: &str| checks.iter().filter(|check| check["id"] == id).collect::<Vec<_>>();
    assert_eq!((of("pool").len(), of("image").len()), (2, 1), "{checks:#?}");
    assert!(of("pool")[1]["title"].as_str().unwrap().starts_with(&address(&world, "b")));
    assert_eq!((of("network_shared").len(), of("hypervisors_alike").len()), (1, 1));
    assert!(of("host_memory")[0]["title"].as_str().unwrap().ends_with("memory for 2 x 1 GB"), "half of the nodes");
}

#[test]
fn status_says_which_one_does_not_answer() {
    let world = spread();
    world.edit_state(|state| state["phase"] = "database_ready".into());
    std::fs::remove_file(file(&world, "b")).unwrap();
    let report = world.exasol("status --json").run().code(0).json();
    let nodes = report["nodes"].as_array().unwrap();
    let vms: Vec<_> = nodes.iter().map(|node| node["vm"].as_str().unwrap()).collect();
    assert_eq!(vms, ["absent", "unknown", "absent", "unknown"], "{report}");
    assert!(nodes[1]["vm_reason"].as_str().unwrap().contains(&address(&world, "b")), "{report}");
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.contains(&address(&world, "b")) && reason.contains("n12 and n14"), "{reason}");
}

/// What a deploy that was killed leaves on both.
fn half_made() -> (World, [String; 2]) {
    let world = spread();
    let volumes = ["n11", "n12"].map(|node| format!("{}-{node}-root.qcow2", id(&world)));
    host(&world, "a", BRIDGED, &volumes[..1]);
    host(&world, "b", BRIDGED, &volumes[1..]);
    world.edit_state(|state| state["phase"] = "deployment_failed".into());
    (world, volumes)
}

#[test]
fn destroy_removes_what_is_on_all_of_them() {
    let (world, volumes) = half_made();
    let listed = world.exasol("destroy --dry-run --json").run().code(0).json().to_string();
    for (volume, host) in volumes.iter().zip(["a", "b"]) {
        assert!(
            listed.contains(&format!("volume {volume} in pool default-pool on {}", address(&world, host))),
            "{listed}"
        );
    }
    world.exasol("destroy --yes").run().code(0);
    assert_eq!(world.state()["phase"], "destroyed");
}

#[test]
fn destroy_removes_nothing_while_one_does_not_answer() {
    let (world, volumes) = half_made();
    std::fs::remove_file(file(&world, "b")).unwrap();
    world
        .exasol("destroy --yes")
        .run()
        .code(4)
        .says(&address(&world, "b"))
        .says("n12 and n14")
        .says("Nothing was removed")
        .says(&volumes[0])
        .says("exasol destroy")
        .says(&format!(
            "rm -r {} && exasol sweep --libvirt-uri {} --remove {}",
            world.deployment().display(),
            address(&world, "a"),
            id(&world)
        ));
    assert_eq!(world.state()["phase"], "deployment_failed", "it can be tried again");
    host(&world, "b", BRIDGED, &volumes[1..]);
    world.exasol("destroy --yes").run().code(0);
}

#[test]
fn commands_for_one_hypervisor_refuse_several() {
    let world = two_hosts(BRIDGED);
    let both = format!("{} {}", address(&world, "a"), address(&world, "b"));
    let sweep = world.exasol("sweep").env("EXASOL_LIBVIRT_URI", &both).run().code(2);
    sweep.says("looks at one at a time").says(&format!("exasol sweep --libvirt-uri {}", address(&world, "a")));
    world.exasol("cache list").env("EXASOL_LIBVIRT_URI", &both).run().code(0);
}

#[test]
fn machines_do_not_move_to_another_hypervisor() {
    // Also where a deploy was killed before Terraform's state told of anything.
    let (world, _) = half_made();
    let words = format!("init --update --libvirt-uri {}", address(&world, "a"));
    world.exasol(&words).run().code(2).says("with other hypervisors nodes would be on others than their machines");
    world.edit_state(|state| state["phase"] = "initialized".into());
    world.exasol(&words).run().code(0);
}

#[test]
fn a_password_in_one_of_several_addresses_is_not_shown() {
    let world = World::complete();
    let both = "qemu+ssh://root:hidden-word@a/system qemu+ssh://b/system";
    for words in ["sweep", "cache warm", "adopt exasol-0000000a"] {
        let shown = world.exasol(words).env("EXASOL_LIBVIRT_URI", both).run().code(2);
        assert!(!format!("{}{}", shown.stdout, shown.stderr).contains("hidden-word"), "{words}");
    }
}
