//! A warm base: a base image on which one machine has had its first boot and installed what every node needs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shown_path;

/// What is known of one in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WarmBase {
    /// A hash of the base image's checksum and the recipe, lower-case hex.
    pub key: String,
    /// Checksum of the image that it was made from.
    pub base_sha256: String,
    /// A hash of the programs that made it.
    pub recipe: String,
    /// Checksum of the warm base itself.
    pub image_sha256: String,
    /// The file's length.
    pub bytes: u64,
    /// Size as a disk: a node's root disk cannot be smaller.
    pub disk_gb: u32,
    /// The distribution, as it calls itself.
    pub system: String,
    /// The packages that nodes look for, each with its version.
    pub packages: Vec<String>,
    /// Optional packages that could not be installed: nodes try it again.
    pub without: Vec<String>,
    /// RFC 3339, UTC.
    pub made_at: String,
    /// The version of exasol that made it.
    pub made_by: String,
}

/// The one that a deployment's machines were made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WarmUse {
    pub key: String,
    pub image_sha256: String,
    /// RFC 3339, UTC.
    pub made_at: String,
}

/// `cache warm`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WarmReport {
    /// False: the one that was there is up to date.
    pub made: bool,
    #[serde(flatten)]
    pub base: WarmBase,
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub file: PathBuf,
    pub warnings: Vec<String>,
    pub took_ms: u64,
}
