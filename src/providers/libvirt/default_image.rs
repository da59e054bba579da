//! The image that nodes boot from when the user names none: `[libvirt.image]` in the catalogue.

use std::sync::LazyLock;

use serde::Deserialize;

use super::options::PROVIDER;
use crate::catalog;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultImage {
    pub url: String,
    /// Name of a file in `sha256sum` format in the image's folder.
    checksums: String,
    /// At most this long: the room that an upload needs before the real length is known.
    pub download_bytes: u64,
    /// At most this large as a disk: a root volume can't be smaller.
    pub disk_gb: u32,
}

// None only if the embedded catalogue is broken; a test proves that it is not.
static IMAGE: LazyLock<Option<DefaultImage>> = LazyLock::new(|| {
    let table = catalog::provider_table(PROVIDER)?.get("image")?;
    table.clone().try_into().ok()
});

pub(super) fn default_image() -> Option<&'static DefaultImage> {
    IMAGE.as_ref()
}

impl DefaultImage {
    pub fn checksums_url(&self) -> String {
        let folder = self.url.rsplit_once('/').map_or(self.url.as_str(), |(folder, _)| folder);
        format!("{folder}/{}", self.checksums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_dated_release_over_tls_with_its_checksums_beside_it() {
        let image = default_image().unwrap();
        assert!(image.url.starts_with("https://cloud-images.ubuntu.com/releases/noble/release-20"), "{}", image.url);
        let url = image.checksums_url();
        assert!(url.ends_with("/SHA256SUMS") && url.contains("/release-20"), "{url}");
    }
}
