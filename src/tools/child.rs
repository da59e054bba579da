//! A running child and its process group: waited for, signalled, and never left to chance.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::process_tree::descendants;
use crate::error::{Error, Result};

/// How long a program that ran into its limit has for ending in order.
const TERM_GRACE: Duration = Duration::from_secs(3);

/// The leader of a process group of its own.
pub(super) struct Child {
    pub inner: tokio::process::Child,
    pid: Option<Pid>,
    context: String,
    ended: bool,
    /// What it gets if nobody waits for its end.
    pub on_drop: Signal,
}

impl Child {
    /// `on_drop` is what it gets if nobody waits for its end: SIGKILL goes to all of it, any other
    /// signal to the leader.
    pub fn new(inner: tokio::process::Child, context: String, on_drop: Signal) -> Child {
        let pid = inner.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Child { inner, pid, context, ended: false, on_drop }
    }

    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.inner.wait().await;
        if !self.ended {
            let pid = self.pid.map(|pid| pid.as_raw_nonzero().get());
            tracing::debug!(pid, status = status.as_ref().map(ToString::to_string).ok(), "program ended");
        }
        self.ended = true;
        status.map_err(Error::io(self.context.clone()))
    }

    /// What the nth press means for the program.
    pub fn pass_on(&self, nth: u8) {
        match nth {
            1 | 2 => self.signal_leader(Signal::INT),
            _ => self.kill(),
        }
    }

    /// SIGTERM, a moment, SIGKILL.
    pub async fn end(&mut self) {
        self.signal_group(Signal::TERM);
        if tokio::time::timeout(TERM_GRACE, self.wait()).await.is_ok() {
            return self.signal_group(Signal::KILL);
        }
        self.kill();
        let _ = self.wait().await;
    }

    /// The group, and those descendants that have left it.
    fn kill(&self) {
        let strays = self.descendants();
        self.signal_group(Signal::KILL);
        Self::kill_each(strays);
    }

    fn kill_descendants(&self) {
        let strays = self.descendants();
        self.signal_leader(Signal::KILL);
        Self::kill_each(strays);
    }

    fn descendants(&self) -> Vec<i32> {
        self.pid.map(|pid| descendants(pid.as_raw_nonzero().get())).unwrap_or_default()
    }

    fn kill_each(strays: Vec<i32>) {
        for pid in strays.into_iter().filter_map(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }

    /// A signal for the program alone, by its number.
    pub fn pass_on_signal(&self, signal: i32) {
        self.signal_leader(Signal::from_named_raw(signal).unwrap_or(Signal::TERM));
    }

    /// Kills it and its descendants; with `group`, what is left of its group too.
    pub fn kill_all(&self, group: bool) {
        match group {
            true => self.kill(),
            false => self.kill_descendants(),
        }
    }

    fn signal_leader(&self, signal: Signal) {
        tracing::debug!(pid = ?self.pid, ?signal, "signal to a program");
        if let Some(pid) = self.pid.filter(|_| !self.ended) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    pub fn signal_group(&self, signal: Signal) {
        tracing::debug!(pid = ?self.pid, ?signal, "signal to a program's group");
        if let Some(pid) = self.pid {
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            match self.on_drop {
                Signal::KILL => self.kill(),
                other => self.signal_leader(other),
            }
        }
    }
}
