//! Pure: from what probes and a session found to the state of every layer, and to issues.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::operation::{by_deploy, in_dir};
use super::super::rendered::Files;
use super::facts::{Disk, DiskState, Facts, Space};
use crate::deployment::transitions;
use crate::model::{
    Issue, Layer, LayerState, NodeHealth, NodeStatus, Operation, Phase, Power, ProbeState, Severity, quote,
};
use crate::tools::ssh::Refusal;

/// Databases need clocks that agree; a second or two are lost on the way to a slow guest.
const SKEW_WARNING_S: f64 = 5.0;
const SKEW_ERROR_S: f64 = 60.0;
/// Free space: below one of them it is said, below the others Exasol will soon fail.
const SPACE_LOW: (u64, u64) = (1024 * 1024, 5);
const SPACE_FULL: (u64, u64) = (200 * 1024, 1);

/// What the deployment should be.
pub(super) struct Expected<'a> {
    pub root: &'a Path,
    pub deployment: &'a str,
    /// As recorded: it decides which commands lead on.
    pub phase: Phase,
    /// Whether a hypervisor can be asked for the machines at any time.
    pub hypervisor: bool,
    pub cluster_size: usize,
    pub fingerprint: Option<&'a str>,
    /// What c4 on the first node tells of all; None while it could not be asked.
    pub stages: Option<&'a BTreeMap<String, String>>,
    /// Confd says that every database runs and takes connections, whatever the stages.
    pub databases_run: bool,
}

/// How the session on a node ended.
pub(super) enum Session {
    /// Its machine is not on, or its port is silent.
    NotTried,
    Refused(Refusal),
    /// Let in, but the questions could not be asked.
    Failed(String),
    /// With this machine's clock, seconds since 1970, before and after.
    Told {
        facts: Facts,
        before: f64,
        after: f64,
    },
}

/// One node: every layer's state, and what is wrong.
pub(super) fn node(expected: &Expected, status: &NodeStatus, session: &Session) -> (NodeHealth, Vec<Issue>) {
    let mut findings = Findings { expected, node: &status.name, issues: Vec::new(), looked: BTreeSet::new() };
    findings.vm(status, session);
    findings.ssh(status, session);
    findings.sql(status, session);
    if let Session::Told { facts, before, after } = session {
        findings.clock(facts, *before, *after);
        findings.disks(&facts.disks);
        findings.space(&facts.space);
        findings.services(facts);
        findings.cos(facts);
        findings.certificate(facts, status);
    }
    findings.stage();
    let state = |layer: &Layer| (*layer, findings.state(*layer));
    let layers = Layer::ALL.iter().filter(|layer| **layer != Layer::Record).map(state).collect();
    (NodeHealth { name: status.name.clone(), layers }, findings.issues)
}

/// What to do, in words, and the command among them.
struct Hint {
    text: String,
    command: Option<String>,
}

impl Hint {
    fn run(command: String) -> Self {
        Self { text: command.clone(), command: Some(command) }
    }

    fn then(mut self, words: &str) -> Self {
        self.text.push_str(words);
        self
    }

    fn after(mut self, words: &str) -> Self {
        self.text.insert_str(0, words);
        self
    }
}

impl From<&str> for Hint {
    fn from(words: &str) -> Self {
        Self { text: words.to_owned(), command: None }
    }
}

struct Findings<'a> {
    expected: &'a Expected<'a>,
    node: &'a str,
    issues: Vec<Issue>,
    looked: BTreeSet<Layer>,
}

impl Findings<'_> {
    fn state(&self, layer: Layer) -> LayerState {
        match self.issues.iter().filter(|issue| issue.layer == layer).map(|issue| issue.severity).max() {
            Some(Severity::Error) => LayerState::Error,
            Some(Severity::Warning) => LayerState::Warning,
            None if self.looked.contains(&layer) => LayerState::Ok,
            None => LayerState::Unknown,
        }
    }

    fn add(&mut self, layer: Layer, severity: Severity, kind: impl Into<String>, detail: String, hint: Hint) {
        let node = Some(self.node.to_owned());
        let Hint { text: hint, command } = hint;
        self.issues.push(Issue { kind: kind.into(), node, layer, severity, follows_from: None, detail, hint, command });
    }

    fn error(&mut self, layer: Layer, kind: impl Into<String>, detail: impl Into<String>, hint: impl Into<Hint>) {
        self.add(layer, Severity::Error, kind, detail.into(), hint.into());
    }

    fn warning(&mut self, layer: Layer, kind: impl Into<String>, detail: impl Into<String>, hint: impl Into<Hint>) {
        self.add(layer, Severity::Warning, kind, detail.into(), hint.into());
    }

    fn command(&self, command: &str) -> Hint {
        Hint::run(in_dir(command, self.expected.root))
    }

    /// A command on the node, for somebody who looks closer. What the node itself said is quoted in it.
    fn there(&self, command: &str) -> Hint {
        let ssh = in_dir(&format!("exasol ssh {}", self.node), self.expected.root);
        Hint::run(format!("{ssh} -- {command}"))
    }

    fn allows(&self, operation: Operation) -> bool {
        transitions::allowed(operation, self.expected.phase).is_ok()
    }

    /// Switches on, connects and waits for what is not as it was; before the first login deploy does that.
    fn start(&self) -> Hint {
        self.command(if self.allows(Operation::Start) { "exasol start" } else { "exasol deploy" })
    }

    /// What deploy does about it: "makes it again".
    fn deploy(&self, does: &str) -> Hint {
        let (text, command) = by_deploy(self.expected.root, self.expected.phase, does);
        Hint { text, command: Some(command) }
    }

    fn vm(&mut self, status: &NodeStatus, session: &Session) {
        let layer = Layer::Vm;
        match status.vm {
            Power::Running => {
                self.looked.insert(layer);
                if let Some(reason) = &status.vm_reason {
                    self.error(layer, "machine_unplugged", reason.clone(), self.start());
                }
            }
            Power::Off => self.error(layer, "machine_off", "its machine is off", self.start()),
            Power::Absent => {}
            Power::Missing if status.sql.is_ok() => {
                let detail = "the hypervisor or cloud has no machine for this node, but its database answers";
                let hint = "was the target changed, or the machine migrated? deploy would create a second machine";
                self.warning(layer, "machine_elsewhere", detail, hint);
            }
            Power::Missing => {
                let hint = self.deploy("makes it again, with its data disks");
                self.error(layer, "machine_missing", "its machine does not exist any more", hint);
            }
            Power::Paused | Power::Crashed => {
                let hint = self.start();
                let kind = format!("machine_{}", status.vm.as_str());
                let why = status.vm_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                self.error(layer, kind, format!("its machine is {}{why}", status.vm.as_str()), hint);
            }
            // A cloud is asked by `status --refresh` only.
            Power::Unknown if !self.expected.hypervisor => {}
            Power::Unknown => {
                let detail = status.vm_reason.clone().unwrap_or_else(|| "the hypervisor could not be asked".into());
                let hint = self.command("exasol doctor");
                let severity = match session {
                    Session::Told { .. } => Severity::Warning,
                    _ => Severity::Error,
                };
                self.add(layer, severity, "hypervisor_silent", detail, hint);
            }
        }
        if let Some(now) = &status.address_now {
            let before = status.private_ip.as_deref().unwrap_or("none");
            let hint = self.start().then(" tells everybody");
            self.error(layer, "address_changed", format!("its address is {now} now, not {before}"), hint);
        }
    }

    fn ssh(&mut self, status: &NodeStatus, session: &Session) {
        let layer = Layer::Ssh;
        match session {
            Session::NotTried if status.ssh.state == ProbeState::NotProbed => {}
            // A machine that does not run cannot answer: the layer below has said so.
            Session::NotTried if status.vm.is_at_rest() => {}
            Session::NotTried => {
                let detail = status.ssh.reason.clone().unwrap_or_else(|| status.ssh.state.to_string());
                self.error(layer, format!("ssh_{}", status.ssh.state), detail, self.reach(status.ssh.state.as_str()));
            }
            Session::Refused(refusal) => {
                let state = match refusal {
                    Refusal::OtherIdentity(_) => "identity_mismatch",
                    Refusal::NotLetIn(_) => "denied",
                    Refusal::Unreachable(_) => "unreachable",
                };
                self.error(layer, format!("ssh_{state}"), refusal.text(), self.reach(state));
            }
            Session::Failed(why) => {
                self.looked.insert(layer);
                let hint = self.deploy("installs the scripts again");
                self.error(Layer::Services, "not_prepared", format!("it could not be asked: {why}"), hint);
            }
            Session::Told { facts, .. } => {
                self.looked.insert(layer);
                self.identity(facts);
            }
        }
    }

    fn reach(&self, state: &str) -> Hint {
        match state {
            "identity_mismatch" => "another machine has its address: change the address of one of the two".into(),
            "denied" => self.deploy("installs it again").after("the deployment's key is refused; "),
            _ if self.expected.hypervisor && self.allows(Operation::Repair) => {
                self.command("exasol health --repair").then(
                    " resets its machine if that is dead; otherwise check the network in between, and --allowed-cidr",
                )
            }
            _ => "check the network between this machine and the node, and --allowed-cidr".into(),
        }
    }

    fn identity(&mut self, facts: &Facts) {
        match &facts.identity {
            Some((deployment, node)) if deployment == self.expected.deployment && node == self.node => {}
            Some((deployment, node)) => {
                let detail = format!("it says that it is {node} of {deployment}");
                self.error(Layer::Ssh, "other_node", detail, self.command("exasol status"));
            }
            None => {
                let hint = self.deploy("tells it");
                self.error(Layer::Services, "not_prepared", "it does not know which node it is", hint);
            }
        }
        if facts.identity.is_some() && !facts.complete {
            // Most layers are unknown then, and an unknown layer is no healthy one.
            let detail = "it stopped answering in the middle";
            self.error(Layer::Ssh, "half_an_answer", detail, self.there("uptime"));
        }
    }

    fn clock(&mut self, facts: &Facts, before: f64, after: f64) {
        let Some(there) = facts.clock else { return };
        self.looked.insert(Layer::Clock);
        // Somewhere in between it was asked.
        let skew = if there > after { there - after } else { (there - before).min(0.0) };
        if skew.abs() < SKEW_WARNING_S {
            return;
        }
        let severity = if skew.abs() < SKEW_ERROR_S { Severity::Warning } else { Severity::Error };
        let way = if skew > 0.0 { "ahead of" } else { "behind" };
        let detail = format!("its clock is {:.0} s {way} this machine's", skew.abs());
        self.add(Layer::Clock, severity, "clock_skew", detail, self.there("timedatectl"));
    }

    fn disks(&mut self, disks: &[Disk]) {
        for disk in disks {
            self.looked.insert(Layer::Disks);
            let link = &disk.link;
            let look = self.there("lsblk -o NAME,SIZE,WWN,SERIAL");
            match disk.state {
                DiskState::Missing => {
                    let detail = format!("no disk has the identity of {link}");
                    self.error(Layer::Disks, "disk_missing", detail, look);
                }
                DiskState::Other => {
                    let detail = format!("{link} is missing or leads to another disk");
                    self.error(Layer::Disks, "disk_link", detail, self.there("sudo udevadm trigger"));
                }
                DiskState::Ok if disk.bytes < disk.least || disk.bytes > disk.most => {
                    let detail = format!("{link} has {} bytes, not {} to {}", disk.bytes, disk.least, disk.most);
                    self.error(Layer::Disks, "disk_size", detail, look);
                }
                DiskState::Ok => {}
            }
        }
    }

    fn space(&mut self, space: &[Space]) {
        for Space { mount, kib, free_kib } in space {
            self.looked.insert(Layer::Space);
            let part = |kib: u64, percent: u64| u128::from(kib) * u128::from(percent);
            let below = |(least, percent)| *free_kib < least || part(*free_kib, 100) < part(*kib, percent);
            let detail = format!("{} MiB of {} MiB are free on {mount}", free_kib / 1024, kib / 1024);
            let look = self.there(&format!("df -h {}", quote(mount)));
            if below(SPACE_FULL) {
                self.error(Layer::Space, "space_full", detail, look);
            } else if below(SPACE_LOW) {
                self.warning(Layer::Space, "space_low", detail, look);
            }
        }
    }

    fn services(&mut self, facts: &Facts) {
        for (unit, state) in &facts.units {
            self.looked.insert(Layer::Services);
            let look = self.there(&format!("sudo journalctl -u {} -n 50", quote(unit)));
            match state.as_str() {
                "active" => {}
                // c4_cloud_command was seen so on a healthy node.
                "activating" | "reloading" => {
                    self.warning(Layer::Services, "service_starting", format!("{unit} is {state}"), look);
                }
                // The database does without.
                _ if unit == "exasol-admin-ui.service" => {
                    self.warning(Layer::Services, "admin_ui_down", format!("{unit} is {state}"), look);
                }
                _ => self.error(Layer::Services, "service_down", format!("{unit} is {state}"), look),
            }
        }
    }

    fn cos(&mut self, facts: &Facts) {
        let Some(answers) = facts.cos else { return };
        self.looked.insert(Layer::Cos);
        if !answers {
            let detail = "its container's SSH server does not answer on port 20002";
            self.error(Layer::Cos, "cos_silent", detail, self.there("sudo journalctl -u c4_cloud_command -n 50"));
        }
    }

    /// Nodes are named n11, n12, … by us; should c4 name them otherwise, it counts them in our order.
    fn stage(&mut self) {
        let Some(stages) = self.expected.stages else { return };
        self.looked.insert(Layer::Cluster);
        let by_order = || {
            let index = self.node.trim_start_matches('n').parse::<usize>().ok()?.checked_sub(11)?;
            stages.values().nth(index).filter(|_| stages.len() == self.expected.cluster_size)
        };
        let hint = self.start().then(" waits for it, and starts what is down");
        match stages.get(self.node).or_else(by_order) {
            Some(stage) if stage == "d" => {}
            // c4 leaves out a node that is slow to answer, and was seen to show an earlier stage of a running one.
            other if self.expected.databases_run => {
                let shown = other.map_or("nothing", String::as_str);
                let detail =
                    format!("c4 ps reports {shown} for it, although the database runs and accepts connections");
                self.warning(Layer::Cluster, "stage_differs", detail, "nothing has to be done for the database");
            }
            Some(stage) => {
                let means = match stage.chars().next() {
                    Some('a') => "the machine is up, c4's services are not",
                    Some('b') => "c4's services are up, the container is not",
                    Some('c') => "the container is up, the database is not",
                    _ => "unknown",
                };
                self.error(Layer::Cluster, "not_at_stage_d", format!("it is at stage {stage}: {means}"), hint);
            }
            None => self.error(Layer::Cluster, "no_stage", "c4 on the first node reports nothing about it", hint),
        }
    }

    fn sql(&mut self, status: &NodeStatus, session: &Session) {
        let state = status.sql.state;
        match state {
            // Without a machine there is no database: the layer below has said so.
            ProbeState::NotProbed if status.vm == Power::Missing => {}
            _ if status.vm.is_at_rest() && !status.sql.is_ok() => {}
            ProbeState::NotProbed => {
                self.error(Layer::Sql, "sql_not_checked", status_reason(status), self.deploy("records what is needed"));
            }
            // It answers, and not as ours: see the certificate.
            ProbeState::IdentityMismatch => {
                let hint = match session {
                    Session::Told { facts, .. } if self.shows_the_recorded(facts) => FOREIGN.into(),
                    _ => self.command("exasol health --repair").then(" asks the node for its certificate, over SSH"),
                };
                self.error(Layer::Sql, "sql_identity_mismatch", status_reason(status), hint);
            }
            _ => {
                self.looked.insert(Layer::Sql);
                if !status.sql.is_ok() {
                    let hint = match state {
                        ProbeState::Failed => {
                            "the database's own message is above; its password is in secrets.json".into()
                        }
                        _ => self.start(),
                    };
                    self.error(Layer::Sql, format!("sql_{state}"), status_reason(status), hint);
                }
            }
        }
    }

    fn certificate(&mut self, facts: &Facts, status: &NodeStatus) {
        let (Some(shown), Some(recorded)) = (&facts.certificate, self.expected.fingerprint) else { return };
        self.looked.insert(Layer::Certificate);
        if shown != recorded {
            let detail = format!("it shows another certificate than the recorded one: SHA-256 {shown}");
            let hint = self.command("exasol health --repair").after("if you changed the certificate: ");
            self.error(Layer::Certificate, "certificate_changed", detail, hint);
        } else if status.sql.state == ProbeState::IdentityMismatch {
            let detail = "the node shows the recorded certificate, and what answers here shows another";
            self.error(Layer::Certificate, "certificate_foreign", detail, FOREIGN);
        }
    }

    fn shows_the_recorded(&self, facts: &Facts) -> bool {
        facts.certificate.is_some() && facts.certificate.as_deref() == self.expected.fingerprint
    }
}

/// The node itself shows the right certificate.
const FOREIGN: &str = "something else answers in its place: check proxies and routes between this machine and the node";

fn status_reason(status: &NodeStatus) -> String {
    status.sql.reason.clone().unwrap_or_else(|| status.sql.state.to_string())
}

/// The phase that `--repair` may record where every node accepts logins. Elsewhere the operation
/// itself has more to do than to find the cluster well.
pub(super) fn proven(recorded: Phase, nodes: &[NodeStatus]) -> Option<Phase> {
    let mendable = matches!(recorded, Phase::DatabaseConnectionFailed | Phase::StartInProgress | Phase::StartFailed);
    (mendable && works(nodes)).then_some(Phase::DatabaseReady)
}

/// What the deployment directory says, against what is true.
pub(super) fn record(root: &Path, recorded: Phase, running: bool, nodes: &[NodeStatus], files: &Files) -> Vec<Issue> {
    let issue = |kind: &str, detail, hint: Hint| Issue {
        kind: kind.into(),
        node: None,
        layer: Layer::Record,
        severity: Severity::Warning,
        follows_from: None,
        detail,
        hint: hint.text,
        command: hint.command,
    };
    let run = |command: &str| Hint::run(in_dir(command, root));
    let mut issues = Vec::new();
    if recorded != Phase::DatabaseReady && works(nodes) && !running {
        let command = match (proven(recorded, nodes), recorded) {
            (Some(_), _) => "exasol health --repair",
            (None, Phase::Stopped | Phase::StopFailed | Phase::StopInProgress) => "exasol start",
            _ => "exasol deploy",
        };
        let detail = format!("every node accepts logins, but the recorded phase is {recorded}");
        issues.push(issue("phase_differs", detail, run(command)));
    }
    if !files.stale.is_empty() {
        let detail = format!("different from what the deployment's state says: {}", files.stale.join(", "));
        issues.push(issue("files_stale", detail, run("exasol health --repair")));
    }
    if !files.edited.is_empty() {
        let detail = format!("edited by hand: {}", files.edited.join(", "));
        // Their owner has to choose.
        let hint = format!("{}, or --keep-edits", in_dir("exasol deploy --overwrite-edits", root));
        issues.push(issue("files_edited", detail, hint.as_str().into()));
    }
    issues
}

fn works(nodes: &[NodeStatus]) -> bool {
    !nodes.is_empty() && nodes.iter().all(|node| node.sql.is_ok())
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
