//! `--allowed-cidr me`: this machine's address, as the nodes see it, and who is locked out by what was allowed.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;

use super::Context;
use super::hosts::Hosts;
use crate::error::{Error, Result};
use crate::model::{Options, Spec};
use crate::providers::Provider;
use crate::tools::http;

/// The variable that names another service, and the service itself: it answers with the address that it was asked from.
const SERVICE: (&str, &str) = ("EXASOL_ADDRESS_SERVICE", "https://checkip.amazonaws.com");
const LIMIT: Duration = Duration::from_secs(15);

/// Adds this machine to those that are allowed; what to tell of it.
///
/// # Errors
/// Those of [`address`].
pub(super) async fn allow(
    context: &Context,
    provider: &'static Provider,
    spec: &mut Spec,
    facts: &Options,
) -> Result<String> {
    let address = address(context, provider, spec, facts).await?;
    Ok(add(spec, address))
}

/// Adds that address to those that are allowed; what to tell of it.
pub(super) fn add(spec: &mut Spec, address: IpAddr) -> String {
    let network = IpNet::from(address);
    if !spec.allowed_cidrs.contains(&network) {
        spec.allowed_cidrs.push(network);
    }
    format!(
        "--allowed-cidr me: recorded as {network}; if this machine's address changes, give it again with exasol init --update"
    )
}

/// From where the nodes see this machine: the hypervisor tells, and for a cloud a service on the internet.
///
/// # Errors
/// [`Error::Usage`] where nobody can tell, with what to do.
pub(super) async fn address(
    context: &Context,
    provider: &'static Provider,
    spec: &Spec,
    facts: &Options,
) -> Result<IpAddr> {
    if provider.is_cloud() {
        return public(context).await;
    }
    let Some(hosts) = Hosts::of(provider, spec, &context.interrupt) else {
        return Err(unknown("nobody can tell it before the nodes are there"));
    };
    let known = hosts.deployer_addresses(facts).await?;
    known.into_iter().next().ok_or_else(|| unknown("only the nodes can tell it, at the first login"))
}

async fn public(context: &Context) -> Result<IpAddr> {
    let named = std::env::var(SERVICE.0).ok().filter(|url| !url.is_empty());
    let url = named.unwrap_or_else(|| SERVICE.1.to_owned());
    let asked = async { http::get_text(&url, false, &mut |_| {}, &context.interrupt).await };
    let answer = match tokio::time::timeout(LIMIT, asked).await {
        Ok(Err(error @ Error::Interrupted { .. })) => return Err(error),
        Ok(answer) => answer.map_err(|error| unknown(&error.to_string()))?,
        Err(_) => return Err(unknown(&format!("{url} did not answer within {} s", LIMIT.as_secs()))),
    };
    let address = answer.trim().parse::<Ipv4Addr>();
    address.map(IpAddr::V4).map_err(|_| unknown(&format!("{url} did not answer with an IPv4 address")))
}

fn unknown(why: &str) -> Error {
    Error::Usage {
        message: format!("--allowed-cidr me: this machine's address is not known: {why}"),
        hint: Some(format!("name it: --allowed-cidr ADDRESS; or another service, in {}", SERVICE.0)),
    }
}

/// A warning where nobody outside a cloud gets in, this machine included: private addresses are nobody's on the internet.
pub(super) fn locked_out(provider: &Provider, spec: &Spec) -> Option<String> {
    let private = |net: &IpNet| match net {
        IpNet::V4(net) => {
            let address = net.network();
            address.is_private() || address.is_loopback() || address.is_link_local()
        }
        IpNet::V6(net) => net.network().is_unique_local() || net.network().is_unicast_link_local(),
    };
    let all = &spec.allowed_cidrs;
    let locked = provider.is_cloud() && !all.is_empty() && all.iter().all(private);
    locked.then(|| {
        let names: Vec<_> = all.iter().map(ToString::to_string).collect();
        format!(
            "--allowed-cidr: {} is private, and the machines in the cloud see public addresses only: deploy will not reach \
             them. Allow this machine with --allowed-cidr me",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers;

    fn warned(provider: &str, networks: &[&str]) -> Option<String> {
        let spec = serde_json::from_value(serde_json::json!({
            "provider": provider, "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 10,
            "data_volumes_per_node": 1, "root_volume_size": 10, "allowed_cidrs": networks,
        }));
        locked_out(providers::find(provider).unwrap(), &spec.unwrap())
    }

    #[test]
    fn only_private_networks_on_a_cloud_lock_the_deployer_out() {
        assert!(
            warned("hetzner", &["192.168.122.0/24", "10.0.0.0/8"]).unwrap().contains("192.168.122.0/24, 10.0.0.0/8")
        );
        for networks in [&[][..], &["192.168.122.0/24", "198.51.100.7/32"], &["0.0.0.0/0"]] {
            assert_eq!(warned("hetzner", networks), None);
        }
        assert_eq!(warned("libvirt", &["192.168.122.0/24"]), None);
    }
}
