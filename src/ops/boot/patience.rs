//! Pure: how long a machine that lives is waited for, by what is seen of it, and what is said then.

use std::net::IpAddr;
use std::time::Duration;

use super::console::View;
use crate::error::Error;
use crate::model::Machine;
use crate::tools::ssh_ready::Progress;

/// A guest asks for an address before it shows its login prompt, and again for a while.
const AFTER_LOGIN_PROMPT: Duration = Duration::from_secs(90);
/// A machine of which nothing is ever seen: without a serial console it has an address by then.
const UNSEEN: Duration = Duration::from_secs(300);
/// A console that goes on printing is waited for, also on a slow host; but not for ever.
const WHILE_IT_MOVES: Duration = Duration::from_secs(1800);
const MOVES: Duration = Duration::from_secs(90);
/// One that is silent, and alive.
const SILENT: Duration = Duration::from_secs(420);
/// What cloud-init does on a first boot can be long and silent.
const CLOUD_INIT: Duration = Duration::from_secs(900);
/// For an SSH server that does not answer although the system is up: a firewall, a route. Counted since it was tried.
const UNANSWERED: Duration = Duration::from_secs(180);

pub(super) struct Seen {
    /// Since it was switched on, reset, or looked at first.
    pub waited: Duration,
    pub console: View,
    pub idle: Option<Duration>,
    pub address: Option<IpAddr>,
    /// None while nobody tries: another node has no address yet.
    pub session: Option<Progress>,
    /// Since the session's progress changed.
    pub session_moved: Option<Duration>,
}

pub(super) fn is_over(seen: &Seen) -> bool {
    let quiet = seen.console.quiet.unwrap_or(seen.waited);
    let moves = seen.console.quiet.is_some() && quiet < MOVES;
    let tried = seen.session_moved.unwrap_or(seen.waited).min(quiet);
    let limit = match &seen.session {
        None if seen.address.is_some() => return false,
        _ if moves => WHILE_IT_MOVES,
        Some(Progress::Booting) => return tried >= CLOUD_INIT,
        Some(Progress::Silent(_)) if seen.console.boot.booted => return tried >= UNANSWERED,
        Some(_) => return tried >= SILENT,
        None if seen.console.boot.booted => return quiet >= AFTER_LOGIN_PROMPT,
        None if seen.console.quiet.is_none() => UNSEEN,
        None => return quiet >= SILENT,
    };
    seen.waited >= limit
}

/// What it was waited for, for how long, and what was seen last. `leases`: the command that shows them.
pub(super) fn gave_up(node: &str, seen: &Seen, machine: Option<&Machine>, leases: Option<&str>) -> Error {
    let console = match (&seen.console.last, &seen.console.refused) {
        (Some(last), _) if seen.console.boot.booted => format!("its console shows a login prompt (\"{last}\")"),
        (Some(last), _) => format!("its console showed last: \"{last}\""),
        (None, Some(why)) => format!("its console cannot be read ({why})"),
        (None, None) => "its console showed nothing".to_owned(),
    };
    let complaint = seen.console.boot.before.as_ref().map(|sign| format!("; before that: {}", sign.line));
    let complaint = complaint.unwrap_or_default();
    let alive = seen.idle.map(|idle| format!("; it last used a disk or sent a packet {} s ago", idle.as_secs()));
    let alive = alive.unwrap_or_default();
    let unplugged = machine.and_then(|machine| machine.unplugged.clone()).map(|why| format!("; {why}"));
    let unplugged = unplugged.unwrap_or_default();
    let (what, state, hint) = match (seen.address, &seen.session) {
        (None, _) => (
            format!("waiting for the address of {node}"),
            "running, without a DHCP lease".to_owned(),
            format!(
                "check whether the network's DHCP works{}, and whether a firewall between the guest and the DHCP \
                server drops packets",
                leases.map(|command| format!(": {command}")).unwrap_or_default()
            ),
        ),
        (Some(address), progress) => (
            format!("waiting for SSH on {node}"),
            progress.as_ref().map_or_else(|| format!("at {address}"), Progress::text),
            match progress {
                Some(Progress::Booting) => {
                    "cloud-init has not finished: log in with exasol ssh, and run cloud-init status --long"
                }
                _ => "check the network between this machine and the node, and --allowed-cidr",
            }
            .to_owned(),
        ),
    };
    Error::Timeout {
        what,
        limit_s: seen.waited.as_secs(),
        last_seen: Some(format!("{state}; {console}{complaint}{alive}{unplugged}")),
        hint: Some(hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(waited: u64, quiet: Option<u64>) -> Seen {
        let console = View { quiet: quiet.map(s), last: quiet.map(|_| "Starting".into()), ..View::default() };
        Seen { waited: s(waited), console, idle: None, address: None, session: None, session_moved: None }
    }

    #[test]
    fn a_console_that_moves_is_waited_for_and_a_silent_one_less() {
        assert!(!is_over(&seen(1000, Some(10))), "slow, and on its way");
        assert!(is_over(&seen(1900, Some(10))), "not for ever");
        assert!(is_over(&seen(500, Some(430))));
        assert!(!is_over(&seen(200, None)));
        assert!(is_over(&seen(310, None)));
        let mut booted = seen(150, Some(95));
        booted.console.boot.booted = true;
        assert!(is_over(&booted), "who shows a login prompt has asked for its address");
    }

    #[test]
    fn a_node_is_given_up_only_after_somebody_has_tried_it() {
        let address = Some([192, 0, 2, 7].into());
        let mut node = Seen { address, ..seen(310, None) };
        assert!(!is_over(&node), "another has no address yet");
        node.console.boot.booted = true;
        (node.waited, node.console.quiet) = (s(2000), Some(s(1900)));
        assert!(!is_over(&node));
        node.session = Some(Progress::Silent("no answer".into()));
        for (tried, over) in [(1, false), (100, false), (190, true)] {
            node.session_moved = Some(s(tried));
            assert_eq!(is_over(&node), over, "{tried}");
        }
    }

    #[test]
    fn the_limit_that_is_told_is_the_time_that_passed() {
        let Error::Timeout { limit_s, last_seen, what, hint } = gave_up("n11", &seen(310, None), None, Some("virsh x"))
        else {
            panic!()
        };
        assert!(hint.unwrap().starts_with("check whether the network's DHCP works: virsh x, and "));
        assert_eq!((limit_s, what.as_str()), (310, "waiting for the address of n11"));
        assert_eq!(last_seen.unwrap(), "running, without a DHCP lease; its console showed nothing");
    }

    #[test]
    fn cloud_init_may_take_its_time() {
        let mut busy = Seen { session: Some(Progress::Booting), session_moved: Some(s(600)), ..seen(700, Some(650)) };
        assert!(!is_over(&busy));
        (busy.session_moved, busy.console.quiet) = (Some(s(950)), Some(s(950)));
        assert!(is_over(&busy));
    }
}
