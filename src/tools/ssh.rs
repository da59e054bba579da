//! `ssh` with the deployment's own configuration: `ssh/config` names the nodes, their addresses,
//! keys and known host keys, and the way through a jump host.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use super::process::{Output, Tool, find};
use super::tunnel::Tunnel;
use crate::error::{Error, Result};
use crate::model::command_line;

/// How long it may take to be let in or not.
const REFUSED_LIMIT: Duration = Duration::from_secs(30);

/// The local `ssh` and a deployment's configuration file.
#[derive(Debug, Clone)]
pub struct Ssh {
    program: PathBuf,
    config: PathBuf,
    /// Lines that go before those of the configuration.
    lines: Vec<String>,
    /// Whether the way there may need what is secret in our environment.
    keep_secrets: bool,
}

impl Ssh {
    /// Error: [`Error::ToolMissing`].
    pub fn new(config: impl Into<PathBuf>) -> Result<Ssh> {
        let program = find("ssh").ok_or_else(|| missing("ssh"))?;
        Ok(Ssh { program, config: config.into(), lines: Vec::new(), keep_secrets: true })
    }

    /// With lines that are in force instead of those in the configuration.
    pub fn with_lines(mut self, lines: impl IntoIterator<Item = String>) -> Ssh {
        self.lines.extend(lines);
        self
    }

    /// For nodes that are reached straight: no program on the way needs our keys and tokens.
    pub fn without_secrets(mut self) -> Ssh {
        self.keep_secrets = false;
        self
    }

    /// For tests: another program in the place of ssh.
    #[cfg(test)]
    pub(super) fn fake(program: impl Into<PathBuf>, config: impl Into<PathBuf>) -> Ssh {
        Ssh { program: program.into(), config: config.into(), lines: Vec::new(), keep_secrets: true }
    }

    /// Runs a script of `sh` on a node and captures what it prints. The script goes in by stdin: it
    /// is in nobody's process list, and may be long.
    pub async fn run_script(&self, node: &str, script: &str, limit: Duration) -> Result<Output> {
        self.quiet(node).arg("sh -s").stdin(script).output(limit).await
    }

    /// Runs a program with these words and this standard input, and captures what it prints. The words are in
    /// process lists; what is secret belongs into the input.
    pub async fn run_program(&self, node: &str, words: &[&str], input: Vec<u8>, limit: Duration) -> Result<Output> {
        self.quiet(node).arg(command_line(words)).stdin(input).output(limit).await
    }

    /// As [`Ssh::run_program`], with a file as the standard input.
    pub async fn run_program_reading(&self, node: &str, words: &[&str], file: File, limit: Duration) -> Result<Output> {
        self.quiet(node).arg(command_line(words)).stdin_file(file).output(limit).await
    }

    /// Becomes an interactive session on a node; with a command, runs that in it. One word is a line
    /// for the shell there, as with ssh itself; several arrive as they are.
    /// Returns only if ssh cannot be started.
    pub fn interactive(&self, node: &str, words: &[String]) -> Error {
        let tool = self.tool().arg("--").arg(node);
        match words {
            [] => tool.exec(),
            [line] => tool.arg(line).exec(),
            words => tool.arg(command_line(words)).exec(),
        }
    }

    /// As [`Ssh::interactive`], on a host that the node's own ssh knows by that name.
    pub fn interactive_beyond(&self, node: &str, host: &str, words: &[String]) -> Error {
        let tool = self.tool();
        match words {
            // A terminal on the way; without one to hand on ssh says so and goes on.
            [] => tool.args(["-t", "--"]).arg(node).arg(command_line(["ssh", "-t", host])).exec(),
            [line] => tool.arg("--").arg(node).arg(command_line(["ssh", host, line])).exec(),
            words => tool.arg("--").arg(node).arg(command_line(["ssh", host, &command_line(words)])).exec(),
        }
    }

    /// Whether a host is reached that knows none of our keys.
    pub async fn is_refused(&self, node: &str) -> bool {
        match self.run_script(node, "exit 0", REFUSED_LIMIT).await {
            Ok(output) if output.status.code() == Some(NO_SESSION) => {
                matches!(Refusal::read(&output.stderr_text()), Refusal::NotLetIn(_))
            }
            _ => false,
        }
    }

    /// A stream to what a node reaches itself: `localhost:8563`. The connection is made meanwhile;
    /// that it cannot be made is the stream's first answer.
    pub fn tunnel(&self, node: &str, target: &str) -> Result<Tunnel> {
        Tunnel::through(self.tool().args(["-o", "BatchMode=yes", "-W", target, "--"]).arg(node))
    }

    pub(super) fn quiet(&self, node: &str) -> Tool {
        self.tool().args(["-o", "BatchMode=yes", "-T", "--"]).arg(node)
    }

    /// Becomes scp, which copies the paths before the last one to that: `NODE:PATH` is a path on a node. Returns only
    /// if scp cannot be started.
    pub fn copy(&self, paths: &[String], recursive: bool) -> Result<Error> {
        let program = find("scp").ok_or_else(|| missing("scp"))?;
        let tool = self.configured(program).args(recursive.then_some("-r"));
        Ok(tool.arg("--").args(paths).exec())
    }

    pub(super) fn tool(&self) -> Tool {
        self.configured(self.program.clone())
    }

    fn configured(&self, program: PathBuf) -> Tool {
        let tool = Tool::new(program).arg("-F").arg(&self.config);
        let tool = if self.keep_secrets { tool } else { tool.without_secrets() };
        self.lines.iter().fold(tool, |tool, line| tool.arg("-o").arg(line))
    }
}

fn missing(tool: &str) -> Error {
    Error::ToolMissing {
        tool: tool.into(),
        needed: None,
        install: "install the OpenSSH client: apt install openssh-client, or dnf install openssh-clients".into(),
        fetched: false,
    }
}

/// Why a session could not be opened, read from ssh's stderr (exit status 255).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another host key than ours: another machine has the address, or the node is not the one we made.
    OtherIdentity(String),
    /// Reached, but it does not let us in (yet): the user or its key is missing.
    NotLetIn(String),
    /// Not reached, or closed in the middle.
    Unreachable(String),
}

impl Refusal {
    /// Reads what ssh printed. The last line tells most; warnings come before it.
    pub fn read(stderr: &str) -> Refusal {
        const OTHER_KEY: [&str; 2] = ["REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed"];
        const NOT_LET_IN: [&str; 3] =
            ["Permission denied", "Too many authentication failures", "not permitted to log in"];
        let line_with = |texts: &[&str]| stderr.lines().find(|line| texts.iter().any(|text| line.contains(text)));
        if line_with(&OTHER_KEY).is_some() {
            Refusal::OtherIdentity("it shows another SSH host key than the one made for this node".into())
        } else if let Some(line) = line_with(&NOT_LET_IN) {
            Refusal::NotLetIn(line.trim().to_owned())
        } else {
            let last = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
            Refusal::Unreachable(last.unwrap_or("ssh printed nothing").to_owned())
        }
    }

    /// It accepted the connection, and was not done with the handshake in time.
    pub fn is_slow_handshake(&self) -> bool {
        let slow = |text: &str| text.contains("timed out") && !text.contains("connect to host");
        matches!(self, Refusal::Unreachable(text) if slow(text))
    }

    pub fn text(&self) -> &str {
        match self {
            Refusal::OtherIdentity(text) | Refusal::NotLetIn(text) | Refusal::Unreachable(text) => text,
        }
    }
}

/// ssh's own exit status for a session that could not be opened; a remote command's is passed through.
pub const NO_SESSION: i32 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    /// pam_nologin's text while systemd boots (systemd's tmpfiles.d/systemd-nologin.conf).
    const BOOTING: &str = "\"System is booting up. Unprivileged users are not permitted to log in yet. Please come \
        back later. For technical details, see pam_nologin(8).\"\nConnection closed by 192.168.122.7 port 22\n";

    #[test]
    fn another_machine_on_the_address_is_told_apart() {
        let recorded = [
            (include_str!("../../tests/fixtures/ssh/other-key.txt"), "OtherIdentity"),
            (include_str!("../../tests/fixtures/ssh/unknown-key.txt"), "OtherIdentity"),
            (include_str!("../../tests/fixtures/ssh/no-key.txt"), "NotLetIn"),
            (BOOTING, "NotLetIn"),
            (include_str!("../../tests/fixtures/ssh/refused.txt"), "Unreachable"),
            (include_str!("../../tests/fixtures/ssh/closed.txt"), "Unreachable"),
            ("", "Unreachable"),
        ];
        for (stderr, kind) in recorded {
            let refusal = Refusal::read(stderr);
            assert!(format!("{refusal:?}").starts_with(kind), "{refusal:?}");
        }
        let slow = |text: &str| Refusal::read(text).is_slow_handshake();
        assert!(slow("Connection timed out during banner exchange\nConnection to 192.0.2.7 port 22 timed out\n"));
        assert!(!slow("ssh: connect to host 192.0.2.7 port 22: Connection timed out\n"), "nobody is there");
    }

    #[test]
    fn fuzz_ssh_stderr() {
        let seeds = [
            include_str!("../../tests/fixtures/ssh/other-key.txt"),
            include_str!("../../tests/fixtures/ssh/no-key.txt"),
            include_str!("../../tests/fixtures/ssh/refused.txt"),
            BOOTING,
        ];
        crate::fuzz::text_target("ssh-stderr", &seeds, |text| assert!(!Refusal::read(text).text().contains('\n')));
    }
}
