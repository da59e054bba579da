//! What the hypervisor's machine has.

use std::ffi::{CStr, c_int};
use std::mem::zeroed;

use virt::interface::Interface;
use virt_sys as sys;

use super::{Answer, Client, Fault, found, xml};

/// The hypervisor's machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct HostInfo {
    /// As `uname -m` says it there.
    pub architecture: String,
    pub cpus: u32,
    /// KiB.
    pub memory: u64,
    /// KiB that guests could get now: free, and caches that the kernel would give up.
    pub available: Option<u64>,
}

impl Client {
    /// `qemu` in `qemu:///system`, in capitals; `TEST` for libvirt's mock driver.
    pub fn driver(&self) -> Answer<String> {
        Ok(self.connect.get_type()?)
    }

    /// Of libvirt there, which may be another machine.
    pub fn daemon_version(&self) -> Answer<u32> {
        Ok(self.connect.get_lib_version()?)
    }

    /// Of what makes the machines: QEMU.
    pub fn driver_version(&self) -> Answer<u32> {
        Ok(self.connect.get_hyp_version()?)
    }

    pub fn host(&self) -> Answer<HostInfo> {
        let node = self.connect.get_node_info()?;
        // Node info counts the first NUMA cells it understands; the statistics count what the kernel counts.
        let memory = self.memory().unwrap_or_default();
        Ok(HostInfo {
            architecture: node.model,
            cpus: node.cpus,
            memory: memory.total.unwrap_or(node.memory),
            available: memory.free.map(|free| free + memory.caches),
        })
    }

    /// An error where there is no emulator for that architecture and kind of domain; its path otherwise.
    pub fn emulator(&self, architecture: &str, domain_type: &str) -> Answer<String> {
        let xml = self.connect.get_domain_capabilities(None, Some(architecture), None, Some(domain_type), 0)?;
        xml::read(&xml, |root| xml::text(root, &["path"]).unwrap_or_default())
    }

    /// Files of UEFI firmware that libvirt knows for that architecture and kind of domain, the best one first.
    pub fn firmware(&self, architecture: &str, domain_type: &str) -> Answer<Vec<String>> {
        loaders(&self.connect.get_domain_capabilities(None, Some(architecture), None, Some(domain_type), 0)?)
    }

    /// Whether the host has an interface of that name (none: no), and whether it is a bridge.
    pub fn is_bridge(&self, name: &str) -> Answer<Option<bool>> {
        match found(Interface::lookup_by_name(&self.connect, name))? {
            Some(interface) => {
                xml::read(&interface.get_xml_desc(0)?, |root| root.attribute("type") == Some("bridge")).map(Some)
            }
            None => Ok(None),
        }
    }

    fn memory(&self) -> Answer<Memory> {
        let call = |values: *mut sys::virNodeMemoryStats, count: &mut c_int| {
            // SAFETY: `values` is null or has room for `count` elements.
            let status = unsafe {
                sys::virNodeGetMemoryStats(
                    self.connect.as_ptr(),
                    sys::VIR_NODE_MEMORY_STATS_ALL_CELLS,
                    values,
                    count,
                    0,
                )
            };
            if status < 0 { Err(Fault::from(virt::error::Error::last_error())) } else { Ok(()) }
        };
        let mut count = 0;
        call(std::ptr::null_mut(), &mut count)?;
        // SAFETY: a plain C struct of characters and a number.
        let mut values: Vec<sys::virNodeMemoryStats> = vec![unsafe { zeroed() }; usize::try_from(count).unwrap_or(0)];
        call(values.as_mut_ptr(), &mut count)?;
        let mut memory = Memory::default();
        for value in &values {
            // SAFETY: libvirt ends the field's name with a zero within its 80 bytes.
            match unsafe { CStr::from_ptr(value.field.as_ptr()) }.to_bytes() {
                b"total" => memory.total = Some(value.value),
                b"free" => memory.free = Some(value.value),
                b"buffers" | b"cached" => memory.caches += value.value,
                _ => {}
            }
        }
        Ok(memory)
    }
}

fn loaders(capabilities: &str) -> Answer<Vec<String>> {
    xml::read(capabilities, |root| {
        let values = xml::all(root, &["os", "loader"], "value");
        values.into_iter().filter_map(|value| Some(value.text()?.trim().to_owned())).collect()
    })
}

/// KiB.
#[derive(Default)]
struct Memory {
    total: Option<u64>,
    free: Option<u64>,
    caches: u64,
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn firmware_is_read_from_a_domain_s_capabilities() {
        let os = "<os supported='yes'><enum name='firmware'><value>efi</value></enum><loader supported='yes'>\
            <value>/usr/share/AAVMF/AAVMF_CODE.fd</value><enum name='type'><value>rom</value></enum></loader></os>";
        let found = loaders(&format!("<domainCapabilities>{os}</domainCapabilities>")).unwrap();
        assert_eq!(found, ["/usr/share/AAVMF/AAVMF_CODE.fd"]);
        assert!(loaders("<domainCapabilities><os><loader/></os></domainCapabilities>").unwrap().is_empty());
    }

    #[test]
    fn fuzz_capabilities() {
        let seed = "<domainCapabilities><path>/usr/bin/qemu</path><os><loader supported='yes'><value>/a.fd</value></loader></os>\
            </domainCapabilities>";
        crate::fuzz::text_target("capabilities-xml", &[seed], |xml| drop(loaders(xml)));
    }
}
