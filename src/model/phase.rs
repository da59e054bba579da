use std::fmt;

use serde::{Deserialize, Serialize};

/// The recorded phase of a deployment. `interrupted` is not one: it is derived from an
/// in-progress phase whose lock is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Initialized,
    DeployInProgress,
    DeploymentFailed,
    DatabaseConnectionFailed,
    DatabaseReady,
    StopInProgress,
    Stopped,
    StopFailed,
    StartInProgress,
    StartFailed,
    DestroyInProgress,
    DestroyFailed,
    Destroyed,
}

/// An operation that takes the lock and writes a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Deploy,
    Stop,
    Start,
    Destroy,
    /// `init --update`: changes the spec, keeps the phase.
    Update,
    /// `health --repair`: renders what is derived; changes the phase only by a proof.
    Repair,
}

impl Phase {
    pub const ALL: [Phase; 13] = [
        Phase::Initialized,
        Phase::DeployInProgress,
        Phase::DeploymentFailed,
        Phase::DatabaseConnectionFailed,
        Phase::DatabaseReady,
        Phase::StopInProgress,
        Phase::Stopped,
        Phase::StopFailed,
        Phase::StartInProgress,
        Phase::StartFailed,
        Phase::DestroyInProgress,
        Phase::DestroyFailed,
        Phase::Destroyed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Initialized => "initialized",
            Phase::DeployInProgress => "deploy_in_progress",
            Phase::DeploymentFailed => "deployment_failed",
            Phase::DatabaseConnectionFailed => "database_connection_failed",
            Phase::DatabaseReady => "database_ready",
            Phase::StopInProgress => "stop_in_progress",
            Phase::Stopped => "stopped",
            Phase::StopFailed => "stop_failed",
            Phase::StartInProgress => "start_in_progress",
            Phase::StartFailed => "start_failed",
            Phase::DestroyInProgress => "destroy_in_progress",
            Phase::DestroyFailed => "destroy_failed",
            Phase::Destroyed => "destroyed",
        }
    }

    pub fn is_in_progress(self) -> bool {
        matches!(
            self,
            Phase::DeployInProgress | Phase::StopInProgress | Phase::StartInProgress | Phase::DestroyInProgress
        )
    }
}

impl Operation {
    pub const ALL: [Operation; 6] = [
        Operation::Deploy,
        Operation::Stop,
        Operation::Start,
        Operation::Destroy,
        Operation::Update,
        Operation::Repair,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Deploy => "deploy",
            Operation::Stop => "stop",
            Operation::Start => "start",
            Operation::Destroy => "destroy",
            Operation::Update => "update",
            Operation::Repair => "repair",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
