//! Against `test:///default`, libvirt's mock hypervisor, which needs the client library alone.
//! Its state is shared by all connections of a process, so each test uses names of its own.

use super::*;
use crate::model::Power;

/// None, and the test passes, where the library is not installed.
fn mock() -> Option<Client> {
    match Client::open("test:///default") {
        Ok(client) => Some(client),
        Err(fault) if fault.kind == FaultKind::NoLibrary => None,
        Err(fault) => panic!("{fault}"),
    }
}

#[test]
fn the_library_is_opened_and_the_host_is_described() {
    let Some(client) = mock() else { return };
    assert_eq!(client.driver().unwrap(), "TEST");
    let host = client.host().unwrap();
    assert_eq!((host.architecture.as_str(), host.cpus), ("i686", 16));
    assert!(host.memory > 0);
}

#[test]
fn what_is_not_there_is_none_or_missing() {
    let Some(client) = mock() else { return };
    assert_eq!(client.pool("nosuch").unwrap(), None);
    assert_eq!(client.network("nosuch").unwrap(), None);
    assert_eq!(client.power("nosuch").unwrap(), Power::Missing);
    assert_eq!(client.volume("default-pool", "nosuch").unwrap(), None);
    assert!(!client.remove_domain("nosuch").unwrap());
    assert!(!client.remove_network("nosuch").unwrap());
    assert!(!client.delete_volume("default-pool", "nosuch").unwrap());
    assert!(!client.delete_volume("nosuch", "nosuch").unwrap());
}

#[test]
fn a_volume_s_name_is_taken_once() {
    let Some(client) = mock() else { return };
    client.create_raw_volume("default-pool", "taken <&> once", 1 << 20, Access::Private).unwrap();
    assert!(client.create_raw_volume("default-pool", "taken <&> once", 1 << 20, Access::Private).is_err());
    let volume = client.volume("default-pool", "taken <&> once").unwrap().unwrap();
    assert_eq!(volume.capacity, 1 << 20);
    assert!(client.volume_names("default-pool").unwrap().contains(&volume.name));
    assert!(client.delete_volume("default-pool", "taken <&> once").unwrap());
}

#[test]
fn a_network_is_defined_started_and_removed() {
    let Some(client) = mock() else { return };
    let xml = "<network><name>mock-net</name><bridge name='virbr77'/><ip address='10.7.7.1' netmask='255.255.255.0'/></network>";
    client.define_network(xml).unwrap();
    assert!(!client.network("mock-net").unwrap().unwrap().active);
    client.start_network("mock-net").unwrap();
    let network = client.network("mock-net").unwrap().unwrap();
    assert!(network.active);
    assert_eq!(network.bridge.as_deref(), Some("virbr77"));
    assert!(client.remove_network("mock-net").unwrap());
    assert_eq!(client.network("mock-net").unwrap(), None);
}

#[test]
fn the_mock_domain_runs_and_is_listed() {
    let Some(client) = mock() else { return };
    assert_eq!(client.power("test").unwrap(), Power::Running);
    assert_eq!(client.has_ended("test").unwrap(), Ended::NotYet);
    assert!(client.domain_names().unwrap().contains(&"test".to_owned()));
    assert_eq!(client.has_ended("nosuch").unwrap(), Ended::Gone);
}

#[test]
fn a_pool_is_made_and_is_active() {
    let Some(client) = mock() else { return };
    client.create_directory_pool("mock-pool", "/nowhere/mock").unwrap();
    let pool = client.pool("mock-pool").unwrap().unwrap();
    assert_eq!((pool.kind.as_str(), pool.path.as_deref(), pool.active), ("dir", Some("/nowhere/mock"), true));
}

#[test]
fn a_hypervisor_that_is_not_there_says_so() {
    let fault = Client::open("qemu+unix:///system?socket=/nowhere/libvirt-sock").err().unwrap();
    assert!(matches!(fault.kind, FaultKind::Other | FaultKind::NoLibrary), "{fault:?}");
}
