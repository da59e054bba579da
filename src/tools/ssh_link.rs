//! One login on another machine for everything that has to go there: the daemon's socket, forwarded to one
//! here, and every later ssh to that machine, which goes through the first one's connection.
//!
//! It is OpenSSH with the user's own configuration, so that aliases, `Match`, jump hosts, agents and hardware
//! keys hold. It lives for as long as somebody holds the writing end of a pipe that it reads to its end: this
//! process, and the programs that inherit a duplicate ([`Link::hold`]). So it does not outlive a killed
//! process, except for a Terraform that still needs it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::child::Child;
use super::process::{Tool, find, memory_file};
use super::scratch::Scratch;
use crate::model::{Login, NoWay, quote};

/// A login with a hardware key that somebody has to touch takes half a minute.
const LOGIN_LIMIT: Duration = Duration::from_secs(45);
/// What needs no other machine.
const LOCAL_LIMIT: Duration = Duration::from_secs(10);
const AGENT_LIMIT: Duration = Duration::from_secs(2);
/// More than this of what ssh says is not looked at.
const SAID_MAX: usize = 8 << 10;

/// Where daemons listen: the one that does everything, or virtqemud of the modular ones, which asks the others.
const SOCKETS: [&str; 4] = [
    "/var/run/libvirt/libvirt-sock",
    "/run/libvirt/libvirt-sock",
    "/var/run/libvirt/virtqemud-sock",
    "/run/libvirt/virtqemud-sock",
];

/// Options that hold whatever the user's configuration says: this connection is ours alone.
const OPTIONS: [&str; 11] = [
    "BatchMode=yes",
    "ControlMaster=yes",
    "ControlPersist=no",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ConnectTimeout=30",
    // Half a minute of silence is the end: what waits for an answer gets an error instead.
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
];

/// Where ssh takes orders from other ssh processes.
pub fn control_in(folder: &Scratch) -> PathBuf {
    folder.path().join("c")
}

/// The near end of the forwarded socket.
pub fn daemon_in(folder: &Scratch) -> PathBuf {
    folder.path().join("l")
}

/// An open connection.
pub struct Link {
    child: Child,
    stdin: ChildStdin,
    _stdout: BufReader<ChildStdout>,
    said: File,
}

impl Link {
    /// Logs in and forwards the daemon's socket (`wanted`, else the usual ones) to [`daemon_in`] the folder.
    pub async fn open(login: &Login, wanted: Option<&str>, folder: &Scratch) -> Result<Link, NoWay> {
        let ssh = find("ssh").ok_or_else(|| NoWay::Here("ssh was not found on PATH".into()))?;
        for stale in [control_in(folder), daemon_in(folder)] {
            // Usually nothing is there.
            let _ = std::fs::remove_file(stale);
        }
        let mut tool = Tool::new(&ssh).arg("-T").arg("-S").arg(control_in(folder));
        for option in OPTIONS {
            tool = tool.args(["-o", option]);
        }
        let tool = tool.args(login.words().map_err(|why| NoWay::Here(format!("the path {why}")))?).arg("sh");
        let mut link = Link::start(tool).map_err(|error| NoWay::Here(error.to_string()))?;
        let answer = timeout(LOGIN_LIMIT, link.ask(&look_for(wanted))).await;
        let socket = match answer {
            Ok(Ok(Some(line))) => found(&line)?,
            Ok(_) => return Err(NoWay::Login(link.last_words().await)),
            Err(_) => return Err(NoWay::Login(too_slow().await)),
        };
        forward(&ssh, folder, &socket).await?;
        Ok(link)
    }

    fn start(tool: Tool) -> crate::error::Result<Link> {
        let failed = || crate::error::Error::io("cannot run ssh");
        let said = memory_file(b"").map_err(failed())?;
        let stderr = said.try_clone().map_err(failed())?;
        let mut child = tool.converse(stderr.into())?;
        match (child.inner.stdin.take(), child.inner.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok(Link { child, stdin, _stdout: BufReader::new(stdout), said }),
            _ => Err(failed()(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// The script's answer, which is among what a login shell prints; None if there is none.
    async fn ask(&mut self, script: &str) -> io::Result<Option<String>> {
        // It may have ended before: then its own words tell why.
        let _ = self.stdin.write_all(script.as_bytes()).await;
        loop {
            let mut line = Vec::new();
            if (&mut self._stdout).take(SAID_MAX as u64).read_until(b'\n', &mut line).await? == 0 {
                return Ok(None);
            }
            if let Some(answer) = String::from_utf8_lossy(&line).trim_end().strip_prefix(ANSWER) {
                return Ok(Some(answer.to_owned()));
            }
        }
    }

    pub fn is_open(&mut self) -> bool {
        matches!(self.child.inner.try_wait(), Ok(None))
    }

    /// Keeps the connection for as long as the descriptor is open somewhere.
    pub fn hold(&self) -> io::Result<OwnedFd> {
        self.stdin.as_fd().try_clone_to_owned()
    }

    /// Ends it, with everything that goes through it.
    pub async fn end(mut self) {
        if self.is_open() {
            self.child.end().await;
        }
    }

    async fn last_words(&mut self) -> String {
        // What it says last it says before it ends.
        let _ = timeout(LOCAL_LIMIT, self.child.wait()).await;
        let said = self.said();
        let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match lines.len() {
            0 => "the login runs no shell and prints nothing".to_owned(),
            count => lines[count.saturating_sub(3)..].join("; "),
        }
    }

    fn said(&self) -> String {
        let mut text = vec![0; SAID_MAX];
        // At its place: the position is the program's.
        let count = self.said.read_at(&mut text, 0).unwrap_or_default();
        String::from_utf8_lossy(&text[..count]).into_owned()
    }
}

/// Begins the line with the answer.
const ANSWER: &str = "exasol: ";

/// A script for `sh`, which reads it from the pipe that stays open as long as the connection is wanted.
fn look_for(wanted: Option<&str>) -> String {
    let sockets = match wanted {
        Some(socket) => quote(socket),
        None => SOCKETS.join(" "),
    };
    format!(
        r#"denied=
for socket in {sockets}; do
  [ -S "$socket" ] || continue
  if [ -w "$socket" ]; then echo "{ANSWER}socket $socket"; exec cat >/dev/null; fi
  denied=$socket
done
if [ -n "$denied" ]; then
  echo "{ANSWER}denied $(id -un) $(stat -L -c %G "$denied" 2>/dev/null || echo libvirt) $denied"
else
  echo "{ANSWER}missing"
fi
exit
"#
    )
}

fn found(answer: &str) -> Result<String, NoWay> {
    let mut words = answer.splitn(4, ' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("socket"), ..) => Ok(answer.trim_start_matches("socket ").to_owned()),
        (Some("denied"), Some(user), Some(group), Some(socket)) => {
            Err(NoWay::Denied { user: user.into(), group: group.into(), socket: socket.into() })
        }
        _ => Err(NoWay::Missing),
    }
}

async fn forward(ssh: &Path, folder: &Scratch, remote: &str) -> Result<(), NoWay> {
    let spec = format!("{}:{remote}", daemon_in(folder).display());
    // The host's name is not looked at: the connection is there. Nor is the user's configuration.
    let order = Tool::new(ssh).args(["-F", "/dev/null", "-O", "forward", "-L", &spec, "-S"]).arg(control_in(folder));
    match order.args(["--", "there"]).output(LOCAL_LIMIT).await {
        Ok(output) if output.success() => Ok(()),
        Ok(output) => Err(NoWay::Forward(output.stderr_text().trim().to_owned())),
        Err(error) => Err(NoWay::Forward(error.to_string())),
    }
}

async fn too_slow() -> String {
    let slow = format!("no login within {} s", LOGIN_LIMIT.as_secs());
    let Some(agent) = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty()) else { return slow };
    match timeout(AGENT_LIMIT, agent_answers(Path::new(&agent))).await {
        Err(_) => {
            format!(
                "{slow}: the SSH agent at {} accepts connections but does not answer; unset SSH_AUTH_SOCK",
                agent.display()
            )
        }
        Ok(_) => slow,
    }
}

/// Whether an agent answers at all: it is asked for its keys (draft-ietf-sshm-ssh-agent, 4.4).
async fn agent_answers(socket: &Path) -> io::Result<()> {
    const REQUEST_IDENTITIES: [u8; 5] = [0, 0, 0, 1, 11];
    let mut agent = UnixStream::connect(socket).await?;
    agent.write_all(&REQUEST_IDENTITIES).await?;
    agent.read_u8().await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_far_end_s_answer_is_read() {
        assert_eq!(found("socket /run/libvirt/libvirt-sock"), Ok("/run/libvirt/libvirt-sock".into()));
        let denied = NoWay::Denied { user: "me".into(), group: "libvirt".into(), socket: "/a b".into() };
        assert_eq!(found("denied me libvirt /a b"), Err(denied));
        assert_eq!(found("missing"), Err(NoWay::Missing));
    }

    async fn asked(script: &str, wanted: Option<&str>) -> Option<String> {
        let tool = Tool::new("sh").args(["-c", script]);
        let mut link = Link::start(tool).unwrap();
        link.ask(&look_for(wanted)).await.unwrap()
    }

    #[tokio::test]
    async fn a_shell_that_greets_is_asked_for_a_socket_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("it's mine");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let name = socket.to_str().unwrap();
        assert_eq!(asked("echo Welcome; exec sh", Some(name)).await, Some(format!("socket {name}")));
        assert_eq!(asked("exec sh", Some("/nowhere")).await.as_deref(), Some("missing"));
        assert_eq!(asked("cat >/dev/null & exit 1", None).await, None);
    }

    #[tokio::test]
    async fn it_ends_when_nobody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let mut link = Link::start(Tool::new("sh")).unwrap();
        link.ask(&look_for(socket.to_str())).await.unwrap().unwrap();
        assert!(link.is_open());
        let held = link.hold().unwrap();
        let Link { mut child, stdin, .. } = link;
        drop(stdin);
        assert!(timeout(Duration::from_millis(50), child.wait()).await.is_err(), "somebody still holds it");
        drop(held);
        assert!(child.wait().await.unwrap().success());
    }

    #[tokio::test]
    async fn a_silent_agent_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(timeout(Duration::from_millis(50), agent_answers(&socket)).await.is_err());
    }

    #[test]
    fn fuzz_libvirt_socket() {
        let seeds = ["socket /run/libvirt/libvirt-sock", "denied me libvirt /a b", "missing"];
        crate::fuzz::text_target("libvirt-socket", &seeds, |text| drop(found(text)));
    }
}
