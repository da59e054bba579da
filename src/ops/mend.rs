//! Machines that an earlier version made, or that shall have other sizes now: their definitions are
//! mended before they are switched on.

use super::host::ACTION_LIMIT;
use super::operation::Work;
use crate::error::{Error, Result};

/// Tells what it mends. Machines that run go on as they are: it counts from their next start.
pub(super) async fn definitions(work: &Work) -> Result<()> {
    let Some(hosts) = work.cluster.hosts() else { return Ok(()) };
    for node in &work.cluster.nodes {
        let what = format!("bringing the machine of {} up to date", node.name);
        let (facts, plan) = (work.dir.state().facts.clone(), node.clone());
        let mended = hosts.of_node(node).act(ACTION_LIMIT, what, move |host| host.mend(&facts, &plan)).await;
        if has_changed(&mended) {
            work.changes();
        }
        let changes = mended?;
        if !changes.is_empty() {
            work.detail(format!("{}: definition brought up to date: {}", node.name, changes.join(", ")));
        }
    }
    Ok(())
}

/// One that failed may have come half the way, unless libvirt did not even answer.
fn has_changed(mended: &Result<Vec<String>>) -> bool {
    use Error::{Interrupted, LibvirtUnreachable, Timeout};
    match mended {
        Ok(changes) => !changes.is_empty(),
        Err(error) => !matches!(error, Interrupted { .. } | LibvirtUnreachable { .. } | Timeout { .. }),
    }
}

/// Of machines that need nothing else: what cannot be mended is a warning.
pub(super) async fn in_passing(work: &Work) -> Result<()> {
    match definitions(work).await {
        Err(error @ Error::Interrupted { .. }) => Err(error),
        Err(error) => {
            work.sink.warn(error.to_string());
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
