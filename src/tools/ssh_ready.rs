//! Waiting for nodes that boot: until a login with the right host key works and cloud-init is done.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::process::Finished;
use super::ssh::{NO_SESSION, Refusal, Ssh};
use crate::error::{Error, Result, ToolFailure};
use crate::signal::Interrupt;

/// A node to be waited for.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in `ssh/config`.
    pub node: String,
    /// Where sshd listens, if this machine can reach it directly; None behind a jump host.
    pub address: Option<SocketAddr>,
}

/// How far a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing answers yet; why.
    Silent(String),
    /// The SSH port answers.
    Answering,
    /// No session yet; why.
    Refused(Refusal),
    /// Logged in; cloud-init is still at work.
    Booting,
    Ready,
}

impl Progress {
    /// For people, after the node's name.
    pub fn text(&self) -> String {
        match self {
            Progress::Silent(why) => format!("does not answer yet ({why})"),
            Progress::Answering => "answers on its SSH port".into(),
            Progress::Refused(refusal) => format!("no SSH session yet: {}", refusal.text()),
            Progress::Booting => "SSH login works, cloud-init is still at work".into(),
            Progress::Ready => "ready".into(),
        }
    }
}

/// Printed as soon as a session is open.
const SESSION: &str = "exasol: session";
/// Begins the line with the address from which the node sees this session come.
const FROM: &str = "exasol: from ";
/// Lines of cloud-init's report that are kept: it is some tens long.
const MAX_REPORT: usize = 1000;
/// Looks for cloud-init's result and asks cloud-init itself only where that is missing or tells of errors: it is a
/// Python program, and its start takes seconds of an emulated node that is still booting.
///
/// Without cloud-init there is nothing to wait for. A boot that ends without a result is cloud-init's to explain.
/// Its exit status 0 and 2 are "done" and "done with warnings". Sources: cloudinit/cmd/main.py (`result.json` is
/// written at the end of the last stage); `cloud-init status --help`, "Return codes".
///
/// sshd tells whom it sees: that is this machine, or the one in between.
///
/// Where there is bash, it waits by itself: a program that is started for each wait takes a tenth of the time of an
/// emulated node that is still booting.
const SCRIPT: &str = r#"echo 'exasol: session'
echo "exasol: from ${SSH_CONNECTION%% *}"
command -v cloud-init >/dev/null 2>&1 || exit 0
result=/run/cloud-init/result.json
wait='
  tries=0
  until [ -e '$result' ] || [ -e '${result%/*}'/disabled ]; do
    tries=$((tries + 1))
    if [ $((tries % 50)) -eq 0 ]; then
      case $(systemctl is-system-running 2>/dev/null) in
      initializing | starting) ;;
      *) break ;;
      esac
    fi
    pause
  done
'
if command -v bash >/dev/null 2>&1; then
  bash -c "exec 3<> <(:); pause() { read -r -t 0.2 -u 3; }; $wait"
else
  pause() { sleep 0.2; }
  eval "$wait"
fi
! tr -d ' \n' <$result 2>/dev/null | grep -q '"errors":\[\]' || exit 0
cloud-init status --wait >/dev/null 2>&1
case $? in
0 | 2) exit 0 ;;
esac
cloud-init status --long 2>&1
exit 1
"#;

/// How the waiting is done.
struct Pace {
    retry: Duration,
    /// After a login that was refused, doubled each time up to the second: OpenSSH 9.8 and newer shut out for
    /// a while who fails often (`PerSourcePenalties`, 5 s for each failure, from 15 s on).
    refused: (Duration, Duration),
    connect: Duration,
    /// For the handshake, doubled after each that took longer, up to the second. A short one would never end on a machine
    /// that is slow, which also begins anew with each.
    handshake: (Duration, Duration),
    /// For how long another host key may be shown: an image's own key can be there for a moment,
    /// until cloud-init has put ours in its place.
    identity: Duration,
}

const PACE: Pace = Pace {
    retry: Duration::from_millis(250),
    refused: (Duration::from_secs(1), Duration::from_secs(8)),
    connect: Duration::from_secs(1),
    handshake: (Duration::from_secs(10), Duration::from_secs(80)),
    identity: Duration::from_secs(20),
};

/// Waits until every node is ready; all at once. `on_change` hears of each step of each node, and that one was tried
/// and is silent. Returns the addresses from which the nodes see this machine.
///
/// Errors: [`Error::Timeout`] with what was seen last of each node that is not ready;
/// [`Error::Tool`] when cloud-init has failed on one, with its own report; [`Error::Other`] when a
/// node goes on showing another host key; [`Error::Interrupted`].
pub async fn wait_ready(
    ssh: &Ssh,
    targets: &[Target],
    limit: Duration,
    interrupt: &Interrupt,
    on_change: &(dyn Fn(&str, &Progress) + Sync),
) -> Result<BTreeSet<IpAddr>> {
    wait(ssh, targets, limit, interrupt, on_change, &PACE).await
}

async fn wait(
    ssh: &Ssh,
    targets: &[Target],
    limit: Duration,
    interrupt: &Interrupt,
    on_change: &(dyn Fn(&str, &Progress) + Sync),
    pace: &Pace,
) -> Result<BTreeSet<IpAddr>> {
    let watches: Vec<_> = targets.iter().map(|target| Watch::new(target, on_change)).collect();
    let all = try_join_all(watches.iter().map(|watch| watch.until_ready(ssh, pace)));
    match interrupt.run(timeout(limit, all)).await? {
        Ok(from) => Ok(from?.into_iter().flatten().collect()),
        Err(_) => Err(gave_up(&watches, limit)),
    }
}

fn gave_up(watches: &[Watch<'_>], limit: Duration) -> Error {
    let waiting: Vec<_> = watches.iter().filter_map(Watch::unready).collect();
    let names: Vec<_> = waiting.iter().map(|(node, _)| *node).collect();
    let seen: Vec<_> = waiting.iter().map(|(node, progress)| format!("{node} {}", progress.text())).collect();
    Error::Timeout {
        what: format!("waiting for SSH on {}", names.join(", ")),
        limit_s: limit.as_secs(),
        last_seen: Some(seen.join("; ")),
        hint: None,
    }
}

enum Session {
    /// cloud-init is done; from where the node sees us.
    Done(Option<IpAddr>),
    None(Refusal),
}

/// One node and what was seen of it last.
struct Watch<'a> {
    target: &'a Target,
    on_change: &'a (dyn Fn(&str, &Progress) + Sync),
    /// None: it was not tried yet.
    progress: Mutex<Option<Progress>>,
}

impl<'a> Watch<'a> {
    fn new(target: &'a Target, on_change: &'a (dyn Fn(&str, &Progress) + Sync)) -> Self {
        Self { target, on_change, progress: Mutex::default() }
    }

    async fn until_ready(&self, ssh: &Ssh, pace: &Pace) -> Result<Option<IpAddr>> {
        let mut other_identity_since = None;
        let mut after_refusal = pace.refused.0;
        let (mut handshake, mut patient) = (pace.handshake.0, ssh.clone());
        // Once, not before each login: sshd counts a connection that does not log in as a failure, too.
        self.until_answering(pace).await;
        loop {
            let mut pause = pace.retry;
            match self.log_in(&patient).await? {
                Session::Done(from) => return Ok(from),
                Session::None(Refusal::OtherIdentity(text)) => {
                    let since = *other_identity_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= pace.identity {
                        return Err(self.stranger(&text));
                    }
                    self.saw(Progress::Refused(Refusal::OtherIdentity(text)));
                }
                Session::None(refusal) => {
                    if matches!(refusal, Refusal::NotLetIn(_)) {
                        pause = after_refusal;
                        after_refusal = (after_refusal * 2).min(pace.refused.1);
                    }
                    if refusal.is_slow_handshake() && handshake < pace.handshake.1 {
                        handshake = (handshake * 2).min(pace.handshake.1);
                        patient = ssh.clone().with_lines([format!("ConnectTimeout={}", handshake.as_secs())]);
                    }
                    other_identity_since = None;
                    self.saw(Progress::Refused(refusal));
                }
            }
            sleep(pause).await;
        }
    }

    /// A plain connection costs nothing, an ssh process does.
    async fn until_answering(&self, pace: &Pace) {
        let Some(address) = self.target.address else { return };
        loop {
            let why = match timeout(pace.connect, TcpStream::connect(address)).await {
                Ok(Ok(_)) => break,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            self.saw(Progress::Silent(format!("{address}: {why}")));
            sleep(pace.retry).await;
        }
        if matches!(self.now(), Progress::Silent(_)) {
            self.saw(Progress::Answering);
        }
    }

    async fn log_in(&self, ssh: &Ssh) -> Result<Session> {
        let mut in_session = false;
        let mut from = None;
        let mut report = Vec::new();
        let mut on_line = |line: &str| {
            if line == SESSION {
                in_session = true;
                self.saw(Progress::Booting);
            } else if let Some(address) = line.strip_prefix(FROM) {
                // A link-local address has its device behind it.
                from = address.split('%').next().and_then(|address| address.parse().ok());
            } else if in_session && report.len() < MAX_REPORT {
                report.push(line.to_owned());
            }
        };
        let session = ssh.quiet(&self.target.node).arg("sh -s").stdin(SCRIPT).expendable();
        let finished = session.run(&Interrupt::never(), &mut on_line).await?;
        match finished.status.code() {
            Some(0) => {
                self.saw(Progress::Ready);
                Ok(Session::Done(from))
            }
            Some(NO_SESSION) | None => Ok(Session::None(Refusal::read(&finished.tail.join("\n")))),
            Some(_) => Err(self.cloud_init_failed(&finished, report)),
        }
    }

    fn cloud_init_failed(&self, finished: &Finished, report: Vec<String>) -> Error {
        Error::Tool(Box::new(ToolFailure {
            tool: format!("cloud-init on {}", self.target.node),
            command: "cloud-init status --long".into(),
            status: match finished.status.code() {
                Some(1) => "status error".into(),
                _ => finished.status.to_string(),
            },
            diagnostics: cloud_init_causes(&report),
            tail: if report.is_empty() { finished.tail.clone() } else { report },
            log: None,
        }))
    }

    fn stranger(&self, text: &str) -> Error {
        let at = self.target.address.map(|address| format!(" at {}", address.ip())).unwrap_or_default();
        Error::other(format!("{}{at}: {text}; another machine may have its address", self.target.node))
    }

    fn saw(&self, progress: Progress) {
        let mut last = self.last();
        // A booting machine's network says now this, now that: it is silent all the same.
        let still_silent = matches!((&*last, &progress), (Some(Progress::Silent(_)), Progress::Silent(_)));
        if last.as_ref() != Some(&progress) && !still_silent {
            (self.on_change)(&self.target.node, &progress);
        }
        *last = Some(progress);
    }

    fn now(&self) -> Progress {
        self.last().clone().unwrap_or_else(|| Progress::Silent("not tried yet".into()))
    }

    fn unready(&self) -> Option<(&str, Progress)> {
        let progress = self.now();
        (progress != Progress::Ready).then_some((self.target.node.as_str(), progress))
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Progress>> {
        self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The errors that `cloud-init status --long` lists: under `errors:` since 23.4, under `detail:` before.
fn cloud_init_causes(report: &[String]) -> Vec<String> {
    let under = |title: &str| -> Vec<String> {
        let after = report.iter().skip_while(|line| line.trim_end() != title).skip(1);
        let entries = after.take_while(|line| line.starts_with([' ', '\t', '-', '(']));
        entries.map(|line| line.trim().trim_start_matches("- ").to_owned()).collect()
    };
    let errors = under("errors:");
    if errors.is_empty() { under("detail:") } else { errors }
}

#[cfg(test)]
#[path = "ssh_ready_tests.rs"]
mod tests;
