//! A program of the user's that shares our input and output: waited for, told of signals, and never left behind.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, test_kill_process_group};

use super::process::Tool;
use crate::error::Result;
use crate::signal::{Interrupt, Interrupted};

/// How often it is asked whether the last process of a group has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a program is attended.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Somebody may sit there and type: the program stays in the terminal's foreground, and gets Ctrl-C from there.
    pub terminal: bool,
    /// What it prints goes to our standard error: standard output is for our own result.
    pub output_aside: bool,
    /// How long it has after a signal, with everything that it has started.
    pub grace: Duration,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// The signal that was passed on to it.
    pub passed_on: Option<i32>,
}

impl Ended {
    /// As shells have it: 128 + n after signal n.
    pub fn exit_code(&self) -> u8 {
        let code = self.status.code().or_else(|| self.status.signal().map(|signal| 128 + signal));
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}

/// Runs it to its end. A signal is passed on to it and to all that it has started; what is still there after the
/// grace is killed.
///
/// # Errors
/// [`Error::Io`] if it cannot be started; [`Error::Interrupted`] if a signal came before it began.
pub async fn attend(tool: Tool, manner: Manner, interrupt: &Interrupt) -> Result<Ended> {
    interrupt.check()?;
    let mut child = tool.beside_us(!manner.terminal, manner.output_aside)?;
    let group = child.inner.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let mut seen = 0;
    loop {
        let signal = match interrupt.run_from(seen, child.wait()).await {
            Ok(status) => return Ok(Ended { status: status?, passed_on: None }),
            Err(Interrupted { signal }) => signal,
        };
        seen = interrupt.pressed().count;
        if manner.terminal {
            // Ctrl-C came to the program by itself, and is its own affair: a shell or a database's prompt goes on.
            if signal == libc::SIGINT {
                continue;
            }
            child.pass_on_signal(signal);
        } else {
            child.signal_group(named(signal));
        }
        let ended = tokio::time::timeout(manner.grace, async {
            let status = child.wait().await;
            // What it has started has the same time.
            while !manner.terminal && group.is_some_and(|group| test_kill_process_group(group).is_ok()) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            status
        });
        let status = match ended.await {
            Ok(status) => status?,
            Err(_) => {
                child.kill_all(!manner.terminal);
                child.wait().await?
            }
        };
        return Ok(Ended { status, passed_on: Some(signal) });
    }
}

fn named(signal: i32) -> Signal {
    Signal::from_named_raw(signal).unwrap_or(Signal::TERM)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::signal::Keys;

    const CI: Manner = Manner { terminal: false, output_aside: true, grace: Duration::from_millis(400) };

    async fn attended(script: &str, manner: Manner, signal: Option<i32>) -> ExitStatus {
        let dir = tempfile::tempdir().unwrap();
        let begun = dir.path().join("begun");
        let (interrupt, keys): (Interrupt, Arc<Keys>) = Interrupt::manual();
        let tool = Tool::new("sh").args(["-c", script]).env("BEGUN", &begun);
        let telling = async {
            let Some(signal) = signal else { return };
            while !begun.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            keys.press(signal);
        };
        tokio::join!(attend(tool, manner, &interrupt), telling).0.unwrap().status
    }

    #[tokio::test]
    async fn its_exit_status_is_kept() {
        assert_eq!(attended("exit 7", CI, None).await.code(), Some(7));
    }

    #[tokio::test]
    async fn a_signal_is_passed_on_and_it_has_time_to_end() {
        let script = "trap 'exit 3' TERM; : >\"$BEGUN\"; while :; do sleep 0.02; done";
        assert_eq!(attended(script, CI, Some(libc::SIGTERM)).await.code(), Some(3));
    }

    #[tokio::test]
    async fn what_does_not_end_is_killed_with_all_that_it_has_started() {
        let script = "trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo $! >\"$BEGUN.part\"; \
            mv \"$BEGUN.part\" \"$BEGUN\"; while :; do sleep 0.05; done";
        assert_eq!(attended(script, CI, Some(libc::SIGTERM)).await.signal(), Some(libc::SIGKILL));
    }

    #[tokio::test]
    async fn on_a_terminal_ctrl_c_is_its_own_affair() {
        let script = ": >\"$BEGUN\"; sleep 0.3; exit 5";
        let manner = Manner { terminal: true, ..CI };
        assert_eq!(attended(script, manner, Some(libc::SIGINT)).await.code(), Some(5));
    }
}
