//! A stream through a program: what it reads and what it prints are the two directions.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{ChildStdin, ChildStdout};

use super::child::Child;
use super::process::{Tool, memory_file};
use crate::error::{Error, Result};

/// Ends with its program, and its program with it.
pub struct Tunnel {
    _child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// What the program says on standard error.
    said: File,
    /// Something came through.
    is_open: bool,
}

/// What OpenSSH's `-W` says last when the far end's port does not answer, and nothing else is wrong.
const PORT_CLOSED: &str = "stdio forwarding failed";
/// More than this of what a program says is not looked at.
const SAID_MAX: u64 = 8 << 10;

impl Tunnel {
    /// To be called in a runtime, as all that starts programs.
    pub(super) fn through(tool: Tool) -> Result<Tunnel> {
        let context = format!("cannot run {}", tool.name());
        let failed = || Error::io(context.clone());
        let said = memory_file(b"").map_err(failed())?;
        let stderr = said.try_clone().map_err(failed())?;
        let mut child = tool.converse(stderr.into())?;
        match (child.inner.stdin.take(), child.inner.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok(Tunnel { _child: child, stdin, stdout, said, is_open: false }),
            _ => Err(failed()(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Why it ended before anything came: in the program's own last words.
    fn refusal(&self) -> io::Error {
        let length = self.said.metadata().map_or(0, |meta| meta.len());
        let mut text = vec![0; usize::try_from(length.min(SAID_MAX)).unwrap_or_default()];
        // At its place: the position is the program's.
        let count = self.said.read_at(&mut text, length.saturating_sub(SAID_MAX)).unwrap_or_default();
        let text = String::from_utf8_lossy(text.get(..count).unwrap_or_default());
        match text.lines().map(str::trim).rfind(|line| !line.is_empty()) {
            Some(PORT_CLOSED) => io::ErrorKind::ConnectionRefused.into(),
            Some(line) => io::Error::new(io::ErrorKind::HostUnreachable, line.to_owned()),
            None => io::Error::new(io::ErrorKind::HostUnreachable, "the tunnel was closed"),
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stdout).poll_read(cx, buf);
        if matches!(polled, Poll::Ready(Ok(()))) && !self.is_open {
            if buf.filled().len() == before {
                return Poll::Ready(Err(self.refusal()));
            }
            self.is_open = true;
        }
        polled
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stdin).poll_write(cx, bytes) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe && !self.is_open => {
                Poll::Ready(Err(self.refusal()))
            }
            polled => polled,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn through(script: &str) -> Tunnel {
        Tunnel::through(Tool::new("sh").args(["-c", script])).unwrap()
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_the_end_is_the_programs() {
        let mut tunnel = through("read line; echo \"$line $line\"");
        tunnel.write_all(b"to and fro\n").await.unwrap();
        let mut answer = String::new();
        tunnel.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "to and fro to and fro\n");
    }

    #[tokio::test]
    async fn a_tunnel_that_does_not_open_says_why() {
        let refused =
            "echo 'channel 0: open failed: connect failed: Connection refused' >&2\necho 'stdio forwarding failed' >&2";
        let no_way = "echo 'stdio forwarding failed' >&2\necho 'Connection closed by UNKNOWN port 65535' >&2";
        for (script, kind, words) in [
            (refused, io::ErrorKind::ConnectionRefused, "refused"),
            (no_way, io::ErrorKind::HostUnreachable, "Connection closed by UNKNOWN port 65535"),
            ("exit 1", io::ErrorKind::HostUnreachable, "the tunnel was closed"),
        ] {
            let error = through(script).read_u8().await.unwrap_err();
            assert!(error.kind() == kind && error.to_string().contains(words), "{script}: {error:?}");
        }
    }
}
