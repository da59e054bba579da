use std::path::PathBuf;

/// Where a base image for the nodes comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    pub location: ImageLocation,
    /// Lower-case hex. None: pinned at the first download (URL), or computed from the file.
    pub sha256: Option<String>,
}

/// Why an image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitImage {
    /// As the end of a sentence that begins with the image: "is cut short: …".
    pub cause: String,
    pub fix: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageLocation {
    File(PathBuf),
    Url(String),
}
