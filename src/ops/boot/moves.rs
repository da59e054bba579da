//! Pure: nodes whose addresses change while their shells are waited for. One or two changes are usual: a lease of a
//! machine's former life ends, and another begins. Every change begins a new round of waiting with new limits, so an
//! address that changes again and again would be waited for without an end.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// As many changes belong to a boot.
const USUAL: usize = 3;
/// More of them are given up so long after the first one.
const LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub node: String,
    pub before: IpAddr,
    pub now: IpAddr,
}

#[derive(Default)]
pub(super) struct Moves {
    first: Option<Instant>,
    all: Vec<Move>,
}

impl Moves {
    /// `leases`: the command that shows them.
    ///
    /// # Errors
    /// [`Error::Timeout`] if a node has had too many addresses for too long.
    pub(super) fn add(&mut self, moved: Move, at: Instant, leases: Option<&str>) -> Result<()> {
        let first = *self.first.get_or_insert(at);
        let node = moved.node.clone();
        self.all.push(moved);
        let of_node: Vec<&Move> = self.all.iter().filter(|moved| moved.node == node).collect();
        let waited = at.duration_since(first);
        if of_node.len() <= USUAL || waited < LIMIT {
            return Ok(());
        }
        Err(given_up(&node, &of_node, waited, leases))
    }
}

fn given_up(node: &str, moves: &[&Move], waited: Duration, leases: Option<&str>) -> Error {
    let mut addresses: Vec<String> = Vec::new();
    for address in moves.iter().flat_map(|moved| [moved.before, moved.now]) {
        let address = address.to_string();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let look = leases.map(|command| format!("; see who has which lease: {command}")).unwrap_or_default();
    Error::Timeout {
        what: format!("waiting for {node} to keep one address"),
        limit_s: waited.as_secs(),
        last_seen: Some(format!("its address changed {} times: {}", moves.len(), addresses.join(", "))),
        hint: Some(format!(
            "look whether two DHCP servers answer on the network, or another machine has the same MAC address{look}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flap(number: u8) -> Move {
        let (before, now) = ([192, 0, 2, 7 + number % 2], [192, 0, 2, 7 + (number + 1) % 2]);
        Move { node: "n11".into(), before: before.into(), now: now.into() }
    }

    #[test]
    fn an_address_that_changes_again_and_again_is_given_up_and_told() {
        let (mut moves, begun) = (Moves::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        for number in 0..5 {
            moves.add(flap(number), at(u64::from(number) * 60), None).unwrap();
        }
        let error = moves.add(flap(5), at(300), Some("virsh net-dhcp-leases x")).unwrap_err();
        let hint = error.hint().unwrap();
        assert!(hint.contains("two DHCP servers") && hint.ends_with("virsh net-dhcp-leases x"), "{hint}");
        let Error::Timeout { what, limit_s, last_seen, .. } = error else { panic!("{error}") };
        assert_eq!((what.as_str(), limit_s), ("waiting for n11 to keep one address", 300));
        assert_eq!(last_seen.as_deref(), Some("its address changed 6 times: 192.0.2.7, 192.0.2.8"));
    }

    #[test]
    fn the_changes_of_a_slow_boot_are_borne() {
        let (mut moves, begun) = (Moves::default(), Instant::now());
        for number in 0..3 {
            moves.add(flap(number), begun + Duration::from_secs(600) * u32::from(number), None).unwrap();
        }
        let of_another = Move { node: "n12".into(), ..flap(3) };
        moves.add(of_another, begun + Duration::from_secs(3000), None).unwrap();
    }
}
