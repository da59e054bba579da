//! Watches over machines while they boot: says what each is waited for, resets the dead, and gives up
//! at limits that follow what is seen.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::host::{ACTION_LIMIT, HostConnection};
use super::super::hosts::Hosts;
use super::super::operation::{Work, in_dir};
use super::console::{Consoles, View};
use super::earlier;
use super::patience::{self, Seen};
use super::verdict::{self, Death, Facts};
use crate::deployment::transitions;
use crate::error::{Error, Result};
use crate::events::Event;
use crate::model::{Machine, NodePlan, Operation, Phase, Power};
use crate::tools::ssh::Refusal;
use crate::tools::ssh_ready::Progress;

/// What does not boot after this many resets will not boot.
const RESETS: u32 = 2;
/// What a guest does is asked for only while its console is silent.
const SILENCE: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// News of a node at most this often, and a word without news this often; each times the nodes that are told of.
const NEWS: Duration = Duration::from_secs(5);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What is redrawn in place changes at most this often.
const SHOW: Duration = Duration::from_secs(1);

/// How far SSH is on each node, told from one task and read in another.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<BTreeMap<String, (Progress, Instant)>>>);

impl Sessions {
    pub(super) fn saw(&self, node: &str, progress: &Progress) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(node.to_owned(), (progress.clone(), Instant::now()));
    }

    pub(super) fn forget(&self, node: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
    }

    pub(super) fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn of(&self, node: &str) -> Option<(Progress, Duration)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(node).map(|(progress, at)| (progress.clone(), at.elapsed()))
    }
}

pub(super) struct Guard<'a> {
    pub hosts: &'a Hosts,
    pub consoles: &'a Consoles,
    pub sessions: Sessions,
    nodes: BTreeMap<String, Watch>,
    begun: Instant,
}

/// One machine.
struct Watch {
    /// When this life of it began, as far as we know.
    since: Instant,
    resets: u32,
    activity: Option<Activity>,
    asked: Option<Instant>,
    earlier: Option<String>,
    address: Option<IpAddr>,
    told: String,
    told_at: Instant,
    /// What whoever watches was told last, and when.
    shown: Option<(Waiting, Instant)>,
}

/// What a node is waited for, as it is shown to somebody who watches.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    address: Option<IpAddr>,
    waits_for: String,
    console: Option<String>,
}

/// What a machine has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Activity {
    count: u64,
    /// When that was another number, and when it was counted last.
    changed: Instant,
    counted: Instant,
}

impl Activity {
    /// Whoever cannot be asked now tells nothing: what was counted before stays, and grows no older.
    fn after(before: Option<Activity>, count: Option<u64>, now: Instant) -> Option<Activity> {
        let Some(count) = count else { return before };
        // The first number tells nothing yet but that there is one.
        let changed = before.filter(|before| before.count == count).map_or(now, |before| before.changed);
        Some(Activity { count, changed, counted: now })
    }

    /// For how long it has been seen to do nothing.
    fn idle(&self) -> Duration {
        self.counted.duration_since(self.changed)
    }
}

impl<'a> Guard<'a> {
    pub(super) fn new(work: &Work, hosts: &'a Hosts, consoles: &'a Consoles) -> Self {
        let now = Instant::now();
        let watch = |node: &NodePlan| {
            let earlier = earlier::panic(&work.dir, work.log.path(), &node.name);
            let (told, told_at) = (String::new(), now);
            let (activity, asked, address, shown) = (None, None, None, None);
            let watch = Watch { since: now, resets: 0, activity, asked, earlier, address, told, told_at, shown };
            (node.name.clone(), watch)
        };
        let nodes = work.cluster.nodes.iter().map(watch).collect();
        Self { hosts, consoles, sessions: Sessions::default(), nodes, begun: now }
    }

    pub(super) fn knows_address(&mut self, node: &str, address: IpAddr) {
        if let Some(watch) = self.nodes.get_mut(node) {
            watch.address = Some(address);
        }
    }

    /// The nodes whose machines were reset.
    pub(super) fn reset(&self) -> Vec<String> {
        self.nodes.iter().filter(|(_, watch)| watch.resets > 0).map(|(name, _)| name.clone()).collect()
    }

    /// Looks at every machine once. True: some were reset, and what was known of them is over.
    ///
    /// Errors: [`Error::MachineDead`]; [`Error::Timeout`] where nothing more can be expected; a machine that
    /// does not run.
    pub(super) async fn look(&mut self, work: &Work, machines: &[Machine]) -> Result<bool> {
        let mut reset = false;
        for plan in &work.cluster.nodes {
            let Some(machine) = machines.iter().find(|machine| machine.node == plan.name) else { continue };
            refuse_unpowered(machine, work.dir.root(), work.dir.state().phase)
                .map_err(|error| self.consoles.explain(error))?;
            let facts = self.facts(plan, machine).await;
            if let Some(death) = verdict::of(&facts) {
                self.heal(work, plan, &death).await?;
                reset = true;
                continue;
            }
            self.tell(work, plan, &facts);
        }
        self.lose_patience(work, machines)?;
        Ok(reset)
    }

    async fn facts(&mut self, plan: &NodePlan, machine: &Machine) -> Facts {
        let console = self.consoles.view(&plan.name);
        let session = self.sessions.of(&plan.name);
        let Some(watch) = self.nodes.get_mut(&plan.name) else { return Facts::default() };
        let answers = may_answer(watch.address, session.as_ref().map(|(progress, _)| progress));
        let silent = console.quiet.unwrap_or(watch.since.elapsed()) >= SILENCE;
        if silent && !answers && watch.asked.is_none_or(|at| at.elapsed() >= ASK_AGAIN) {
            watch.asked = Some(Instant::now());
            let (host, plan) = (self.hosts.of_node(plan), plan.clone());
            let count = host.ask(move |host| host.activity(&plan)).await.ok().flatten();
            watch.activity = Activity::after(watch.activity, count, Instant::now());
        }
        let idle = watch.activity.filter(|_| silent).map(|activity| activity.idle());
        let (age, unplugged) = (watch.since.elapsed(), machine.unplugged.is_some());
        Facts { console, age, idle, answers, unplugged, earlier: watch.earlier.clone() }
    }

    async fn heal(&mut self, work: &Work, plan: &NodePlan, death: &Death) -> Result<()> {
        let node = &plan.name;
        let why = death.why(node);
        let Some(watch) = self.nodes.get_mut(node) else { return Ok(()) };
        if !death.reset_may_help || watch.resets >= RESETS {
            let hint = self.hint(work, node, death);
            let resets = self.nodes.get(node).map_or(0, |watch| watch.resets);
            return Err(Error::MachineDead { node: node.clone(), reason: death.reason, why, resets, hint: Some(hint) });
        }
        watch.resets += 1;
        let attempt = watch.resets;
        work.changes();
        work.sink.emit(Event::MachineReset { node: node.clone(), reason: death.reason, why, attempt, limit: RESETS });
        let what = format!("resetting the machine of {node}");
        let (host, plan) = (self.hosts.of_node(plan), plan.clone());
        // What it prints from now on belongs to its next life.
        self.consoles.forget(node);
        self.sessions.forget(node);
        watch.since = Instant::now();
        (watch.activity, watch.asked, watch.earlier, watch.address) = (None, None, None, None);
        host.act(ACTION_LIMIT, what, move |host| host.reset(&plan)).await
    }

    fn hint(&self, work: &Work, node: &str, death: &Death) -> String {
        let new_image = (!work.dir.state().installed).then(|| work.cluster.provider.flag("image")).flatten();
        let advice = advice(node, death.reason, work.dir.root(), new_image.as_deref());
        std::iter::once(advice).chain(self.consoles.tails(Some(node))).collect::<Vec<_>>().join("\n")
    }

    /// One line when something is new, and a sign of life of our own where nothing is.
    fn tell(&mut self, work: &Work, plan: &NodePlan, facts: &Facts) {
        let session = self.sessions.of(&plan.name).map(|(progress, _)| progress);
        self.show(work, &plan.name, session.as_ref(), &facts.console);
        if session == Some(Progress::Ready) {
            return;
        }
        let rhythm = u32::try_from(work.cluster.nodes.len()).unwrap_or(1).max(1);
        let begun = self.begun.elapsed().as_secs();
        let Some(watch) = self.nodes.get_mut(&plan.name) else { return };
        let waits = waits_for(&plan.name, watch.address, session.as_ref(), &facts.console);
        let since = watch.told_at.elapsed();
        let is_first_line = watch.told.is_empty() && facts.console.quiet.is_some();
        if is_first_line || (waits != watch.told && since >= NEWS * rhythm) || since >= HEARTBEAT * rhythm {
            work.waits_for(format!("{begun} s: {waits}"));
            watch.told = waits;
            watch.told_at = Instant::now();
        }
    }

    /// What has changed, for somebody who watches.
    fn show(&mut self, work: &Work, node: &str, session: Option<&Progress>, console: &View) {
        let Some(watch) = self.nodes.get_mut(node) else { return };
        let waits_for = short(watch.address, session, console);
        let now = Waiting { address: watch.address, waits_for, console: console.last.clone() };
        let is_news = watch.shown.as_ref().is_none_or(|(before, at)| *before != now && at.elapsed() >= SHOW);
        if is_news {
            let Waiting { address, waits_for, console } = now.clone();
            let address = address.map(|address| address.to_string());
            work.sink.emit(Event::NodeWaiting { node: node.to_owned(), address, waits_for, console });
            watch.shown = Some((now, Instant::now()));
        }
    }

    /// The command that shows the network's leases, where it has them.
    pub(super) fn leases(&self, work: &Work) -> Option<String> {
        let facts = &work.dir.state().facts;
        let command = |host: &HostConnection| (host.row().show_leases)(host.spec(), facts).ok().flatten();
        let commands: Vec<_> = self.hosts.all().filter_map(command).collect();
        (!commands.is_empty()).then(|| commands.join("; "))
    }

    /// Where nothing more can be expected. What is waited for longest is told.
    fn lose_patience(&self, work: &Work, machines: &[Machine]) -> Result<()> {
        let waiting = self.nodes.iter().filter_map(|(name, watch)| {
            let session = self.sessions.of(name);
            if session.as_ref().is_some_and(|(progress, _)| *progress == Progress::Ready) {
                return None;
            }
            let moved = session.as_ref().map(|(_, at)| *at);
            let idle = watch.activity.map(|activity| activity.changed.elapsed());
            let seen = Seen {
                waited: watch.since.elapsed(),
                console: self.consoles.view(name),
                idle,
                address: watch.address,
                session: session.map(|(progress, _)| progress),
                session_moved: moved,
            };
            Some((name, seen))
        });
        for (name, seen) in waiting {
            if patience::is_over(&seen) {
                let sent = machines.iter().find(|machine| machine.node == *name);
                return Err(self.consoles.explain(patience::gave_up(name, &seen, sent, self.leases(work).as_deref())));
            }
        }
        Ok(())
    }
}

/// Whether SSH answers, or would perhaps: nobody tries a node while another one has no address yet.
fn may_answer(address: Option<IpAddr>, session: Option<&Progress>) -> bool {
    match session {
        None => address.is_some(),
        // Behind a jump host an attempt that reaches nothing looks like this.
        Some(Progress::Silent(_) | Progress::Refused(Refusal::Unreachable(_))) => false,
        Some(_) => true,
    }
}

/// What a person does about a machine that stays dead. `new_image`: the flag that names another image, where the
/// deployment may still be made anew from one.
fn advice(node: &str, reason: &str, root: &Path, new_image: Option<&str>) -> String {
    let logs = in_dir(&format!("exasol logs --node {node}"), root);
    match (reason, new_image) {
        // Machines that exist keep their image.
        ("no_boot_device" | "boot_loader" | "initramfs" | "firmware_shell", Some(flag)) => {
            format!(
                "the image does not boot on such a machine: run {}, then exasol init with another {flag}",
                in_dir("exasol destroy", root)
            )
        }
        ("no_boot_device" | "boot_loader" | "initramfs" | "firmware_shell", None) => {
            format!("its root disk does not boot any more; its whole console output: {logs}")
        }
        ("emergency_mode", _) => format!("its console's lines say what is missing: {logs}"),
        _ => format!("reset it again: {}; its whole console output: {logs}", in_dir("exasol deploy", root)),
    }
}

/// What a node is waited for, with the last line of its console as the fact that it moves.
fn waits_for(node: &str, address: Option<IpAddr>, session: Option<&Progress>, console: &View) -> String {
    let on_console = match (&console.boot.stage, &console.last, &console.refused) {
        (_, None, Some(why)) => format!("; its console cannot be read ({why})"),
        (_, None, None) => "; nothing on its console yet".to_owned(),
        (Some(stage), Some(last), _) if last.contains(&format!("'{stage}'")) => format!("; cloud-init's stage {stage}"),
        (Some(stage), Some(last), _) => format!("; cloud-init's stage {stage}, its console: {last}"),
        (None, Some(last), _) => format!("; its console: {last}"),
    };
    match (address, session) {
        (None, _) => format!("{node} is on and has no address yet{on_console}"),
        (Some(address), None) => format!("{node} has the address {address}{on_console}"),
        (Some(address), Some(Progress::Silent(_))) => {
            format!("{node} has the address {address} and does not answer on its SSH port yet{on_console}")
        }
        (Some(_), Some(progress)) => format!("{node}: {}{on_console}", progress.text()),
    }
}

/// What a node is waited for, beside its address and its console.
fn short(address: Option<IpAddr>, session: Option<&Progress>, console: &View) -> String {
    match (address, session) {
        (None, _) => "waiting for an address".to_owned(),
        (Some(_), None | Some(Progress::Silent(_))) => match &console.boot.stage {
            Some(stage) => format!("cloud-init's stage {stage}; SSH does not answer yet"),
            None => "SSH does not answer yet".to_owned(),
        },
        (Some(_), Some(progress)) => progress.text(),
    }
}

/// `phase`: while it boots.
fn refuse_unpowered(machine: &Machine, root: &Path, phase: Phase) -> Result<()> {
    // Both let a paused machine go on.
    let can_start = transitions::allowed(Operation::Start, phase).is_ok();
    let again = in_dir(if can_start { "exasol start" } else { "exasol deploy" }, root);
    match machine.power {
        Power::Running | Power::Unknown => Ok(()),
        _ if machine.halted.is_some() => {
            Err(Error::other(format!("{} is {}; resume it with: {again}", machine.node, machine.state())))
        }
        other => {
            Err(Error::other(format!("the machine of {} is {} while it should boot", machine.node, other.as_str())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_says_nothing_of_a_node_that_nobody_has_tried() {
        let silent = Progress::Silent("no answer".into());
        let address = Some([192, 0, 2, 7].into());
        assert!(!may_answer(None, None), "it has no address");
        assert!(may_answer(address, None), "another has none");
        assert!(!may_answer(address, Some(&silent)));
        assert!(may_answer(address, Some(&Progress::Answering)));
    }

    #[test]
    fn a_question_without_an_answer_changes_nothing() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let counted = Activity::after(Activity::after(None, Some(7), at(0)), Some(7), at(10)).unwrap();
        assert_eq!(counted.idle(), Duration::from_secs(10));
        let asked = Activity::after(Some(counted), None, at(200)).unwrap();
        assert_eq!(asked.idle(), Duration::from_secs(10), "nobody has seen what it did since");
        let moved = Activity::after(Some(asked), Some(8), at(210)).unwrap();
        assert_eq!(moved.idle(), Duration::ZERO);
        assert_eq!(Activity::after(None, None, at(0)), None);
    }

    #[test]
    fn another_image_is_advised_only_before_there_is_a_cluster() {
        let root = Path::new("demo");
        let before = advice("n11", "boot_loader", root, Some("--libvirt-image"));
        assert!(before.contains("exasol destroy -d demo, then exasol init with another --libvirt-image"), "{before}");
        let installed = advice("n11", "boot_loader", root, None);
        assert!(!installed.contains("image") && installed.contains("exasol logs --node n11 -d demo"), "{installed}");
    }

    #[test]
    fn a_paused_machine_comes_with_the_command_that_lets_it_go_on() {
        let halted = Some("make room: it does not go on by itself".to_owned());
        let machine = Machine { halted, ..Machine::with_power("n11", Power::Paused) };
        let text = |phase| refuse_unpowered(&machine, Path::new("demo"), phase).unwrap_err().to_string();
        assert!(text(Phase::StartInProgress).ends_with("; resume it with: exasol start -d demo"));
        assert!(text(Phase::DeployInProgress).ends_with("exasol deploy -d demo"));
    }

    #[test]
    fn a_login_that_reaches_nothing_is_no_answer() {
        let refused = |refusal| Some(Progress::Refused(refusal));
        let address = Some([192, 0, 2, 7].into());
        let text = || "ssh said so".to_owned();
        assert!(!may_answer(address, refused(Refusal::Unreachable(text())).as_ref()));
        assert!(may_answer(address, refused(Refusal::NotLetIn(text())).as_ref()));
        assert!(may_answer(address, refused(Refusal::OtherIdentity(text())).as_ref()));
    }
}
