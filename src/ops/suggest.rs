//! What a half-typed line may go on with: names that exist. A shell waits for the answer, so whatever takes long or
//! cannot be found out is left out, without a word.

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::{logs, named};
use crate::deployment::DeploymentDir;
use crate::model::{NodePlan, Operation};
use crate::providers::Hypervisor;

/// How long a hypervisor may take to say what it has.
const LIMIT: Duration = Duration::from_millis(500);

/// Names and directories of the deployments that are known and were not destroyed.
pub fn deployments() -> Vec<(String, PathBuf)> {
    named::living()
}

/// Names of the nodes, also before there are any.
pub fn nodes(root: &Path) -> Vec<String> {
    let Ok(dir) = DeploymentDir::open(root) else { return Vec::new() };
    let state = dir.state();
    NodePlan::all(&state.id, &state.spec).into_iter().map(|plan| plan.name).collect()
}

/// Steps of the last operation.
pub fn steps(root: &Path) -> Vec<String> {
    DeploymentDir::open(root).and_then(|dir| logs::steps(&dir)).unwrap_or_default()
}

/// Operations whose logs are kept: by what they did, and each by its own name.
pub fn operations(root: &Path) -> Vec<String> {
    let folders = DeploymentDir::open(root).and_then(|dir| dir.log_folders()).unwrap_or_default();
    let done =
        Operation::ALL.into_iter().filter(|operation| folders.iter().any(|folder| folder.operation == *operation));
    done.map(|operation| operation.as_str().to_owned())
        .chain(folders.iter().map(|folder| folder.name.clone()))
        .collect()
}

/// What there is for an option of the hypervisor's, by the option's key.
pub fn on_hypervisor(hypervisor: &'static Hypervisor, key: &'static str, address: Option<String>) -> Vec<String> {
    let (answer, answered) = channel();
    // Not waited for: the process ends with it.
    std::thread::spawn(move || answer.send((hypervisor.existing)(key, address.as_deref()).unwrap_or_default()));
    answered.recv_timeout(LIMIT).unwrap_or_default()
}
