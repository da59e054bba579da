//! Whether the pool and the network come back with their host: no machine starts without them.

use super::super::client::{Network, Pool};
use super::super::create::Missing;
use super::Context;
use crate::model::{Check, quote};

const OFF: &str = "it does not start by itself: after a reboot of the host no node would start";
const TRANSIENT: &str = "it has no definition: after a reboot of the host it is gone, and no node would start";
const DEFINE: &str = "define it, instead of only creating it: CLOUD_SETUP_LIBVIRT.md has the commands";

pub(super) fn pool(context: &Context, pool: &Pool) -> Check {
    let title = format!("storage pool '{}' starts with its host", pool.name);
    let command = context.virsh(&format!("pool-autostart {}", quote(&pool.name)));
    check("pool_autostart", title, pool.autostart, command, Missing::Pool(pool.name.clone()))
}

pub(super) fn network(context: &Context, network: &Network) -> Check {
    let title = format!("network '{}' starts with its host", network.name);
    let command = context.virsh(&format!("net-autostart {}", quote(&network.name)));
    check("network_autostart", title, network.autostart, command, Missing::Network(network.name.clone()))
}

/// `autostart`: None without a definition. `command` switches it on, as `missing` does when it is asked to.
fn check(id: &'static str, title: String, autostart: Option<bool>, command: String, missing: Missing) -> Check {
    match autostart {
        Some(true) => Check::ok(id, title, "autostart"),
        None => Check::warning(id, title, TRANSIENT).fix(DEFINE),
        Some(false) => Check::warning(id, title, OFF).fix(command).creatable(missing.to_token()),
    }
}
