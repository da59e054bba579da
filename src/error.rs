//! Every way in which a command can fail, with its stable code, its exit code and its hint.
//!
//! Errors carry data; text for people is made here and shown by `ui`. Glue code may use
//! [`Error::other`] with context; whatever a script or a user acts on has a variant of its own.

use std::path::PathBuf;

use crate::model::{Check, Holder, InvalidValue, Operation, Phase, in_dir, quote};
use crate::signal::Interrupted;

/// The command that fetches programs which are missing.
pub const INSTALL_TOOLS: &str = "exasol doctor --install-tools";

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A program that we ran and that failed: its own diagnostics come first when it is shown.
#[derive(Debug, Clone, Default)]
pub struct ToolFailure {
    /// "terraform", "ansible-playbook", …
    pub tool: String,
    /// The command line without secrets.
    pub command: String,
    /// "exit status 1", "signal 9".
    pub status: String,
    /// The tool's own structured diagnostics; the first one is the cause.
    pub diagnostics: Vec<String>,
    /// The last 20 lines that it printed.
    pub tail: Vec<String>,
    pub log: Option<PathBuf>,
}

/// What is known after an operation has ended before its work was done.
#[derive(Debug, Clone, Default)]
pub struct Aftermath {
    /// As people call the deployment.
    pub name: String,
    /// As it was typed.
    pub directory: PathBuf,
    /// The step in which it ended; empty if it was in none.
    pub step: String,
    /// What was seen of the machines that explains it: "n11's machine is off".
    pub machines: Vec<String>,
    /// The nodes whose machines exist.
    pub nodes: Vec<String>,
    /// All of them are on.
    pub running: bool,
    /// Something exists that is paid for.
    pub costs: bool,
    /// What each of the next commands does from here, in their order.
    pub why: Vec<&'static str>,
    /// The cluster was of a `run`, and has been destroyed with its directory since: what the next run can do better.
    pub gone: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{flag}: '{value}' {problem}{}", suggestion.as_deref().map(|s| format!(". Did you mean {s}?")).unwrap_or_default())]
    InvalidValue { flag: String, value: String, problem: String, suggestion: Option<String> },
    /// Several of the values that were given are wrong, each with an error of its own: two or more.
    #[error("{} values are wrong", .0.len())]
    Several(Vec<Error>),
    /// A wrong combination or a missing flag: the text names flags and what to do.
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },

    #[error("{} is not a deployment directory (no deployment.json)", dir.display())]
    NotADeployment { dir: PathBuf, similar: Option<String>, known: Vec<String> },
    #[error("{} already holds a deployment: {}", dir.display(), phase.clause(*running))]
    AlreadyInitialized { dir: PathBuf, deployment: String, phase: Phase, running: bool },
    #[error("{} is not empty ({found})", dir.display())]
    DirectoryNotEmpty { dir: PathBuf, found: String },
    #[error("{} was made by the Bash deployer (.exasol.json); this tool does not change it", dir.display())]
    BashDeployment { dir: PathBuf },
    /// Others could change what would be run.
    #[error("{} is not used: {why}", folder.display())]
    OpenToOthers { folder: PathBuf, why: String, fix: String },
    #[error("{}", wrong_phase(*operation, *phase))]
    WrongPhase { operation: Operation, phase: Phase, next: Vec<String> },
    /// Somebody was asked and said no: nothing is wrong.
    #[error("{done}")]
    Declined { done: String },
    /// The deployment does not have this yet: it has no nodes, or no logs.
    #[error("{message}")]
    NotYet { message: String, hint: Option<String> },
    /// `repair`: the directory, as it was typed, where an earlier copy can take the file's place.
    #[error("{} {why}", file.display())]
    BrokenState { file: PathBuf, why: String, repair: Option<PathBuf> },
    #[error("generated files were edited by hand: {}", files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "))]
    EditedFiles { files: Vec<PathBuf> },

    #[error("{}", preflight_message(checks))]
    Preflight { checks: Vec<Check> },
    #[error("{tool} was not found on PATH{}", needed.as_deref().map(|n| format!(" ({n})")).unwrap_or_default())]
    /// `fetched`: `doctor --install-tools` can bring it.
    ToolMissing { tool: String, needed: Option<String>, install: String, fetched: bool },
    /// A program was found, but fails when it is asked for its version.
    #[error("{} was found, but does not work: `{command}` ended with {status} and printed {}", program.display(), said_text(said))]
    ToolUnusable { program: PathBuf, command: String, status: String, said: Vec<String>, or: String },
    #[error("libvirt at {uri} cannot be reached: {cause}")]
    LibvirtUnreachable { uri: String, cause: String, fix: Vec<String> },

    #[error("{}", holder_text(holder.as_ref()))]
    Locked { holder: Option<Holder>, dir: PathBuf },

    #[error("{}", tool_message(.0))]
    Tool(Box<ToolFailure>),
    /// A node that somebody wants something of, and that lets nobody in.
    #[error("{node} cannot be reached through SSH: {why}")]
    NodeUnreachable { node: String, why: String, hint: String },
    /// Machines that do not exist any more, as the hypervisor or the cloud itself has said. `all`: it knows none of the
    /// cluster's, as it would at a wrong address or with a wrong account.
    #[error("{}", missing_text(nodes, *all))]
    MachinesMissing { nodes: Vec<String>, all: bool },
    /// Terraform's state differs from what exists, or it is not known whether it does.
    #[error("{why}")]
    TerraformState { why: String, hint: String },
    #[error("the plan was refused, because it would {}", changes.join(", "))]
    PlanRefused { changes: Vec<String>, hint: String },
    #[error("{what}: gave up after {limit_s} s{}", last_seen.as_deref().map(|s| format!("; last seen: {s}")).unwrap_or_default())]
    Timeout { what: String, limit_s: u64, last_seen: Option<String>, hint: Option<String> },
    /// A machine that will never finish its boot. `why` names it and the console's line that shows the cause.
    #[error("{why}{}", after_resets(*resets))]
    MachineDead {
        node: String,
        /// Stable: `kernel_panic`, `no_boot_device`, `boot_stuck`, …
        reason: &'static str,
        why: String,
        /// How often the machine was reset before it was given up.
        resets: u32,
        hint: Option<String>,
    },
    /// Two nodes have one address: the network takes them for one machine.
    #[error("{} have the same address {address}: the network's DHCP takes them for one machine", nodes.join(" and "))]
    SharedAddress { nodes: Vec<String>, address: std::net::IpAddr, hint: String },
    #[error("download of {url} failed: {cause}")]
    Download { url: String, cause: String, hint: Option<String> },
    #[error("{call} failed: {cause}")]
    Api { call: String, cause: String, hint: Option<String> },
    #[error("{what} has the SHA-256 {found}, expected {expected}")]
    Checksum { what: String, expected: String, found: String },
    #[error("SQL connection to {host} failed: {cause}")]
    SqlConnection { host: String, cause: String, code: Option<String>, hint: Option<String> },
    #[error("[{code}] {text}")]
    SqlStatement { code: String, text: String },
    #[error("{host} shows another certificate: SHA-256 {found}, expected {expected}")]
    Fingerprint { host: String, expected: String, found: String, hint: Option<String> },
    /// `again`: the command that removes it.
    #[error("left behind: {}", things.join(", "))]
    LeftBehind { things: Vec<String>, again: String },
    #[error("interrupted by signal {signal}")]
    Interrupted { signal: i32 },

    /// An operation that failed after it had begun: the cause, what exists now, what to do next.
    #[error("{cause}")]
    Operation { operation: Operation, cause: Box<Error>, now: String, next: Vec<String>, after: Box<Aftermath> },

    #[error("{context}: {source}")]
    Io { context: String, source: std::io::Error },
    #[error("{0:#}")]
    Other(anyhow::Error),
}

impl Error {
    pub fn io(context: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let context = context.into();
        move |source| Error::Io { context, source }
    }

    /// A value of an option that is wrong (`problem`: "must be …"), where nothing can be suggested.
    pub fn invalid(flag: impl Into<String>, value: impl Into<String>, problem: impl Into<String>) -> Error {
        InvalidValue::new(flag, value, problem).into()
    }

    pub fn other(message: impl Into<String>) -> Error {
        Error::Other(anyhow::anyhow!(message.into()))
    }

    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::InvalidValue { .. } => "invalid_value",
            Error::Several(_) => "invalid_values",
            Error::Usage { .. } | Error::Declined { .. } => "usage",
            Error::NotADeployment { .. } => "not_a_deployment",
            Error::AlreadyInitialized { .. } => "already_initialized",
            Error::DirectoryNotEmpty { .. } => "directory_not_empty",
            Error::BashDeployment { .. } => "bash_deployment",
            Error::OpenToOthers { .. } => "open_to_others",
            Error::WrongPhase { .. } => "wrong_phase",
            Error::NotYet { .. } => "not_yet",
            Error::BrokenState { .. } => "broken_state",
            Error::EditedFiles { .. } => "edited_files",
            Error::Preflight { .. } => "preflight_failed",
            Error::ToolMissing { .. } => "tool_missing",
            Error::ToolUnusable { .. } => "tool_unusable",
            Error::LibvirtUnreachable { .. } => "libvirt_unreachable",
            Error::Locked { .. } => "locked",
            Error::Tool(_) => "tool_failed",
            Error::TerraformState { .. } => "terraform_state",
            Error::PlanRefused { .. } => "plan_refused",
            Error::Timeout { .. } => "timeout",
            Error::MachineDead { .. } => "machine_dead",
            Error::SharedAddress { .. } => "shared_address",
            Error::Download { .. } => "download_failed",
            Error::Api { .. } => "api_failed",
            Error::Checksum { .. } => "checksum_mismatch",
            Error::SqlConnection { .. } => "sql_connection_failed",
            Error::SqlStatement { .. } => "sql_error",
            Error::Fingerprint { .. } => "certificate_mismatch",
            Error::LeftBehind { .. } => "left_behind",
            Error::Interrupted { .. } => "interrupted",
            Error::Operation { cause, .. } => cause.code(),
            Error::Io { .. } => "io",
            Error::NodeUnreachable { .. } | Error::MachinesMissing { .. } | Error::Other(_) => "failed",
        }
    }

    /// The process's exit status, as in the README.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::InvalidValue { .. } | Error::Several(_) | Error::Usage { .. } | Error::Declined { .. } => 2,
            Error::NotADeployment { .. }
            | Error::AlreadyInitialized { .. }
            | Error::DirectoryNotEmpty { .. }
            | Error::BashDeployment { .. }
            | Error::OpenToOthers { .. }
            | Error::WrongPhase { .. }
            | Error::NotYet { .. }
            | Error::BrokenState { .. }
            | Error::EditedFiles { .. } => 3,
            Error::Preflight { checks } => {
                let codes = checks.iter().filter(|c| c.is_failed()).map(|c| c.exit_code);
                codes.max().unwrap_or(4)
            }
            Error::ToolMissing { .. } | Error::ToolUnusable { .. } | Error::LibvirtUnreachable { .. } => 4,
            Error::Locked { .. } => 75,
            Error::Interrupted { signal } => 128u8.saturating_add(u8::try_from(*signal).unwrap_or(0)),
            Error::Operation { cause, .. } => cause.exit_code(),
            Error::Tool(_)
            | Error::TerraformState { .. }
            | Error::PlanRefused { .. }
            | Error::Timeout { .. }
            | Error::MachineDead { .. }
            | Error::SharedAddress { .. }
            | Error::Download { .. }
            | Error::Api { .. }
            | Error::Checksum { .. }
            | Error::SqlConnection { .. }
            | Error::SqlStatement { .. }
            | Error::Fingerprint { .. }
            | Error::LeftBehind { .. }
            | Error::Io { .. }
            | Error::NodeUnreachable { .. }
            | Error::MachinesMissing { .. }
            | Error::Other(_) => 1,
        }
    }

    /// What the user can do about it, if there is general advice.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::InvalidValue { .. } | Error::Declined { .. } => None,
            Error::Several(errors) => joined_hints(errors),
            Error::Usage { hint, .. } | Error::NotYet { hint, .. } => hint.clone(),
            Error::NotADeployment { similar: Some(name), .. } => Some(format!("did you mean -d {}?", quote(name))),
            Error::NotADeployment { known, .. } if !known.is_empty() => {
                Some(format!("name one with -d NAME; you have: {}", known.join(", ")))
            }
            Error::NotADeployment { similar: None, .. } => {
                Some("name one with -d DIR, or make one: exasol init --cloud-provider libvirt -d DIR".into())
            }
            Error::AlreadyInitialized { phase, dir, .. } => Some(match phase {
                Phase::Destroyed => format!(
                    "deploy it anew, with the same options: exasol deploy -d {}; or choose another directory with -d DIR",
                    quote(&dir.to_string_lossy())
                ),
                _ => format!(
                    "see its status: exasol status -d {}; or choose another directory with -d DIR",
                    dir.display()
                ),
            }),
            Error::DirectoryNotEmpty { .. } => Some("choose an empty or a new directory with -d DIR".into()),
            Error::OpenToOthers { fix, .. } => Some(fix.clone()),
            Error::BashDeployment { .. } => {
                Some("go on using the Bash deployer for it, or choose another directory with -d DIR".into())
            }
            Error::WrongPhase { next, .. } => (!next.is_empty()).then(|| format!("next: {}", next.join("  or  "))),
            Error::BrokenState { repair: Some(dir), .. } => Some(format!(
                "nothing was changed; put the newest sound copy in its place: {}",
                in_dir("exasol state repair", dir)
            )),
            Error::BrokenState { repair: None, .. } => Some(
                "nothing was changed; restore the file from a backup, or use the version of exasol that wrote it"
                    .into(),
            ),
            Error::EditedFiles { .. } => {
                Some("keep them with --keep-edits, or overwrite them with --overwrite-edits".into())
            }
            Error::Preflight { .. } => {
                Some("fix what failed and run the command again; exasol doctor shows all checks".into())
            }
            Error::ToolMissing { install, fetched: true, .. } => Some(format!("run {INSTALL_TOOLS}, or {install}")),
            Error::ToolMissing { install, .. } => Some(install.clone()),
            Error::ToolUnusable { or, .. } => Some(format!("fix what it reports, {or}")),
            Error::LibvirtUnreachable { fix, .. } => (!fix.is_empty()).then(|| fix.join("\n")),
            Error::Locked { dir, .. } => {
                Some(format!("wait for it to end, or see what it does: {}", in_dir("exasol status", dir)))
            }
            Error::Tool(failure) => failure.log.as_ref().map(|log| format!("everything it printed: {}", log.display())),
            Error::TerraformState { hint, .. } | Error::PlanRefused { hint, .. } => Some(hint.clone()),
            Error::SharedAddress { hint, .. } | Error::NodeUnreachable { hint, .. } => Some(hint.clone()),
            Error::Timeout { hint, .. }
            | Error::MachineDead { hint, .. }
            | Error::Download { hint, .. }
            | Error::Api { hint, .. } => hint.clone(),
            Error::Checksum { .. } => {
                Some("the file is not what was expected: remove it or correct the checksum".into())
            }
            Error::SqlConnection { hint, .. } => {
                Some(hint.clone().unwrap_or_else(|| "see what runs: exasol status".into()))
            }
            Error::SqlStatement { .. } => None,
            Error::Fingerprint { hint, .. } => Some(hint.clone().unwrap_or_else(|| {
                "another machine may answer on this address; the expected one was recorded by deploy".into()
            })),
            Error::LeftBehind { again, .. } => Some(format!("run it again: {again}")),
            Error::Interrupted { .. } => None,
            Error::Operation { cause, .. } => cause.hint(),
            Error::Io { .. } | Error::MachinesMissing { .. } | Error::Other(_) => None,
        }
    }
}

/// What the exit codes mean, that of a signal apart.
pub const EXIT_CODES: [(u8, &str); 6] = [
    (0, "done, healthy"),
    (1, "the operation failed; health found a problem; time is up for status --wait"),
    (2, "wrong usage, or a value that is not valid"),
    (3, "wrong directory or phase"),
    (4, "a tool, permission, credential or resource is missing; a check of doctor failed"),
    (75, "another operation holds the lock"),
];

/// What 128 + n means.
pub const ENDED_BY_SIGNAL: &str = "ended by signal n, after the tools were stopped in order and the state was saved";

impl Error {
    /// None where there are none; one stays what it is.
    pub fn several(mut errors: Vec<Error>) -> Option<Error> {
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(Error::Several(errors)),
        }
    }
}

/// Each hint once.
fn joined_hints(errors: &[Error]) -> Option<String> {
    let mut hints: Vec<String> = Vec::new();
    for hint in errors.iter().filter_map(Error::hint) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    (!hints.is_empty()).then(|| hints.join("\n"))
}

impl From<Interrupted> for Error {
    fn from(interrupted: Interrupted) -> Self {
        Error::Interrupted { signal: interrupted.signal }
    }
}

/// What has a context and no exit code or hint of its own: `.context("…")?`.
impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Error::Other(error)
    }
}

impl From<InvalidValue> for Error {
    fn from(invalid: InvalidValue) -> Self {
        let InvalidValue { flag, value, problem, suggestion } = invalid;
        Error::InvalidValue { flag, value, problem, suggestion }
    }
}

fn missing_text(nodes: &[String], all: bool) -> String {
    match nodes {
        _ if all => "none of the machines is there".to_owned(),
        [one] => format!("the machine of {one} does not exist any more"),
        several => format!("the machines of {} do not exist any more", several.join(", ")),
    }
}

fn wrong_phase(operation: Operation, phase: Phase) -> String {
    match phase {
        Phase::Initialized => format!("the cluster has not been deployed yet: there is nothing to {operation}"),
        Phase::Destroyed if operation != Operation::Deploy => {
            format!("the cluster was destroyed: there is nothing to {operation}")
        }
        phase => format!("{operation} cannot run now: {}", phase.clause(false)),
    }
}

fn preflight_message(checks: &[Check]) -> String {
    let failed: Vec<_> = checks.iter().filter(|c| c.is_failed()).collect();
    match failed.as_slice() {
        [one] => one.finding(),
        many => {
            format!("{} checks failed: {}", many.len(), many.iter().map(|c| c.subject()).collect::<Vec<_>>().join("; "))
        }
    }
}

fn holder_text(holder: Option<&Holder>) -> String {
    match holder {
        Some(h) => format!("{} is running here since {} (pid {} on {})", h.operation, clock(&h.since), h.pid, h.host),
        None => "another operation is running here (it has only just begun)".to_owned(),
    }
}

/// A moment as the clock on the wall shows it; with the day, if that is another.
fn clock(at: &str) -> String {
    let Ok(when) = at.parse::<jiff::Timestamp>() else { return at.to_owned() };
    let (when, now) = (when.to_zoned_datetime(jiff::tz::TimeZone::system()), jiff::ZonedDateTime::now());
    let format = if when.date() == now.date() { "%H:%M" } else { "%-d %b %Y %H:%M" };
    when.strftime(format).to_string()
}

fn said_text(said: &[String]) -> String {
    match said {
        [] => "nothing".to_owned(),
        some => format!("'{}'", some.join(" / ")),
    }
}

fn after_resets(resets: u32) -> String {
    match resets {
        0 => String::new(),
        1 => "; resetting it did not help".to_owned(),
        resets => format!("; resetting it {resets} times did not help"),
    }
}

fn tool_message(failure: &ToolFailure) -> String {
    let cause = failure.diagnostics.first().map(|d| format!(": {d}"));
    format!("{} failed ({}){}", failure.tool, failure.status, cause.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_of_an_operation_is_its_causes() {
        let error = Error::Operation {
            operation: Operation::Deploy,
            cause: Box::new(Error::Interrupted { signal: 15 }),
            now: "nothing was created".into(),
            next: vec!["exasol deploy".into()],
            after: Box::default(),
        };
        assert_eq!((error.exit_code(), error.code()), (143, "interrupted"));
    }

    #[test]
    fn an_invalid_value_names_flag_value_range_and_suggestion() {
        let error = Error::InvalidValue {
            flag: "--db-version".into(),
            value: "rehersal".into(),
            problem: "must be one of default, rehearsal".into(),
            suggestion: Some("rehearsal".into()),
        };
        assert_eq!(
            error.to_string(),
            "--db-version: 'rehersal' must be one of default, rehearsal. Did you mean rehearsal?"
        );
        assert_eq!(error.exit_code(), 2);
    }
}
