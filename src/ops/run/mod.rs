//! `run`: a cluster for one command. It is created, the command gets the connection in its environment, and it is
//! destroyed whatever happens: the command fails, a signal comes, the deployment fails halfway.
//!
//! Its directory is below the user's state folder, so that `list` shows what a killed run has left, and `run --clean`
//! destroys it.

mod clean;
mod place;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use super::deploy::{self, DeployRequest};
use super::destroy::{self, DestroyRequest};
use super::init::{self, InitRequest};
use super::operation::{in_dir, millis};
use super::{Context, info, known, up};
use crate::deployment::DeploymentDir;
use crate::error::{Aftermath, Error, Result};
use crate::model::{InfoReport, InvalidValue, Phase, RunReport};
use crate::signal::{Interrupt, Interrupted};
use crate::tools::attended;
pub use crate::tools::attended::Manner;
use crate::tools::process::{Tool, find};

pub use clean::clean;
pub use place::Place;

pub struct RunRequest<'a> {
    pub place: Place,
    pub init: InitRequest<'a>,
    pub deploy: DeployRequest<'a>,
    /// The program and its words; never empty.
    pub command: Vec<String>,
    pub manner: Manner,
    /// The cluster stays if the command or the deployment failed.
    pub keep: bool,
    /// Where copies of the logs go, which have no passwords.
    pub logs: Option<PathBuf>,
    /// Is called before the command begins.
    pub ready: &'a (dyn Fn(&InfoReport) + Sync),
}

/// So many Ctrl-C while it is destroyed, and somebody really wants to leave it there.
const INSISTS: u32 = 3;
/// For its programs to be killed, and for writing down that they were.
const LAST_GRACE: Duration = Duration::from_secs(5);
/// A Terraform that still ends holds the lock.
const LOCK_LIMIT: Duration = Duration::from_secs(900);
const LOCK_POLL: Duration = Duration::from_secs(2);
/// A second try helps where a cloud was busy.
const TRIES: u32 = 2;

/// # Errors
/// Of the deployment; of the destroy, where the command succeeded; [`Error::Interrupted`] after a signal.
pub async fn run(context: &Context, request: RunRequest<'_>) -> Result<RunReport> {
    let since = Instant::now();
    let RunRequest { place, init, deploy, command, manner, keep, logs, ready } = request;
    let (root, name) = (place.dir.clone(), place.name.clone());
    let program = find(&command[0]).ok_or_else(|| no_program(&command[0]))?;
    let tool = Tool::new(program).args(&command[1..]).with_own_env();
    let used = use_cluster(context, (init, deploy), tool, manner, ready).await;
    let mut report =
        RunReport { name, directory: root.clone(), exit_code: 0, destroyed: true, took_ms: 0, next: Vec::new() };
    let is_there = DeploymentDir::open(&root).is_ok();
    let mut trouble = None;
    if keep && is_there && !matches!(used, Ok(0)) {
        report.destroyed = false;
        report.next = vec![in_dir("exasol status", &root), in_dir("exasol destroy", &root)];
        context.sink.warn(format!("kept, because of --keep: {}", report.next.join("  or  ")));
        save_logs(context, &root, logs.as_deref());
    } else {
        if is_there {
            trouble = destroy(context, &root).await.err();
            save_logs(context, &root, logs.as_deref());
        }
        if trouble.is_none() {
            clear(&root)?;
        }
    }
    if let Some(error) = &trouble {
        report.destroyed = false;
        report.next = vec![in_dir("exasol destroy", &root)];
        context.sink.warn(format!("NOT DESTROYED: {error}; try again: {}", report.next.join(" ")));
    }
    report.took_ms = millis(since);
    drop(place);
    let used =
        used.map_err(
            |error| if root.exists() { error } else { of_what_is_gone(error, what_would_be_left(logs.as_deref())) },
        );
    match (used?, trouble) {
        (0, Some(error)) => Err(error),
        (exit_code, _) => Ok(RunReport { exit_code, ..report }),
    }
}

/// Of the cluster's logs and of the cluster itself.
fn what_would_be_left(logs: Option<&Path>) -> String {
    match logs {
        Some(logs) => format!("{} has the logs; exasol run --keep would keep the cluster", logs.display()),
        None => "exasol run --logs DIR would keep the logs, --keep the cluster".to_owned(),
    }
}

/// The error of machines that have been destroyed since: nobody can go on with them, or look at them. `better`: what
/// there is instead.
pub(super) fn of_what_is_gone(error: Error, better: String) -> Error {
    let Error::Operation { operation, cause, after, .. } = error else { return error };
    let Aftermath { name, directory, machines, .. } = *after;
    let after = Aftermath { name, directory, machines, gone: Some(better), ..Aftermath::default() };
    Error::Operation { operation, cause, now: "nothing".to_owned(), next: Vec::new(), after: Box::new(after) }
}

/// Creates it and runs the command; the command's exit status.
async fn use_cluster(
    context: &Context,
    (init, deploy): (InitRequest<'_>, DeployRequest<'_>),
    tool: Tool,
    manner: Manner,
    ready: &(dyn Fn(&InfoReport) + Sync),
) -> Result<u8> {
    let root = init.dir.clone();
    up::check_warm(&init, &deploy)?;
    let made = context.interrupt.run(init::run(context, init)).await??;
    init::before_deploy(made).into_iter().for_each(|warning| context.sink.warn(warning));
    unless_insisted(&context.interrupt, deploy::run(context, deploy), |_| {}).await??;
    let info = info::run(&root, true)?;
    context.interrupt.check()?;
    ready(&info);
    let ended = attended::attend(environment(tool, &info, &root)?, manner, &context.interrupt).await?;
    match ended.passed_on {
        Some(signal) => Err(Error::Interrupted { signal }),
        None => Ok(ended.exit_code()),
    }
}

/// The connection, as drivers and scripts take it, and the directory, for `exasol` itself.
fn environment(tool: Tool, info: &InfoReport, root: &Path) -> Result<Tool> {
    let root = std::path::absolute(root).map_err(Error::io(root.display().to_string()))?;
    let tool = tool
        .env("EXASOL_DSN", &info.dsn)
        .env("EXASOL_HOST", &info.host)
        .env("EXASOL_HOSTS", info.hosts.join(","))
        .env("EXASOL_PORT", info.port.to_string())
        .env("EXASOL_USER", &info.user)
        .env("EXASOL_FINGERPRINT", info.certificate_fingerprint.as_deref().unwrap_or_default())
        .env("EXASOL_ADMIN_UI", &info.admin_ui)
        .env("EXASOL_DEPLOYMENT_DIR", root);
    Ok(tool.secret_env("EXASOL_PASSWORD", info.password.as_deref().unwrap_or_default()))
}

/// Destroys it. One signal or two do not end that: they may be what brought us here.
pub(super) async fn destroy(context: &Context, root: &Path) -> Result<()> {
    let calm = Context { sink: context.sink.clone(), interrupt: Interrupt::never() };
    let (since, mut tries) = (Instant::now(), 0);
    let pressed = |left: u32| {
        let more = if left == 1 { "once more".to_owned() } else { format!("{left} times more") };
        context.sink.warn(format!("the cluster is being destroyed; Ctrl-C {more} leaves it there"));
    };
    loop {
        let request = DestroyRequest { dir: root.to_owned(), dry_run: false, confirm: None };
        match unless_insisted(&context.interrupt, destroy::run(&calm, request), pressed).await? {
            Ok(_) => return Ok(()),
            Err(Error::Locked { .. }) if since.elapsed() < LOCK_LIMIT => {}
            Err(error) => {
                tries += 1;
                if tries >= TRIES {
                    return Err(error);
                }
                context.sink.warn(format!("destroy failed, and is tried once more: {error}"));
            }
        }
        unless_insisted(&context.interrupt, tokio::time::sleep(LOCK_POLL), pressed).await?;
    }
}

/// Does `work` until somebody has pressed Ctrl-C so often that it can only be meant; `pressed` hears how many are left.
async fn unless_insisted<T>(
    interrupt: &Interrupt,
    work: impl Future<Output = T>,
    pressed: impl Fn(u32),
) -> Result<T, Interrupted> {
    let mut work = pin!(work);
    let (mut seen, mut presses) = (interrupt.pressed().count, 0);
    loop {
        match interrupt.run_from(seen, &mut work).await {
            Ok(result) => return Ok(result),
            Err(interrupted) => {
                seen = interrupt.pressed().count;
                if interrupted.signal != libc::SIGINT {
                    continue;
                }
                presses += 1;
                if presses >= INSISTS {
                    return tokio::time::timeout(LAST_GRACE, &mut work).await.map_err(|_| interrupted);
                }
                pressed(INSISTS - presses);
            }
        }
    }
}

/// What is left of a destroyed cluster: its logs, which were copied if they were wanted.
pub(super) fn clear(root: &Path) -> Result<()> {
    let Ok(dir) = DeploymentDir::open(root) else { return Ok(()) };
    if dir.state().phase != Phase::Destroyed {
        return Ok(());
    }
    known::forget(&dir.state().id, &dir);
    dir.remove_destroyed()
}

/// A pipeline without its logs has still done its work.
pub(super) fn save_logs(context: &Context, root: &Path, to: Option<&Path>) {
    let Some(to) = to else { return };
    let copied = DeploymentDir::open(root).and_then(|dir| dir.copy_logs(to));
    if let Err(error) = copied {
        context.sink.warn(format!("the logs were not copied to {}: {error}", to.display()));
    }
}

fn no_program(name: &str) -> Error {
    InvalidValue {
        flag: "CMD".into(),
        value: name.to_owned(),
        problem: "must be a program on PATH, or a program's path; nothing was created".into(),
        suggestion: None,
    }
    .into()
}
