//! From matches to a request, from a report to an exit code: one short function a command.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::Value;

use super::args::Globals;
use super::command::is_set;
use super::config_file::ConfigFile;
use super::options::{self, Sources, invalid};
use super::passwords;
use crate::deployment::EditPolicy;
use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::model::{Options, Spec, VersionReport};
use crate::ops::{self, Context};
use crate::providers;
use crate::signal::Interrupt;
use crate::ui::{SqlFormat, Ui};

/// Runs the command; the number is the exit status.
pub(super) fn run(globals: &Globals, sub: Option<(&str, &ArgMatches)>, ui: &Ui) -> Result<u8> {
    let Some((name, matches)) = sub else { return Ok(2) };
    match name {
        "init" => init(globals, matches, ui),
        "deploy" => deploy(globals, matches, ui),
        "status" => status(globals, ui),
        "destroy" => destroy(globals, matches, ui),
        "doctor" => doctor(matches, ui),
        "info" => info(globals, matches, ui),
        "ssh" => ssh(globals, matches),
        "sql" => sql(globals, matches, ui),
        "cache" => cache(matches, ui),
        "version" => version(ui),
        _ => Ok(2),
    }
}

/// How long a blocking call may keep the finished program.
const THREADS_END: Duration = Duration::from_millis(500);

/// Runs an operation with signals counted and its events shown.
fn with_runtime<T>(ui: &Ui, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Error::io("the runtime"))?;
    let result = runtime.block_on(async {
        let sink = EventSink::silent();
        sink.add_reader(ui.progress());
        let interrupt = Interrupt::listen().map_err(Error::io("signal handlers"))?;
        work(&Context { sink, interrupt }).await
    });
    // Threads that have used the hypervisor's library end before its exit handlers run, or both
    // would free the same things. A call that hangs cannot be cancelled, and must not keep us.
    runtime.shutdown_timeout(THREADS_END);
    result
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
    let file = config_file(matches)?;
    let spec = spec(matches, file.as_ref())?;
    let given = passwords::read(matches, file.as_ref())?;
    let confirm = |question: &str| ui.confirm(question);
    let request = ops::init::InitRequest {
        dir: globals.deployment_dir.clone(),
        spec,
        passwords: ops::init::Passwords { db: given.db, adminui: given.adminui, host: given.host },
        warnings: given.warnings,
        create_missing: if is_set(matches, "create-missing") {
            ops::CreateMissing::Yes
        } else {
            ops::CreateMissing::Ask(&confirm)
        },
    };
    let report = with_runtime(ui, async |context| ops::init::run(context, request).await)?;
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
    let request = ops::deploy::DeployRequest { dir, allow_replace, edits, offline: is_set(matches, "offline") };
    let report = with_runtime(ui, async |context| ops::deploy::run(context, request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn status(globals: &Globals, ui: &Ui) -> Result<u8> {
    let report = with_runtime(ui, async |_| ops::status::run(&globals.deployment_dir).await)?;
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
    let file = config_file(matches)?;
    let spec = spec(matches, file.as_ref())?;
    let report = with_runtime(ui, async |context| ops::doctor::run(context, spec).await)?;
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

fn sql(globals: &Globals, matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let script = match matches.get_one::<String>("command") {
        Some(text) => text.clone(),
        None => script_from_stdin()?,
    };
    let format = match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => SqlFormat::Json,
        Some("csv") => SqlFormat::Csv,
        Some(_) => SqlFormat::Table,
        None => SqlFormat::Table,
    };
    let request = ops::sql::SqlRequest {
        dir: globals.deployment_dir.clone(),
        script,
        node: matches.get_one::<String>("node").cloned(),
        timeout: Duration::from_secs(matches.get_one::<u64>("timeout").copied().unwrap_or(300)),
    };
    let mut show = |answer: &crate::model::SqlReport| ui.sql(answer, format);
    with_runtime(ui, async |context| ops::sql::run(context, request, &mut show).await)?;
    Ok(0)
}

fn script_from_stdin() -> Result<String> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Error::Usage {
            message: "there is no statement to run".into(),
            hint: Some("exasol sql -c 'SELECT 1', or give statements on standard input".into()),
        });
    }
    let mut text = String::new();
    stdin.read_to_string(&mut text).map_err(Error::io("standard input"))?;
    Ok(text)
}

fn cache(matches: &ArgMatches, ui: &Ui) -> Result<u8> {
    let Some((action, matches)) = matches.subcommand() else { return Ok(2) };
    let request = ops::cache::CacheRequest {
        spec: spec(matches, None)?,
        prune: action == "prune",
        dry_run: is_set(matches, "dry-run"),
    };
    let report = with_runtime(ui, async |_| ops::cache::run(request).await)?;
    ui.result(&report)?;
    Ok(0)
}

fn version(ui: &Ui) -> Result<u8> {
    ui.result(&VersionReport { exasol: env!("CARGO_PKG_VERSION"), tools: Vec::new() })?;
    Ok(0)
}

fn config_file(matches: &ArgMatches) -> Result<Option<ConfigFile>> {
    let path = matches.try_get_one::<PathBuf>("config").ok().flatten();
    let keys = options::keys().chain(passwords::keys()).chain(["cloud-provider"]);
    path.map(|path| ConfigFile::read(path, keys)).transpose()
}

/// The spec from command line, environment and file. Without a provider it is libvirt: the
/// workstation's own.
fn spec(matches: &ArgMatches, file: Option<&ConfigFile>) -> Result<Spec> {
    let env = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let named = match matches.try_get_one::<String>("cloud-provider").ok().flatten() {
        Some(name) => Some(name.clone()),
        None => env("EXASOL_CLOUD_PROVIDER")
            .map_or_else(|| file.map(|f| f.text("cloud-provider")).transpose().map(Option::flatten), |v| Ok(Some(v)))?,
    };
    let provider = providers::find(named.as_deref().unwrap_or(providers::DEFAULT))?;
    let sources = Sources { matches, env: &env, file };
    sources.refuse_foreign(provider)?;
    let mut common = Options::new();
    for def in options::COMMON {
        common.extend(sources.get(def)?.map(|value| (def.key.to_owned(), value)));
    }
    let mut own = Options::new();
    for def in provider.options {
        own.extend(sources.get(def)?.map(|value| (def.key.to_owned(), value)));
    }
    let number =
        |key: &str| common.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let text = |key: &str| common.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Spec {
        provider: provider.name.into(),
        cluster_size: number("cluster-size"),
        db_version: text("db-version").unwrap_or_default(),
        data_volume_size: number("data-volume-size"),
        data_volumes_per_node: number("data-volumes-per-node"),
        root_volume_size: number("root-volume-size"),
        instance_type: text("instance-type"),
        owner: text("owner"),
        allowed_cidrs: cidrs(common.get("allowed-cidr"))?,
        multicast_overlay: common.get("enable-multicast-overlay").and_then(Value::as_bool).unwrap_or(false),
        options: own,
    })
}

/// A bare address means itself alone.
fn cidrs(value: Option<&Value>) -> Result<Vec<ipnet::IpNet>> {
    let texts = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    texts
        .map(|text| {
            let net = text.parse::<ipnet::IpNet>().ok();
            let net = net.or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from));
            let net = net.ok_or_else(|| {
                invalid("--allowed-cidr", text, "a network such as 192.0.2.0/24 or 2001:db8::/32".into(), None)
            })?;
            if net.trunc() == net {
                return Ok(net);
            }
            Err(invalid("--allowed-cidr", text, "a network without host bits".into(), Some(net.trunc().to_string())))
        })
        .collect()
}
