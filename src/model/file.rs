use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A file of the deployment directory, made from spec and secrets alone, not yet written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Relative to the deployment directory.
    pub path: PathBuf,
    pub content: Vec<u8>,
    /// Unix permission bits: 0o600 where a secret is inside.
    pub mode: u32,
}

impl RenderedFile {
    pub fn new(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: content.into(), mode: 0o644 }
    }

    pub fn secret(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        Self { mode: 0o600, ..Self::new(path, content) }
    }

    pub fn executable(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        Self { mode: 0o755, ..Self::new(path, content) }
    }
}

/// Whether both were asked of one file: an open file's, and that of what its name leads to now.
pub fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
