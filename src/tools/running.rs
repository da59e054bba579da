//! A program that was started and may take long: its output is followed, presses are passed on to it.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::child::Child;
use super::follow::Follower;
use super::outcome::{Finished, timeout};
use crate::error::Result;
use crate::signal::Interrupt;

/// How often a followed file is read while the program lives. Its end is noticed at once.
const FOLLOW_EVERY: Duration = Duration::from_millis(40);
/// How often a program that does not notice a press is told again.
const INSIST_EVERY: Duration = Duration::from_secs(2);

/// With everything that its end needs. Dropped, the program gets a signal.
pub(super) struct Running {
    pub child: Child,
    pub follower: Follower,
    pub tool: String,
    pub command: String,
    pub log: Option<PathBuf>,
    pub limit: Option<Duration>,
    pub is_progress: fn(&str) -> bool,
    pub insistent: bool,
    /// What it gets once it does something.
    pub on_drop: Signal,
}

impl Running {
    /// Until it ends. Errors: those of [`super::process::Tool::run`].
    pub async fn follow(self, interrupt: &Interrupt, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<Finished> {
        let Running { mut child, mut follower, tool, command, log, limit, is_progress, insistent, .. } = self;
        let mut since = Instant::now();
        let (mut passed_on, mut passed_on_at) = (0, since);
        let status = loop {
            if let Ok(status) = tokio::time::timeout(FOLLOW_EVERY, child.wait()).await {
                break status?;
            }
            follower.read(&mut |line| {
                if is_progress(line) {
                    since = Instant::now();
                }
                on_line(line);
            })?;
            if interrupt.pressed().level > u32::from(passed_on) {
                // One level a turn: two signals at the same moment would arrive as one.
                passed_on += 1;
                passed_on_at = Instant::now();
                child.pass_on(passed_on);
            } else if insistent && passed_on > 0 && passed_on_at.elapsed() >= INSIST_EVERY {
                passed_on_at = Instant::now();
                child.pass_on(passed_on);
            }
            if let Some(limit) = limit.filter(|limit| since.elapsed() >= *limit) {
                child.end().await;
                follower.finish(on_line)?;
                return Err(timeout(command, limit, follower.tail.last()));
            }
        };
        if passed_on > 0 {
            // What the leader left behind would keep the lock's descriptor, and nobody is left to
            // record what it does: ansible-core 2.14 leaves its ssh processes.
            child.signal_group(Signal::KILL);
        }
        follower.finish(on_line)?;
        Ok(Finished {
            status,
            interrupted: interrupt.signal().filter(|_| passed_on > 0),
            tail: follower.tail.into_vec(),
            log,
            tool,
            command,
        })
    }
}

/// A program that has done nothing yet: it waits for a line. Dropped, it is killed; when we are, it reads an end.
pub struct Waiting(pub(super) Running);

impl Waiting {
    /// Lets it begin, and follows it until it ends. Errors: those of [`super::process::Tool::run`].
    pub async fn begin(mut self, interrupt: &Interrupt, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<Finished> {
        interrupt.check()?;
        self.0.child.on_drop = self.0.on_drop;
        if let Some(mut stdin) = self.0.child.inner.stdin.take() {
            // One that has ended does not read; why tells its end.
            let _ = stdin.write_all(b"go\n").await;
        }
        self.0.follow(interrupt, on_line).await
    }
}
