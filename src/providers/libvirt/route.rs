//! From which address the nodes see this workstation, and how SSH gets to them.

use std::net::{IpAddr, Ipv4Addr};

use super::client::Client;
use super::connection::Libvirt;
use super::facts::Facts;
use super::reach;
use super::routes::{Routes, source_towards};
use super::site::Site;
use super::uri::Uri;
use crate::error::Result;
use crate::model::{Login, Options as Map, Spec};
use crate::providers::Variables;

/// Of several hypervisors whichever this machine is one of is no detour; else the first leads to the nodes of all,
/// because they are on one network.
pub(super) fn login(spec: &Spec) -> Result<Option<Login>> {
    let logins: Vec<_> = Site::all(spec)?.into_iter().map(|site| site.uri.login()).collect();
    let is_straight = logins.iter().any(Option::is_none);
    Ok(logins.into_iter().next().flatten().filter(|_| !is_straight))
}

/// Where the address alone does not bring Terraform's provider to the daemon.
pub(super) fn terraform_variables(spec: &Spec) -> Result<Variables> {
    let mut variables = Variables::new();
    for (index, Site { uri, .. }) in (0..).zip(Site::all(spec)?) {
        variables.extend(reach::socket(&uri)?.map(|socket| (uri_variable(index), reach::at(&socket))));
    }
    Ok(variables)
}

/// Terraform's variable with the address of a hypervisor, by its position from 0.
pub(super) fn uri_variable(index: usize) -> String {
    match index {
        0 => "libvirt_uri".to_owned(),
        further => format!("libvirt_uri_{}", further + 1),
    }
}

/// Works before the deployment's own network exists: its gateway is the first address of its range.
pub(super) fn deployer_addresses(Libvirt { client, site, .. }: &Libvirt, facts: &Map) -> Result<Vec<IpAddr>> {
    addresses(&site.uri, facts, |name| gateway(client, name))
}

fn addresses(uri: &Uri, facts: &Map, gateway_of: impl FnOnce(&str) -> Result<Option<IpAddr>>) -> Result<Vec<IpAddr>> {
    let facts = Facts::from_map(facts)?;
    let gateway = match (&facts.network_name, facts.network_cidr) {
        (_, Some(range)) if facts.own_network => range.hosts().next().map(IpAddr::V4),
        (Some(name), _) => gateway_of(name)?,
        _ => None,
    };
    Ok(match gateway {
        // Routed or NAT: whoever comes from the hypervisor comes from its address on that network.
        Some(gateway) => vec![gateway],
        None if uri.is_local() => own_address(facts.bridge.as_deref()).into_iter().collect(),
        // How the hypervisor comes to them there, only they can tell.
        None => Vec::new(),
    })
}

/// The hypervisor's own address on a libvirt network, if it has one.
fn gateway(client: &Client, name: &str) -> Result<Option<IpAddr>> {
    let network = client.network(name).map_err(|f| f.during(format!("look at network '{name}'")))?;
    Ok(network.and_then(|n| n.ips.first().map(|ip| IpAddr::V4(ip.address))))
}

/// This machine's address on a bridge; on the way to anywhere if it has none there.
fn own_address(bridge: Option<&str>) -> Option<IpAddr> {
    let behind = bridge.and_then(|bridge| Routes::here().behind(bridge)).and_then(|net| net.hosts().next());
    // 192.0.2.1 is reserved for documentation: it stands for "somewhere outside", nothing is sent there.
    source_towards(IpAddr::V4(behind.unwrap_or(Ipv4Addr::new(192, 0, 2, 1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_network_of_its_own_has_its_first_address_as_gateway() {
        let spec = serde_json::from_value(json!({
            "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 2,
            "options": {"uri": "qemu+ssh://me@kvm:2222/system?keyfile=/k", "network": "new"},
        }))
        .unwrap();
        let facts = json!({
            "domain_type": "kvm", "cpu_mode": "host-passthrough", "architecture": "x86_64", "uri": "x",
            "own_network": true, "network_cidr": "10.77.3.0/24", "external_addresses": false,
        });
        let uri = Site::of(&spec).unwrap().uri;
        let nobody = |_: &str| panic!("its gateway is known without a question");
        let addresses = addresses(&uri, &serde_json::from_value(facts).unwrap(), nobody).unwrap();
        assert_eq!(addresses, ["10.77.3.1".parse::<IpAddr>().unwrap()]);
        let login = login(&spec).unwrap().unwrap();
        assert_eq!((login.host.as_str(), login.port, login.key), ("kvm", Some(2222), Some("/k".into())));
    }

    fn login_of(uris: serde_json::Value) -> Option<String> {
        let spec = serde_json::from_value(json!({
            "provider": "libvirt", "cluster_size": 2, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 2, "options": {"uri": uris},
        }))
        .unwrap();
        login(&spec).unwrap().map(|login| login.host)
    }

    #[test]
    fn the_first_of_several_hypervisors_leads_to_all_nodes_unless_one_is_here() {
        let (a, b, here) = ("qemu+ssh://a/system", "qemu+ssh://b/system", "qemu:///system");
        assert_eq!(login_of(json!([a, b])).as_deref(), Some("a"));
        assert_eq!(login_of(json!([b, here])), None);
    }
}
