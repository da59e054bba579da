//! The nodes' serial consoles while they boot: recorded in the log folder, watched for what ends a
//! boot, their last lines kept for an error, and the address line that cloud-init prints picked out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::host::HostConnection;
use super::super::operation::Work;
use super::signs::{Boot, Kind, Sign, plain, without_time};
use super::tape::Tape;
use crate::error::Error;
use crate::events::{Event, EventSink};
use crate::model::NodePlan;
use crate::providers::ConsoleNews;

/// The provider's reader of a console line that tells a node's address.
type AddressParser = fn(&str) -> Option<(String, IpAddr)>;

/// Lines of a console that an error shows.
const TAIL: usize = 20;
/// A guest that writes without newlines must not fill our memory.
const LINE_LIMIT: usize = 4096;
/// A connection that was lost is made again after a moment.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);

/// A follower of all consoles; it ends when this is dropped.
pub(in crate::ops) struct Consoles {
    stop: Arc<AtomicBool>,
    nodes: Arc<Vec<(String, Mutex<Seen>)>>,
}

/// What a console has told so far.
#[derive(Default)]
struct Seen {
    tail: VecDeque<String>,
    line: Vec<u8>,
    address: Option<IpAddr>,
    boot: Boot,
    ended: Option<Instant>,
    printed: Option<Instant>,
    refused: Option<String>,
}

/// The same, at a moment.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub boot: Boot,
    /// Since when the sign that ended the boot is there.
    pub ended: Option<Duration>,
    /// Since the last byte; None: it has printed nothing in this operation.
    pub quiet: Option<Duration>,
    /// The last line worth showing.
    pub last: Option<String>,
    /// Why it cannot be read.
    pub refused: Option<String>,
}

impl Drop for Consoles {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Starts to follow, where the provider gives consoles. To be called before the machines are on: what a guest
/// prints while nobody reads is lost.
pub(in crate::ops) fn follow(work: &Work) -> Consoles {
    let nodes = work.cluster.nodes.iter().map(|node| (node.name.clone(), Mutex::default())).collect();
    let consoles = Consoles { stop: Arc::default(), nodes: Arc::new(nodes) };
    let Some(hosts) = work.cluster.hosts() else { return consoles };
    for (host, plans) in hosts.with_nodes(&work.cluster.nodes) {
        follow_on(work, &consoles, host, plans);
    }
    consoles
}

/// Those of the machines on one hypervisor.
fn follow_on(work: &Work, consoles: &Consoles, host: &HostConnection, plans: Vec<NodePlan>) {
    let (row, spec) = (host.row(), host.spec().clone());
    let (stop, all, sink) = (consoles.stop.clone(), consoles.nodes.clone(), work.sink.clone());
    let tape = |plan: &NodePlan| {
        let (log, file) = (work.log.clone(), log_file(&plan.name));
        Tape::new(move |bytes: &[u8]| log.append(&file, bytes))
    };
    let mut tapes: Vec<_> = plans.iter().map(tape).collect();
    // The runtime waits a moment for it at its end, as for every thread that calls the hypervisor's library.
    tokio::task::spawn_blocking(move || {
        let is_there = |name: &String| plans.iter().any(|plan| plan.name == *name);
        let seen: Vec<_> = all.iter().filter(|(name, _)| is_there(name)).collect();
        let mut lost = None;
        while !stop.load(Ordering::Relaxed) {
            let mut take = |news: ConsoleNews<'_>| {
                hear(news, &seen, &mut tapes, row.console_address, &sink);
                !stop.load(Ordering::Relaxed)
            };
            // On a connection of its own: the other one answers questions meanwhile, and may be given up.
            let followed = (row.open)(&spec).and_then(|host| host.follow_consoles(&plans, &mut take));
            let Err(error) = followed else { continue };
            // Without consoles there is only less to show when something goes wrong.
            let why = error.to_string();
            if lost.as_ref() != Some(&why) {
                seen.iter().for_each(|(_, seen)| lock(seen).refused = Some(why.clone()));
                tapes.iter_mut().for_each(|tape| tape.note(&format!("no console: {why}")));
                lost = Some(why);
            }
            std::thread::sleep(CONNECT_AGAIN);
        }
    });
}

/// In the folder of an operation.
pub(super) fn log_file(node: &str) -> String {
    format!("console-{node}.log")
}

fn hear<W: FnMut(&[u8])>(
    news: ConsoleNews<'_>,
    seen: &[&(String, Mutex<Seen>)],
    tapes: &mut [Tape<W>],
    address: AddressParser,
    sink: &EventSink,
) {
    let (ConsoleNews::Opened(index) | ConsoleNews::Refused(index, _) | ConsoleNews::Printed(index, _)) = news else {
        return;
    };
    let (Some((node, seen)), Some(tape)) = (seen.get(index), tapes.get_mut(index)) else { return };
    match news {
        ConsoleNews::Opened(_) => lock(seen).refused = None,
        ConsoleNews::Refused(_, why) => {
            tape.note(&format!("no console: {why}"));
            lock(seen).refused = Some(why.to_owned());
        }
        ConsoleNews::Printed(_, bytes) => {
            tape.record(bytes);
            let ends = lock(seen).take(bytes, address);
            // Told from here: nobody else may be looking, while Terraform makes the other machines.
            if let Some(Sign { kind, line }) = ends {
                sink.emit(Event::MachineDead { node: node.clone(), reason: kind.code(), line });
            }
        }
        ConsoleNews::Nothing => {}
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Consoles {
    fn of(&self, node: &str) -> Option<MutexGuard<'_, Seen>> {
        self.nodes.iter().find(|(name, _)| name == node).map(|(_, seen)| lock(seen))
    }

    /// The address that a node printed on its console.
    pub(super) fn address(&self, node: &str) -> Option<IpAddr> {
        self.of(node)?.address
    }

    /// Whether a node has printed anything: one that boots does.
    pub(super) fn speaks(&self, node: &str) -> bool {
        self.of(node).is_some_and(|seen| seen.printed.is_some())
    }

    pub(super) fn view(&self, node: &str) -> View {
        let Some(seen) = self.of(node) else { return View::default() };
        View {
            boot: seen.boot.clone(),
            ended: seen.ended.map(|at| at.elapsed()),
            quiet: seen.printed.map(|at| at.elapsed()),
            last: seen.last(),
            refused: seen.refused.clone(),
        }
    }

    /// After a reset another boot begins; what the last one told is over.
    pub(super) fn forget(&self, node: &str) {
        if let Some(mut seen) = self.of(node) {
            *seen = Seen { refused: seen.refused.take(), ..Seen::default() };
        }
    }

    /// The last lines of one console, or of all, as a hint has them.
    pub(super) fn tails(&self, node: Option<&str>) -> Vec<String> {
        let wanted = self.nodes.iter().filter(|(name, _)| node.is_none_or(|node| node == name));
        let tail = |(name, seen): &(String, Mutex<Seen>)| {
            let lines: Vec<_> = lock(seen).tail.iter().map(|line| format!("  {line}")).collect();
            (!lines.is_empty()).then(|| format!("the console of {name} ended with:\n{}", lines.join("\n")))
        };
        wanted.filter_map(tail).collect()
    }

    /// Of an error that follows from a machine's death: that.
    pub(in crate::ops) fn blame(&self, error: Error) -> Error {
        if matches!(error, Error::Interrupted { .. }) {
            return error;
        }
        let dead = self.nodes.iter().find_map(|(name, seen)| Some((name, lock(seen).boot.end.clone()?)));
        let Some((node, Sign { kind: Kind::Panic, line })) = dead else { return error };
        let then: Vec<_> = [format!("what failed then: {error}")].into_iter().chain(self.tails(Some(node))).collect();
        Error::MachineDead {
            node: node.clone(),
            reason: Kind::Panic.code(),
            why: format!("{node}'s kernel panicked: {line}"),
            resets: 0,
            hint: Some(then.join("\n")),
        }
    }

    /// An error with the consoles' last lines beside it.
    pub(super) fn explain(&self, error: Error) -> Error {
        match error {
            Error::Timeout { what, limit_s, last_seen, hint } => {
                let hint: Vec<_> = hint.into_iter().chain(self.tails(None)).collect();
                Error::Timeout { what, limit_s, last_seen, hint: (!hint.is_empty()).then(|| hint.join("\n")) }
            }
            other => other,
        }
    }
}

impl Seen {
    /// The sign that ends the boot, if it is in these bytes.
    fn take(&mut self, bytes: &[u8], parse_address: AddressParser) -> Option<Sign> {
        let mut ends = false;
        for byte in bytes {
            if *byte == b'\n' || self.line.len() >= LINE_LIMIT {
                ends |= self.end_line(parse_address);
            } else if *byte != b'\r' {
                self.line.push(*byte);
            }
        }
        ends |= self.boot.peek(&String::from_utf8_lossy(&self.line));
        if !bytes.is_empty() {
            self.printed = Some(Instant::now());
        }
        if self.boot.end.is_none() {
            self.ended = None;
        } else if ends {
            self.ended = self.printed;
        }
        self.boot.end.clone().filter(|_| ends)
    }

    fn end_line(&mut self, parse_address: AddressParser) -> bool {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if let Some((_, address)) = parse_address(&line) {
            self.address = Some(address);
        }
        let ends = self.boot.take(&line);
        let shown = plain(&line);
        if !shown.is_empty() {
            self.tail.push_back(shown);
            if self.tail.len() > TAIL {
                self.tail.pop_front();
            }
        }
        ends
    }

    /// A prompt has no end of line and says most.
    fn last(&self) -> Option<String> {
        let open = plain(&String::from_utf8_lossy(&self.line));
        let last = if open.is_empty() { self.tail.back().cloned()? } else { open };
        Some(without_time(&last).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<(String, IpAddr)> {
        let address = line.split_once("address ")?.1.parse().ok()?;
        Some(("n11".into(), address))
    }

    #[test]
    fn the_address_is_picked_out_of_boot_noise() {
        let mut seen = Seen::default();
        seen.take(b"[  OK  ] Started\r\n[   12.3] address 192.0.2.", parse);
        assert_eq!(seen.address, None);
        seen.take(b"5\r\nlogin: ", parse);
        assert_eq!(seen.address, Some("192.0.2.5".parse().unwrap()));
        assert_eq!(seen.tail.len(), 2);
        assert_eq!(seen.last().unwrap(), "login:");
    }

    #[test]
    fn endless_lines_and_odd_bytes_are_bounded() {
        let mut seen = Seen::default();
        seen.take(&vec![0xff; 3 * LINE_LIMIT], parse);
        assert!(seen.line.len() <= LINE_LIMIT);
    }

    #[test]
    fn what_ends_a_boot_is_told_once_however_it_is_cut() {
        let mut seen = Seen::default();
        let text =
            b"[ 1.7] Kernel panic - not syncing: Fatal\r\n[ 1.8] ---[ end Kernel panic - not syncing: Fatal ]---\r\n";
        let told: Vec<_> = text.chunks(7).filter_map(|bytes| seen.take(bytes, parse)).collect();
        assert_eq!(told, [Sign { kind: Kind::Panic, line: "Kernel panic - not syncing: Fatal".into() }]);
        assert!(seen.ended.is_some());
        seen.take(b"[    0.000000] Linux version 6.12\r\n", parse);
        assert_eq!((seen.ended, seen.boot.end), (None, None), "it has begun anew by itself");
    }

    #[test]
    fn a_prompt_without_an_end_is_seen() {
        let mut seen = Seen::default();
        assert_eq!(seen.take(b"\r\ngrub resc", parse), None);
        assert_eq!(seen.take(b"ue> ", parse).unwrap().kind, Kind::BootLoader);
        assert_eq!(seen.take(b" ", parse), None);
    }
}
