//! The nodes' serial consoles while they boot: recorded in the log folder, their last lines kept
//! for an error, and the address line that cloud-init prints picked out.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::cluster::Cluster;
use super::super::operation::Work;
use crate::error::Error;

/// The provider's reader of a console line that tells a node's address.
type AddressParser = fn(&str) -> Option<(String, IpAddr)>;

/// Lines of a console that an error shows.
const TAIL: usize = 20;
/// A guest that writes without newlines must not fill our memory.
const LINE_LIMIT: usize = 4096;

/// Followers of all consoles; they end when this is dropped.
pub(super) struct Consoles {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
}

#[derive(Default)]
struct Seen {
    tail: VecDeque<String>,
    line: Vec<u8>,
    address: Option<IpAddr>,
}

impl Drop for Consoles {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Starts one follower a node, where the provider gives consoles.
pub(super) fn follow(work: &Work, cluster: &Cluster) -> Consoles {
    let consoles = Consoles { stop: Arc::default(), seen: Arc::default() };
    let Some(hypervisor) = cluster.provider.hypervisor.as_ref() else { return consoles };
    for node in cluster.nodes.clone() {
        let (spec, log) = (work.dir.state().spec.clone(), work.log.clone());
        let (stop, seen) = (consoles.stop.clone(), consoles.seen.clone());
        // The runtime waits a moment for it at its end, as for every thread that calls the hypervisor's library.
        tokio::task::spawn_blocking(move || {
            let file = format!("console-{}.log", node.name);
            let mut take = |bytes: &[u8]| {
                log.append(&file, bytes);
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.entry(node.name.clone()).or_default().take(bytes, hypervisor.console_address);
                !stop.load(Ordering::Relaxed)
            };
            // Without a console there is only less to show when something goes wrong.
            if let Err(error) = (hypervisor.follow_console)(&spec, &node, &mut take) {
                log.append(&file, format!("[no console: {error}]\n").as_bytes());
            }
        });
    }
    consoles
}

impl Consoles {
    /// The address that a node printed on its console.
    pub(super) fn address(&self, node: &str) -> Option<IpAddr> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(node)?.address
    }

    /// Whether a node has printed anything: one that boots does.
    pub(super) fn speaks(&self, node: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(node).is_some_and(|seen| !seen.tail.is_empty())
    }

    /// An error with the consoles' last lines beside it.
    pub(super) fn explain(&self, error: Error) -> Error {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let tails: Vec<String> = seen
            .iter()
            .filter(|(_, s)| !s.tail.is_empty())
            .map(|(node, s)| {
                let lines: Vec<_> = s.tail.iter().map(|l| format!("  {l}")).collect();
                format!("the console of {node} ended with:\n{}", lines.join("\n"))
            })
            .collect();
        match error {
            Error::Timeout { what, limit_s, last_seen, hint } if !tails.is_empty() => {
                let hint = hint.into_iter().chain(tails).collect::<Vec<_>>().join("\n");
                Error::Timeout { what, limit_s, last_seen, hint: Some(hint) }
            }
            other => other,
        }
    }
}

impl Seen {
    fn take(&mut self, bytes: &[u8], parse_address: AddressParser) {
        for byte in bytes {
            if *byte == b'\n' || self.line.len() >= LINE_LIMIT {
                self.end_line(parse_address);
            } else if *byte != b'\r' {
                self.line.push(*byte);
            }
        }
    }

    fn end_line(&mut self, parse_address: AddressParser) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if let Some((_, address)) = parse_address(&line) {
            self.address = Some(address);
        }
        if !line.trim().is_empty() {
            self.tail.push_back(line);
            if self.tail.len() > TAIL {
                self.tail.pop_front();
            }
        }
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
    }

    #[test]
    fn endless_lines_and_odd_bytes_are_bounded() {
        let mut seen = Seen::default();
        seen.take(&vec![0xff; 3 * LINE_LIMIT], parse);
        assert!(seen.line.len() <= LINE_LIMIT);
    }
}
