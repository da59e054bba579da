//! Whether the pool and the network come back with their host: no machine starts without them.

use super::super::client::{Network, Pool};
use super::super::create::Missing;
use super::Context;
use crate::model::{Check, quote};

const OFF: &str = "it does not: after a reboot of the host no node would start";
const TRANSIENT: &str = "it has no definition: after a reboot of the host it is gone, and no node would start";
const DEFINE: &str = "define it, instead of only creating it: CLOUD_SETUP_LIBVIRT.md has the commands";

pub(super) fn pool(context: &Context, pool: &Pool) -> Check {
    let title = format!("storage pool '{}' starts with its host", pool.name);
    match pool.autostart {
        Some(true) => Check::ok("pool_autostart", title, "autostart"),
        None => Check::warning("pool_autostart", title, TRANSIENT).fix(DEFINE),
        Some(false) => Check::warning("pool_autostart", title, OFF)
            .fix(context.virsh(&format!("pool-autostart {}", quote(&pool.name))))
            .creatable(Missing::Pool(pool.name.clone()).to_token()),
    }
}

pub(super) fn network(context: &Context, network: &Network) -> Check {
    let title = format!("network '{}' starts with its host", network.name);
    match network.autostart {
        Some(true) => Check::ok("network_autostart", title, "autostart"),
        None => Check::warning("network_autostart", title, TRANSIENT).fix(DEFINE),
        Some(false) => Check::warning("network_autostart", title, OFF)
            .fix(context.virsh(&format!("net-autostart {}", quote(&network.name))))
            .creatable(Missing::Network(network.name.clone()).to_token()),
    }
}
