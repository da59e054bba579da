//! Which rendered files are not as the state has them.

use super::access::Access;
use super::ssh_files;
use crate::deployment::DeploymentDir;
use crate::error::Result;

/// Rendered files that are not as they should be, relative to the directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// `health --repair` and `state repair` render them anew.
    pub stale: Vec<String>,
    /// Other files, which only their owner can decide about.
    pub edited: Vec<String>,
}

/// Reads only.
pub(super) fn files(dir: &DeploymentDir) -> Result<Files> {
    let mut files = Files::default();
    for file in ssh_files::rendered(dir, &Access::to(dir)?)? {
        if dir.content(&file.path)? != Some(file.content) {
            files.stale.push(file.path.display().to_string());
        }
    }
    let inventory = "ansible/inventory.json";
    if dir.state().rendered.contains_key(inventory) && !dir.root().join(inventory).exists() {
        files.stale.push(inventory.into());
    }
    for path in dir.edited_files()? {
        let name = path.display().to_string();
        if !files.stale.contains(&name) {
            files.edited.push(name);
        }
    }
    Ok(files)
}
