//! `status`: what is true, since when, and the command that leads on, in this order.

use crate::model::{LastError, NodeSize, NodeStatus, Phase, Power, Probe, ProbeState, Status, StatusReport};
use crate::ui::page::{Cell, Column, Page};
use crate::ui::style::{Tone, count, elapsed};

use super::{REHEARSAL, Report, sentence};

impl Report for StatusReport {
    fn text(&self, page: &mut Page) {
        let (tone, is) = headline(self, page);
        let reason = match self.status {
            // The headline has just said it.
            Status::Phase(phase) if phase.is_in_progress() => String::new(),
            _ if self.has_tried() => "Nothing has been created.".to_owned(),
            _ => sentence(&self.reason),
        };
        page.headline(tone, &format!("{}: {is}.", self.whose.name), &reason);
        let exists = |node: &NodeStatus| node.vm != Power::Absent || node.public_ip.is_some();
        if self.status != Status::Phase(Phase::Destroyed) && self.nodes.iter().any(exists) {
            page.line("");
            nodes(page, &self.nodes);
        }
        page.line("");
        self.story(page);
        self.ways(page);
        page.line("");
        page.toned(Tone::Faint, &self.facts(page));
        let directory = page.look().short(&self.directory);
        let checked = elapsed(self.checked_in_ms);
        page.toned(Tone::Faint, &format!("{} · {directory} · checked in {checked}", self.whose.deployment));
    }
}

/// Commands that only look.
const LOOKS: [&str; 3] = ["exasol health", "exasol logs", "exasol status"];

impl StatusReport {
    /// What runs, what failed, and since when.
    fn story(&self, page: &mut Page) {
        if let Some(step) = self.step.as_ref().filter(|_| self.is_running()) {
            let lasts = page.look().since(&step.since).unwrap_or_default();
            page.sentence(&format!("step {} of {}: {}, for {lasts}", step.number, step.of, step.title), 0);
        }
        if let Some(holder) = &self.operation {
            let since = page.look().moment(&holder.since);
            page.sentence(&format!("{} began at {since}, pid {} on {}.", holder.operation, holder.pid, holder.host), 0);
        }
        if let Some(error) =
            error_of_now(self).filter(|_| !self.is_running() && (is_failure(self.status) || self.has_tried()))
        {
            why(page, error);
        }
        if matches!(self.status, Status::Degraded | Status::Unreachable)
            && let Some(good) = &self.last_good
        {
            page.sentence(&format!("It was last seen to work at {}.", page.look().moment(good)), 0);
        }
        if self.update_pending {
            page.sentence("Options have been changed: the next deploy applies them.", 0);
        }
    }

    /// The command that leads on, and those that look closer.
    fn ways(&self, page: &mut Page) {
        let mut commands = self.next.iter().zip(self.next_does.iter().map(Some).chain(std::iter::repeat(None)));
        let Some((first, does)) = commands.next() else { return };
        let broken = self.has_tried() || tone(self.status) == Tone::Bad || self.status == Status::Degraded;
        let label = if broken { "fix: " } else { "next:" };
        page.labelled(label, &[with_effect(page, label, first, does.copied())]);
        for (command, does) in commands {
            let label = if LOOKS.iter().any(|look| command.starts_with(look)) { "look:" } else { "or:  " };
            page.labelled(label, &[with_effect(page, label, command, does.copied())]);
        }
    }

    /// What it is, on what, and who may connect.
    fn facts(&self, page: &Page) -> String {
        let what = if self.rehearsal { REHEARSAL } else { &self.db_version };
        let mut facts = vec![what.to_owned(), self.provider.clone()];
        let size = match (self.node_size, &self.instance_type) {
            (Some(NodeSize { memory_mb, vcpus }), of_type) => {
                let named = of_type.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
                let cpus = if vcpus == 1 { "CPU" } else { "CPUs" };
                Some(format!("{vcpus} {cpus}, {} GB{named}", memory_mb as f64 / 1024.0))
            }
            (None, of_type) => of_type.clone(),
        };
        let nodes = count(self.cluster_size as usize, "node");
        facts.push(size.map_or_else(|| nodes.clone(), |size| format!("{nodes}: {size}")));
        if let (Status::Phase(Phase::DatabaseReady), Some(good)) = (self.status, &self.last_good) {
            facts.extend(page.look().since(good).map(|time| format!("seen ready {time} ago")));
        }
        facts.push(match self.allowed_cidrs.as_slice() {
            [] => "open to everybody".to_owned(),
            some => format!("open to {}", some.join(", ")),
        });
        facts.join(" · ")
    }

    fn is_running(&self) -> bool {
        self.operation.is_some() || matches!(self.status, Status::Phase(phase) if phase.is_in_progress())
    }
}

/// The last error, unless a later operation has begun since, which was killed before it could record its own.
fn error_of_now(report: &StatusReport) -> Option<&LastError> {
    let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
    report.last_error.as_ref().filter(|error| {
        report.status != Status::Interrupted
            || moment(&error.at).is_none_or(|at| Some(at) >= moment(&report.recorded_at))
    })
}

/// The color and the words for a state. What failed is told with its time and step.
fn headline(report: &StatusReport, page: &Page) -> (Tone, String) {
    let ended = |operation: &str, how: &str| {
        let at = error_of_now(report).map(|error| &error.at).or(report.since.as_ref());
        let ago = at.map(|at| format!(" {}", page.look().ago(at))).unwrap_or_default();
        let step = report.step.as_ref().map(|step| format!(" (step: {})", step.title)).unwrap_or_default();
        format!("{operation} {how}{ago}{step}")
    };
    let is = match report.status {
        _ if report.has_tried() => ended("the first deploy", "failed"),
        Status::Phase(Phase::Initialized) => "not deployed yet".to_owned(),
        Status::Phase(Phase::DatabaseReady) => "ready".to_owned(),
        Status::Phase(phase) if phase.is_in_progress() => format!("{} is running", verb(phase)),
        Status::Phase(phase) if is_failure(report.status) => ended(verb(phase), "failed"),
        Status::Interrupted => ended(verb(report.phase), "was interrupted"),
        other => other.as_str().to_owned(),
    };
    (if report.has_tried() { Tone::Bad } else { tone(report.status) }, is)
}

/// `deploy` for the phases that it leaves.
pub(super) fn verb(phase: Phase) -> &'static str {
    match phase {
        Phase::StopInProgress | Phase::StopFailed | Phase::Stopped => "stop",
        Phase::StartInProgress | Phase::StartFailed => "start",
        Phase::DestroyInProgress | Phase::DestroyFailed | Phase::Destroyed => "destroy",
        _ => "deploy",
    }
}

/// What an operation has left that did not come to its end.
pub(super) fn is_failure(status: Status) -> bool {
    use Phase::{DatabaseConnectionFailed, DeploymentFailed, DestroyFailed, StartFailed, StopFailed};
    match status {
        Status::Phase(phase) => {
            matches!(phase, DeploymentFailed | DatabaseConnectionFailed | StopFailed | StartFailed | DestroyFailed)
        }
        other => other == Status::Interrupted,
    }
}

/// Green for what works, red for what is broken, dim for what is off on purpose.
pub(super) fn tone(status: Status) -> Tone {
    match status {
        Status::Phase(Phase::DatabaseReady) => Tone::Good,
        Status::Degraded => Tone::Warning,
        Status::Unreachable | Status::Broken => Tone::Bad,
        failed if is_failure(failed) => Tone::Bad,
        Status::Phase(phase) if phase.is_in_progress() => Tone::Warning,
        Status::Phase(Phase::Stopped | Phase::Destroyed) | Status::Missing | Status::Unknown => Tone::Faint,
        _ => Tone::Strong,
    }
}

fn why(page: &mut Page, error: &LastError) {
    page.paragraph(Tone::Strong, "why: ", &error.message);
    if let Some(log) = &error.log {
        page.line(&format!("logs: {}", log.display()));
    }
}

/// A command and what it does, if both fit on a line.
fn with_effect(page: &Page, label: &str, command: &str, does: Option<&str>) -> String {
    let Some(does) = does else { return command.to_owned() };
    let line = format!("{command}   {does}");
    let fits = page.look().has_room_for(label.len() + 1 + line.chars().count());
    if fits || page.look().columns.is_none() { line } else { command.to_owned() }
}

/// The table of nodes; the private address only where it differs, and below it what is surprising.
fn nodes(page: &mut Page, nodes: &[NodeStatus]) {
    let two_addresses = nodes.iter().any(|node| node.private_ip != node.public_ip);
    let mut columns = vec![
        Column::left("NODE"),
        Column::left("MACHINE"),
        Column::left("SSH"),
        Column::left("SQL"),
        Column::left("ADDRESS").rank(1),
    ];
    if two_addresses {
        columns.push(Column::left("PRIVATE").rank(2));
    }
    let address = |ip: &Option<String>| Cell::from(ip.clone().unwrap_or_else(|| "-".into()));
    let rows: Vec<_> = nodes
        .iter()
        .map(|node| {
            let mut row = vec![node.name.clone().into(), machine(node), probe(&node.ssh), probe(&node.sql)];
            row.push(address(&node.public_ip));
            if two_addresses {
                row.push(address(&node.private_ip));
            }
            row
        })
        .collect();
    page.cells(&columns, &rows);
    for node in nodes {
        surprises(page, node);
    }
}

fn machine(node: &NodeStatus) -> Cell {
    let tone = match node.vm {
        Power::Running => Tone::Good,
        Power::Off | Power::Paused | Power::Crashed | Power::Missing => Tone::Bad,
        Power::Absent | Power::Unknown => Tone::Faint,
    };
    Cell::toned(node.vm.as_str(), tone)
}

fn probe(probe: &Probe) -> Cell {
    match probe.state {
        ProbeState::Ok => Cell::toned("ok", Tone::Good),
        ProbeState::NotProbed => Cell::toned("-", Tone::Faint),
        state => Cell::toned(state.as_str().replace('_', " "), Tone::Bad),
    }
}

/// Nothing that a machine which is off or was never made explains by itself.
fn surprises(page: &mut Page, node: &NodeStatus) {
    if let Some(now) = &node.address_now {
        page.sentence(&format!("  {}: its address is {now} now", node.name), 4);
    }
    if let Some(reason) = &node.vm_reason {
        page.sentence(&format!("  {}: {reason}", node.name), 4);
    }
    if !matches!(node.vm, Power::Running | Power::Unknown) {
        return;
    }
    for (what, probe) in [("SSH", &node.ssh), ("SQL", &node.sql)] {
        if let (Some(reason), true) = (&probe.reason, node.public_ip.is_some()) {
            page.sentence(&format!("  {} {what}: {reason}", node.name), 4);
        }
    }
}
