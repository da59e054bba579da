//! Domains: their state, their addresses, their end.

use std::ffi::{CStr, c_void};
use std::net::IpAddr;
use std::ptr;

use virt::domain::Domain;
use virt_sys as sys;

use super::{Answer, Client, Fault, found};
use crate::model::Power;

/// What a domain that ends by itself does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Ended {
    NotYet,
    Gone,
}

unsafe extern "C" {
    /// The C library's: arrays that libvirt hands over are freed with it.
    pub(super) fn free(pointer: *mut c_void);
}

impl Client {
    /// Names of all domains, running or not.
    pub fn domain_names(&self) -> Answer<Vec<String>> {
        self.connect.list_all_domains(0)?.iter().map(|d| Ok(d.get_name()?)).collect()
    }

    /// `Missing` where there is no such domain.
    pub fn power(&self, domain: &str) -> Answer<Power> {
        let Some(domain) = found(Domain::lookup_by_name(&self.connect, domain))? else { return Ok(Power::Missing) };
        match found(domain.get_state())? {
            Some((state, _)) => Ok(power(state)),
            None => Ok(Power::Missing),
        }
    }

    /// What the guest's agent says of the interface with that MAC address. Waits at most a second for it.
    pub fn addresses_by_agent(&self, domain: &str, mac: &str) -> Answer<Vec<IpAddr>> {
        let handle = Domain::lookup_by_name(&self.connect, domain)?;
        // SAFETY: the domain is open. Where this isn't supported the agent's own limit of 5 s stays.
        unsafe { sys::virDomainAgentSetResponseTimeout(handle.as_ptr(), 1, 0) };
        addresses(&handle, mac, sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)
    }

    /// What the hypervisor's neighbour table says.
    pub fn addresses_by_arp(&self, domain: &str, mac: &str) -> Answer<Vec<IpAddr>> {
        let handle = Domain::lookup_by_name(&self.connect, domain)?;
        addresses(&handle, mac, sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP)
    }

    /// Starts a domain that is never defined and that libvirt ends when this connection ends.
    pub fn start_transient(&self, xml: &str) -> Answer<()> {
        Domain::create_xml(&self.connect, xml, sys::VIR_DOMAIN_START_AUTODESTROY)?;
        Ok(())
    }

    /// Whether a transient domain has ended.
    pub fn has_ended(&self, domain: &str) -> Answer<Ended> {
        match self.power(domain)? {
            Power::Missing | Power::Off => Ok(Ended::Gone),
            _ => Ok(Ended::NotYet),
        }
    }

    /// Starts a defined domain, or lets one go on that was paused; one that runs is left alone.
    pub fn start(&self, domain: &str) -> Answer<()> {
        let domain = Domain::lookup_by_name(&self.connect, domain)?;
        match domain.get_state()?.0 {
            sys::VIR_DOMAIN_PAUSED => return Ok(domain.resume().map(drop)?),
            sys::VIR_DOMAIN_PMSUSPENDED => return Ok(domain.pm_wakeup(0).map(drop)?),
            // Kept for somebody to look at, by its `on_crash`; it will never run on.
            sys::VIR_DOMAIN_CRASHED => domain.destroy()?,
            _ => {}
        }
        match domain.create() {
            Err(_) if domain.is_active()? => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }

    /// What a domain is from its next start on, with the secrets in it; None if there is no such domain.
    pub fn definition(&self, domain: &str) -> Answer<Option<String>> {
        let Some(domain) = found(Domain::lookup_by_name(&self.connect, domain))? else { return Ok(None) };
        found(domain.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE | sys::VIR_DOMAIN_XML_SECURE))
    }

    /// What a domain is now.
    pub fn live_definition(&self, domain: &str) -> Answer<String> {
        Ok(Domain::lookup_by_name(&self.connect, domain)?.get_xml_desc(0)?)
    }

    /// Asks a guest that runs to let go of a device, which is described as it stands in the live definition.
    /// It has gone when that does not have it any more.
    pub fn detach(&self, domain: &str, device: &str) -> Answer<()> {
        Domain::lookup_by_name(&self.connect, domain)?.detach_device_flags(device, sys::VIR_DOMAIN_AFFECT_LIVE)?;
        Ok(())
    }

    /// Defines a domain, or one that exists anew; one that runs goes on as it is.
    pub fn define(&self, xml: &str) -> Answer<()> {
        Domain::define_xml(&self.connect, xml)?;
        Ok(())
    }

    /// Presses the guest's power button; nothing happens to a domain that is off.
    pub fn shut_down(&self, domain: &str) -> Answer<()> {
        let domain = Domain::lookup_by_name(&self.connect, domain)?;
        match domain.shutdown() {
            // It has gone down meanwhile.
            Err(_) if !domain.is_active()? => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }

    /// Ends a running domain as if its plug were pulled; one that does not run is left alone.
    pub fn cut_off(&self, domain: &str) -> Answer<()> {
        let domain = Domain::lookup_by_name(&self.connect, domain)?;
        match domain.destroy() {
            // It has ended meanwhile.
            Err(_) if !domain.is_active()? => Ok(()),
            result => Ok(result?),
        }
    }

    /// A number that grows whenever the guest uses a disk or sends a packet; None where neither can be asked.
    /// `taps`: the host's ends of its interfaces.
    pub fn activity(&self, domain: &str, taps: &[String]) -> Answer<Option<u64>> {
        let domain = Domain::lookup_by_name(&self.connect, domain)?;
        // "": of all disks together.
        let disks = domain.get_block_stats("").ok().map(|stats| total([stats.rd_req, stats.wr_req]));
        let sent =
            taps.iter().filter_map(|tap| domain.interface_stats(tap).ok()).map(|stats| total([stats.tx_packets]));
        let known: Vec<u64> = disks.into_iter().chain(sent).collect();
        Ok((!known.is_empty()).then(|| known.iter().sum()))
    }

    pub fn set_autostart(&self, domain: &str, wanted: bool) -> Answer<()> {
        Domain::lookup_by_name(&self.connect, domain)?.set_autostart(wanted)?;
        Ok(())
    }

    /// Ends a domain, running or not, with its snapshots' records, saved memory and NVRAM; true if it was there.
    pub fn remove_domain(&self, domain: &str) -> Answer<bool> {
        let Some(domain) = found(Domain::lookup_by_name(&self.connect, domain))? else { return Ok(false) };
        let persistent = domain.is_persistent()?;
        if domain.is_active()? {
            match domain.destroy().map_err(Fault::from) {
                Ok(()) => {}
                // It has ended meanwhile.
                Err(_) if !domain.is_active().unwrap_or(false) => {}
                Err(fault) => return Err(fault),
            }
        }
        if persistent {
            undefine(&domain)?;
        }
        Ok(true)
    }
}

/// What a driver does not count is -1.
fn total<const N: usize>(counts: [i64; N]) -> u64 {
    counts.into_iter().filter_map(|count| u64::try_from(count).ok()).sum()
}

fn undefine(domain: &Domain) -> Answer<()> {
    let everything = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | sys::VIR_DOMAIN_UNDEFINE_NVRAM;
    if domain.undefine_flags(everything).is_err() {
        // Drivers and versions that know fewer flags; the error of this one is the answer.
        domain.undefine_flags(0)?;
    }
    Ok(())
}

fn power(state: sys::virDomainState) -> Power {
    match state {
        // "Shutdown" is being shut down: still running.
        sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED | sys::VIR_DOMAIN_SHUTDOWN => Power::Running,
        sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED => Power::Paused,
        sys::VIR_DOMAIN_SHUTOFF => Power::Off,
        sys::VIR_DOMAIN_CRASHED => Power::Crashed,
        _ => Power::Unknown,
    }
}

/// Through virt-sys: `virt` 0.4.3 reads a null pointer where an interface has no MAC address (a
/// tunnel that the guest's agent reports), and leaks the addresses.
fn addresses(domain: &Domain, mac: &str, source: sys::virDomainInterfaceAddressesSource) -> Answer<Vec<IpAddr>> {
    let mut array: *mut sys::virDomainInterfacePtr = ptr::null_mut();
    // SAFETY: the domain is open, libvirt fills the array.
    let count = unsafe { sys::virDomainInterfaceAddresses(domain.as_ptr(), &mut array, source, 0) };
    if count < 0 {
        return Err(virt::error::Error::last_error().into());
    }
    let mut addresses = Vec::new();
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: libvirt said that the array has `count` elements; each is ours to free.
        unsafe {
            let interface = *array.add(index);
            addresses.extend(read_addresses(&*interface, mac));
            sys::virDomainInterfaceFree(interface);
        }
    }
    // SAFETY: allocated by libvirt with malloc for us.
    unsafe { free(array.cast()) };
    Ok(addresses)
}

/// SAFETY: the pointers in `interface` are null or what libvirt says they are.
unsafe fn read_addresses(interface: &sys::virDomainInterface, mac: &str) -> Vec<IpAddr> {
    if interface.hwaddr.is_null() || interface.addrs.is_null() {
        return Vec::new();
    }
    // SAFETY: not null, hence a C string.
    let found = unsafe { CStr::from_ptr(interface.hwaddr) }.to_string_lossy();
    if !found.eq_ignore_ascii_case(mac) {
        return Vec::new();
    }
    let count = usize::try_from(interface.naddrs).unwrap_or(0);
    // SAFETY: `addrs` points to `naddrs` elements.
    let addresses = unsafe { std::slice::from_raw_parts(interface.addrs, count) };
    addresses
        .iter()
        .filter(|address| !address.addr.is_null())
        // SAFETY: not null, hence a C string.
        .filter_map(|address| unsafe { CStr::from_ptr(address.addr) }.to_str().ok()?.parse().ok())
        .collect()
}
