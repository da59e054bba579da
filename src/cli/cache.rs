//! `cache`: its arguments, and how they become a request.

use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::until_signal;
use super::spec;
use crate::error::Result;
use crate::ops::cache::{self, CacheRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let examples = "  exasol cache list\n  exasol cache prune";
    let uri = || {
        Arg::new("libvirt-uri")
            .long("libvirt-uri")
            .value_name("URI")
            .help("Hypervisor whose storage pool holds the base images")
    };
    let pool = || {
        Arg::new("libvirt-pool").long("libvirt-pool").value_name("NAME").help("Storage pool that holds the base images")
    };
    simple("cache", "List or remove the images, downloads and plugins that are kept for later deployments", examples)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(simple("list", "List what is cached, with sizes", examples).arg(uri()).arg(pool()))
        .subcommand(
            simple("prune", "Empty the cache, and remove the base images that no node uses from the pool", examples)
                .arg(uri())
                .arg(pool())
                .arg(flag("dry-run", "Only list what would be removed").alias("plan")),
        )
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let (prune, matches) = match matches.subcommand() {
        Some((action, own)) => (action == "prune", own),
        None => (false, matches),
    };
    let request = CacheRequest { spec: spec::of_options(matches)?, prune, dry_run: is_set(matches, "dry-run") };
    let report = until_signal(ui, async |_| cache::run(request).await)?;
    ui.result(&report)?;
    Ok(0)
}
