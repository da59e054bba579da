//! A release of the database: which two files a node needs, and where they come from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::InvalidValue;

/// The variable that names the folder where `-local` versions find their files.
pub const RELEASE_TREE: &str = "EXASOL_RELEASE_TREE";

/// A release that can be installed. `deployment.json` keeps it whole, unless this binary has it built in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DbVersion {
    /// `exasol-2025.1.8`, or a catalogue's own name for it.
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// `x86_64`, `aarch64`, or `any`; see [`DbVersion::runs_on`].
    pub arch: String,
    /// c4's name for it: `@exasol-2025.1.8`.
    pub working_copy: String,
    /// `4.28.7`; None where nobody has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c4_version: Option<String>,
    /// Which keys c4's configuration may have.
    pub config_keys: ConfigKeys,
    pub origin: Origin,
    pub archive: Artifact,
    pub c4: Artifact,
    /// A stand-in without a database behind it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
    /// What somebody who chooses it should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// The configuration keys of a series, named after the first release that is known to have them. Exasol's
/// launcher sets two keys from 2025.2 on that no public configuration of 2025.1 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConfigKeys {
    #[serde(rename = "2025.1")]
    V2025_1,
    #[serde(rename = "2025.2")]
    V2025_2,
}

/// Who says where a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Origin {
    /// This binary.
    BuiltIn,
    /// A catalogue that the user named.
    Catalog,
    /// The layout of Exasol's download server.
    Server,
    /// The user named the files.
    Files,
}

/// A file that the nodes need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its name in the cache and on the nodes.
    pub file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Below the folder that [`RELEASE_TREE`] names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// Absolute; the file is read where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Lower-case hex. None: packed from this binary, or learned with the first download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Where the checksum is from. None: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256_from: Option<HashOrigin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum HashOrigin {
    /// The catalogue that has the release.
    Catalog,
    /// The command line, the environment or a configuration file.
    Given,
    /// Computed from the file when it was named.
    File,
    /// Computed from what came with the first download.
    Pinned,
}

/// Where an artifact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    Url(&'a str),
    /// A path below the release tree.
    Tree(&'a str),
    /// A file of this workstation.
    File(&'a Path),
    /// Packed from what ships in this binary.
    Binary,
}

impl DbVersion {
    /// Whether machines of this architecture (`x86_64`, `aarch64`) can run it.
    pub fn runs_on(&self, arch: &str) -> bool {
        self.arch == "any" || self.arch == arch
    }

    /// Whether its files come from the release tree.
    pub fn is_local(&self) -> bool {
        self.artifacts().iter().any(|artifact| matches!(artifact.source(), Source::Tree(_)))
    }

    pub fn artifacts(&self) -> [&Artifact; 2] {
        [&self.archive, &self.c4]
    }

    /// Whether it is known what each of its files must be.
    pub fn is_pinned(&self) -> bool {
        self.rehearsal || self.artifacts().iter().all(|artifact| artifact.sha256.is_some())
    }

    /// `exasol-2025.1.10 with c4 4.28.7`
    pub fn with_c4(&self) -> String {
        match &self.c4_version {
            Some(c4) => format!("{} with c4 {c4}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Artifact {
    pub fn source(&self) -> Source<'_> {
        match (&self.url, &self.tree, &self.path) {
            (_, _, Some(path)) => Source::File(path),
            (Some(url), _, _) => Source::Url(url),
            (None, Some(path), _) => Source::Tree(path),
            (None, None, None) => Source::Binary,
        }
    }

    /// Whether another one is from the same place.
    pub fn is_from_where(&self, other: &Artifact) -> bool {
        self.source() == other.source()
    }

    /// The address to fetch it from: https, or file below `tree`, the absolute path that
    /// [`RELEASE_TREE`] holds. None: nothing is fetched.
    pub fn url(&self, tree: Option<&str>) -> Result<Option<String>, InvalidValue> {
        match (self.source(), tree) {
            (Source::Url(url), _) => Ok(Some(url.to_owned())),
            (Source::Tree(path), Some(tree)) if tree.starts_with('/') => {
                Ok(Some(format!("file://{}/{path}", percent_encoded(tree.trim_end_matches('/')))))
            }
            (Source::Tree(path), tree) => Err(InvalidValue::new(
                RELEASE_TREE,
                tree.unwrap_or_default(),
                format!("must be the absolute path of the folder that holds {path}"),
            )),
            (Source::Binary | Source::File(_), _) => Ok(None),
        }
    }

    pub fn pin(&mut self, sha256: String, from: HashOrigin) {
        self.sha256 = Some(sha256);
        self.sha256_from = Some(from);
    }
}

/// A path as it stands in a URL: a folder may be called `Exasol 2025#1`.
fn percent_encoded(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
