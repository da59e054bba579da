//! What the names in `deployment.json` stand for.

use crate::catalog;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{DbVersion, InvalidValue, NodeSize};
use crate::providers::{self, Provider};

/// The deployment's provider.
///
/// # Errors
/// [`Error::BrokenState`]: nobody has typed that name now, and another version of `exasol` may know it.
pub(super) fn provider(dir: &DeploymentDir) -> Result<&'static Provider> {
    providers::find(&dir.state().spec.provider).map_err(|error| match error {
        Error::InvalidValue { value, problem, .. } => broken(dir, "provider", &value, &problem),
        other => other,
    })
}

/// The deployment's database version.
///
/// # Errors
/// As those of [`provider`].
pub(super) fn version(dir: &DeploymentDir) -> Result<&DbVersion> {
    let find = catalog::of_spec(&dir.state().spec);
    find.map_err(|InvalidValue { value, problem, .. }| broken(dir, "version", &value, &problem))
}

/// Whether it has a stand-in in the place of a database.
pub(super) fn is_rehearsal(dir: &DeploymentDir) -> bool {
    version(dir).is_ok_and(|version| version.rehearsal)
}

/// What one node has, by what is recorded; None where nothing tells it.
pub(super) fn node_size(dir: &DeploymentDir) -> Option<NodeSize> {
    let state = dir.state();
    (provider(dir).ok()?.size)(&state.spec, &state.facts).ok()?
}

fn broken(dir: &DeploymentDir, what: &str, value: &str, problem: &str) -> Error {
    let why = format!("names the {what} '{value}', which this program does not know: it {problem}");
    Error::BrokenState { file: dir.root().join("deployment.json"), why, repair: None }
}
