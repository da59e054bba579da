//! Volumes of a storage pool, the upload of a file into one, and the download of one.

use std::io::{Read, Write};

use sha2::{Digest, Sha256};
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt::stream::Stream;

use super::{Answer, Client, Fault, FaultKind, found, xml};
use crate::model::hex;

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Volume {
    pub pool: String,
    pub name: String,
    /// Where it is on the hypervisor; other volumes' `backing` says the same.
    pub path: String,
    /// Bytes that a guest sees.
    pub capacity: u64,
    /// Bytes that it takes on the disk.
    pub allocation: u64,
    /// The file's length; not every pool says it.
    pub physical: Option<u64>,
    /// Path of the volume that it is a copy-on-write layer over.
    pub backing: Option<String>,
    /// When its content last changed: seconds since 1970 by the hypervisor's clock.
    pub modified: Option<i64>,
}

/// How an upload or a download ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Upload {
    /// With the SHA-256 of the bytes that went, lower-case hex.
    Complete { sha256: String },
    /// The callback asked to stop: what was written is incomplete.
    GivenUp,
}

/// Who may read a volume's file on the hypervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Access {
    Everybody,
    /// Its owner, who is QEMU's user while a machine has it.
    Private,
}

impl Access {
    fn mode(self) -> &'static str {
        match self {
            Access::Everybody => "0644",
            Access::Private => "0600",
        }
    }
}

impl Client {
    /// Names of all volumes in an active pool.
    pub fn volume_names(&self, pool: &str) -> Answer<Vec<String>> {
        let pool = StoragePool::lookup_by_name(&self.connect, pool)?;
        pool.list_all_volumes(0)?.iter().map(|v| Ok(v.get_name()?)).collect()
    }

    /// All volumes in an active pool.
    pub fn volumes(&self, pool: &str) -> Answer<Vec<Volume>> {
        let handle = StoragePool::lookup_by_name(&self.connect, pool)?;
        let mut volumes = Vec::new();
        for volume in handle.list_all_volumes(0)? {
            match describe(pool, &volume) {
                Ok(volume) => volumes.push(volume),
                // Deleted by somebody between the two questions.
                Err(fault) if fault.is_not_found() => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(volumes)
    }

    pub fn volume(&self, pool: &str, name: &str) -> Answer<Option<Volume>> {
        let handle = StoragePool::lookup_by_name(&self.connect, pool)?;
        match found(StorageVol::lookup_by_name(&handle, name))? {
            Some(volume) => describe(pool, &volume).map(Some),
            None => Ok(None),
        }
    }

    /// A file of that length in the pool, all holes. [`FaultKind::Exists`] if the name is taken:
    /// of two that create at once, one gets that.
    pub fn create_raw_volume(&self, pool: &str, name: &str, bytes: u64, access: Access) -> Answer<()> {
        let pool = StoragePool::lookup_by_name(&self.connect, pool)?;
        let xml = format!(
            "<volume><name>{}</name><capacity unit='bytes'>{bytes}</capacity><allocation>0</allocation>\
             <target><format type='raw'/><permissions><mode>{}</mode></permissions></target></volume>",
            xml::escape(name),
            access.mode()
        );
        StorageVol::create_xml(&pool, &xml, 0)?;
        Ok(())
    }

    /// Gives a volume that no machine has open more room; it is never made smaller.
    pub fn grow_volume(&self, pool: &str, name: &str, bytes: u64) -> Answer<()> {
        let handle = StoragePool::lookup_by_name(&self.connect, pool)?;
        StorageVol::lookup_by_name(&handle, name)?.resize(bytes, 0)?;
        Ok(())
    }

    /// Deletes a volume; true if it was there.
    pub fn delete_volume(&self, pool: &str, name: &str) -> Answer<bool> {
        let handle = match found(StoragePool::lookup_by_name(&self.connect, pool))? {
            Some(handle) => handle,
            None => return Ok(false),
        };
        let Some(volume) = found(StorageVol::lookup_by_name(&handle, name))? else { return Ok(false) };
        match volume.delete(0).map_err(Fault::from) {
            Ok(()) => Ok(true),
            Err(fault) if fault.is_not_found() => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Writes `length` bytes from `source` over the beginning of a volume. Fewer are a fault.
    pub fn upload(
        &self,
        pool: &str,
        name: &str,
        source: &mut dyn Read,
        length: u64,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Answer<Upload> {
        let handle = StoragePool::lookup_by_name(&self.connect, pool)?;
        let volume = StorageVol::lookup_by_name(&handle, name)?;
        let stream = Stream::new(&self.connect, 0)?;
        volume.upload(&stream, 0, length, 0)?;
        let ended = send(source, length, progress, &mut |bytes| Ok(stream.send(bytes)?));
        if !matches!(ended, Ok(Upload::Complete { .. })) {
            let _ = stream.abort();
            return ended;
        }
        stream.finish()?;
        // libvirt learns the format from the content when it looks again.
        handle.refresh(0)?;
        ended
    }

    /// Makes a qcow2 volume of its own out of another of the same pool, with everything from the layers below that one.
    /// libvirt lets qemu-img copy it; the call returns at the end.
    pub fn flatten_volume(&self, pool: &str, from: &str, to: &str) -> Answer<()> {
        let pool = StoragePool::lookup_by_name(&self.connect, pool)?;
        let source = StorageVol::lookup_by_name(&pool, from)?;
        let capacity = describe("", &source)?.capacity;
        let xml = format!(
            "<volume><name>{}</name><capacity unit='bytes'>{capacity}</capacity><allocation>0</allocation>\
             <target><format type='qcow2'/><permissions><mode>{}</mode></permissions></target></volume>",
            xml::escape(to),
            Access::Private.mode()
        );
        StorageVol::create_xml_from(&pool, &xml, &source, 0)?;
        // libvirt refuses that while it copies another volume of the pool; it looks at this one when it is read.
        let _ = pool.refresh(0);
        Ok(())
    }

    /// Writes all bytes of a volume to `sink`.
    pub fn download(
        &self,
        pool: &str,
        name: &str,
        sink: &mut dyn Write,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Answer<Upload> {
        let handle = StoragePool::lookup_by_name(&self.connect, pool)?;
        let volume = StorageVol::lookup_by_name(&handle, name)?;
        let described = describe(pool, &volume)?;
        let length = described.physical.unwrap_or(described.allocation);
        let stream = Stream::new(&self.connect, 0)?;
        volume.download(&stream, 0, length, 0)?;
        let ended = receive(sink, length, progress, &mut |buffer| Ok(stream.recv(buffer)?));
        match ended {
            Ok(Upload::Complete { .. }) => stream.finish()?,
            _ => _ = stream.abort(),
        }
        ended
    }
}

fn receive(
    sink: &mut dyn Write,
    length: u64,
    progress: &mut dyn FnMut(u64, u64) -> bool,
    stream: &mut dyn FnMut(&mut [u8]) -> Answer<usize>,
) -> Answer<Upload> {
    let unusable = |message| Fault { kind: FaultKind::Other, message };
    let mut buffer = vec![0; 256 * 1024];
    let mut digest = Sha256::new();
    let mut done = 0;
    loop {
        if !progress(done, length) {
            return Ok(Upload::GivenUp);
        }
        let count = stream(&mut buffer)?;
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
        sink.write_all(&buffer[..count]).map_err(|error| unusable(format!("storing what came: {error}")))?;
        done += count as u64;
    }
    if done != length {
        return Err(unusable(format!("the volume ended after {done} of {length} bytes")));
    }
    Ok(Upload::Complete { sha256: hex(digest.finalize()) })
}

fn send(
    source: &mut dyn Read,
    length: u64,
    progress: &mut dyn FnMut(u64, u64) -> bool,
    stream: &mut dyn FnMut(&[u8]) -> Answer<usize>,
) -> Answer<Upload> {
    let unusable = |message| Fault { kind: FaultKind::Other, message };
    // libvirt's packets carry at most 256 KiB of a stream.
    let mut buffer = vec![0; 256 * 1024];
    let mut source = source.take(length);
    let mut digest = Sha256::new();
    let mut done = 0;
    loop {
        if !progress(done, length) {
            return Ok(Upload::GivenUp);
        }
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(unusable(format!("reading the image: {error}"))),
        };
        let mut rest = &buffer[..count];
        digest.update(rest);
        while !rest.is_empty() {
            let sent = stream(rest)?;
            rest = &rest[sent..];
        }
        done += count as u64;
    }
    if done != length {
        return Err(unusable(format!("the image ended after {done} of {length} bytes: it was changed meanwhile")));
    }
    Ok(Upload::Complete { sha256: hex(digest.finalize()) })
}

pub(super) fn describe(pool: &str, volume: &StorageVol) -> Answer<Volume> {
    parse(pool, &volume.get_xml_desc(0)?)
}

fn parse(pool: &str, text: &str) -> Answer<Volume> {
    xml::read(text, |root| {
        let number = |path: &[&str]| xml::text(root, path).and_then(|t| t.parse().ok());
        Volume {
            pool: pool.to_owned(),
            name: xml::text(root, &["name"]).unwrap_or_default(),
            path: xml::text(root, &["target", "path"]).unwrap_or_default(),
            capacity: number(&["capacity"]).unwrap_or(0),
            allocation: number(&["allocation"]).unwrap_or(0),
            physical: number(&["physical"]),
            backing: xml::text(root, &["backingStore", "path"]),
            modified: xml::text(root, &["target", "timestamps", "mtime"])
                .and_then(|t| t.split('.').next()?.parse().ok()),
        }
    })
}

#[cfg(test)]
mod unit {
    use super::*;

    // `virsh vol-dumpxml`, libvirt 9.0, a layer over another volume.
    const LAYER: &str = "<volume type='file'>
  <name>exasol-1a2b3c4d-n11-root</name>
  <key>/var/lib/libvirt/images/exasol-1a2b3c4d-n11-root</key>
  <capacity unit='bytes'>21474836480</capacity>
  <allocation unit='bytes'>200704</allocation>
  <physical unit='bytes'>196624</physical>
  <target>
    <path>/var/lib/libvirt/images/exasol-1a2b3c4d-n11-root</path>
    <format type='qcow2'/>
    <timestamps>
      <atime>1763868413.111111111</atime>
      <mtime>1763868412.598210131</mtime>
    </timestamps>
  </target>
  <backingStore>
    <path>/var/lib/libvirt/images/exasol-base-0011223344556677.qcow2</path>
    <format type='qcow2'/>
  </backingStore>
</volume>";

    #[test]
    fn an_upload_is_complete_only_with_all_its_bytes_and_says_what_they_were() {
        let mut sent = Vec::new();
        let mut upload = |mut image: &[u8], length| {
            send(&mut image, length, &mut |_, _| true, &mut |bytes| {
                sent.extend_from_slice(&bytes[..bytes.len().min(2)]);
                Ok(bytes.len().min(2))
            })
        };
        let hash = |bytes: &[u8]| crate::model::sha256_hex(bytes);
        assert_eq!(upload(b"image", 5), Ok(Upload::Complete { sha256: hash(b"image") }));
        // One that has grown since its length was read.
        assert_eq!(upload(b"image", 3), Ok(Upload::Complete { sha256: hash(b"ima") }));
        let cut_off = upload(b"image", 6).unwrap_err();
        assert!(cut_off.message.contains("after 5 of 6 bytes"), "{cut_off}");
        assert_eq!(sent, b"imageimaimage");
        assert_eq!(send(&mut &b"x"[..], 1, &mut |_, _| false, &mut |_| Ok(1)), Ok(Upload::GivenUp));
    }

    #[test]
    fn a_download_is_complete_only_with_all_its_bytes_and_says_what_they_were() {
        let download = |volume: &'static [u8], length| {
            let (mut kept, mut rest) = (Vec::new(), volume);
            let ended = receive(&mut kept, length, &mut |_, _| true, &mut |buffer| {
                let count = rest.len().min(2);
                buffer[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                Ok(count)
            });
            (ended, kept)
        };
        let sha256 = crate::model::sha256_hex(b"image");
        assert_eq!(download(b"image", 5), (Ok(Upload::Complete { sha256 }), b"image".to_vec()));
        assert!(download(b"image", 6).0.unwrap_err().message.contains("after 5 of 6 bytes"));
        assert_eq!(receive(&mut Vec::new(), 1, &mut |_, _| false, &mut |_| Ok(1)), Ok(Upload::GivenUp));
    }

    #[test]
    fn a_layer_names_what_it_needs() {
        let volume = parse("default", LAYER).unwrap();
        assert_eq!(volume.name, "exasol-1a2b3c4d-n11-root");
        assert_eq!(volume.backing.as_deref(), Some("/var/lib/libvirt/images/exasol-base-0011223344556677.qcow2"));
        assert_eq!((volume.capacity, volume.physical, volume.modified), (20 << 30, Some(196_624), Some(1_763_868_412)));
    }

    #[test]
    fn fuzz_volumes() {
        crate::fuzz::text_target("volume-xml", &[LAYER], |xml| drop(parse("default", xml)));
    }
}
