//! From matches to a request, from a report to an exit code: one short function a command.

use std::time::Duration;

use clap::ArgMatches;

use super::args::Globals;
use super::command::is_set;
use super::{credentials, passwords, secret_args, spec};
use crate::deployment::EditPolicy;
use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::ops::{self, Context};
use crate::signal::Interrupt;
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
        "ssh" => ssh(globals, matches),
        "sql" => super::sql::run(globals, matches, ui),
        "logs" => super::logs::run(globals, matches, ui),
        "list" => super::list::run(matches, ui),
        "cache" => cache(matches, ui),
        "completions" => super::manual::completions(matches, ui),
        "man" => super::manual::man(matches, ui),
        "version" => version(globals, ui),
        _ => Ok(2),
    }
}

/// How long a blocking call may keep the finished program.
const THREADS_END: Duration = Duration::from_millis(500);

/// At the first signal programs are told to end in order, at the second to end at once, and at the third they
/// are killed. A command that has not recorded that and ended after this time waits for something that hangs.
const LAST_PRESS: u32 = 3;
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Runs a command that ends in order after a signal by itself, with its events shown.
pub(super) fn with_runtime<T>(ui: &Ui, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    run_until(LAST_PRESS, LAST_GRACE, ui, work)
}

/// Runs a command that leaves nothing to put in order: the first signal ends it, whatever it waits for.
fn until_signal<T>(ui: &Ui, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    run_until(1, Duration::ZERO, ui, work)
}

/// Runs a command for which signals mean something else: Ctrl-C at an SQL statement ends the statement.
pub(super) fn with_own_signals<T>(ui: &Ui, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    run_until(u32::MAX, Duration::ZERO, ui, work)
}

fn run_until<T>(press: u32, grace: Duration, ui: &Ui, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Error::io("the runtime"))?;
    let result = runtime.block_on(async {
        let sink = EventSink::silent();
        sink.add_reader(ui.progress());
        let interrupt = Interrupt::listen().map_err(Error::io("signal handlers"))?;
        let context = Context { sink, interrupt: interrupt.clone() };
        ended_by(interrupt, press, grace, work(&context)).await
    });
    // Threads that have used the hypervisor's library end before its exit handlers run, or both
    // would free the same things. A call that hangs cannot be cancelled, and must not keep us.
    runtime.shutdown_timeout(THREADS_END);
    result
}

/// The work's result, or `Interrupted` after so many signals and the time that is left to it then.
async fn ended_by<T>(
    mut interrupt: Interrupt,
    press: u32,
    grace: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let pressed = async {
        let pressed = interrupt.more_than(press - 1).await;
        tokio::time::sleep(grace).await;
        pressed
    };
    tokio::select! {
        // In this order: what has not happened before a signal does not happen after it.
        biased;
        pressed = pressed => Err(Error::Interrupted { signal: pressed.signal }),
        result = work => result,
    }
}

fn init(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    if is_set(matches, "list-providers") {
        ui.result(&ops::init::list_providers())?;
        return Ok(0);
    }
    if is_set(matches, "list-versions") {
        ui.result(&ops::init::list_versions())?;
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
    let spec::Wanted { spec, credentials, mut warnings, file } = spec::wanted(matches)?;
    let passwords = passwords::read(matches, file.as_ref(), &mut warnings)?;
    let confirm = |question: &str| ui.confirm(question);
    let request = ops::init::InitRequest {
        dir: globals.deployment_dir.clone(),
        spec,
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
    let spec::Wanted { spec, credentials, mut warnings, file } = spec::updated(matches, &ops::update::recorded(&dir)?)?;
    let passwords = passwords::read(matches, file.as_ref(), &mut warnings)?;
    let request = ops::update::UpdateRequest { dir, spec, passwords, credentials, warnings };
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
    let spec::Wanted { spec, credentials, warnings, .. } = spec::wanted(matches)?;
    let report = until_signal(ui, async |context| {
        warnings.into_iter().for_each(|warning| context.sink.warn(warning));
        ops::doctor::run(context, spec, &credentials).await
    })?;
    ui.result(&report)?;
    Ok(if report.ok { 0 } else { 4 })
}

fn info(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    ui.result(&ops::info::run(&globals.deployment_dir, is_set(matches, "show-password"))?)?;
    Ok(0)
}

fn ssh(globals: &Globals, matches: &ArgMatches) -> Result<u8> {
    let node = matches.get_one::<String>("node").map_or("n11", String::as_str);
    let command: Vec<String> = matches.get_many::<String>("command").into_iter().flatten().cloned().collect();
    match ops::ssh::run(&globals.deployment_dir, node, &command)? {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::press;

    #[tokio::test]
    async fn work_that_hangs_is_ended_by_its_signal_and_not_before() {
        let (interrupt, sender) = Interrupt::manual();
        let hung = || std::future::pending::<Result<()>>();
        press(&sender, 15);
        press(&sender, 2);
        let ended = ended_by(interrupt.clone(), 1, Duration::ZERO, hung()).await;
        assert!(matches!(ended, Err(Error::Interrupted { signal: 15 })));
        let in_order = async { Ok(()) };
        assert!(ended_by(interrupt.clone(), 3, Duration::ZERO, in_order).await.is_ok());
        let mut still = std::pin::pin!(ended_by(interrupt, 3, Duration::ZERO, hung()));
        assert!(tokio::time::timeout(Duration::ZERO, still.as_mut()).await.is_err());
        press(&sender, 2);
        assert!(matches!(still.await, Err(Error::Interrupted { signal: 15 })));
    }
}
