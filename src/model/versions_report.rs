//! What `versions` answers, and what `info` tells of a release.

use serde::Serialize;

use super::{DbVersion, HashOrigin, Origin, Source, shown_address};

/// `versions`: the releases that can be named.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionsReport {
    pub versions: Vec<KnownVersion>,
    pub warnings: Vec<String>,
    /// Commands to run next.
    pub next: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KnownVersion {
    pub name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// `x86_64`, `aarch64`, or `any`.
    pub arch: String,
    /// Null: not given.
    pub c4_version: Option<String>,
    pub origin: Origin,
    pub checksums: Checksums,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// With `--check`: whether the server has the archive; null if the server was not asked or did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_server: Option<Option<bool>>,
}

/// How it is known that a release's files are the right ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Checksums {
    /// Somebody has said them.
    Known,
    /// Computed from a first download, or from the files themselves.
    Pinned,
    /// The first download is going to be trusted.
    AtFirstDownload,
    /// The files are packed from this binary.
    Packed,
}

/// The release of a deployment.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReleaseInfo {
    pub origin: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c4_version: Option<String>,
    pub archive: ArtifactInfo,
    pub c4: ArtifactInfo,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArtifactInfo {
    /// An address, a file, or a path below the release tree.
    pub from: String,
    /// Null before the first download.
    pub sha256: Option<String>,
    pub sha256_from: Option<HashOrigin>,
}

impl KnownVersion {
    pub fn of(version: &DbVersion) -> Self {
        let pinned = |from: Option<HashOrigin>| matches!(from, Some(HashOrigin::Pinned | HashOrigin::File));
        let checksums = match version {
            packed if packed.rehearsal => Checksums::Packed,
            unknown if !unknown.is_pinned() => Checksums::AtFirstDownload,
            some if some.artifacts().iter().any(|artifact| pinned(artifact.sha256_from)) => Checksums::Pinned,
            _ => Checksums::Known,
        };
        Self {
            name: version.name.clone(),
            aliases: version.aliases.clone(),
            arch: version.arch.clone(),
            c4_version: version.c4_version.clone(),
            origin: version.origin,
            checksums,
            remark: version.remark.clone(),
            on_server: None,
        }
    }
}

impl ReleaseInfo {
    /// None for what is packed from this binary.
    pub fn of(version: &DbVersion) -> Option<Self> {
        let [archive, c4] = version.artifacts().map(|artifact| ArtifactInfo {
            from: match artifact.source() {
                Source::Url(url) => shown_address(url),
                Source::File(path) => path.display().to_string(),
                Source::Tree(path) => path.to_owned(),
                Source::Binary => artifact.file.clone(),
            },
            sha256: artifact.sha256.clone(),
            sha256_from: artifact.sha256_from,
        });
        let info = Self { origin: version.origin, c4_version: version.c4_version.clone(), archive, c4 };
        (!version.rehearsal).then_some(info)
    }
}
