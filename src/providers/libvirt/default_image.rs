//! The image that nodes boot from when the user names none: `[libvirt.image]` in the catalogue.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::options::PROVIDER;
use crate::catalog;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultImage {
    pub url: String,
    /// Lower-case hex.
    pub sha256: String,
    /// At most this long: the room that an upload needs before the image is here.
    pub download_bytes: u64,
    /// At most this large as a disk: a root volume can't be smaller.
    pub disk_gb: u32,
}

// Empty only if the embedded catalogue is broken; a test proves that it is not.
static IMAGES: LazyLock<BTreeMap<String, DefaultImage>> = LazyLock::new(|| {
    let table = catalog::provider_table(PROVIDER).and_then(|table| table.get("image"));
    table.and_then(|table| table.clone().try_into().ok()).unwrap_or_default()
});

/// For a hypervisor of that architecture, as `uname -m` says it. libvirt's mock one is an old PC.
pub(super) fn default_image(architecture: &str) -> Option<&'static DefaultImage> {
    IMAGES.get(if architecture == "i686" { "x86_64" } else { architecture })
}

/// The one at that address, if it is a default image.
pub(super) fn at(url: &str) -> Option<&'static DefaultImage> {
    IMAGES.values().find(|image| image.url == url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::is_sha256;

    #[test]
    fn it_is_one_dated_release_over_tls_for_both_architectures() {
        let [pc, arm] = ["x86_64", "aarch64"].map(|architecture| default_image(architecture).unwrap());
        let folder = |image: &DefaultImage| image.url.rsplit_once('/').unwrap().0.to_owned();
        assert!(pc.url.starts_with("https://cloud-images.ubuntu.com/releases/noble/release-20"), "{}", pc.url);
        assert_eq!(folder(pc), folder(arm));
        assert!(pc.url.ends_with("-amd64.img") && arm.url.ends_with("-arm64.img"));
        for image in [pc, arm] {
            assert!(is_sha256(&image.sha256));
        }
        assert_ne!(pc.sha256, arm.sha256);
        assert_eq!(default_image("s390x"), None);
    }
}
