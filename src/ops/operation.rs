//! The frame around every operation that changes something: lock, phase, steps, log, result.
//! No other code writes a phase, except a repair that has proved one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::access::Access;
use super::cluster::Cluster;
use super::{Context, aftermath, known, recorded, usual};
use crate::deployment::transitions;
use crate::deployment::{DeploymentDir, Locked, OpLog, Trouble};
use crate::error::{Error, Result};
use crate::events::{Event, EventSink, StepInfo, StepOutcome};
pub(super) use crate::model::in_dir;
use crate::model::{DbVersion, LastError, Operation, Phase};
use crate::signal::{Interrupt, Interrupted};
use crate::tools::scratch;
use crate::tools::ssh_connections::Connections;

/// A running operation: the locked directory, its log, and the step in which it is.
pub(super) struct Work {
    pub dir: Locked,
    pub log: OpLog,
    pub sink: EventSink,
    pub interrupt: Interrupt,
    pub cluster: Cluster,
    /// How its nodes are reached.
    pub access: Access,
    /// The SSH connections of the operation, which end with it.
    pub connections: Arc<Connections>,
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

    pub(super) fn has_changed(&self) -> bool {
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

    /// Tells what the running step waits for.
    pub(super) fn waits_for(&self, message: impl Into<String>) {
        if let Some((step, _)) = self.current {
            self.sink.emit(Event::StepWaiting { step, message: message.into() });
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

/// Tells of the signals that ask an operation to end, when they come. Ends when it is dropped.
struct Signals {
    sink: EventSink,
    told: Arc<Mutex<u32>>,
    follower: JoinHandle<()>,
}

impl Signals {
    fn follow(work: &Work) -> Self {
        let (sink, told, interrupt) = (work.sink.clone(), Arc::new(Mutex::new(0)), work.interrupt.clone());
        let (to, known) = (sink.clone(), told.clone());
        let follower = tokio::spawn(async move {
            for level in 1..=3 {
                let never = std::future::pending::<()>();
                if let Err(Interrupted { signal }) = interrupt.run_to(level, Duration::ZERO, never).await {
                    tell_signal(&to, &known, level, signal);
                }
            }
        });
        Self { sink, told, follower }
    }

    /// If it has not been told.
    fn tell(&self, level: u32, signal: i32) {
        tell_signal(&self.sink, &self.told, level, signal);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.follower.abort();
        // An operation's last event is its last.
        *lock(&self.told) = u32::MAX;
    }
}

fn lock(told: &Mutex<u32>) -> MutexGuard<'_, u32> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell_signal(sink: &EventSink, told: &Mutex<u32>, level: u32, signal: i32) {
    let mut told = lock(told);
    if *told < level {
        *told = level;
        sink.emit(Event::Stopping { signal, level });
    }
}

/// Of what a node prints, as a detail; characters.
const MAX_TOLD: usize = 2000;

/// What a node has printed, in one line that is not too long for a log.
pub(super) fn one_line(said: &str) -> String {
    said.lines().collect::<Vec<_>>().join("; ").chars().take(MAX_TOLD).collect()
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
    let connections = Arc::<Connections>::default();
    let access = Access::through(cluster.provider, &dir)?.sharing(&connections);
    // Also where nothing is run that would need such a folder, as in the destroy of what was never made.
    scratch::sweep_once();
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
        name: dir.name(),
        directory: root.display().to_string(),
        provider: cluster.provider.name.to_owned(),
        nodes: u32::try_from(cluster.nodes.len()).unwrap_or(u32::MAX),
        db_version: dir.state().spec.db_version.clone(),
        rehearsal: recorded::is_rehearsal(&dir),
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
        connections,
        from,
        changed: Arc::default(),
        current: None,
    };
    let looking = usual::tell(&work, operation);
    let signals = Signals::follow(&work);
    let result = body(&mut work).await;
    work.connections.end().await;
    let step = work.step();
    let outcome = match &result {
        Ok(_) => StepOutcome::Done,
        Err(Error::Interrupted { signal }) => {
            signals.tell(1, *signal);
            StepOutcome::Stopped
        }
        Err(Error::Declined { .. }) => StepOutcome::Stopped,
        Err(_) => StepOutcome::Failed,
    };
    drop((signals, looking));
    // The reason is in the log, in the step if it was in one. A signal is in the log already.
    let why =
        result.as_ref().err().filter(|error| !matches!(error, Error::Interrupted { .. })).map(ToString::to_string);
    let error = why.clone().filter(|_| step.is_empty());
    work.finish(outcome, why);
    let recorded = record(&mut work, operation, result.as_ref().err());
    if let Some(error) = work.log.write_error() {
        work.sink.warn(error);
    }
    // What could not be recorded is as good as not done: the next command finds it in progress.
    let ok = result.is_ok() && recorded.is_ok();
    tracing::debug!(%operation, ok, phase = %work.dir.state().phase, ms = millis(since), "operation ends");
    let stopped = outcome == StepOutcome::Stopped;
    work.sink.emit(Event::OperationFinished { operation, ok, stopped, elapsed_ms: millis(since), error });
    match (result, recorded) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) => Err(aftermath::explain(&mut work, root, operation, step, error, None).await),
        (Err(cause), recorded) => {
            Err(aftermath::explain(&mut work, root, operation, step, cause, recorded.err()).await)
        }
    }
}

fn record(work: &mut Work, operation: Operation, error: Option<&Error>) -> Result<()> {
    // Asked, and answered with a no: all is as it was found.
    if let Some(Error::Declined { .. }) = error.filter(|_| !work.has_changed()) {
        return work.dir.ended(work.from, Trouble::Stays);
    }
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

/// What a node's script says, whose commands do not know the deployment's directory.
pub(super) fn mendable(said: &str, root: &Path) -> String {
    said.replace("exasol ssh ", &format!("{} ", in_dir("exasol ssh", root)))
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
    fn what_a_node_prints_is_one_line_with_a_limit() {
        assert_eq!(one_line("n11: stage b\nn12: stage c\n"), "n11: stage b; n12: stage c");
        assert_eq!(one_line(&"ü".repeat(1 << 20)).chars().count(), MAX_TOLD);
    }

    #[test]
    fn commands_of_a_node_get_the_directory() {
        let said = "waiting: n11=c. exasol ssh n11-cos -- confd_client db_stop; exasol ssh n11-cos -- true";
        let expected =
            "waiting: n11=c. exasol ssh -d a/b n11-cos -- confd_client db_stop; exasol ssh -d a/b n11-cos -- true";
        assert_eq!(mendable(said, Path::new("a/b")), expected);
    }
}
