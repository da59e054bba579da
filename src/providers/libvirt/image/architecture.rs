//! For which processors an image's boot loader is made, as far as its partitions tell it cheaply.

use super::Reader;

const SECTOR: u64 = 512;
/// Partition types of GPT, as their bytes stand on the disk.
const BIOS_BOOT: [u8; 16] = *b"Hah!IdontNeedEFI";
const ROOT_X86: [u8; 16] =
    [0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09];
const ROOT_ARM: [u8; 16] =
    [0x45, 0xb0, 0x21, 0xb9, 0xf0, 0x1d, 0xc3, 0x41, 0xaf, 0x44, 0x4c, 0x6f, 0x28, 0x0d, 0x3f, 0xae];
const EFI: [u8; 16] = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
/// The loaders that a firmware takes by itself, as a FAT directory spells their names.
const LOADERS: [(&[u8; 11], &str); 2] = [(b"BOOTX64 EFI", "x86_64"), (b"BOOTAA64EFI", "aarch64")];
/// Directories are made first, before the files in them.
const EFI_BYTES: usize = 4 << 20;

/// None where the partitions do not tell.
pub(super) fn of(read: Reader) -> Option<&'static str> {
    let mut header = [0; 92];
    if !read(SECTOR, &mut header) || !header.starts_with(b"EFI PART") {
        return None;
    }
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |bytes: &[u8], at: usize| u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32;
    let (table, count, size) = (long(&header, 72), word(&header, 80).min(128), word(&header, 84));
    if size != 128 {
        return None;
    }
    let mut entries = vec![0; count as usize * 128];
    if !read(table.checked_mul(SECTOR)?, &mut entries) {
        return None;
    }
    let partition = |kind: [u8; 16]| entries.chunks_exact(128).find(|entry| entry[..16] == kind);
    if partition(ROOT_ARM).is_some() {
        return Some("aarch64");
    }
    // Only PCs have such a firmware.
    if partition(BIOS_BOOT).is_some() || partition(ROOT_X86).is_some() {
        return Some("x86_64");
    }
    loader(read, long(partition(EFI)?, 32).checked_mul(SECTOR)?)
}

/// By the names in the EFI partition that begins there; None where it has loaders for both, or for neither.
fn loader(read: Reader, at: u64) -> Option<&'static str> {
    let mut start = vec![0; EFI_BYTES];
    // One that is smaller is read as far as it goes.
    let part = 1 << 16;
    for (number, chunk) in start.chunks_mut(part).enumerate() {
        if !read(at + (number * part) as u64, chunk) {
            break;
        }
    }
    let has = |name: &[u8; 11]| start.chunks_exact(32).any(|entry| entry.starts_with(name));
    match LOADERS.map(|(name, architecture)| has(name).then_some(architecture)) {
        [Some(one), None] | [None, Some(one)] => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with partitions of these types; the last one begins at sector 64.
    fn disk(kinds: &[[u8; 16]], loader: &[u8]) -> Vec<u8> {
        let mut disk = vec![0; 64 * 512 + 128 * 1024];
        disk[512..520].copy_from_slice(b"EFI PART");
        disk[584] = 2;
        disk[592] = 128;
        disk[596] = 128;
        for (number, kind) in kinds.iter().enumerate() {
            let at = 1024 + number * 128;
            disk[at..at + 16].copy_from_slice(kind);
            disk[at + 32] = 64;
        }
        let at = 64 * 512 + 96;
        disk[at..at + loader.len()].copy_from_slice(loader);
        disk
    }

    fn of_disk(disk: &[u8]) -> Option<&'static str> {
        of(&|at, buffer: &mut [u8]| {
            let at = usize::try_from(at).unwrap();
            disk.get(at..at + buffer.len()).map(|part| buffer.copy_from_slice(part)).is_some()
        })
    }

    #[test]
    fn partitions_and_loaders_tell_the_architecture() {
        assert_eq!(of_disk(&disk(&[EFI], b"BOOTAA64EFI")), Some("aarch64"));
        assert_eq!(of_disk(&disk(&[EFI], b"BOOTX64 EFI")), Some("x86_64"));
        assert_eq!(of_disk(&disk(&[BIOS_BOOT, EFI], b"BOOTAA64EFI")), Some("x86_64"));
        assert_eq!(of_disk(&disk(&[ROOT_ARM], b"")), Some("aarch64"));
        assert_eq!(of_disk(&disk(&[EFI], b"")), None);
        assert_eq!(of_disk(&disk(&[[7; 16]], b"BOOTX64 EFI")), None);
        assert_eq!(of_disk(&[0; 4096]), None);
    }
}
