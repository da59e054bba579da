//! Why a domain is paused, and which of its disks could not be written.

use std::ffi::{CStr, c_uint};
use std::ptr;

use virt::domain::Domain;
use virt_sys as sys;

use super::domains::free;
use super::{Answer, Client, xml};

/// Why a domain is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Pause {
    /// Somebody asked for it.
    Asked,
    /// Disks that could not be read or written.
    Disks(Vec<DiskError>),
    /// In libvirt's words.
    Other(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct DiskError {
    /// The volume's or file's name; the guest's name of the disk where there is none.
    pub disk: String,
    pub no_space: bool,
}

impl Client {
    /// None: it is not paused.
    pub fn pause(&self, domain: &str) -> Answer<Option<Pause>> {
        let handle = Domain::lookup_by_name(&self.connect, domain)?;
        let (state, reason) = handle.get_state()?;
        if state == sys::VIR_DOMAIN_PMSUSPENDED {
            return Ok(Some(Pause::Other("the guest has suspended itself")));
        }
        if state != sys::VIR_DOMAIN_PAUSED {
            return Ok(None);
        }
        let reason = c_uint::try_from(reason).unwrap_or(sys::VIR_DOMAIN_PAUSED_UNKNOWN);
        if reason == sys::VIR_DOMAIN_PAUSED_IOERROR {
            return Ok(Some(Pause::Disks(disk_errors(&handle)?)));
        }
        Ok(Some(by_reason(reason)))
    }
}

fn by_reason(reason: c_uint) -> Pause {
    match reason {
        sys::VIR_DOMAIN_PAUSED_USER => Pause::Asked,
        sys::VIR_DOMAIN_PAUSED_MIGRATION => Pause::Other("it is being migrated"),
        sys::VIR_DOMAIN_PAUSED_SAVE => Pause::Other("it is being saved"),
        sys::VIR_DOMAIN_PAUSED_DUMP => Pause::Other("its memory is being dumped"),
        sys::VIR_DOMAIN_PAUSED_WATCHDOG => Pause::Other("its watchdog has fired"),
        sys::VIR_DOMAIN_PAUSED_FROM_SNAPSHOT => Pause::Other("it was restored from a snapshot"),
        sys::VIR_DOMAIN_PAUSED_SNAPSHOT => Pause::Other("a snapshot is being made"),
        sys::VIR_DOMAIN_PAUSED_CRASHED => Pause::Other("its guest has crashed"),
        sys::VIR_DOMAIN_PAUSED_STARTING_UP => Pause::Other("it is being started"),
        _ => Pause::Other("libvirt does not say why"),
    }
}

fn disk_errors(domain: &Domain) -> Answer<Vec<DiskError>> {
    let names = xml::read(&domain.get_xml_desc(0)?, disks)?;
    // SAFETY: null asks for the number of disks.
    let count = unsafe { sys::virDomainGetDiskErrors(domain.as_ptr(), ptr::null_mut(), 0, 0) };
    let room = usize::try_from(count).unwrap_or(0);
    let mut errors = vec![sys::virDomainDiskError { disk: ptr::null_mut(), error: 0 }; room];
    // SAFETY: the array has as many elements as we say.
    let found = unsafe {
        sys::virDomainGetDiskErrors(domain.as_ptr(), errors.as_mut_ptr(), c_uint::try_from(room).unwrap_or(0), 0)
    };
    let mut read = Vec::new();
    for error in errors.iter().take(usize::try_from(found).unwrap_or(0)).filter(|error| !error.disk.is_null()) {
        // SAFETY: not null, hence a C string that is ours to free.
        let target = unsafe {
            let name = CStr::from_ptr(error.disk).to_string_lossy().into_owned();
            free(error.disk.cast());
            name
        };
        let disk = names.iter().find(|(dev, _)| *dev == target).map_or(target, |(_, name)| name.clone());
        read.push(DiskError { disk, no_space: u32::try_from(error.error) == Ok(sys::VIR_DOMAIN_DISK_ERROR_NO_SPACE) });
    }
    Ok(read)
}

/// By the guest's name of a disk (`vda`) that of its volume or file.
fn disks(root: roxmltree::Node) -> Vec<(String, String)> {
    let disk = |disk: roxmltree::Node| {
        let target = xml::attribute(disk, &["target"], "dev")?;
        let source = xml::at(disk, &["source"])?;
        let path =
            source.attribute("volume").or_else(|| source.attribute("file")).or_else(|| source.attribute("dev"))?;
        Some((target, path.rsplit('/').next().unwrap_or(path).to_owned()))
    };
    xml::all(root, &["devices"], "disk").into_iter().filter_map(disk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_called_by_their_volumes() {
        let text = "<domain><devices>\
            <disk type='file'><source file='/pool/exasol-1-n11-root.qcow2'/><target dev='vda'/></disk>\
            <disk type='volume'><source pool='default' volume='exasol-1-n11-data-01'/><target dev='sda'/></disk>\
            <disk type='file' device='cdrom'><target dev='hda'/></disk></devices></domain>";
        let expected = [("vda", "exasol-1-n11-root.qcow2"), ("sda", "exasol-1-n11-data-01")];
        let found = xml::read(text, disks).unwrap();
        assert_eq!(found, expected.map(|(target, name)| (target.to_owned(), name.to_owned())));
    }

    #[test]
    fn every_reason_has_words() {
        assert_eq!(by_reason(sys::VIR_DOMAIN_PAUSED_USER), Pause::Asked);
        assert_eq!(by_reason(99), Pause::Other("libvirt does not say why"));
    }
}
