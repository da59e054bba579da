//! What commands answer: the JSON results are these structs, and `ui` draws its tables from them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shown_path;
use super::whose::Whose;
use super::words::words;
use super::{Check, Phase, Status};

/// The version of every JSON result's form.
pub const SCHEMA: u32 = 1;

/// Who holds a deployment's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Holder {
    pub operation: String,
    pub pid: u32,
    pub host: String,
    /// RFC 3339, UTC.
    pub since: String,
}

/// Why the last operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastError {
    pub operation: String,
    /// The error's stable code.
    pub code: String,
    pub message: String,
    /// RFC 3339, UTC.
    pub at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

/// `init --update`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UpdateReport {
    #[serde(flatten)]
    pub whose: Whose,
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    /// For passwords and credentials only the names, not the values.
    pub changed: Vec<OptionChange>,
    pub warnings: Vec<String>,
    pub next: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OptionChange {
    /// For example `allowed_cidrs`. Options of a provider begin with `options.`.
    pub option: String,
    pub from: serde_json::Value,
    pub to: serde_json::Value,
    /// What people call it: `--allowed-cidr`.
    #[serde(skip)]
    pub shown: String,
}

impl OptionChange {
    pub fn new(option: impl Into<String>, from: serde_json::Value, to: serde_json::Value) -> Self {
        let option = option.into();
        Self { shown: option.clone(), option, from, to }
    }
}

/// `stop` and `start`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PowerReport {
    #[serde(flatten)]
    pub whose: Whose,
    pub status: Phase,
    /// The nodes whose machines were switched off or on.
    pub nodes: Vec<String>,
    /// What still costs money while the machines are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    pub took_ms: u64,
    pub next: Vec<String>,
}

/// `init --show-permissions`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PermissionsReport {
    pub provider: String,
    /// In the policy language of the cloud, if it has one.
    pub permissions: serde_json::Value,
    pub warnings: Vec<String>,
}

/// `init`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InitReport {
    #[serde(flatten)]
    pub whose: Whose,
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    pub provider: String,
    pub db_version: String,
    pub rehearsal: bool,
    pub cluster_size: u32,
    pub warnings: Vec<String>,
    pub checks: Vec<Check>,
    pub next: Vec<String>,
}

/// `deploy`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeployReport {
    #[serde(flatten)]
    pub whose: Whose,
    /// As it was typed.
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    pub admin_ui: String,
    pub status: Phase,
    pub rehearsal: bool,
    pub nodes: Vec<NodeAddress>,
    pub certificate_fingerprint: String,
    pub took_ms: u64,
    pub next: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeAddress {
    pub name: String,
    pub private_ip: String,
    pub public_ip: String,
}

/// `destroy`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DestroyReport {
    #[serde(flatten)]
    pub whose: Whose,
    pub status: Phase,
    pub dry_run: bool,
    /// What was removed; with `dry_run`: what would be removed.
    pub removed: Vec<String>,
    pub kept: Vec<String>,
    pub took_ms: u64,
}

/// `doctor`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DoctorReport {
    /// The deployment that was checked for; without it, for a new one.
    #[serde(flatten)]
    pub whose: Option<Whose>,
    pub provider: String,
    /// For how much it was checked: "3 nodes on libvirt: 16 GB, 4 CPUs and 150 GB of disk each; exasol-2025.1.8".
    pub wanted: String,
    pub ok: bool,
    pub checks: Vec<Check>,
    /// The commands among the advice of failed checks and warnings, in the order in which they are to be run. Those
    /// that have to be chosen between are not among them.
    pub fix: Vec<String>,
}

/// `info --for`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClientReport {
    #[serde(flatten)]
    pub whose: Whose,
    pub client: String,
    /// As the client takes it: code, a connection string, or lines for a shell.
    pub text: String,
}

/// `info`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InfoReport {
    #[serde(flatten)]
    pub whose: Whose,
    /// The command for what one client needs.
    #[serde(skip)]
    pub clients: String,
    /// The command that shows the passwords.
    #[serde(skip)]
    pub show_password: String,
    pub rehearsal: bool,
    pub db_version: String,
    /// Where the files come from, and their checksums. Absent if this binary contains the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<super::ReleaseInfo>,
    pub host: String,
    pub hosts: Vec<String>,
    pub port: u16,
    pub user: String,
    /// Why nobody knows the passwords; absent where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_passwords: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub password_file: PathBuf,
    pub certificate_fingerprint: Option<String>,
    /// What the built-in license allows, and how to show and change it. Absent for a rehearsal, which needs no license.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The warm base that the machines were made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_base: Option<super::WarmUse>,
    pub jdbc: String,
    pub odbc: String,
    pub dsn: String,
    pub admin_ui: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_ui_password: Option<String>,
    pub ssh: String,
    /// If the nodes are behind a jump host: the command that forwards a local port to the first node's SQL port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
}

/// `list`: every known deployment and its status now.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeploymentsReport {
    pub deployments: Vec<KnownDeployment>,
    /// Destroyed ones, which only `--all` lists.
    pub destroyed_hidden: usize,
    /// What `--prune` has removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<KnownDeployment>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    pub next: Vec<String>,
    pub checked_in_ms: u64,
}

/// A directory that contains a deployment, or should contain one.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KnownDeployment {
    #[serde(flatten)]
    pub whose: Whose,
    /// Empty if it is no longer known.
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    pub provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_version: Option<String>,
    pub rehearsal: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_size: Option<u32>,
    /// As `status` has it; or `missing`, `broken`, `unknown`.
    #[cfg_attr(test, schemars(with = "String"))]
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    pub reason: String,
    /// As `status` has it; RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The last error of one that is not deployed: its first deploy failed before it had made anything. For people.
    #[serde(skip)]
    pub tried: bool,
    /// Other directories that contain the same deployment.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "shown_path::each")]
    #[cfg_attr(test, schemars(with = "Vec<PathBuf>"))]
    pub copies: Vec<PathBuf>,
    /// Commands to run next.
    pub next: Vec<String>,
}

/// `sql --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SqlFormat {
    #[default]
    Table,
    Json,
    Csv,
}

impl SqlFormat {
    pub const NAMES: [&'static str; 3] = ["table", "json", "csv"];

    pub fn named(name: &str) -> Option<Self> {
        match name {
            "table" => Some(Self::Table),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// `sql`: the names of the columns, and the rows as JSON values.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SqlReport {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<serde_json::Value>>,
    /// For statements without rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
}

/// `cache list` and `cache prune`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CacheReport {
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    pub entries: Vec<CacheEntry>,
    pub removed: Vec<CacheEntry>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CacheEntry {
    /// `image`, `warm`, `artifact`, `plugin`, `tool`, `volume`.
    #[cfg_attr(test, schemars(with = "String"))]
    pub kind: CacheKind,
    pub name: String,
    pub bytes: u64,
    /// Why it cannot be pruned now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_use_by: Option<String>,
    /// Of a warm base: what it is, how old it is, and whether it is outdated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

words! {
    pub enum CacheKind {
        /// A system's image, as it was downloaded.
        Image = "image",
        /// An image on which a machine has installed what every node needs.
        Warm = "warm",
        /// A file of a release: the database, or c4.
        Artifact = "artifact",
        /// A plugin of Terraform.
        Plugin = "plugin",
        /// A program that exasol fetched.
        Tool = "tool",
        /// A base image in the hypervisor's pool.
        Volume = "volume",
    }
}

/// `license show` and `license upload`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LicenseReport {
    #[serde(flatten)]
    pub whose: Whose,
    pub rehearsal: bool,
    /// The file that has just been uploaded.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown_path::maybe")]
    #[cfg_attr(test, schemars(with = "Option<PathBuf>"))]
    pub uploaded: Option<PathBuf>,
    /// Its fields as confd tells them (`license_info`).
    pub license: serde_json::Value,
    pub warnings: Vec<String>,
    pub next: Vec<String>,
}

/// `certificate show` and `certificate set`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CertificateReport {
    #[serde(flatten)]
    pub whose: Whose,
    /// SHA-256 of the only certificate to which passwords are sent. Null: it is read again over SSH.
    pub recorded: Option<String>,
    pub nodes: Vec<NodeCertificate>,
    /// Another certificate than before.
    pub changed: bool,
    pub warnings: Vec<String>,
    pub next: Vec<String>,
}

impl CertificateReport {
    /// Whether no node could be asked: then nothing was found out.
    pub fn is_unanswered(&self) -> bool {
        self.nodes.iter().all(|node| node.fingerprint.is_none())
    }
}

/// What a node's SQL port shows, read on the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeCertificate {
    pub name: String,
    /// SHA-256, 64 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// Why nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `support`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SupportReport {
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub archive: PathBuf,
    /// Null: the state could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// As it is packed.
    pub bytes: u64,
    /// Beside the index.
    pub files: usize,
    /// Files of which the archive contains only the end.
    pub cut: Vec<String>,
    pub missing: Vec<MissingEvidence>,
    pub warnings: Vec<String>,
}

/// `report`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HtmlReport {
    /// The page.
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub file: PathBuf,
    pub deployment: String,
    pub bytes: u64,
    /// Operations that it shows.
    pub operations: usize,
    pub missing: Vec<MissingEvidence>,
    pub warnings: Vec<String>,
}

/// What could not be collected for the bug report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MissingEvidence {
    pub what: String,
    pub why: String,
}

/// One row of `init --list-providers` and `--list-versions`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listed {
    pub name: String,
    pub detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}
