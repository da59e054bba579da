//! What `tunnel`, `open` and `run` answer.

use std::path::PathBuf;

use serde::Serialize;

use super::shown_path;
use super::whose::Whose;

/// `tunnel`, once it is open.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TunnelReport {
    #[serde(flatten)]
    pub whose: Whose,
    pub node: String,
    /// Address and port on this machine: `127.0.0.1:8563`.
    pub sql: Option<String>,
    /// As drivers take it.
    pub dsn: Option<String>,
    pub user: String,
    pub certificate_fingerprint: Option<String>,
    pub admin_ui: Option<String>,
}

/// `open`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpenReport {
    #[serde(flatten)]
    pub whose: Whose,
    pub url: String,
    pub user: String,
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub password_file: PathBuf,
    /// Shows the password.
    pub password_command: String,
    pub certificate_fingerprint: Option<String>,
    /// A browser was told to show it.
    pub opened: bool,
    /// Where nodes are behind a jump host: the command after which it is on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
}

/// `run`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunReport {
    pub name: String,
    /// It is gone if the cluster was destroyed.
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    /// The command's; 128 + n if signal n ended it.
    pub exit_code: u8,
    /// False with `--keep` after a failure, and if destroy failed.
    pub destroyed: bool,
    pub took_ms: u64,
    pub next: Vec<String>,
}

/// `run --clean`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CleanReport {
    /// Names of runs.
    pub destroyed: Vec<String>,
    /// Whose process lives: they destroy their clusters themselves.
    pub at_work: Vec<String>,
    pub warnings: Vec<String>,
}
