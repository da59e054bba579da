//! The files in `ssh/`, rendered from what the state knows.

use super::access::{Access, is_in_place};
use super::known;
use super::operation::Work;
use crate::deployment::{DeploymentDir, EditPolicy};
use crate::error::{Error, Result};
use crate::model::{Operation, RenderedFile};
use crate::render::{self, SshInput};

/// Writes `ssh/` anew, and reaches the nodes by that from now on.
pub(super) fn write(work: &mut Work) -> Result<()> {
    let files = rendered(&work.dir, &work.access)?;
    work.dir.write_files(&files, work.cluster.ssh_edits)?;
    work.access = Access::through(work.cluster.provider, &work.dir)?.sharing(&work.connections);
    Ok(())
}

/// What belongs in `ssh/`.
pub(super) fn rendered(dir: &DeploymentDir, access: &Access) -> Result<Vec<RenderedFile>> {
    let state = dir.state();
    if state.adopted.is_some() {
        // As `adopt` wrote them: nothing is known beside.
        return Ok(Vec::new());
    }
    let secrets = dir.secrets()?;
    render::ssh_files(&SshInput {
        directory: dir.root(),
        nodes: &state.nodes,
        key: &secrets.ssh_key,
        host_keys: &secrets.public_host_keys()?,
        jump: access.route(),
        cos_host_keys: &state.cos_host_keys,
    })
}

/// OpenSSH knows no paths relative to its configuration, so `ssh/config` names the directory; when
/// that has been moved, it is written again.
pub(super) fn heal(dir: DeploymentDir) -> Result<DeploymentDir> {
    // Of an adopted one that has moved, [`Access::ssh`] gives the lines that matter.
    if is_in_place(&dir)? || dir.state().adopted.is_some() {
        return Ok(dir);
    }
    let named = dir.named().to_owned();
    let mut locked = match dir.clone().lock(Operation::Repair) {
        // Another time: until then [`Access::ssh`] says what the configuration has wrong.
        Err(Error::Locked { .. }) => return Ok(dir),
        locked => locked?,
    };
    let files = rendered(&locked, &Access::to(&locked)?)?;
    match locked.write_files(&files, EditPolicy::Refuse) {
        // Its lines stay as somebody wrote them; [`Access::ssh`] gives those that matter.
        Err(Error::EditedFiles { .. }) => return Ok(dir),
        written => written?,
    }
    // It has moved, and nobody is listening to warnings here.
    let _ = known::remember(&locked);
    DeploymentDir::open(&named)
}
