//! `init`: its arguments, and how they become a request.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::Globals;
use super::flags::{config_arg, flag, is_set, name_arg, provider_arg, simple};
use super::runtime::until_signal;
use super::{credentials, options, passwords, secret_args, spec};
use crate::error::Result;
use crate::ops::init::{self, Asked, InitRequest};
use crate::ops::update::{self, UpdateRequest};
use crate::ops::{Confirm, CreateMissing, named};
use crate::providers::Provider;
use crate::ui::Ui;

pub(super) fn command() -> Command {
    let command = simple(
        "init",
        "Create a deployment directory (check the target first, create no machines)",
        "  exasol init -d trial --db-version rehearsal\n  \
           exasol init -d prod --cluster-size 3 --libvirt-memory 16\n  \
           exasol init -d prod --config prod.toml\n  \
           exasol init -d test --like prod --cluster-size 1\n  \
           exasol init -d prod --update --allowed-cidr 192.0.2.0/24",
    );
    description(command)
        .arg(
            flag("update", "Change options of an existing deployment; the next deploy applies them")
                .conflicts_with_all(["create-missing", LIKE]),
        )
        .arg(flag("show-permissions", "Print the permissions that an account at the provider needs, and exit"))
        .arg(flag("list-providers", "List the providers and exit"))
        .arg(flag("list-versions", "List the database versions and exit"))
        .arg(flag("list-types", "List the provider's machine types and exit"))
        .arg(flag("list-regions", "List the provider's regions and exit"))
}

const LIKE: &str = "like";

/// Adds what describes a new deployment.
pub(super) fn description(command: Command) -> Command {
    let like = Arg::new(LIKE)
        .long(LIKE)
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .value_hint(clap::ValueHint::DirPath)
        .help("Take all options from this deployment (directory or name); further options override them");
    let command = credentials::add(options::add(command.arg(provider_arg())));
    let command = command.arg(name_arg()).arg(like).arg(config_arg());
    passwords::add(command.arg(flag("create-missing", "Create or start a missing storage pool or network")))
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
    if is_set(matches, "list-types") {
        ui.result(&init::list_types(spec::provider_of(matches)?))?;
        return Ok(0);
    }
    if is_set(matches, "list-regions") {
        ui.result(&init::list_regions(spec::provider_of(matches)?)?)?;
        return Ok(0);
    }
    if is_set(matches, "show-permissions") {
        ui.result(&init::permissions(spec::provider(matches, None)?)?)?;
        return Ok(0);
    }
    if is_set(matches, "update") {
        let dir = globals.there()?.deployment_dir;
        let request = changes(&dir, matches, update::provider(&dir)?)?;
        let report = until_signal(ui, async |context| update::run(context, request).await)?;
        ui.result(&report)?;
        return Ok(0);
    }
    let confirm = |question: &str| ui.confirm(question);
    let request = request(&globals.deployment_dir, matches, &confirm)?;
    let report = until_signal(ui, async |context| init::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

/// A new deployment, as the command line describes it.
pub(super) fn request<'a>(dir: &Path, matches: &ArgMatches, confirm: Confirm<'a>) -> Result<InitRequest<'a>> {
    refuse_two_readers_of_stdin(matches)?;
    let create_missing =
        if is_set(matches, "create-missing") { CreateMissing::Yes } else { CreateMissing::Ask(confirm) };
    let dir = dir.to_owned();
    if let Some(other) = matches.get_one::<PathBuf>(LIKE) {
        let other = named::find(other)?;
        let (spec, provider) = init::like(&other)?;
        let asked = changes(&other, matches, provider)?;
        let UpdateRequest { name, changes, release, me, passwords, credentials, warnings, .. } = asked;
        let spec = Asked::Like(spec, changes);
        return Ok(InitRequest {
            dir,
            name,
            spec,
            release,
            me,
            passwords,
            credentials,
            warnings,
            create_missing,
            confirm,
        });
    }
    let spec::Wanted { spec, release, me, credentials, mut warnings, file } = spec::wanted(matches)?;
    let name = spec::name(matches, file.as_ref())?;
    let passwords = passwords::read(matches, file.as_ref(), &mut warnings)?;
    let spec = Asked::Spec(spec);
    Ok(InitRequest { dir, name, spec, release, me, passwords, credentials, warnings, create_missing, confirm })
}

/// What the command line asks for that may differ from the deployment in `dir`, on that provider.
pub(super) fn changes(dir: &Path, matches: &ArgMatches, provider: &'static Provider) -> Result<UpdateRequest> {
    refuse_two_readers_of_stdin(matches)?;
    let spec::Wanted { spec: changes, release, me, credentials, mut warnings, file } =
        spec::changes(matches, provider)?;
    let name = spec::name(matches, file.as_ref())?;
    let passwords = passwords::read(matches, file.as_ref(), &mut warnings)?;
    Ok(UpdateRequest { dir: dir.to_owned(), name, changes, release, me, passwords, credentials, warnings })
}

fn refuse_two_readers_of_stdin(matches: &ArgMatches) -> Result<()> {
    let secrets = passwords::NAMES.iter().map(|(name, _)| *name).chain(credentials::names());
    secret_args::refuse_two_readers_of_stdin(matches, secrets)
}
