//! The two words by which an answer says which deployment it is about.

use serde::Serialize;

/// Part of every answer about one deployment.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Whose {
    /// The deployment's id.
    pub deployment: String,
    /// What people call it; the id where nobody can tell.
    pub name: String,
}
