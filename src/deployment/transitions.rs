//! Which operation runs from which phase, and what it leads to: the one table.
//!
//! Whoever asks about an in-progress phase holds the lock, or has seen that nobody does: the
//! operation was interrupted. An interrupted operation counts as a failed one, so each in-progress
//! phase allows what its failed phase allows.

use std::path::Path;

use crate::error::{Error, Result};
use crate::model::{Operation, Phase, in_dir};

/// The operations that may run from `phase`. `destroy` always may: it works half-created, and a
/// second one finds nothing to do.
const fn table(phase: Phase) -> &'static [Operation] {
    use Operation::{Deploy, Destroy, Repair, Start, Stop, Update};
    match phase {
        Phase::Initialized => &[Deploy, Update, Destroy],
        // Deploy resumes.
        Phase::DeployInProgress | Phase::DeploymentFailed => &[Deploy, Update, Repair, Destroy],
        // The machines run, the database is installed. Stop and start may be what mends it.
        Phase::DatabaseConnectionFailed => &[Deploy, Start, Stop, Update, Repair, Destroy],
        // Deploy verifies, and applies an update. Start is for machines that went off by themselves.
        Phase::DatabaseReady => &[Deploy, Stop, Start, Update, Repair, Destroy],
        // Not deploy: it would wait for machines that are off on purpose. Stop finds nothing to do.
        Phase::Stopped => &[Start, Stop, Update, Repair, Destroy],
        Phase::StopInProgress | Phase::StopFailed => &[Stop, Start, Update, Repair, Destroy],
        // Deploy has the same end as start, and can apply what start lacked (more memory, a lost machine).
        Phase::StartInProgress | Phase::StartFailed => &[Start, Deploy, Stop, Update, Repair, Destroy],
        // Half of it is gone already: the only way is on.
        Phase::DestroyInProgress | Phase::DestroyFailed => &[Destroy],
        // Deploy begins anew, with another id, other keys and other passwords.
        Phase::Destroyed => &[Deploy, Destroy],
    }
}

/// # Errors
/// [`Error::WrongPhase`], with the commands that lead on from `phase` (without `-d`; see
/// [`super::DeploymentDir::check_allowed`]).
pub fn allowed(operation: Operation, phase: Phase) -> Result<()> {
    if table(phase).contains(&operation) {
        return Ok(());
    }
    let next = next_commands(phase, false).iter().map(|next| next.command.to_owned()).collect();
    Err(Error::WrongPhase { operation, phase, next })
}

/// The phase while `operation` works; None: it has none and keeps the one before.
pub fn begin(operation: Operation) -> Option<Phase> {
    match operation {
        Operation::Deploy => Some(Phase::DeployInProgress),
        Operation::Stop => Some(Phase::StopInProgress),
        Operation::Start => Some(Phase::StartInProgress),
        Operation::Destroy => Some(Phase::DestroyInProgress),
        Operation::Update | Operation::Repair => None,
    }
}

/// The phase after `operation` has done its work; None: the one before.
pub fn succeeded(operation: Operation) -> Option<Phase> {
    match operation {
        Operation::Deploy | Operation::Start => Some(Phase::DatabaseReady),
        Operation::Stop => Some(Phase::Stopped),
        Operation::Destroy => Some(Phase::Destroyed),
        Operation::Update | Operation::Repair => None,
    }
}

/// Why an operation ended without doing its work, as far as the phase depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A signal ended it.
    Interrupted,
    /// The cluster is there, but the login did not succeed.
    Connection,
    Other,
}

impl From<&Error> for Cause {
    fn from(error: &Error) -> Cause {
        match error {
            Error::Operation { cause, .. } => Cause::from(&**cause),
            Error::Interrupted { .. } => Cause::Interrupted,
            Error::SqlConnection { .. } | Error::SqlStatement { .. } | Error::Fingerprint { .. } => Cause::Connection,
            _ => Cause::Other,
        }
    }
}

/// The phase after `operation` has ended for `cause`; None: the one before it began. `changed`: something outside the
/// directory may be another than it was.
pub fn failed(operation: Operation, cause: Cause, changed: bool) -> Option<Phase> {
    match (operation, cause) {
        (Operation::Update | Operation::Repair, _) => None,
        // Stays in progress with a free lock, which is what `status` calls interrupted.
        (_, Cause::Interrupted) => begin(operation),
        _ if !changed => None,
        (Operation::Deploy, Cause::Connection) => Some(Phase::DatabaseConnectionFailed),
        (Operation::Deploy, Cause::Other) => Some(Phase::DeploymentFailed),
        (Operation::Stop, _) => Some(Phase::StopFailed),
        (Operation::Start, _) => Some(Phase::StartFailed),
        (Operation::Destroy, _) => Some(Phase::DestroyFailed),
    }
}

/// What `phase` is once an operation has ended that found it and changed nothing: work that somebody was killed at is
/// not interrupted any more, but failed, and the error says at what.
pub fn given_up(phase: Phase) -> Phase {
    match phase {
        Phase::DeployInProgress => Phase::DeploymentFailed,
        Phase::StopInProgress => Phase::StopFailed,
        Phase::StartInProgress => Phase::StartFailed,
        Phase::DestroyInProgress => Phase::DestroyFailed,
        other => other,
    }
}

/// A command that leads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Without `-d`: `exasol deploy`.
    pub command: &'static str,
    /// What it does from here: "resumes where it was interrupted".
    pub why: &'static str,
    /// The operation that it runs; None for commands that only look.
    pub operation: Option<Operation>,
}

impl Next {
    /// The command for the deployment in `dir`, as it can be pasted into a shell.
    pub fn at(&self, dir: &Path) -> String {
        in_dir(self.command, dir)
    }

    pub const fn run(operation: Operation, why: &'static str) -> Next {
        let command = match operation {
            Operation::Deploy => "exasol deploy",
            Operation::Stop => "exasol stop",
            Operation::Start => "exasol start",
            Operation::Destroy => "exasol destroy",
            Operation::Update => "exasol init --update",
            Operation::Repair => "exasol health --repair",
        };
        Next { command, why, operation: Some(operation) }
    }

    /// A command that changes nothing.
    pub const fn look(command: &'static str, why: &'static str) -> Next {
        Next { command, why, operation: None }
    }
}

/// What can be done from `phase`, the most useful first. `running`: an operation holds the lock.
pub fn next_commands(phase: Phase, running: bool) -> Vec<Next> {
    use Operation::{Deploy, Destroy, Start, Stop};
    if running {
        return vec![Next::look("exasol logs --follow", "shows what it does, until it is done")];
    }
    match phase {
        Phase::Initialized => vec![Next::run(Deploy, "creates the cluster")],
        Phase::DeployInProgress => {
            vec![Next::run(Deploy, "resumes where it was interrupted"), Next::run(Destroy, "removes what exists")]
        }
        Phase::DeploymentFailed => {
            vec![Next::run(Deploy, "tries again from where it failed"), Next::run(Destroy, "removes what exists")]
        }
        Phase::DatabaseConnectionFailed => {
            vec![Next::run(Deploy, "tries to connect again"), Next::run(Destroy, "removes the cluster")]
        }
        Phase::DatabaseReady => {
            vec![Next::look("exasol info", "shows how to connect"), Next::look("exasol sql", "opens an SQL shell")]
        }
        Phase::Stopped => vec![Next::run(Start, "starts the cluster")],
        Phase::StopInProgress | Phase::StopFailed => {
            vec![Next::run(Stop, "tries to stop it again"), Next::run(Start, "starts the cluster")]
        }
        Phase::StartInProgress | Phase::StartFailed => {
            vec![Next::run(Start, "tries to start it again"), Next::run(Deploy, "repairs the cluster")]
        }
        Phase::DestroyInProgress | Phase::DestroyFailed => vec![Next::run(Destroy, "removes what is left")],
        Phase::Destroyed => vec![Next::run(Deploy, "creates it anew, with new keys and passwords")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(operation: Operation, phase: Phase) -> bool {
        allowed(operation, phase).is_ok()
    }

    /// The full product, as a table that can be compared with the documentation.
    #[test]
    fn every_operation_from_every_phase() {
        let expected = [
            // phase                              deploy stop start destroy update repair
            (Phase::Initialized, [true, false, false, true, true, false]),
            (Phase::DeployInProgress, [true, false, false, true, true, true]),
            (Phase::DeploymentFailed, [true, false, false, true, true, true]),
            (Phase::DatabaseConnectionFailed, [true, true, true, true, true, true]),
            (Phase::DatabaseReady, [true, true, true, true, true, true]),
            (Phase::StopInProgress, [false, true, true, true, true, true]),
            (Phase::Stopped, [false, true, true, true, true, true]),
            (Phase::StopFailed, [false, true, true, true, true, true]),
            (Phase::StartInProgress, [true, true, true, true, true, true]),
            (Phase::StartFailed, [true, true, true, true, true, true]),
            (Phase::DestroyInProgress, [false, false, false, true, false, false]),
            (Phase::DestroyFailed, [false, false, false, true, false, false]),
            (Phase::Destroyed, [true, false, false, true, false, false]),
        ];
        assert_eq!(expected.map(|(phase, _)| phase), Phase::ALL);
        for (phase, row) in expected {
            assert_eq!(Operation::ALL.map(|operation| may(operation, phase)), row, "{phase}");
        }
    }

    #[test]
    fn an_interrupted_operation_can_be_run_again() {
        for operation in Operation::ALL {
            if let Some(phase) = begin(operation) {
                assert!(phase.is_in_progress());
                assert!(may(operation, phase), "{operation}");
                for changed in [true, false] {
                    assert_eq!(failed(operation, Cause::Interrupted, changed), Some(phase));
                }
            }
        }
    }

    #[test]
    fn every_phase_has_a_way_out_and_names_only_what_is_allowed() {
        for phase in Phase::ALL {
            let next = next_commands(phase, false);
            assert!(!next.is_empty(), "{phase}");
            for one in &next {
                if let Some(operation) = one.operation {
                    assert!(may(operation, phase), "{operation} from {phase}");
                }
            }
            // A cluster that is ready is there to be used.
            let rests = phase == Phase::DatabaseReady;
            assert!(rests || next.iter().any(|n| n.operation.is_some()), "{phase}");
        }
    }

    #[test]
    fn every_end_of_an_operation_has_a_way_out() {
        for operation in Operation::ALL {
            let causes = [Cause::Interrupted, Cause::Connection, Cause::Other];
            let ends = causes.map(|cause| failed(operation, cause, true)).into_iter().chain([succeeded(operation)]);
            for phase in ends.flatten() {
                assert!(!table(phase).is_empty());
            }
            // Before anything was changed the phase is what it was, whatever the cause.
            assert_eq!([Cause::Connection, Cause::Other].map(|cause| failed(operation, cause, false)), [None, None]);
        }
        assert_eq!(failed(Operation::Deploy, Cause::Connection, true), Some(Phase::DatabaseConnectionFailed));
        assert_eq!(failed(Operation::Deploy, Cause::Other, true), Some(Phase::DeploymentFailed));
        assert_eq!(failed(Operation::Start, Cause::Connection, true), Some(Phase::StartFailed));
    }

    #[test]
    fn nothing_that_has_failed_stays_in_progress_and_the_same_may_be_run_again() {
        for phase in Phase::ALL {
            assert!(!given_up(phase).is_in_progress());
            assert_eq!(given_up(phase) == phase, !phase.is_in_progress());
            let same = |operation: &Operation| may(*operation, phase) == may(*operation, given_up(phase));
            assert!(Operation::ALL.iter().all(same), "{phase}");
        }
    }

    #[test]
    fn the_cause_within_an_operations_error_decides() {
        let error = Error::Operation {
            operation: Operation::Deploy,
            cause: Box::new(Error::SqlConnection {
                host: "n11".into(),
                cause: "refused".into(),
                code: None,
                hint: None,
            }),
            now: String::new(),
            next: vec![],
            after: Box::default(),
        };
        assert_eq!(Cause::from(&error), Cause::Connection);
    }

    #[test]
    fn a_refusal_names_what_to_run_instead() {
        match allowed(Operation::Deploy, Phase::Stopped).unwrap_err() {
            Error::WrongPhase { operation: Operation::Deploy, phase: Phase::Stopped, next } => {
                assert_eq!(next, ["exasol start"]);
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn commands_can_be_pasted() {
        let at = |dir: &str| next_commands(Phase::Initialized, false)[0].at(Path::new(dir));
        assert_eq!(at("/srv/my-cluster"), "exasol deploy -d /srv/my-cluster");
        assert_eq!(at("/srv/it's mine"), r"exasol deploy -d '/srv/it'\''s mine'");
    }
}
