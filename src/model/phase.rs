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
    pub fn is_in_progress(self) -> bool {
        matches!(
            self,
            Phase::DeployInProgress | Phase::StopInProgress | Phase::StartInProgress | Phase::DestroyInProgress
        )
    }
}
