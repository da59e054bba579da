//! What a node reads at its first boot, on hypervisors: there before its machine is made, gone once the
//! first boot is proven. Each step looks what is there, so that a run that was killed is resumed.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::host::{ACTION_LIMIT, HostConnection};
use super::hosts::Hosts;
use super::operation::Work;
use crate::deployment::EditPolicy;
use crate::error::{Error, Result};
use crate::model::NodePlan;
use crate::render;

const LIMIT: Duration = Duration::from_secs(120);

/// Later boots find in the guest itself what the seed said of it, without its secrets: cloud-init would
/// take a guest without a seed for another one, and make host keys of its own. It reads this folder before
/// it looks for disks. `prepare-node.sh` does the same (`keep_identity`).
const KEEP: &str = r#"set -eu
sudo -n sh -eu <<'END'
test -e /var/lib/cloud/instance/boot-finished
id=$(cat /var/lib/cloud/data/instance-id)
seed=/var/lib/cloud/seed/nocloud
mkdir -p $seed
printf '#cloud-config\n{}\n' >$seed/user-data
printf '{"instance-id": "%s", "local-hostname": "%s"}\n' "$id" "$(hostname)" >$seed/meta-data.new
mv $seed/meta-data.new $seed/meta-data
sync
END
"#;

/// For the machines of these nodes, which are about to be made.
pub(super) async fn provide(work: &Work, nodes: &BTreeSet<String>) -> Result<()> {
    let Some(hosts) = work.cluster.hosts() else { return Ok(()) };
    let secrets = work.dir.secrets()?;
    for node in work.cluster.nodes.iter().filter(|plan| nodes.contains(&plan.name)) {
        let user_data = render::user_data(node, work.cluster.provider, &secrets)?;
        let (what, node) = (format!("storing the data of {}'s first boot", node.name), node.clone());
        let host = hosts.of_node(&node).clone();
        host.act(ACTION_LIMIT, what, move |host| host.provide_seed(&node, &user_data)).await?;
    }
    Ok(())
}

/// Of nodes whose shell answers and whose first boot is over. What does not work now is a warning: the
/// next deploy or start does it.
pub(super) async fn retire(work: &Work) -> Result<()> {
    remove(work, Identity::Unknown).await
}

/// As [`retire`], of nodes that were just prepared. What an edited script did on them is not known.
pub(super) async fn retire_of_prepared(work: &Work) -> Result<()> {
    let is_ours = work.cluster.edits != EditPolicy::Keep;
    remove(work, if is_ours { Identity::Kept } else { Identity::Unknown }).await
}

/// Whether a node has in its own files what the seed said of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    Kept,
    Unknown,
}

async fn remove(work: &Work, identity: Identity) -> Result<()> {
    let Some(hosts) = work.cluster.hosts() else { return Ok(()) };
    match each(work, hosts, identity).await {
        Err(error @ Error::Interrupted { .. }) => Err(error),
        Err(error) => {
            work.sink.warn(format!("the data of the first boot is still beside the disks: {error}"));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn each(work: &Work, hosts: &Hosts, identity: Identity) -> Result<()> {
    let nodes = work.cluster.nodes.iter();
    try_join_all(nodes.map(|node| retire_one(work, hosts.of_node(node), node, identity))).await?;
    Ok(())
}

async fn retire_one(work: &Work, host: &HostConnection, node: &NodePlan, identity: Identity) -> Result<()> {
    let plan = node.clone();
    if !host.ask(move |host| host.has_seed(&plan)).await? {
        return Ok(());
    }
    if identity == Identity::Unknown {
        let ssh = work.access.ssh()?;
        work.interrupt.run(async { ssh.run_script(&node.name, KEEP, LIMIT).await?.ok() }).await??;
    }
    work.changes();
    let (what, plan) = (format!("removing the data of {}'s first boot", node.name), node.clone());
    let gone = host.act(ACTION_LIMIT, what, move |host| host.remove_seed(&plan)).await?;
    match gone {
        true => work.detail(format!("{}: the data of its first boot is removed", node.name)),
        false => work.sink.warn(format!(
            "{} does not release the disk of its first boot: exasol stop and exasol start remove it",
            node.name
        )),
    }
    Ok(())
}
