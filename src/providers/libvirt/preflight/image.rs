//! The image that nodes boot from: readable, of a known form, for this host, and the one that was meant.
//!
//! The hypervisor's user need not be able to read a local file: it is sent into the pool.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::super::default_image;
use super::super::facts::Facts;
use super::super::image::{self, Image};
use super::super::options::Options;
use crate::error::Result;
use crate::model::{
    BaseImage, Check, ImageLocation, Options as Map, Spec, UnfitImage, address_file_name, hex, quote, shown_address,
};

pub(super) fn check(options: &Options, architecture: &str, spec: &Spec, checks: &mut Vec<Check>) {
    let image = match options.image.on(architecture) {
        Ok(image) => image,
        Err(error) => return checks.push(super::of_options(&error)),
    };
    match &image.location {
        ImageLocation::File(path) => checks.extend(of_file(path, image.sha256.as_deref(), architecture, spec)),
        ImageLocation::Url(url) => checks.extend(of_url(url, &image, architecture, spec)),
    }
}

/// What was downloaded, before it is used; None: it can be.
pub(in super::super) fn downloaded(spec: &Spec, facts: &Map, path: &Path) -> Result<Option<UnfitImage>> {
    let facts = Facts::from_map(facts)?;
    let shown = quote(&path.display().to_string());
    Ok(match image::inspect(path) {
        Err(refused) => Some(UnfitImage { fix: refused.fix.to_text(&shown), cause: refused.cause }),
        Ok(found) => match (found.architecture, root_size(found.bytes, spec)) {
            (Some(made_for), _) if is_other(made_for, &facts.architecture) => Some(UnfitImage {
                cause: format!("is made for {made_for}, and the hypervisor is {}", facts.architecture),
                fix: format!("name an image for {}: --libvirt-image PATH|URL", facts.architecture),
            }),
            (_, Some(check)) => {
                Some(UnfitImage { cause: format!("does not fit: {}", check.detail), fix: check.fix.join(", ") })
            }
            _ => None,
        },
    })
}

fn of_url(url: &str, image: &BaseImage, architecture: &str, spec: &Spec) -> Vec<Check> {
    let title = format!("image {}", shown_address(url));
    if let Some(check) = for_another(named_architecture(address_file_name(url)), architecture, &title) {
        return vec![check];
    }
    let first = match &image.sha256 {
        Some(sha256) => Check::ok("image", title, format!("must have the SHA-256 {sha256}")),
        None => {
            let detail =
                "no checksum is given: the first download is trusted, and later ones must have the same checksum";
            Check::warning("image", title, detail).fix("name it: --libvirt-image-sha256 HEX")
        }
    };
    let disk = default_image::at(url).map(|image| u64::from(image.disk_gb) << 30);
    vec![first].into_iter().chain(disk.and_then(|bytes| root_size(bytes, spec))).collect()
}

fn of_file(path: &Path, sha256: Option<&str>, architecture: &str, spec: &Spec) -> Vec<Check> {
    let title = format!("image {}", path.display());
    let shown = quote(&path.display().to_string());
    if let Err(cause) = readable(path) {
        let advice = "name an image that this user can read: --libvirt-image PATH|URL";
        return vec![Check::failed("image", title, cause).fix(advice)];
    }
    let Image { form, bytes, architecture: made_for } = match image::inspect(path) {
        Ok(image) => image,
        Err(refused) => {
            return vec![
                Check::failed("image", title, format!("it {}", refused.cause)).fix(refused.fix.to_text(&shown)),
            ];
        }
    };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(check) = for_another(made_for.or_else(|| named_architecture(name)), architecture, &title) {
        return vec![check];
    }
    let mut checks = vec![match sha256 {
        None => Check::ok("image", title, form),
        Some(expected) => match hash(path) {
            Ok(found) if found == expected => Check::ok("image", title, format!("{form}, SHA-256 as given")),
            Ok(found) => {
                let detail = format!("its SHA-256 is {found}, not {expected}");
                Check::failed("image", title, detail).fix("get the file again, or correct --libvirt-image-sha256")
            }
            Err(error) => Check::failed("image", title, format!("it cannot be read: {error}")),
        },
    }];
    checks.extend(root_size(bytes, spec));
    checks
}

fn readable(path: &Path) -> std::result::Result<(), String> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("it cannot be read: {error}"),
    })?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(()),
        _ => Err("it is not a file".into()),
    }
}

fn for_another(made_for: Option<&str>, host: &str, title: &str) -> Option<Check> {
    let made_for = made_for.filter(|made_for| is_other(made_for, host))?;
    let detail = format!("it is made for {made_for}, and the hypervisor is {host}");
    Some(Check::failed("image", title, detail).fix(format!("name an image for {host}: --libvirt-image PATH|URL")))
}

fn is_other(made_for: &str, host: &str) -> bool {
    // libvirt's mock hypervisor is an old PC.
    made_for != host && !(made_for == "x86_64" && host == "i686")
}

/// What a file's name says, where it says one thing.
fn named_architecture(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let has = |words: [&str; 2]| words.iter().any(|word| name.contains(word));
    match (has(["amd64", "x86_64"]), has(["arm64", "aarch64"])) {
        (true, false) => Some("x86_64"),
        (false, true) => Some("aarch64"),
        _ => None,
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
    let hash: String = hex(digest.finalize());
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
        let mut head = vec![0; 3 << 16];
        head[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
        head[23] = 16;
        head[24..32].copy_from_slice(&(gb << 30).to_be_bytes());
        // One table of the first level, in the third cluster.
        (head[39], head[45], head[53], head[59]) = (64, 2, 1, 1);
        head
    }

    #[test]
    fn an_image_for_other_processors_is_refused_by_its_name_where_its_content_does_not_tell() {
        assert_eq!(named_architecture("ubuntu-24.04-server-cloudimg-arm64.img"), Some("aarch64"));
        assert_eq!(named_architecture("debian-13-generic-AMD64.qcow2"), Some("x86_64"));
        assert_eq!(named_architecture("from-amd64-to-arm64.img"), None);
        let url = "https://h/noble-arm64.img";
        let image = BaseImage { location: ImageLocation::Url(url.into()), sha256: None };
        let check = &of_url(url, &image, "x86_64", &spec())[0];
        assert!(
            check.is_failed() && check.detail == "it is made for aarch64, and the hypervisor is x86_64",
            "{check:?}"
        );
        assert!(!of_url(url, &image, "aarch64", &spec())[0].is_failed());
    }

    #[test]
    fn an_address_is_shown_without_its_secrets_and_is_not_pinned_without_a_checksum() {
        let url = "https://me:hush@h/i.img?signature=hush";
        let location = ImageLocation::Url(url.into());
        let checks = of_url(url, &BaseImage { location, sha256: None }, "x86_64", &spec());
        assert_eq!((checks[0].title.as_str(), checks[0].status), ("image https://h/i.img", CheckStatus::Warning));
        assert!(!format!("{checks:?}").contains("hush"));
    }

    #[test]
    fn a_wrong_checksum_and_a_missing_file_fail() {
        let image = file(&qcow2(1));
        let found = hash(image.path()).unwrap();
        assert_eq!(of_file(image.path(), Some(&found), "x86_64", &spec())[0].status, CheckStatus::Ok);
        let wrong = &of_file(image.path(), Some(&"0".repeat(64)), "x86_64", &spec())[0];
        assert!(wrong.is_failed() && wrong.detail.contains(&found));
        assert!(of_file(Path::new("/nowhere/x.img"), None, "x86_64", &spec())[0].detail.contains("no such file"));
        assert!(of_file(Path::new("/"), None, "x86_64", &spec())[0].detail.contains("not a file"));
    }

    #[test]
    fn an_image_larger_than_the_root_volume_is_a_wrong_value() {
        let checks = of_file(file(&qcow2(3)).path(), None, "x86_64", &spec());
        assert_eq!((checks[1].exit_code, checks[1].fix[0].as_str()), (2, "--root-volume-size 3"));
    }
}
