//! Looks at the hypervisor before anything is made: every check, each failure with its cause and
//! the command that mends it here. What settings cannot tell, tiny machines show (see [`super::probe`]);
//! nothing of them stays.

mod acceleration;
mod autostart;
mod connection;
mod denied;
mod dhcp;
mod host;
mod image;
mod names;
mod network;
mod own_network;
mod proof;
mod several;
mod silence;
mod storage;

use super::client::{Client, Fault};
use super::distro::Machine;
use super::facts::Facts;
use super::options::{DomainType, Options};
use crate::model::{Check, Outcome, Spec, quote};
use crate::providers::PreflightInput;

pub(super) use image::downloaded as downloaded_image;

/// What every check may look at.
struct Context<'a> {
    client: &'a Client,
    options: &'a Options,
    input: &'a PreflightInput<'a>,
    /// Of the hypervisor, as `uname -m` says it.
    architecture: &'a str,
    /// This machine: what the advice depends on.
    machine: &'a Machine,
    /// What `init` recorded, if this is a later look.
    recorded: Option<Facts>,
}

impl Context<'_> {
    fn spec(&self) -> &Spec {
        self.input.spec
    }

    /// A `virsh` command for this hypervisor.
    fn virsh(&self, arguments: &str) -> String {
        format!("virsh -c {} {arguments}", quote(&self.options.uri.to_string()))
    }
}

pub(super) fn run(input: &PreflightInput) -> Outcome {
    let options = match Options::from_spec(input.spec) {
        Ok(options) => options,
        Err(error) => return Outcome { checks: vec![of_options(&error)], facts: Default::default() },
    };
    let looked = match options.further.is_empty() {
        true => look(input, &options),
        false => several::look(input),
    };
    Outcome { checks: looked.checks, facts: looked.facts.map(|facts| facts.to_map()).unwrap_or_default() }
}

/// What was seen of a hypervisor.
struct Looked {
    checks: Vec<Check>,
    facts: Option<Facts>,
    network: Option<network::Found>,
}

fn look(input: &PreflightInput, options: &Options) -> Looked {
    let machine = Machine::here();
    let mut checks = Vec::new();
    let client = connection::check(options, &mut checks);
    let architecture = architecture(options, client.as_ref());
    image::check(options, &architecture, input.spec, &mut checks);
    let Some(client) = client else {
        skip_the_rest(options, &mut checks);
        return Looked { checks, facts: None, network: None };
    };
    let recorded = input.facts.and_then(|map| Facts::from_map(map).ok());
    let context = Context { client: &client, options, input, architecture: &architecture, machine: &machine, recorded };
    let (facts, network) = look_at_hypervisor(&context, &mut checks);
    Looked { checks, facts, network }
}

/// Where the hypervisor does not tell, that of this machine is taken.
fn architecture(options: &Options, client: Option<&Client>) -> String {
    match client.and_then(|client| client.host().ok()) {
        Some(_) if options.uri.is_mock() => "x86_64".to_owned(),
        Some(host) => host.architecture,
        None => std::env::consts::ARCH.to_owned(),
    }
}

fn look_at_hypervisor(context: &Context, checks: &mut Vec<Check>) -> (Option<Facts>, Option<network::Found>) {
    let architecture = host::check(context, checks);
    let domain_type = architecture.as_deref().and_then(|a| acceleration::check(context, a, checks));
    checks.extend(domain_type.and_then(|domain_type| acceleration::vcpus(context.options, domain_type)));
    let pool = storage::check(context, checks);
    let network = network::check(context, checks);
    names::check(context, checks);
    if let (Some(domain_type), Some(architecture)) = (domain_type, architecture.as_deref()) {
        let usable = proof::Usable { pool, network: network.as_ref().map(to_try) };
        proof::check(context, domain_type, architecture, &usable, checks);
    }
    let facts = facts(context, domain_type, architecture, network.as_ref(), checks);
    (facts, network)
}

fn facts(
    context: &Context,
    domain_type: Option<DomainType>,
    architecture: Option<String>,
    network: Option<&network::Found>,
    checks: &mut Vec<Check>,
) -> Option<Facts> {
    let firmware = match (architecture.as_deref(), domain_type) {
        (Some("aarch64"), Some(domain_type)) => Some(acceleration::firmware(context, domain_type, checks)?),
        _ => None,
    };
    let (domain_type, network) = (domain_type?, network?);
    Some(Facts {
        domain_type,
        cpu_mode: domain_type.cpu_mode().to_owned(),
        default_vcpus: domain_type.default_vcpus(),
        architecture: architecture?,
        firmware,
        uri: context.options.uri.to_string(),
        own_network: network.own,
        network_name: network.name.clone(),
        bridge: network.bridge.clone(),
        network_cidr: network.range,
        external_addresses: network.external_addresses,
    })
}

fn to_try(network: &network::Found) -> proof::Network {
    match &network.name {
        _ if network.own => proof::Network::Not("not tried: deploy makes the network"),
        Some(name) if network.spare => proof::Network::Tried(name.clone()),
        Some(_) if !network.external_addresses => proof::Network::Not(
            "not tried: the nodes need every free address, or the network lets a probe wait too long",
        ),
        _ => proof::Network::Not("not tried: its addresses come from outside libvirt"),
    }
}

fn of_options(error: &crate::error::Error) -> Check {
    let mut check = Check::failed("options", "options", error.to_string());
    check.exit_code = error.exit_code();
    check.fix.extend(error.hint());
    check
}

/// The checks that need the hypervisor still appear in the list.
fn skip_the_rest(options: &Options, checks: &mut Vec<Check>) {
    let because = "the hypervisor cannot be reached";
    let pool = format!("storage pool '{}'", options.pool);
    for (id, title) in [
        ("host_memory", "memory of the host"),
        ("host_cpus", "processors of the host"),
        ("architecture", "architecture of the host"),
        ("kvm", "KVM"),
        ("pool", pool.as_str()),
        ("network", "network"),
        ("names", "names of domains and volumes"),
    ] {
        checks.push(Check::skipped(id, title, because));
    }
}

/// A check that could not be made because libvirt's answer was an error.
fn unanswered(id: &'static str, title: &str, fault: &Fault) -> Check {
    Check::failed(id, title, format!("libvirt: {fault}"))
}

/// Bytes in GB (1024³) for people, one decimal.
fn gb(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 30;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} GB"),
        (whole @ 100.., _) => format!("{whole} GB"),
        (whole, tenth) => format!("{whole}.{tenth} GB"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// libvirt's mock hypervisor; none where its client library is not installed.
    fn mock(options: serde_json::Value) -> Option<Outcome> {
        let spec: Spec = serde_json::from_value(serde_json::json!({
            "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 10, "options": options,
        }))
        .unwrap();
        let outcome =
            run(&PreflightInput { spec: &spec, id: None, nodes: &[], facts: None, stop: &AtomicBool::new(false) });
        let installed = !outcome.checks.iter().any(|c| c.detail.contains("client library"));
        installed.then_some(outcome)
    }

    #[test]
    fn the_mock_hypervisor_passes_and_says_what_it_is() {
        let options = serde_json::json!({"uri": "test:///default", "pool": "default-pool", "memory": 1});
        let Some(outcome) = mock(options) else { return };
        let failed: Vec<_> = outcome.checks.iter().filter(|c| c.is_failed()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert!(outcome.checks[0].detail.contains("mock"));
        assert_eq!(outcome.facts["network_name"], "default");
        assert_eq!(outcome.facts["domain_type"], "qemu");
    }

    #[test]
    fn every_failure_is_in_one_list() {
        let options = serde_json::json!({
            "uri": "test:///default", "pool": "nosuch", "network": "nosuch", "memory": 1000, "image": "/nowhere",
        });
        let Some(outcome) = mock(options) else { return };
        let failed: Vec<_> = outcome.checks.iter().filter(|c| c.is_failed()).map(|c| c.id).collect();
        assert_eq!(failed, ["image", "host_memory", "pool", "network"]);
        assert!(outcome.checks.iter().filter(|c| c.is_failed()).all(|c| !c.fix.is_empty()));
        assert!(outcome.facts.is_empty());
    }

    #[test]
    fn a_wrong_value_is_a_check_with_exit_code_2() {
        let Some(outcome) = mock(serde_json::json!({"uri": "qemu:///session"})) else { return };
        assert_eq!((outcome.checks.len(), outcome.checks[0].exit_code), (1, 2));
        assert_eq!(outcome.checks[0].fix, ["use the system daemon: qemu:///system"]);
    }

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(gb(3 << 29), "1.5 GB");
    }
}
