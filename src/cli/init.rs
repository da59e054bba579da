//! `init`: its arguments, and how they become a request.

use clap::{ArgMatches, Command};

use super::args::Globals;
use super::flags::{config_arg, flag, is_set, provider_arg, simple};
use super::runtime::until_signal;
use super::{credentials, options, passwords, secret_args, spec};
use crate::error::Result;
use crate::ops::CreateMissing;
use crate::ops::init::{self, InitRequest};
use crate::ops::update::{self, UpdateRequest};
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let command = simple(
        "init",
        "Check the target and create a deployment directory",
        "  exasol init --cloud-provider libvirt -d demo\n  \
           exasol init --cloud-provider libvirt --db-version rehearsal -d demo\n  \
           exasol init --cloud-provider libvirt --cluster-size 3 \\\n      \
               --data-volumes-per-node 2 --libvirt-network new -d trio\n  \
           exasol init --config cluster.toml -d prod\n  \
           exasol init --cloud-provider libvirt --show-permissions\n  \
           exasol init --update --allowed-cidr 192.0.2.0/24 -d prod\n\n\
         Every option can also be set by an environment variable: --cluster-size by\n\
         EXASOL_CLUSTER_SIZE. The command line overrides the environment, and the\n\
         environment overrides the file of --config.",
    )
    .arg(provider_arg())
    .arg(config_arg())
    .arg(flag("create-missing", "Create or start a missing storage pool or network"))
    .arg(
        flag("update", "Change options of an existing deployment; the next deploy applies them")
            .conflicts_with("create-missing"),
    )
    .arg(flag("show-permissions", "Print the permissions that an account at the provider needs, and exit"))
    .arg(flag("list-providers", "List the providers and exit"))
    .arg(flag("list-versions", "List the database versions and exit"));
    passwords::add(credentials::add(options::add(command)))
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    if is_set(matches, "list-providers") {
        ui.result(&init::list_providers())?;
        return Ok(0);
    }
    if is_set(matches, "list-versions") {
        ui.result(&init::list_versions(&spec::of_releases(matches)?)?)?;
        return Ok(0);
    }
    if is_set(matches, "show-permissions") {
        ui.result(&init::permissions(spec::provider(matches, None)?)?)?;
        return Ok(0);
    }
    secret_args::refuse_two_readers_of_stdin(
        matches,
        passwords::NAMES.iter().map(|(n, _)| *n).chain(credentials::names()),
    )?;
    if is_set(matches, "update") {
        return update(globals, matches, ui);
    }
    let spec::Wanted { spec, release, credentials, mut warnings, file } = spec::wanted(matches)?;
    let passwords = passwords::read(matches, file.as_ref(), &mut warnings)?;
    let confirm = |question: &str| ui.confirm(question);
    let request = InitRequest {
        dir: globals.deployment_dir.clone(),
        spec,
        release,
        passwords,
        credentials,
        warnings,
        create_missing: if is_set(matches, "create-missing") {
            CreateMissing::Yes
        } else {
            CreateMissing::Ask(&confirm)
        },
    };
    let report = until_signal(ui, async |context| init::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn update(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = globals.deployment_dir.clone();
    let spec::Wanted { spec: changes, release, credentials, mut warnings, file } =
        spec::changes(matches, update::provider(&dir)?)?;
    let passwords = passwords::read(matches, file.as_ref(), &mut warnings)?;
    let request = UpdateRequest { dir, changes, release, passwords, credentials, warnings };
    let report = until_signal(ui, async |context| update::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}
