//! What `sweep` answers: what carries the mark of a deployment, and who owns it.

use std::path::PathBuf;

use serde::Serialize;

use super::words::words;
use super::{Phase, Power, shown_path};

/// `sweep`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SweepReport {
    pub provider: String,
    /// False: `exasol` does not ask this provider; `steps` are for a person.
    pub asked: bool,
    /// What was found, by deployment; with `--remove` what is left.
    pub deployments: Vec<SweptDeployment>,
    /// What was removed.
    pub removed: Vec<String>,
    /// How a person finds what deployments have there.
    pub steps: Vec<String>,
    pub warnings: Vec<String>,
    pub next: Vec<String>,
}

/// What one deployment has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SweptDeployment {
    /// Its id.
    pub deployment: String,
    pub owner: Ownership,
    /// The directory that has it, or had it.
    #[serde(serialize_with = "shown_path::maybe")]
    #[cfg_attr(test, schemars(with = "Option<PathBuf>"))]
    pub directory: Option<PathBuf>,
    /// The phase that is recorded there.
    pub phase: Option<Phase>,
    pub things: Vec<SweptThing>,
}

/// A machine, a volume or a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SweptThing {
    pub kind: ThingKind,
    pub name: String,
    /// The storage pool of a volume.
    pub pool: Option<String>,
    /// Of a machine.
    pub state: Option<Power>,
    /// Bytes that a volume takes.
    pub bytes: Option<u64>,
    /// When a volume's content last changed (RFC 3339, UTC); null where nobody can tell.
    pub changed: Option<String>,
    /// Why it is not removed although it has the deployment's name.
    pub doubt: Option<String>,
}

words! {
    pub enum ThingKind {
        Domain = "domain",
        Volume = "volume",
        Network = "network",
    }
}

words! {
    /// Which directory has a deployment, as far as this user's list of deployments tells.
    pub enum Ownership {
        /// A directory that is there.
        Known = "known",
        /// One that cannot be read, or does not answer.
        Unreadable = "unreadable",
        /// One that was destroyed: nothing that is left is in its care.
        Destroyed = "destroyed",
        /// One that is not there any more.
        Gone = "gone",
        /// None.
        Unknown = "unknown",
    }
}

impl Ownership {
    /// Whether the directory may still be used to remove what the deployment has.
    pub fn is_in_care(self) -> bool {
        matches!(self, Ownership::Known | Ownership::Unreadable)
    }
}
