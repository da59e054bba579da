//! The image that nodes boot from: readable, of a known form, and the one that was meant.
//!
//! The hypervisor's user need not be able to read a local file: it is sent into the pool.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::super::default_image::default_image;
use super::super::options::Options;
use crate::model::{BaseImage, Check, ImageLocation, Spec, quote, shown_address};

pub(super) fn check(options: &Options, spec: &Spec, checks: &mut Vec<Check>) {
    match &options.image.location {
        ImageLocation::File(path) => checks.extend(of_file(path, options.image.sha256.as_deref(), spec)),
        ImageLocation::Url(url) => checks.extend(of_url(url, &options.image, spec)),
    }
}

fn of_url(url: &str, image: &BaseImage, spec: &Spec) -> Vec<Check> {
    let title = format!("image {}", shown_address(url));
    let first = match (&image.sha256, &image.checksums_url) {
        (Some(sha256), _) => Check::ok("image", title, format!("must have the SHA-256 {sha256}")),
        (None, Some(sums)) => Check::ok("image", title, format!("its SHA-256 comes from {sums} at the first download")),
        (None, None) => {
            let detail = "no checksum is given: the first download is trusted, recorded, and held to";
            Check::warning("image", title, detail).fix("name it: --libvirt-image-sha256 HEX")
        }
    };
    let disk = default_image().filter(|i| i.url == url).map(|i| u64::from(i.disk_gb) << 30);
    vec![first].into_iter().chain(disk.and_then(|bytes| root_size(bytes, spec))).collect()
}

fn of_file(path: &Path, sha256: Option<&str>, spec: &Spec) -> Vec<Check> {
    let title = format!("image {}", path.display());
    let mut file = match open(path) {
        Ok(file) => file,
        Err(cause) => {
            let list = format!("ls -l {}", quote(&path.display().to_string()));
            return vec![Check::failed("image", title, cause).fix(list)];
        }
    };
    let (form, bytes) = match form(&mut file) {
        Ok(known) => known,
        Err(cause) => {
            return vec![
                Check::failed("image", title, cause)
                    .fix("name a cloud image in qcow2 or raw form: --libvirt-image PATH"),
            ];
        }
    };
    let mut checks = vec![match sha256 {
        None => Check::ok("image", title, form),
        Some(expected) => match hash(path) {
            Ok(found) if found == expected => Check::ok("image", title, format!("{form}, SHA-256 as given")),
            Ok(found) => {
                let detail = format!("its SHA-256 is {found}, not {expected}");
                Check::failed("image", title, detail).fix("get the file again, or correct --libvirt-image-sha256")
            }
            Err(error) => Check::failed("image", title, format!("cannot be read: {error}")),
        },
    }];
    checks.extend(root_size(bytes, spec));
    checks
}

fn open(path: &Path) -> Result<File, String> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        _ => Err("is not a file".into()),
    }
}

/// What the file is, and the size in bytes that a guest sees.
fn form(file: &mut File) -> Result<(&'static str, u64), String> {
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let mut head = [0; 512];
    file.read_exact(&mut head).map_err(|_| "is too short for an image".to_owned())?;
    let starts = |magic: &[u8]| head.starts_with(magic);
    match () {
        // qcow2: magic, version, …, size as a big-endian u64 at byte 24.
        () if starts(b"QFI\xfb") => {
            let mut size = [0; 8];
            size.copy_from_slice(&head[24..32]);
            Ok(("qcow2", u64::from_be_bytes(size)))
        }
        () if starts(b"\xfd7zXZ\0") => Err("is compressed: unpack it with xz -d".into()),
        () if starts(b"\x1f\x8b") => Err("is compressed: unpack it with gunzip".into()),
        () if starts(b"\x28\xb5\x2f\xfd") => Err("is compressed: unpack it with zstd -d".into()),
        () if starts(b"PK\x03\x04") => Err("is a zip archive: unpack it".into()),
        () if starts(b"KDMV") => Err("is a VMDK: convert it with qemu-img convert -O qcow2".into()),
        // A partition table, DOS or the protective one of GPT.
        () if head[510..] == [0x55, 0xaa] => Ok(("raw", length)),
        () => Err("is neither qcow2 nor a raw disk with a partition table".into()),
    }
}

fn root_size(image: u64, spec: &Spec) -> Option<Check> {
    let root = u64::from(spec.root_volume_size) << 30;
    if root >= image {
        return None;
    }
    let needed = image.div_ceil(1 << 30);
    let detail =
        format!("the image is a disk of {}, the root volume has {} GB", super::gb(image), spec.root_volume_size);
    let mut check = Check::failed("image_size", "image fits on the root volume", detail);
    check.exit_code = 2;
    Some(check.fix(format!("--root-volume-size {needed}")))
}

type Seen = (PathBuf, SystemTime, u64);

/// The file's SHA-256, lower-case hex; computed once a process for a file that does not change.
fn hash(path: &Path) -> std::io::Result<String> {
    static KNOWN: Mutex<Option<HashMap<Seen, String>>> = Mutex::new(None);
    let metadata = path.metadata()?;
    let key = (path.to_owned(), metadata.modified()?, metadata.len());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(hash) = known().as_ref().and_then(|k| k.get(&key)) {
        return Ok(hash.clone());
    }
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => digest.update(&buffer[..count]),
        }
    }
    let hash: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    known().get_or_insert_default().insert(key, hash.clone());
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckStatus;
    use std::io::Write;

    fn spec() -> Spec {
        serde_json::from_value(serde_json::json!({
            "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 2,
        }))
        .unwrap()
    }

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    /// The beginning of a qcow2 file of that virtual size.
    fn qcow2(gb: u64) -> Vec<u8> {
        let mut head = vec![0; 512];
        head[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
        head[24..32].copy_from_slice(&(gb << 30).to_be_bytes());
        head
    }

    #[test]
    fn forms_are_told_by_their_first_bytes() {
        let mut raw = vec![0; 4096];
        raw[510..512].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(of_file(file(&raw).path(), None, &spec())[0].detail, "raw");
        assert_eq!(of_file(file(&qcow2(2)).path(), None, &spec())[0].detail, "qcow2");
        let mut xz = b"\xfd7zXZ\0".to_vec();
        xz.resize(600, 1);
        for (content, words) in [(xz, "xz -d"), (vec![0; 600], "neither"), (vec![0; 5], "too short")] {
            let check = &of_file(file(&content).path(), None, &spec())[0];
            assert!(check.is_failed() && check.detail.contains(words), "{check:?}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_secrets_and_is_not_pinned_without_a_checksum() {
        let url = "https://me:hush@h/i.img?signature=hush";
        let location = ImageLocation::Url(url.into());
        let checks = of_url(url, &BaseImage { location, sha256: None, checksums_url: None }, &spec());
        assert_eq!((checks[0].title.as_str(), checks[0].status), ("image https://h/i.img", CheckStatus::Warning));
        assert!(!format!("{checks:?}").contains("hush"));
    }

    #[test]
    fn a_wrong_checksum_and_a_missing_file_fail() {
        let image = file(&qcow2(1));
        let found = hash(image.path()).unwrap();
        assert_eq!(of_file(image.path(), Some(&found), &spec())[0].status, CheckStatus::Ok);
        let wrong = &of_file(image.path(), Some(&"0".repeat(64)), &spec())[0];
        assert!(wrong.is_failed() && wrong.detail.contains(&found));
        assert!(of_file(Path::new("/nowhere/x.img"), None, &spec())[0].detail.contains("no such file"));
        assert!(of_file(Path::new("/"), None, &spec())[0].detail.contains("not a file"));
    }

    #[test]
    fn an_image_larger_than_the_root_volume_is_a_wrong_value() {
        let checks = of_file(file(&qcow2(3)).path(), None, &spec());
        assert_eq!((checks[1].exit_code, checks[1].fix[0].as_str()), (2, "--root-volume-size 3"));
    }
}
