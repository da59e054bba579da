//! Where the last partition of a disk ends, by its table.

use super::Reader;

const SECTOR: u64 = 512;
/// Stands in the older table in place of the partitions, where there is a GPT.
const PROTECTIVE: u8 = 0xee;

/// In bytes; None where the table does not tell. `head`: the first sector, which ends like one with a table.
pub(super) fn end(head: &[u8; 512], read: Reader) -> Option<u64> {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |bytes: &[u8], at: usize| u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32;
    let entries: Vec<&[u8]> = head[446..510].chunks_exact(16).filter(|entry| entry[4] != 0).collect();
    let last = if entries.iter().any(|entry| entry[4] == PROTECTIVE) {
        let mut header = [0; 92];
        if !read(SECTOR, &mut header) || !header.starts_with(b"EFI PART") || word(&header, 84) != 128 {
            return None;
        }
        let mut table = vec![0; word(&header, 80).min(128) as usize * 128];
        if !read(long(&header, 72).checked_mul(SECTOR)?, &mut table) {
            return None;
        }
        let ends = table.chunks_exact(128).filter(|entry| entry[..16] != [0; 16]).map(|entry| long(entry, 40));
        ends.max()?.checked_add(1)?
    } else {
        entries.iter().map(|entry| u64::from(word(entry, 8)) + u64::from(word(entry, 12))).max()?
    };
    last.checked_mul(SECTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with one partition of sectors 2048 to 4095, in a table of that kind.
    fn disk(gpt: bool) -> Vec<u8> {
        let mut disk = vec![0u8; 4096 * 512];
        disk[446 + 4] = if gpt { PROTECTIVE } else { 0x83 };
        let (start, count): (u32, u32) = if gpt { (1, u32::MAX) } else { (2048, 2048) };
        disk[454..458].copy_from_slice(&start.to_le_bytes());
        disk[458..462].copy_from_slice(&count.to_le_bytes());
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        if gpt {
            disk[512..520].copy_from_slice(b"EFI PART");
            disk[512 + 72] = 2;
            (disk[512 + 80], disk[512 + 84]) = (128, 128);
            disk[1024] = 1;
            disk[1024 + 40..1024 + 48].copy_from_slice(&4095u64.to_le_bytes());
        }
        disk
    }

    fn end_of(disk: &[u8]) -> Option<u64> {
        let head: [u8; 512] = disk[..512].try_into().unwrap();
        end(&head, &|at, buffer| {
            let at = usize::try_from(at).unwrap();
            disk.get(at..at + buffer.len()).map(|bytes| buffer.copy_from_slice(bytes)).is_some()
        })
    }

    #[test]
    fn both_kinds_of_table_tell_where_the_last_partition_ends() {
        for gpt in [false, true] {
            assert_eq!(end_of(&disk(gpt)), Some(4096 * 512), "{gpt}");
        }
        assert_eq!(end_of(&disk(true)[..1024]), None, "the table itself is not there");
        let mut empty = vec![0; 512];
        empty[510..].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(end_of(&empty), None);
    }
}
