use serde::Deserialize;

use super::words::words;

words! {
    /// The recorded phase of a deployment. `interrupted` is not one: it is derived from an
    /// in-progress phase whose lock is free.
    #[derive(Deserialize)]
    pub enum Phase {
        Initialized = "initialized",
        DeployInProgress = "deploy_in_progress",
        DeploymentFailed = "deployment_failed",
        DatabaseConnectionFailed = "database_connection_failed",
        DatabaseReady = "database_ready",
        StopInProgress = "stop_in_progress",
        Stopped = "stopped",
        StopFailed = "stop_failed",
        StartInProgress = "start_in_progress",
        StartFailed = "start_failed",
        DestroyInProgress = "destroy_in_progress",
        DestroyFailed = "destroy_failed",
        Destroyed = "destroyed",
    }
}

words! {
    /// An operation that takes the lock and writes a phase.
    #[derive(Deserialize)]
    pub enum Operation {
        Deploy = "deploy",
        Stop = "stop",
        Start = "start",
        Destroy = "destroy",
        /// `init --update`: changes the spec, keeps the phase.
        Update = "update",
        /// `health --repair`: renders what is derived; changes the phase only by a proof.
        Repair = "repair",
    }
}

impl Phase {
    /// What there is in this phase, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Phase::Initialized => "The directory is there; no machine is",
            Phase::DeployInProgress => "deploy is at work",
            Phase::DeploymentFailed => "deploy failed; the next one continues there",
            Phase::DatabaseConnectionFailed => "The database is installed, but SQL did not answer",
            Phase::DatabaseReady => "SQL answered on every node",
            Phase::StopInProgress => "stop is at work",
            Phase::Stopped => "The database is stopped, the machines are off",
            Phase::StopFailed => "stop failed; part of the cluster may still run",
            Phase::StartInProgress => "start is at work",
            Phase::StartFailed => "start failed; part of the cluster may run",
            Phase::DestroyInProgress => "destroy is at work",
            Phase::DestroyFailed => "destroy failed; something is left",
            Phase::Destroyed => "Nothing is left of the cluster",
        }
    }

    /// How it is, as a clause for people. `running`: an operation holds the lock.
    pub fn clause(self, running: bool) -> &'static str {
        match (self, running) {
            (Phase::Initialized, _) => "it is not deployed yet",
            (Phase::DeployInProgress, true) => "deploy is running",
            (Phase::DeployInProgress, false) => "deploy was interrupted",
            (Phase::DeploymentFailed, _) => "deploy failed",
            (Phase::DatabaseConnectionFailed, _) => "deploy failed to connect",
            (Phase::DatabaseReady, _) => "it is ready",
            (Phase::StopInProgress, true) => "stop is running",
            (Phase::StopInProgress, false) => "stop was interrupted",
            (Phase::Stopped, _) => "it is stopped",
            (Phase::StopFailed, _) => "stop failed",
            (Phase::StartInProgress, true) => "start is running",
            (Phase::StartInProgress, false) => "start was interrupted",
            (Phase::StartFailed, _) => "start failed",
            (Phase::DestroyInProgress, true) => "destroy is running",
            (Phase::DestroyInProgress, false) => "destroy was interrupted",
            (Phase::DestroyFailed, _) => "destroy failed",
            (Phase::Destroyed, _) => "it was destroyed",
        }
    }

    pub fn is_in_progress(self) -> bool {
        matches!(
            self,
            Phase::DeployInProgress | Phase::StopInProgress | Phase::StartInProgress | Phase::DestroyInProgress
        )
    }
}
