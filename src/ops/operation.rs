//! The frame around every operation that changes something: lock, phase, steps, log, result.
//! No other code writes a phase, except a repair that has proved one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::access::Access;
use super::cluster::Cluster;
use super::terraform_dir;
use super::{Context, known, recorded};
use crate::deployment::transitions::{self, Cause, Next};
use crate::deployment::{DeploymentDir, Locked, OpLog, Trouble};
use crate::error::{Error, Result};
use crate::events::{Event, EventSink, StepInfo, StepOutcome};
use crate::model::{DbVersion, LastError, Operation, Phase, quote};
use crate::signal::Interrupt;

/// A running operation: the locked directory, its log, and the step in which it is.
pub(super) struct Work {
    pub dir: Locked,
    pub log: OpLog,
    pub sink: EventSink,
    pub interrupt: Interrupt,
    pub cluster: Cluster,
    /// How its nodes are reached.
    pub access: Access,
    /// The phase in which the operation found the deployment.
    pub from: Phase,
    /// Whether what is outside the directory may be another than the phase says that the operation found.
    changed: Arc<AtomicBool>,
    current: Option<(&'static str, Instant)>,
}

impl Work {
    /// Ends the running step and begins the next.
    pub(super) fn begin(&mut self, step: &'static str) {
        self.finish(StepOutcome::Done, None);
        self.current = Some((step, Instant::now()));
        tracing::debug!(step, "step begins");
        self.sink.emit(Event::StepStarted { step });
    }

    /// To be called before anything outside the directory is changed. An operation that fails before leaves the phase
    /// that it found, one that fails afterwards a failed phase, whatever the error is.
    pub(super) fn changes(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// As [`Work::changes`], for a callback that hears when a change begins.
    pub(super) fn on_change(&self) -> impl Fn() + Send + 'static {
        let changed = Arc::clone(&self.changed);
        move || changed.store(true, Ordering::Relaxed)
    }

    /// As [`Work::changes`], where somebody else has made the change: the phase that was found is wrong.
    pub(super) fn found_otherwise(&self) {
        self.changes();
    }

    fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// The database version.
    ///
    /// # Errors
    /// Those of [`recorded::version`].
    pub(super) fn version(&self) -> Result<&DbVersion> {
        recorded::version(&self.dir)
    }

    /// Ends the running step with a fact worth a line.
    pub(super) fn done(&mut self, detail: impl Into<String>) {
        self.finish(StepOutcome::Done, Some(detail.into()));
    }

    /// Ends the running step: there was nothing to do.
    pub(super) fn unchanged(&mut self, detail: impl Into<String>) {
        self.finish(StepOutcome::Unchanged, Some(detail.into()));
    }

    /// Tells something within the running step.
    pub(super) fn detail(&self, message: impl Into<String>) {
        if let Some((step, _)) = self.current {
            self.sink.detail(step, message);
        }
    }

    pub(super) fn step(&self) -> &'static str {
        self.current.map_or("", |(step, _)| step)
    }

    fn finish(&mut self, outcome: StepOutcome, detail: Option<String>) {
        if let Some((step, since)) = self.current.take() {
            let elapsed_ms = millis(since);
            tracing::debug!(step, ?outcome, ms = elapsed_ms, detail, "step ends");
            self.sink.emit(Event::StepFinished { step, outcome, elapsed_ms, detail });
        }
    }
}

pub(super) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Takes the lock, checks that the phase allows the operation, records it as in progress, runs
/// `body`, and records what came out. A failure is returned with what exists now and what to run next.
pub(super) async fn with_operation<T>(
    context: &Context,
    root: &Path,
    operation: Operation,
    steps: &[StepInfo],
    body: impl AsyncFnOnce(&mut Work) -> Result<T>,
) -> Result<T> {
    context.interrupt.check()?;
    let mut dir = DeploymentDir::open(root)?.lock(operation)?;
    if let Some(warning) = known::remember(&dir) {
        context.sink.warn(warning);
    }
    dir.check_allowed(operation)?;
    let cluster = Cluster::of(&dir, &context.interrupt)?;
    let access = Access::through(cluster.provider, &dir)?;
    let log = dir.start_log(operation)?;
    let events = log.clone();
    let sink = context.sink.logged(move |event| {
        if let Ok(line) = serde_json::to_string(event) {
            events.append_event(&line);
        }
    });
    sink.emit(Event::OperationStarted {
        operation,
        deployment: dir.state().id.to_string(),
        directory: root.display().to_string(),
        steps: steps.to_vec(),
    });
    let since = Instant::now();
    let from = dir.state().phase;
    tracing::debug!(%operation, %from, "operation begins");
    if let Some(phase) = transitions::begin(operation) {
        dir.begun(phase)?;
    }
    let mut work = Work {
        dir,
        log,
        sink,
        interrupt: context.interrupt.clone(),
        cluster,
        access,
        from,
        changed: Arc::default(),
        current: None,
    };
    let result = body(&mut work).await;
    let step = work.step();
    let outcome = if result.is_ok() { StepOutcome::Done } else { StepOutcome::Failed };
    work.finish(outcome, None);
    let recorded = record(&mut work, operation, result.as_ref().err());
    if let Some(error) = work.log.write_error() {
        work.sink.warn(error);
    }
    // What could not be recorded is as good as not done: the next command finds it in progress.
    let ok = result.is_ok() && recorded.is_ok();
    tracing::debug!(%operation, ok, phase = %work.dir.state().phase, ms = millis(since), "operation ends");
    work.sink.emit(Event::OperationFinished { operation, ok, elapsed_ms: millis(since) });
    match (result, recorded) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) => Err(explain(&work, root, operation, error, None)),
        (Err(cause), recorded) => {
            let mut error = explain(&work, root, operation, cause, recorded.err());
            if is_exasols(operation, step) && !recorded::is_rehearsal(&work.dir) {
                name_support(&mut error, root);
            }
            Err(error)
        }
    }
}

fn record(work: &mut Work, operation: Operation, error: Option<&Error>) -> Result<()> {
    let log = work.log.path().strip_prefix(work.dir.root()).ok().map(Path::to_owned);
    let last_error = error.map(|e| LastError {
        operation: operation.to_string(),
        code: e.code().to_owned(),
        message: e.to_string(),
        at: format!("{:.0}", jiff::Timestamp::now()),
        log,
    });
    let phase = match error {
        None => transitions::succeeded(operation),
        Some(error) => transitions::failed(operation, error.into(), work.has_changed()),
    };
    // One that has no phase of its own leaves the one that it found or proved, and the trouble before it.
    let (keeps, now) = (transitions::begin(operation).is_none(), work.dir.state().phase);
    let mended = keeps && now != work.from;
    let phase = phase.unwrap_or(if keeps { now } else { transitions::given_up(work.from) });
    let trouble = match last_error {
        Some(error) => Trouble::New(error),
        None if keeps && !mended => Trouble::Stays,
        None => Trouble::Gone,
    };
    work.dir.ended(phase, trouble)
}

fn explain(work: &Work, root: &Path, operation: Operation, cause: Error, unrecorded: Option<Error>) -> Error {
    let mut now = terraform_dir::what_exists(&work.dir);
    if let Some(error) = unrecorded {
        now.push_str(&format!("; the state could not be written ({error})"));
    }
    let next = match Cause::from(&cause) {
        Cause::Connection | Cause::Other if !work.has_changed() => {
            vec![Next::run(operation, "once that is fixed")]
        }
        _ => transitions::next_commands(work.dir.state().phase, false),
    };
    let next = next.iter().map(|next| next.at(root)).collect();
    Error::Operation { operation, cause: Box::new(cause), now, next }
}

/// Whether it is Exasol's own software that was at work: nobody here can know all the ways in which that fails.
fn is_exasols(operation: Operation, step: &str) -> bool {
    matches!(operation, Operation::Deploy | Operation::Start) && matches!(step, "install" | "database_start" | "login")
}

fn name_support(error: &mut Error, root: &Path) {
    if let Error::Operation { cause, now, .. } = error
        && !matches!(**cause, Error::Interrupted { .. })
    {
        now.push_str(&format!("; for a bug report: {}", in_dir("exasol support", root)));
    }
}

/// Completes a command that `status` or an error names with the directory it is for.
pub(super) fn in_dir(command: &str, root: &Path) -> String {
    format!("{command} -d {}", quote(&root.to_string_lossy()))
}

/// What a node's script says, whose commands do not know the deployment's directory.
pub(super) fn mendable(said: &str, root: &Path) -> String {
    let there = quote(&root.to_string_lossy());
    said.replace("exasol ssh ", &format!("exasol ssh -d {there} "))
}

/// What deploy `does`, as words and the first command in them: from some phases start has to come before.
pub(super) fn by_deploy(root: &Path, phase: Phase, does: &str) -> (String, String) {
    let deploy = in_dir("exasol deploy", root);
    match transitions::allowed(Operation::Deploy, phase) {
        Ok(()) => (format!("{deploy} {does}"), deploy),
        Err(_) => {
            let start = in_dir("exasol start", root);
            (format!("{start}, and then, even if that fails, {deploy} {does}"), start)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_installation_names_what_a_bug_report_needs() {
        let failed = |cause: Error| {
            let (cause, now) = (Box::new(cause), "2 of 2 machines exist".into());
            let mut error = Error::Operation { operation: Operation::Deploy, cause, now, next: Vec::new() };
            name_support(&mut error, Path::new("my demo"));
            match error {
                Error::Operation { now, .. } => now,
                _ => String::new(),
            }
        };
        let now = failed(Error::other("stage c"));
        assert_eq!(now, "2 of 2 machines exist; for a bug report: exasol support -d 'my demo'");
        assert_eq!(failed(Error::Interrupted { signal: 2 }), "2 of 2 machines exist");
        for step in ["install", "database_start", "login"] {
            assert!(is_exasols(Operation::Deploy, step) && !is_exasols(Operation::Stop, step));
        }
        assert!(!is_exasols(Operation::Deploy, "apply") && !is_exasols(Operation::Start, "power_on"));
    }

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(in_dir("exasol status", Path::new("a/b")), "exasol status -d a/b");
        assert_eq!(in_dir("exasol status", Path::new("it's")), r"exasol status -d 'it'\''s'");
        let said = "waiting: n11=c. exasol ssh n11-cos -- confd_client db_stop; exasol ssh n11-cos -- true";
        let expected =
            "waiting: n11=c. exasol ssh -d a/b n11-cos -- confd_client db_stop; exasol ssh -d a/b n11-cos -- true";
        assert_eq!(mendable(said, Path::new("a/b")), expected);
    }
}
