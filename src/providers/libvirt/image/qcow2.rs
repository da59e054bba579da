//! A qcow2 file's header and tables (QEMU's docs/interop/qcow2.rst): numbers are big-endian.

use std::fs::File;
use std::os::unix::fs::FileExt;

use flate2::{Decompress, FlushDecompress};

use super::{AGAIN, ANOTHER, FLATTEN, Fix, Refused, cut_short, refuse};

/// Tables beyond this are not read: an image that large says nothing wrong in its first part.
const TABLE_BYTES: u64 = 64 << 20;
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
/// Reads as zeros, whatever its offset.
const ZERO: u64 = 1;
const KNOWN_FEATURES: u64 = 0b1_1111;

pub(super) struct Qcow2<'a> {
    file: &'a File,
    size: u64,
    cluster_bits: u32,
    /// Bytes of an entry of a second-level table.
    entry: u64,
    deflate: bool,
    /// File offsets of second-level tables; 0 where there is none.
    tables: Vec<u64>,
}

impl<'a> Qcow2<'a> {
    /// Refuses what needs another file or a password, what is damaged, and what is shorter than its tables say.
    pub fn open(file: &'a File, length: u64) -> Result<Self, Refused> {
        let mut head = [0; 112];
        if file.read_exact_at(&mut head, 0).is_err() {
            return cut_short("its header is incomplete");
        }
        let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        let (version, cluster_bits) = (word(4), word(20));
        match version {
            1 => return refuse("is qcow of version 1, which libvirt's volumes cannot stand on", FLATTEN),
            2 | 3 => {}
            other => return refuse(format!("is qcow2 of version {other}, which is not known"), FLATTEN),
        }
        let features = if version == 3 { long(72) } else { 0 };
        let size = long(24);
        if long(8) != 0 {
            let name = backing_name(file, long(8), word(16));
            return refuse(format!("is only a layer over another file ({name}), which nodes do not have"), FLATTEN);
        }
        if word(32) != 0 {
            return refuse("is encrypted: no node could open it", ANOTHER);
        }
        if features & 0b100 != 0 {
            return refuse("keeps its data in an external file, which nodes do not have", FLATTEN);
        }
        if features & 0b10 != 0 {
            return refuse("is marked as corrupt", Fix::Command("qemu-img check -r all {}"));
        }
        if features & !KNOWN_FEATURES != 0 {
            return refuse("uses features of qcow2 that are not known here", FLATTEN);
        }
        if !(9..=21).contains(&cluster_bits) || size == 0 {
            return refuse("has a broken header", AGAIN);
        }
        let entry = if features & 0b1_0000 != 0 { 16 } else { 8 };
        // Type 0 is deflate; another is a feature, and has a field.
        let deflate = features & 0b1000 == 0 || head[104] == 0;
        let mut image = Self { file, size, cluster_bits, entry, deflate, tables: Vec::new() };
        let (count, table) = (u64::from(word(36)), long(40));
        let refcounts = long(48).saturating_add(u64::from(word(56)) << cluster_bits);
        if table.saturating_add(count * 8) > length || refcounts > length {
            return cut_short("its tables are not in it");
        }
        if count < size.div_ceil(image.cluster() * image.table_entries()) {
            return refuse("has a broken header: its table is too small for its size", AGAIN);
        }
        image.tables = image.numbers(table, count * 8)?.into_iter().map(|entry| entry & OFFSET).collect();
        image.all_there(length)?;
        Ok(image)
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Entries of a second-level table.
    fn table_entries(&self) -> u64 {
        self.cluster() / self.entry
    }

    fn numbers(&self, at: u64, bytes: u64) -> Result<Vec<u64>, Refused> {
        let mut table = vec![0; usize::try_from(bytes.min(TABLE_BYTES)).unwrap_or(0)];
        if self.file.read_exact_at(&mut table, at).is_err() {
            return cut_short("its tables are not in it");
        }
        Ok(table
            .chunks_exact(8)
            .map(|b| u64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
            .collect())
    }

    /// Every part of the disk that the tables name begins within the file. The last one may be incomplete.
    fn all_there(&self, length: u64) -> Result<(), Refused> {
        let most = usize::try_from(TABLE_BYTES / self.cluster()).unwrap_or(usize::MAX);
        for table in self.tables.iter().filter(|table| **table != 0).take(most) {
            let entries = self.numbers(*table, self.cluster())?;
            for entry in entries.iter().step_by(usize::try_from(self.entry / 8).unwrap_or(1)) {
                let at = match entry & COMPRESSED {
                    0 => entry & OFFSET,
                    _ => self.compressed(*entry).0,
                };
                if at >= length && at != 0 {
                    return cut_short(&format!("it has {length} bytes, and a part of the disk at {at}"));
                }
            }
        }
        Ok(())
    }

    /// Where compressed data begins, and how long it is at most.
    fn compressed(&self, entry: u64) -> (u64, u64) {
        let offset_bits = 62 - (self.cluster_bits - 8);
        let offset = entry & ((1 << offset_bits) - 1);
        let sectors = (entry & (COMPRESSED - 1)) >> offset_bits;
        (offset, (sectors + 1) * 512 - (offset & 511))
    }

    /// Reads what a guest sees there; false where that cannot be said.
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> bool {
        let mut done = 0;
        while done < buffer.len() {
            let at = at + done as u64;
            let inside = usize::try_from(at % self.cluster()).unwrap_or(0);
            let count = (buffer.len() - done).min(usize::try_from(self.cluster()).unwrap_or(0) - inside);
            if !self.read_cluster(at / self.cluster(), inside, &mut buffer[done..done + count]) {
                return false;
            }
            done += count;
        }
        true
    }

    fn read_cluster(&self, index: u64, inside: usize, buffer: &mut [u8]) -> bool {
        if index >= self.size.div_ceil(self.cluster()) {
            return false;
        }
        buffer.fill(0);
        let table = usize::try_from(index / self.table_entries()).ok().and_then(|at| self.tables.get(at)).copied();
        let Some(table) = table else { return false };
        if table == 0 {
            return true;
        }
        let mut entry = [0; 8];
        if self.file.read_exact_at(&mut entry, table + index % self.table_entries() * self.entry).is_err() {
            return false;
        }
        let entry = u64::from_be_bytes(entry);
        if entry & COMPRESSED != 0 {
            return self.unpack(entry, inside, buffer);
        }
        match entry & OFFSET {
            0 => true,
            _ if entry & ZERO != 0 => true,
            offset => self.file.read_exact_at(buffer, offset + inside as u64).is_ok(),
        }
    }

    fn unpack(&self, entry: u64, inside: usize, buffer: &mut [u8]) -> bool {
        let (offset, length) = self.compressed(entry);
        let mut packed = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut have = 0;
        // The last part of a file may end before its last sector.
        while let Ok(count @ 1..) = self.file.read_at(&mut packed[have..], offset + have as u64) {
            have += count;
        }
        let mut whole = vec![0; usize::try_from(self.cluster()).unwrap_or(0)];
        let unpacked = self.deflate
            && Decompress::new(false).decompress(&packed[..have], &mut whole, FlushDecompress::Finish).is_ok();
        match whole.get(inside..inside + buffer.len()).filter(|_| unpacked) {
            Some(part) => {
                buffer.copy_from_slice(part);
                true
            }
            None => false,
        }
    }
}

fn backing_name(file: &File, at: u64, length: u32) -> String {
    let mut name = vec![0; usize::try_from(length).unwrap_or(0).min(1023)];
    match file.read_exact_at(&mut name, at) {
        Ok(()) => String::from_utf8_lossy(&name).into_owned(),
        Err(_) => "its name is cut off".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspect;
    use super::super::tests::file;
    use super::*;

    /// An image of 1 GB, with clusters of 64 KiB: header, refcounts, first table, one second-level table, one cluster.
    fn image() -> Vec<u8> {
        let cluster = 1 << 16;
        let mut bytes = vec![0; 5 * cluster];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, b"QFI\xfb\0\0\0\x03");
        put(20, &16_u32.to_be_bytes());
        put(24, &(1_u64 << 30).to_be_bytes());
        put(36, &2_u32.to_be_bytes());
        put(40, &(2 * cluster as u64).to_be_bytes());
        put(48, &(cluster as u64).to_be_bytes());
        put(56, &1_u32.to_be_bytes());
        put(96, &4_u32.to_be_bytes());
        put(100, &104_u32.to_be_bytes());
        put(2 * cluster, &((3 * cluster as u64) | (1 << 63)).to_be_bytes());
        put(3 * cluster, &((4 * cluster as u64) | (1 << 63)).to_be_bytes());
        put(4 * cluster + 510, &[0x55, 0xaa]);
        bytes
    }

    fn cause(edit: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = image();
        edit(&mut bytes);
        inspect(file(&bytes).path()).unwrap_err().cause
    }

    #[test]
    fn a_whole_image_is_taken_and_read_as_a_guest_reads_it() {
        let stored = file(&image());
        let found = inspect(stored.path()).unwrap();
        assert_eq!((found.form, found.bytes), ("qcow2", 1 << 30));
        let handle = File::open(stored.path()).unwrap();
        let image = Qcow2::open(&handle, 5 << 16).unwrap();
        let mut sector = [0; 512];
        assert!(image.read(0, &mut sector) && sector[510..] == [0x55, 0xaa]);
        assert!(image.read(1 << 20, &mut sector) && sector == [0; 512]);
        assert!(!image.read(1 << 30, &mut sector));
    }

    #[test]
    fn what_needs_something_else_is_refused() {
        let backed = cause(|b| {
            b[8..16].copy_from_slice(&200_u64.to_be_bytes());
            b[16..20].copy_from_slice(&8_u32.to_be_bytes());
            b[200..208].copy_from_slice(b"base.img");
        });
        assert_eq!(backed, "is only a layer over another file (base.img), which nodes do not have");
        assert!(cause(|b| b[79] = 0b100).contains("external file"));
        assert!(cause(|b| b[35] = 1).contains("encrypted"));
        assert!(cause(|b| b[35] = 2).contains("encrypted"));
        assert!(cause(|b| b[79] = 0b10).contains("corrupt"));
        assert!(cause(|b| b[72] = 1).contains("not known"));
        assert!(cause(|b| b[7] = 1).contains("version 1"));
        assert!(cause(|b| b[23] = 40).contains("broken"));
    }

    #[test]
    fn what_is_missing_at_the_end_is_noticed() {
        assert!(cause(|b| b.truncate(100_000)).contains("cut short"));
        assert!(cause(|b| b.truncate(3 << 16)).contains("cut short"));
        assert_eq!(
            cause(|b| b.truncate(4 << 16)),
            "is cut short: it has 262144 bytes, and a part of the disk at 262144"
        );
        assert!(cause(|b| b[39] = 1).contains("too small"));
    }

    #[test]
    fn compressed_parts_are_read() {
        let mut bytes = image();
        let mut cluster = vec![0; 1 << 16];
        cluster[32_769..32_774].copy_from_slice(b"CD001");
        let mut packer = flate2::Compress::new(flate2::Compression::fast(), false);
        let mut packed = Vec::with_capacity(4096);
        packer.compress_vec(&cluster, &mut packed, flate2::FlushCompress::Finish).unwrap();
        let at = 4 << 16;
        bytes.truncate(at);
        bytes.extend(&packed);
        let sectors = packed.len() as u64 / 512;
        let entry = COMPRESSED | (sectors << (62 - 8)) | at as u64;
        bytes[3 << 16..(3 << 16) + 8].copy_from_slice(&entry.to_be_bytes());
        assert!(inspect(file(&bytes).path()).unwrap_err().cause.contains("ISO"));
    }
}
