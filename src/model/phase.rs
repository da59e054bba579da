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

    pub fn is_in_progress(self) -> bool {
        matches!(
            self,
            Phase::DeployInProgress | Phase::StopInProgress | Phase::StartInProgress | Phase::DestroyInProgress
        )
    }
}
