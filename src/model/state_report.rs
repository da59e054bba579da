//! What `state show`, `state verify` and `state repair` answer.

use std::path::PathBuf;

use serde::Serialize;

use super::phase::Phase;
use super::report::Holder;
use super::shown_path;
use super::words::words;

/// `state show`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateReport {
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    /// The deployment's id. Null: `deployment.json` cannot be read.
    pub deployment: Option<String>,
    /// What people call it. Null as well then.
    pub name: Option<String>,
    /// Each file before its copies, and of those the newest first.
    pub files: Vec<RecordedFile>,
    pub next: Vec<String>,
}

/// A file that nothing else can bring back, or an earlier copy of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecordedFile {
    /// Relative to the directory.
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub file: PathBuf,
    /// When it was written; RFC 3339, UTC. Null where there is none.
    pub at: Option<String>,
    /// A copy that has what the file has now.
    pub same: bool,
    /// Why it cannot be read: a clause about the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Of `deployment.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Of `deployment.json`: nodes whose addresses are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    /// Of Terraform's state: how often it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// Of Terraform's state: the things that it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<usize>,
}

/// `state verify`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateCheck {
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    /// Nothing is wrong.
    pub sound: bool,
    pub problems: Vec<StateProblem>,
    /// Generated files that were edited by hand, which is no problem.
    #[serde(serialize_with = "shown_path::each")]
    #[cfg_attr(test, schemars(with = "Vec<PathBuf>"))]
    pub edited: Vec<PathBuf>,
    /// The operation that runs now: it may be writing these files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Holder>,
    pub next: Vec<String>,
}

/// `state repair`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateRepair {
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    /// Nothing is wrong any more.
    pub sound: bool,
    /// What was done, in words.
    pub repaired: Vec<String>,
    /// What is still wrong.
    pub left: Vec<StateProblem>,
    pub warnings: Vec<String>,
    pub next: Vec<String>,
}

/// Something that is wrong with a file of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateProblem {
    pub kind: StateProblemKind,
    /// Relative to the directory; `.` is the directory itself.
    #[serde(serialize_with = "shown_path::one")]
    #[cfg_attr(test, schemars(with = "PathBuf"))]
    pub file: PathBuf,
    /// A clause about the file: "has mode 0644, and others can read it".
    pub detail: String,
    /// The command that fixes it, or what to do where no command does.
    pub fix: String,
    /// `exasol state repair` fixes it.
    pub repairable: bool,
}

impl StateProblem {
    /// The file as the subject of a sentence.
    pub fn subject(&self) -> String {
        match self.file.as_os_str() == "." {
            true => "the directory".to_owned(),
            false => self.file.display().to_string(),
        }
    }
}

words! {
    pub enum StateProblemKind {
        /// Others can read or change it, or its owner cannot.
        Permissions = "permissions",
        Missing = "missing",
        /// It is damaged, or is no file.
        Unreadable = "unreadable",
        /// A later version of `exasol` has written it.
        NewerSchema = "newer_schema",
        /// A generated file that is not as the state has it.
        Outdated = "outdated",
        /// Terraform's state lacks what Terraform has left in another file.
        Unfinished = "unfinished",
        /// What is there is not this program's own, and in its way.
        InTheWay = "in_the_way",
    }
}
