//! Local ports that lead to a node's own, through one ssh.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::process::Tool;
use super::ssh::Ssh;
use crate::error::{Error, Result};
use crate::signal::Interrupt;

/// How often it is asked whether the ports are open.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One port here, and the one on the node's loopback address that it leads to.
#[derive(Debug, Clone, Copy)]
pub struct Forward {
    pub local: SocketAddr,
    pub remote: u16,
}

impl Ssh {
    /// Forwards ports until a signal comes, which is no error. `open` is called once they take connections.
    ///
    /// # Errors
    /// [`Error::Tool`] if ssh ends by itself; [`Error::Timeout`] if the ports are not open within `limit`.
    pub async fn forward(
        &self,
        node: &str,
        forwards: Vec<Forward>,
        limit: Duration,
        interrupt: &Interrupt,
        open: &mut (dyn FnMut() -> Result<()> + Send),
    ) -> Result<()> {
        let tool = forwards.iter().fold(self.forwarding(), |tool, forward| {
            tool.args(["-L", &format!("{}:localhost:{}", forward.local, forward.remote)])
        });
        let mut ignored = |_: &str| {};
        let mut ssh = std::pin::pin!(tool.arg("--").arg(node).run(interrupt, &mut ignored));
        let ready = async {
            for forward in &forwards {
                // A connection that is closed at once: it shows that ssh has logged in and listens.
                while TcpStream::connect(forward.local).await.is_err() {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        };
        tokio::select! {
            ended = &mut ssh => return done(ended),
            ready = tokio::time::timeout(limit, ready) => ready.map_err(|_| Error::Timeout {
                what: format!("opening the tunnel to {node}"),
                limit_s: limit.as_secs(),
                last_seen: None,
                hint: None,
            })?,
        }
        open()?;
        done(ssh.await)
    }

    /// Without a shell there, and not without one of its ports.
    fn forwarding(&self) -> Tool {
        self.tool().args([
            "-o",
            "BatchMode=yes",
            "-o",
            "ExitOnForwardFailure=yes",
            "-o",
            "ServerAliveInterval=15",
            "-N",
        ])
    }
}

fn done(ended: Result<super::process::Finished>) -> Result<()> {
    match ended {
        Ok(finished) if finished.interrupted.is_some() => Ok(()),
        Ok(finished) if finished.success() => Ok(()),
        Ok(finished) => {
            let last = finished.tail.iter().rfind(|line| !line.trim().is_empty()).cloned();
            Err(finished.into_error(last.into_iter().collect()))
        }
        Err(Error::Interrupted { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
