//! What `adopt` answers.

use std::path::PathBuf;

use serde::Serialize;

use super::whose::Whose;
use super::{Phase, shown_path};

/// `adopt`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AdoptReport {
    #[serde(flatten)]
    pub whose: Whose,
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    pub provider: String,
    /// That of the day on which the machines were made; `unknown` where nothing names one.
    pub db_version: String,
    pub cluster_size: u32,
    pub phase: Phase,
    /// Whether `exasol ssh` has a key.
    pub ssh: bool,
    /// What is not known, and in no file.
    pub unknown: Vec<String>,
    pub warnings: Vec<String>,
    pub next: Vec<String>,
}
