//! `cache`: its arguments, and how they become a request.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::args::Globals;
use super::flags::{flag, is_set, simple};
use super::runtime::{until_signal, with_own_signals};
use super::{options, run, spec};
use crate::error::Result;
use crate::ops::cache::{self, CacheRequest};
use crate::ops::run::Place;
use crate::ops::warm::{self, WarmRequest};
use crate::ui::Ui;

const ROOT: &str = "root-volume-size";

pub(super) fn command() -> Command {
    let examples = "  exasol cache list\n  exasol cache prune\n  exasol cache warm";
    let uri = || {
        Arg::new("libvirt-uri")
            .long("libvirt-uri")
            .value_name("URI")
            .help("Hypervisor whose storage pool holds the base images")
    };
    let pool = || {
        Arg::new("libvirt-pool").long("libvirt-pool").value_name("NAME").help("Storage pool that holds the base images")
    };
    simple(
        "cache",
        "List, remove or prepare the images, downloads and plugins that are kept for later deployments",
        examples,
    )
    .subcommand_required(true)
    .arg_required_else_help(true)
    .subcommand(simple("list", "List what is cached, with sizes", examples).arg(uri()).arg(pool()))
    .subcommand(
        simple("prune", "Empty the cache, and remove the base images that no node uses from the pool", examples)
            .arg(uri())
            .arg(pool())
            .arg(flag("dry-run", "Only list what would be removed").alias("plan")),
    )
    .subcommand(warm_command())
}

/// Its options are the deployment's, as far as they matter to the one machine that is made.
fn warm_command() -> Command {
    const OPTIONS: [&str; 8] = [
        "libvirt-image",
        "libvirt-image-sha256",
        "libvirt-uri",
        "libvirt-pool",
        "libvirt-network",
        "libvirt-domain-type",
        ROOT,
        "engine",
    ];
    let command = simple(
        "warm",
        "Make a warm base: boot the base image once, and install what every node needs",
        "  exasol cache warm\n  exasol cache warm --libvirt-image debian-12.qcow2\n  exasol cache warm --renew",
    )
    .after_help(
        "Later deployments of the same image on libvirt begin with the warm base, and exasol deploy --no-warm does without \
         it. It is made by a machine of its own, which is destroyed at the end. Its files have no passwords, keys or \
         identities. It has a disk of 5 GB, or of --root-volume-size: an image may need more, and nodes cannot have less. \
         Another image or another version of the installation makes another warm base. It does not get newer packages by \
         itself: after 30 days, deploy warns. exasol cache prune removes it.",
    );
    let renew = flag("renew", "Make it anew even if it is up to date");
    OPTIONS.into_iter().fold(command, options::add_one).arg(renew).arg(run::logs())
}

fn warm(matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let confirm = |question: &str| ui.confirm(question);
    let spec = spec::of_options(matches)?;
    let is_given = matches.value_source(ROOT) == Some(ValueSource::CommandLine);
    let request = WarmRequest {
        root_gb: is_given.then_some(spec.root_volume_size),
        spec,
        place: Place::for_warm_base()?,
        renew: is_set(matches, "renew"),
        logs: matches.get_one::<PathBuf>("logs").cloned(),
        confirm: &confirm,
    };
    let report = with_own_signals(ui, async |context| warm::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

pub(super) fn run(_: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let (prune, matches) = match matches.subcommand() {
        Some(("warm", own)) => return warm(own, ui),
        Some((action, own)) => (action == "prune", own),
        None => (false, matches),
    };
    let request = CacheRequest { spec: spec::of_options(matches)?, prune, dry_run: is_set(matches, "dry-run") };
    let report = until_signal(ui, async |_| cache::run(request).await)?;
    ui.result(&report)?;
    Ok(0)
}
