//! What an image file is, by its content: a disk that nodes can boot from, or why not.
//!
//! Belongs here: reading the file. Does not belong here: where it comes from, and checks as data.

mod architecture;
mod partitions;
mod qcow2;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use qcow2::Qcow2;

/// A disk image that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// `qcow2` or `raw`.
    pub form: &'static str,
    /// Size of the disk that a guest sees.
    pub bytes: u64,
    /// For which its boot loader is made, as `uname -m` says it; None where the image does not tell.
    pub architecture: Option<&'static str>,
}

/// Why an image cannot be used, and what to do: the latter without a path, and fit for one to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub cause: String,
    pub fix: Fix,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// A command that the file's path is to be put into, in place of `{}`.
    Command(&'static str),
    Words(&'static str),
}

impl Fix {
    /// With the path as one word of a shell.
    pub fn to_text(&self, path: &str) -> String {
        match self {
            Fix::Command(command) => command.replace("{}", path),
            Fix::Words(words) => (*words).to_owned(),
        }
    }
}

fn refuse<T>(cause: impl Into<String>, fix: Fix) -> Result<T, Refused> {
    Err(Refused { cause: cause.into(), fix })
}

fn cut_short<T>(what: &str) -> Result<T, Refused> {
    refuse(format!("is cut short: {what}"), AGAIN)
}

const ANOTHER: Fix = Fix::Words("name a cloud image in qcow2 or raw form: --libvirt-image PATH");
const AGAIN: Fix = Fix::Words("get the file again");
const FLATTEN: Fix = Fix::Command("qemu-img convert -O qcow2 {} whole.qcow2   # then --libvirt-image whole.qcow2");

/// Where ISO 9660 has its first descriptor, and the name in it.
const ISO_AT: u64 = 32_769;
const ISO: &[u8] = b"CD001";

/// Reads headers and tables, never the whole file. The error is for people.
pub(super) fn inspect(path: &Path) -> Result<Image, Refused> {
    let unreadable = |error: std::io::Error| Refused { cause: format!("cannot be read: {error}"), fix: ANOTHER };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut head = [0; 512];
    if file.read_exact_at(&mut head, 0).is_err() {
        return refuse("is too short for an image", ANOTHER);
    }
    if head.starts_with(b"QFI\xfb") {
        let image = Qcow2::open(&file, length)?;
        no_cd(&|at, buffer| image.read(at, buffer))?;
        let architecture = architecture::of(&|at, buffer| image.read(at, buffer));
        return Ok(Image { form: "qcow2", bytes: image.size(), architecture });
    }
    let read = |at: u64, buffer: &mut [u8]| file.read_exact_at(buffer, at).is_ok();
    no_cd(&read)?;
    other_forms(&head)?;
    // A partition table, DOS or the protective one of GPT.
    if head[510..] != [0x55, 0xaa] {
        return refuse("is neither qcow2 nor a raw disk with a partition table", ANOTHER);
    }
    if let Some(end) = partitions::end(&head, &read).filter(|end| *end > length) {
        return cut_short(&format!("it has {length} bytes, and its last partition ends at {end}"));
    }
    Ok(Image { form: "raw", bytes: length, architecture: architecture::of(&read) })
}

/// Reads what a guest would see there; false where that cannot be said.
type Reader<'a> = &'a dyn Fn(u64, &mut [u8]) -> bool;

fn no_cd(read: Reader) -> Result<(), Refused> {
    let mut name = [0; ISO.len()];
    if read(ISO_AT, &mut name) && name == *ISO {
        return refuse("is an installation CD (ISO): nodes need an installed system with cloud-init", ANOTHER);
    }
    Ok(())
}

fn other_forms(head: &[u8]) -> Result<(), Refused> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let text = head.trim_ascii_start();
    let begins = |tag: &str| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
    match () {
        () if starts(b"\xfd7zXZ\0") => refuse("is compressed: unpack it with xz -d", Fix::Command("xz -d -k {}")),
        () if starts(b"\x1f\x8b") => refuse("is compressed: unpack it with gunzip", Fix::Command("gunzip -k {}")),
        () if starts(b"\x28\xb5\x2f\xfd") => {
            refuse("is compressed: unpack it with zstd -d", Fix::Command("zstd -d {}"))
        }
        () if starts(b"BZh") => refuse("is compressed: unpack it with bunzip2", Fix::Command("bunzip2 -k {}")),
        () if starts(b"PK\x03\x04") => refuse("is a zip archive: unpack it", Fix::Command("unzip {}")),
        () if starts(b"KDMV") => refuse("is a VMDK: convert it with qemu-img convert -O qcow2", FLATTEN),
        () if starts(b"LUKS\xba\xbe") => refuse("is encrypted (LUKS): no node could open it", ANOTHER),
        () if begins("<!doctype") || begins("<html") || begins("<?xml") => refuse(
            "is a web page, not an image: the server answered with words, or the address is that of a page about the image",
            Fix::Words("name the address of the file itself"),
        ),
        () => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    pub fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn cause(content: &[u8]) -> String {
        inspect(file(content).path()).unwrap_err().cause
    }

    fn padded(start: &[u8]) -> Vec<u8> {
        let mut content = start.to_vec();
        content.resize(1024, 1);
        content
    }

    #[test]
    fn forms_are_told_by_their_first_bytes() {
        let mut raw = vec![0; 4096];
        raw[510..512].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(inspect(file(&raw).path()), Ok(Image { form: "raw", bytes: 4096, architecture: None }));
        for (start, words) in [
            (&b"\xfd7zXZ\0"[..], "xz -d"),
            (b"\x1f\x8b", "gunzip"),
            (b"\x28\xb5\x2f\xfd", "zstd -d"),
            (b"BZh91AY", "bunzip2"),
            (b"LUKS\xba\xbe\0\x02", "LUKS"),
            (b"\n<!DOCTYPE html><html>", "web page"),
            (b"<HTML>", "web page"),
            (b"\0\0", "neither"),
        ] {
            assert!(cause(&padded(start)).contains(words), "{words}");
        }
        assert!(cause(b"short").contains("too short"));
    }

    #[test]
    fn a_cd_is_told_although_it_has_a_boot_sector() {
        let mut hybrid = vec![0; 40_000];
        hybrid[510..512].copy_from_slice(&[0x55, 0xaa]);
        hybrid[32_769..32_774].copy_from_slice(b"CD001");
        assert!(cause(&hybrid).contains("ISO"));
    }

    #[test]
    fn a_fix_has_the_path_in_it() {
        let refused = inspect(file(&padded(b"\xfd7zXZ\0")).path()).unwrap_err();
        assert_eq!(refused.fix.to_text("'/a b'"), "xz -d -k '/a b'");
    }

    #[test]
    fn fuzz_disk_images() {
        let dir = tempfile::tempdir().unwrap();
        // A table of 64 MiB, as bytes and as numbers, and the start of an EFI partition.
        crate::fuzz::target_with("disk-images", 140 << 20, &[], move |bytes| {
            let file = dir.path().join("image");
            std::fs::write(&file, bytes).unwrap();
            if let Err(refused) = inspect(&file) {
                assert!(refused.cause.len() < 5000);
                refused.fix.to_text("image");
            }
        });
    }
}
