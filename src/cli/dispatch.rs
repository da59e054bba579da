//! From matches to a request, from a report to an exit code: one short function a command.

use std::time::Duration;

use clap::ArgMatches;

use super::args::Globals;
use super::flags::is_set;
use super::runtime::{until_signal, with_runtime};
use super::{credentials, passwords, secret_args, spec};
use crate::deployment::EditPolicy;
use crate::error::Result;
use crate::ops;
use crate::ui::Ui;

/// Runs the command; the number is the exit status.
pub(super) fn run(globals: &Globals, sub: Option<(&str, &ArgMatches)>, ui: &Ui) -> Result<u8> {
    let Some((name, matches)) = sub else { return Ok(2) };
    match name {
        "init" => init(globals, matches, ui),
        "deploy" => deploy(globals, matches, ui),
        "status" => status(globals, matches, ui),
        "health" => super::health::run(globals, matches, ui),
        "stop" => stop(globals, ui),
        "start" => start(globals, ui),
        "destroy" => destroy(globals, matches, ui),
        "doctor" => doctor(matches, ui),
        "info" => info(globals, matches, ui),
        "ssh" => ssh(globals, matches, ui),
        "sql" => super::sql::run(globals, matches, ui),
        "logs" => super::logs::run(globals, matches, ui),
        "license" => super::license::run(globals, matches, ui),
        "certificate" => super::certificate::run(globals, matches, ui),
        "support" => super::support::run(globals, matches, ui),
        "versions" => super::versions::run(matches, ui),
        "list" => super::list::run(matches, ui),
        "cache" => cache(matches, ui),
        "completions" => super::manual::completions(matches, ui),
        "man" => super::manual::man(matches, ui),
        "version" => version(globals, ui),
        _ => Ok(2),
    }
}

fn init(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    if is_set(matches, "list-providers") {
        ui.result(&ops::init::list_providers())?;
        return Ok(0);
    }
    if is_set(matches, "list-versions") {
        ui.result(&ops::init::list_versions(&spec::of_releases(matches)?)?)?;
        return Ok(0);
    }
    if is_set(matches, "show-permissions") {
        ui.result(&ops::init::permissions(spec::provider(matches, None)?)?)?;
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
    let request = ops::init::InitRequest {
        dir: globals.deployment_dir.clone(),
        spec,
        release,
        passwords,
        credentials,
        warnings,
        create_missing: if is_set(matches, "create-missing") {
            ops::CreateMissing::Yes
        } else {
            ops::CreateMissing::Ask(&confirm)
        },
    };
    let report = until_signal(ui, async |context| ops::init::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn update(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = globals.deployment_dir.clone();
    let spec::Wanted { spec, release, credentials, mut warnings, file } =
        spec::updated(matches, &ops::update::recorded(&dir)?)?;
    let passwords = passwords::read(matches, file.as_ref(), &mut warnings)?;
    let request = ops::update::UpdateRequest { dir, spec, release, passwords, credentials, warnings };
    let report = until_signal(ui, async |context| ops::update::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn deploy(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let dir = globals.deployment_dir.clone();
    if is_set(matches, "plan") {
        let report = with_runtime(ui, async |context| ops::plan::run(context, &dir).await)?;
        ui.result(&report)?;
        return Ok(0);
    }
    let edits = if is_set(matches, "overwrite-edits") {
        EditPolicy::Overwrite
    } else if is_set(matches, "keep-edits") {
        EditPolicy::Keep
    } else {
        EditPolicy::Refuse
    };
    let allow_replace = matches.get_many::<String>("allow-replace").into_iter().flatten().cloned().collect();
    let confirm = |question: &str| ui.confirm(question);
    let confirm: Option<ops::Confirm<'_>> = if is_set(matches, "yes") { None } else { Some(&confirm) };
    let request =
        ops::deploy::DeployRequest { dir, allow_replace, edits, offline: is_set(matches, "offline"), confirm };
    let report = with_runtime(ui, async |context| ops::deploy::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn status(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let seconds = |name: &str| matches.get_one::<u64>(name).copied().map(Duration::from_secs);
    let mut request = ops::status::StatusRequest::usual(&globals.deployment_dir);
    request.deadline = seconds("probe-timeout").unwrap_or(request.deadline);
    request.refresh = is_set(matches, "refresh");
    if is_set(matches, "watch") {
        let mut show = |report: &crate::model::StatusReport| ui.result(report);
        return with_runtime(ui, async |context| ops::status::watch(context, &request, &mut show).await).map(|()| 0);
    }
    let Some(wished) = matches.get_one::<String>("wait") else {
        let report = with_runtime(ui, async |context| ops::status::run(context, &request).await)?;
        ui.result(&report)?;
        return Ok(0);
    };
    let limit = matches.get_one::<Duration>("timeout").copied().unwrap_or(Duration::from_secs(900));
    let waited = with_runtime(ui, async |context| ops::status::wait_for(context, &request, wished, limit).await)?;
    let code = u8::from(waited.is_err());
    ui.result(&waited.unwrap_or_else(|last| last))?;
    Ok(code)
}

fn stop(globals: &Globals, ui: &Ui) -> Result<u8> {
    let request = ops::stop::StopRequest { dir: globals.deployment_dir.clone() };
    let report = with_runtime(ui, async |context| ops::stop::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn start(globals: &Globals, ui: &Ui) -> Result<u8> {
    let request = ops::start::StartRequest { dir: globals.deployment_dir.clone() };
    let report = with_runtime(ui, async |context| ops::start::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn destroy(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let confirm = |question: &str| ui.confirm(question);
    let request = ops::destroy::DestroyRequest {
        dir: globals.deployment_dir.clone(),
        dry_run: is_set(matches, "dry-run"),
        confirm: if is_set(matches, "yes") { None } else { Some(&confirm) },
    };
    let report = with_runtime(ui, async |context| ops::destroy::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn doctor(matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let spec::Wanted { spec, release, credentials, warnings, .. } = spec::wanted(matches)?;
    let report = until_signal(ui, async |context| {
        warnings.into_iter().for_each(|warning| context.sink.warn(warning));
        ops::doctor::run(context, spec, &release, &credentials).await
    })?;
    ui.result(&report)?;
    Ok(if report.ok { 0 } else { 4 })
}

fn info(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    ui.result(&ops::info::run(&globals.deployment_dir, is_set(matches, "show-password"))?)?;
    Ok(0)
}

fn ssh(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let node = matches.get_one::<String>("node").map_or("n11", String::as_str);
    let command: Vec<String> = matches.get_many::<String>("command").into_iter().flatten().cloned().collect();
    let session = until_signal(ui, async |_| ops::ssh::find(&globals.deployment_dir, node).await)?;
    match session.begin(&command)? {}
}

fn cache(matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let Some((action, matches)) = matches.subcommand() else { return Ok(2) };
    let request = ops::cache::CacheRequest {
        spec: spec::of_options(matches)?,
        prune: action == "prune",
        dry_run: is_set(matches, "dry-run"),
    };
    let report = until_signal(ui, async |_| ops::cache::run(request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn version(globals: &Globals, ui: &Ui) -> Result<u8> {
    let report = match globals.flags.verbose {
        true => until_signal(ui, async |_| ops::version::verbose().await)?,
        false => ops::version::short(),
    };
    ui.result(&report)?;
    Ok(0)
}
