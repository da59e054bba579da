use std::path::PathBuf;

/// Where a base image for the nodes comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    pub location: ImageLocation,
    /// Lower-case hex. None: pinned at the first download (URL), or computed from the file.
    pub sha256: Option<String>,
    /// A file in `sha256sum` format beside the image, asked only while `sha256` is None.
    pub checksums_url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageLocation {
    File(PathBuf),
    Url(String),
}
