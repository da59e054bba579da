//! Networks of a mock hypervisor that nodes could not live on, or that a network of their own has to avoid.

use crate::support::World;

const RESERVED: &str = "<network><name>tight</name><bridge name='virbr9'/><forward mode='nat'/>\
    <ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.2' end='10.9.0.2'/>\
    <host mac='52:54:00:99:00:01' ip='10.9.0.2'/></dhcp></ip></network>";
const SECOND: &str = "<network><name>second</name><bridge name='virbr8'/><ip address='10.8.0.1' prefix='24'/>\
    <ip address='10.77.0.1' prefix='24'/></network>";
const DIRECT: &str = "<network><name>direct</name><forward mode='bridge'><interface dev='eno1'/></forward></network>";

#[test]
fn an_address_that_is_reserved_for_another_machine_is_not_free() {
    let world = World::complete();
    let answer = world.init_with_networks(RESERVED, "tight", "").run().code(4);
    answer.says("0 of 1 addresses are free (1 are reserved for other machines), 1 are needed").says("net-edit tight");
    assert!(!world.deployment().exists());
}

#[test]
fn a_network_of_its_own_avoids_every_address_of_the_others() {
    let world = World::complete();
    let named = world.init_with_networks(SECOND, "new:10.77.0.0/24", "").run().code(4);
    named
        .says("10.77.0.0/24 overlaps with 10.77.0.0/24, the network 'second' of libvirt")
        .says("--libvirt-network new:");
    assert!(!world.deployment().exists());
    world.init_with_networks(SECOND, "new", "").run().code(0);
    let range = world.state()["facts"]["network_cidr"].clone();
    assert!(range.is_string() && range != "10.77.0.0/24", "{range}");
}

#[test]
fn guests_at_a_network_card_are_out_of_the_host_s_reach() {
    let world = World::complete();
    world.init_with_networks(DIRECT, "direct", "").run().code(4).says("macvtap").says("make a bridge");
    assert!(!world.deployment().exists());
}

#[test]
fn what_does_not_start_with_its_host_is_a_warning_and_is_mended_on_request() {
    let world = World::complete();
    let json = world.init("--json").run().code(0).json();
    let warned = |id: &str| {
        let checks = json["checks"].as_array().unwrap();
        checks.iter().find(|check| check["id"] == id).map(|check| (check["status"].clone(), check["creatable"].clone()))
    };
    assert_eq!(warned("pool_autostart"), Some(("warning".into(), "pool:default-pool".into())));
    assert_eq!(warned("network_autostart"), Some(("warning".into(), "network:default".into())));
    std::fs::remove_dir_all(world.deployment()).unwrap();
    // The mock driver forgets it with the connection, which is why the second look warns again.
    world.init("--create-missing").run().code(0).says("storage pool 'default-pool' starts with its host from now on");
}
