//! Network interfaces of domains: where they lead, and plugging one in again.

use std::thread;
use std::time::{Duration, Instant};

use virt::domain::Domain;
use virt_sys as sys;

use super::{Answer, Client, Fault, FaultKind, xml};

/// A network interface of a running domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Interface {
    pub mac: String,
    pub source: InterfaceSource,
    /// The host's end of it, `vnet0`, and the bridge that this belongs to; None where it is no tap on a bridge.
    pub tap: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum InterfaceSource {
    Network(String),
    Other,
}

/// A guest lets go of an interface in less than a second, an emulated one that is busy in a few.
const UNPLUG_LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

impl Client {
    pub fn interfaces(&self, domain: &str) -> Answer<Vec<Interface>> {
        parse(&Domain::lookup_by_name(&self.connect, domain)?.get_xml_desc(0)?)
    }

    /// Packets that a running domain has sent over the interface with that MAC address.
    pub fn packets_sent(&self, domain: &str, mac: &str) -> Answer<u64> {
        let stats = Domain::lookup_by_name(&self.connect, domain)?.interface_stats(mac)?;
        Ok(u64::try_from(stats.tx_packets).unwrap_or(0))
    }

    /// The libvirt network to which a domain's interface is configured; None for other sources.
    pub fn configured_network(&self, domain: &str, mac: &str) -> Answer<Option<String>> {
        let handle = Domain::lookup_by_name(&self.connect, domain)?;
        let interfaces = parse(&handle.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)?)?;
        let ours = interfaces.into_iter().find(|interface| interface.mac.eq_ignore_ascii_case(mac));
        Ok(ours.and_then(|interface| match interface.source {
            InterfaceSource::Network(network) => Some(network),
            InterfaceSource::Other => None,
        }))
    }

    /// Takes the interface with that MAC address out of a running guest and puts it in again as it is
    /// configured, in the same slot: the guest keeps its name and address for it. One that an earlier
    /// attempt has taken out is only put in.
    pub fn replug(&self, domain: &str, mac: &str) -> Answer<()> {
        let fault = |message: &str| Fault { kind: FaultKind::Other, message: message.to_owned() };
        let handle = Domain::lookup_by_name(&self.connect, domain)?;
        let configured = description(&handle.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)?, mac)?
            .ok_or_else(|| fault("its description has no interface with the deployment's MAC address"))?;
        let is_in = || Ok::<_, Fault>(description(&handle.get_xml_desc(0)?, mac)?.is_some());
        if is_in()? {
            handle.detach_device_flags(&configured, sys::VIR_DOMAIN_AFFECT_LIVE)?;
        }
        let since = Instant::now();
        while is_in()? {
            if since.elapsed() > UNPLUG_LIMIT {
                return Err(fault("the guest does not release its network interface"));
            }
            thread::sleep(PAUSE);
        }
        handle.attach_device_flags(&configured, sys::VIR_DOMAIN_AFFECT_LIVE)?;
        Ok(())
    }
}

fn parse(text: &str) -> Answer<Vec<Interface>> {
    xml::read(text, |root| {
        xml::all(root, &["devices"], "interface")
            .into_iter()
            .filter_map(|node| {
                let mac = xml::attribute(node, &["mac"], "address")?;
                let source = match xml::attribute(node, &["source"], "network") {
                    Some(network) => InterfaceSource::Network(network),
                    None => InterfaceSource::Other,
                };
                let tap = xml::attribute(node, &["target"], "dev").zip(xml::attribute(node, &["source"], "bridge"));
                Some(Interface { mac, source, tap })
            })
            .collect()
    })
}

/// The `<interface>` element with that MAC address, as it stands there.
fn description(text: &str, mac: &str) -> Answer<Option<String>> {
    xml::read(text, |root| {
        let is_it = |node: &roxmltree::Node| {
            xml::attribute(*node, &["mac"], "address").is_some_and(|found| found.eq_ignore_ascii_case(mac))
        };
        let found = xml::all(root, &["devices"], "interface").into_iter().find(is_it)?;
        text.get(found.range()).map(str::to_owned)
    })
}

#[cfg(test)]
mod unit {
    use super::*;

    /// `virsh dumpxml` of libvirt 9.0, shortened.
    const RUNNING: &str = "<domain type='qemu' id='3'><devices>
            <interface type='network'>
              <mac address='52:54:00:12:34:56'/>
              <source network='default' portid='5e4e' bridge='virbr0'/>
              <target dev='vnet0'/>
            </interface>
            <interface type='direct'>
              <mac address='52:54:00:12:34:57'/>
              <source dev='eth0' mode='bridge'/>
              <target dev='macvtap0'/>
            </interface>
          </devices></domain>";

    #[test]
    fn interfaces_are_read_from_a_running_domain() {
        let interfaces = parse(RUNNING).unwrap();
        assert_eq!(interfaces[0].source, InterfaceSource::Network("default".into()));
        assert_eq!(interfaces[0].tap, Some(("vnet0".into(), "virbr0".into())));
        assert_eq!((interfaces[1].mac.as_str(), &interfaces[1].source), ("52:54:00:12:34:57", &InterfaceSource::Other));
        assert_eq!(interfaces[1].tap, None);
    }

    #[test]
    fn an_interface_is_cut_out_as_it_stands() {
        let found = description(RUNNING, "52:54:00:12:34:5A").unwrap();
        assert_eq!(found, None);
        let found = description(RUNNING, "52:54:00:12:34:57").unwrap().unwrap();
        assert!(found.starts_with("<interface type='direct'>") && found.ends_with("</interface>"), "{found}");
    }

    #[test]
    fn fuzz_interfaces() {
        crate::fuzz::text_target("domain-xml", &[RUNNING], |xml| {
            let _ = (parse(xml), description(xml, "52:54:00:12:34:56"));
        });
    }
}
