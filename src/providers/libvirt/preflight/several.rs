//! Several hypervisors: every check on each of them, with the nodes that would be there, and what they have to have in
//! common.

use super::super::facts::Facts;
use super::super::options::Options;
use super::network::{Carries, Found};
use super::{Looked, of_options};
use crate::model::{Check, NodePlan, Spec};
use crate::providers::PreflightInput;

const PAGE: &str = "docs/several-hypervisors.md";

pub(super) fn look(input: &PreflightInput) -> Looked {
    let looked: Vec<_> =
        (0..).zip(input.spec.on_each_host()).map(|(host, part)| (name(&part), look_at(input, host, &part))).collect();
    let mut checks = Vec::new();
    let (mut facts, mut networks) = (Vec::new(), Vec::new());
    for (name, one) in looked {
        for check in one.checks {
            // An image is looked at where this program runs.
            if !(check.id.starts_with("image") && checks.contains(&check)) {
                checks.push(of_host(&name, check));
            }
        }
        facts.extend(one.facts.map(|facts| (name.clone(), facts)));
        networks.extend(one.network.map(|network| (name, network)));
    }
    let hosts = input.spec.hypervisors().len();
    checks.push(match facts.len() == hosts {
        true => alike(&facts),
        false => Check::skipped("hypervisors_alike", ALIKE, NOT_ALL),
    });
    checks.push(match networks.len() == hosts {
        true => shared(&networks),
        false => Check::skipped("network_shared", SHARED, NOT_ALL),
    });
    let first = facts.into_iter().next().map(|(_, facts)| facts);
    Looked { checks, facts: first, network: None }
}

const ALIKE: &str = "the hypervisors are alike";
const SHARED: &str = "the network carries packets between the hypervisors";
const NOT_ALL: &str = "not everything is known of every hypervisor";

fn name(part: &Spec) -> String {
    part.hypervisors().first().copied().unwrap_or_default().to_owned()
}

fn look_at(input: &PreflightInput, host: u32, part: &Spec) -> Looked {
    let options = match Options::from_spec(part) {
        Ok(options) => options,
        Err(error) => return Looked { checks: vec![of_options(&error)], facts: None, network: None },
    };
    let nodes: Vec<NodePlan> = input.nodes.iter().filter(|node| node.host == host).cloned().collect();
    let PreflightInput { id, facts, stop, .. } = *input;
    super::look(&PreflightInput { spec: part, id, nodes: &nodes, facts, stop }, &options)
}

/// The check with the name of its hypervisor, which what can be created there needs too.
fn of_host(name: &str, mut check: Check) -> Check {
    if check.id.starts_with("image") {
        return check;
    }
    if !check.title.contains(name) {
        check.title = format!("{name}: {}", check.title);
    }
    check.creatable = check.creatable.map(|what| crate::providers::on_host(&what, name));
    check
}

/// What one set of Terraform's variables says of the machines of all hosts.
fn alike(facts: &[(String, Facts)]) -> Check {
    let Some(((first, wanted), others)) = facts.split_first() else {
        return Check::skipped("hypervisors_alike", ALIKE, NOT_ALL);
    };
    for (name, found) in others {
        let differs = |what: &str, one: &str, other: &str| {
            Check::failed("hypervisors_alike", ALIKE, format!("{what} is {one} on {first} and {other} on {name}"))
        };
        if wanted.architecture != found.architecture {
            return differs("the architecture", &wanted.architecture, &found.architecture)
                .fix("name hypervisors of one architecture: --libvirt-uri URI");
        }
        if wanted.domain_type != found.domain_type {
            return differs(
                "the kind of virtual machine that works",
                wanted.domain_type.as_str(),
                found.domain_type.as_str(),
            )
            .fix("make KVM work on all of them: see the check of KVM")
            .fix("or emulate the machines on all of them, which is slow: --libvirt-domain-type qemu");
        }
        if wanted.firmware != found.firmware {
            let file = |facts: &Facts| facts.firmware.clone().unwrap_or_else(|| "none".into());
            return differs("the file of the UEFI firmware", &file(wanted), &file(found))
                .fix("install the same package of the firmware on all of them");
        }
    }
    Check::ok("hypervisors_alike", ALIKE, format!("{}, {}", wanted.architecture, wanted.domain_type.as_str()))
}

/// Whether nodes on different hosts can reach each other, as far as it can be seen without them.
fn shared(networks: &[(String, Found)]) -> Check {
    let failed = |detail: String| {
        Check::failed("network_shared", SHARED, detail).fix(format!(
            "make a bridge of one name on every hypervisor, and join them to one network ({PAGE}); then \
             --libvirt-network BRIDGE"
        ))
    };
    for (name, network) in networks {
        if let Carries::Nothing(kind) = network.carries {
            let network = network.name.as_deref().unwrap_or_default();
            return failed(format!(
                "'{network}' on {name} is {kind}: no other host can open a connection to a node in it"
            ));
        }
    }
    let Some(((first, wanted), others)) = networks.split_first() else {
        return Check::skipped("network_shared", SHARED, NOT_ALL);
    };
    let named = |found: &Found| match (&found.bridge, &found.name) {
        (Some(bridge), _) => format!("the bridge '{bridge}'"),
        (None, name) => format!("the libvirt network '{}'", name.as_deref().unwrap_or_default()),
    };
    let kind = |found: &Found| matches!(found.carries, Carries::Bridged);
    for (name, found) in others {
        if (&wanted.bridge, &wanted.name) != (&found.bridge, &found.name) || kind(wanted) != kind(found) {
            return failed(format!(
                "it is {} on {first} and {} on {name}: the network has to be of one kind and name on all of them",
                named(wanted),
                named(found)
            ));
        }
    }
    let routed: Vec<_> = networks
        .iter()
        .filter_map(|(name, found)| match &found.carries {
            Carries::Routed(ranges) => Some(ranges.iter().map(move |range| (name, range))),
            _ => None,
        })
        .flatten()
        .collect();
    let overlap =
        |one: &ipnet::Ipv4Net, other: &ipnet::Ipv4Net| one.contains(&other.network()) || other.contains(&one.network());
    for (at, (name, range)) in routed.iter().enumerate() {
        let same = routed[..at].iter().find(|(other, taken)| other != name && overlap(taken, range));
        if let Some((other, taken)) = same {
            return Check::failed(
                "network_shared",
                SHARED,
                format!("{taken} on {other} and {range} on {name} overlap: no route can lead to both"),
            )
            .fix(format!(
                "give the network another range on one of them: virsh -c {} net-edit {}",
                crate::model::quote(name),
                crate::model::quote(wanted.name.as_deref().unwrap_or_default())
            ));
        }
    }
    let detail = match routed.is_empty() {
        true => format!("{} on each; the nodes find out whether they are joined when they boot", named(wanted)),
        false => {
            let ranges: Vec<_> = routed.iter().map(|(name, range)| format!("{range} on {name}")).collect();
            format!("{}; the hosts have to have routes to each other's", ranges.join(", "))
        }
    };
    Check::ok("network_shared", SHARED, detail)
}

#[cfg(test)]
mod tests {
    use super::super::super::options::DomainType;
    use super::*;

    fn found(bridge: Option<&str>, name: Option<&str>, carries: Carries) -> Found {
        Found {
            own: false,
            name: name.map(str::to_owned),
            bridge: bridge.map(str::to_owned),
            range: None,
            external_addresses: bridge.is_some(),
            carries,
            spare: false,
        }
    }

    fn on_two(one: Found, other: Found) -> Check {
        shared(&[("qemu+ssh://a/system".into(), one), ("qemu+ssh://b/system".into(), other)])
    }

    #[test]
    fn a_bridge_of_one_name_is_taken() {
        let bridge = || found(Some("br0"), None, Carries::Bridged);
        assert!(!on_two(bridge(), bridge()).is_failed());
        let other = on_two(bridge(), found(None, Some("br0"), Carries::Bridged));
        assert!(
            other.detail.contains("it is the bridge 'br0' on qemu+ssh://a/system and the libvirt network 'br0'"),
            "{other:?}"
        );
    }

    #[test]
    fn a_network_inside_one_host_is_refused_with_the_reason() {
        let nat = || found(None, Some("default"), Carries::Nothing("a NAT network"));
        let check = on_two(nat(), nat());
        assert_eq!(
            check.detail,
            "'default' on qemu+ssh://a/system is a NAT network: no other host can open a connection to a node in it"
        );
        assert!(check.is_failed() && check.fix[0].contains("--libvirt-network BRIDGE"));
    }

    #[test]
    fn routed_networks_have_ranges_of_their_own() {
        let routed = |range: &str| found(None, Some("lan"), Carries::Routed(vec![range.parse().unwrap()]));
        assert!(!on_two(routed("10.1.1.0/24"), routed("10.1.2.0/24")).is_failed());
        let check = on_two(routed("10.1.0.0/16"), routed("10.1.2.0/24"));
        assert!(check.is_failed() && check.detail.contains("overlap"), "{check:?}");
    }

    #[test]
    fn hypervisors_of_other_kinds_are_refused() {
        let facts = |domain_type: DomainType, architecture: &str| Facts {
            domain_type,
            cpu_mode: domain_type.cpu_mode().into(),
            default_vcpus: None,
            architecture: architecture.into(),
            firmware: None,
            uri: "x".into(),
            own_network: false,
            network_name: None,
            bridge: Some("br0".into()),
            network_cidr: None,
            external_addresses: true,
        };
        let check = |other| alike(&[("a".into(), facts(DomainType::Kvm, "x86_64")), ("b".into(), other)]);
        assert!(!check(facts(DomainType::Kvm, "x86_64")).is_failed());
        assert_eq!(check(facts(DomainType::Kvm, "aarch64")).detail, "the architecture is x86_64 on a and aarch64 on b");
        assert!(check(facts(DomainType::Qemu, "x86_64")).fix[1].ends_with("--libvirt-domain-type qemu"));
    }

    #[test]
    fn what_can_be_created_names_its_host() {
        let check = Check::failed("pool", "storage pool 'default' is there", "no").creatable("pool:default");
        let check = of_host("qemu+ssh://b/system", check);
        assert_eq!(check.subject(), "qemu+ssh://b/system: storage pool 'default'");
        assert_eq!(check.creatable.as_deref(), Some("pool:default on qemu+ssh://b/system"));
    }
}
