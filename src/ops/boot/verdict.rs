//! Pure: from what is seen of a machine that should boot, whether it is dead, and why.

use std::time::Duration;

use super::console::View;
use super::signs::Kind;

/// A panic prints for a moment; what comes after it belongs to the record.
const PANIC_SETTLES: Duration = Duration::from_secs(1);
/// One that prints on for longer than this is over all the same.
const PANIC_LASTS: Duration = Duration::from_secs(10);
/// A prompt may have a countdown, or be passed by.
const PROMPT_SETTLES: Duration = Duration::from_secs(5);
/// A kernel that goes on after a mistake prints on.
const OOPS_SILENCE: Duration = Duration::from_secs(20);
/// A kernel that unpacks its first system, emulated on a busy host, neither prints nor reads for half a minute.
const STUCK: Duration = Duration::from_secs(75);
/// The same where nobody counts what a guest does.
const STUCK_UNSEEN: Duration = Duration::from_secs(180);
/// One that an earlier operation has left dead needs no more proof than this.
const STILL_DEAD: Duration = Duration::from_secs(8);

/// What is known of a machine at a moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub console: View,
    /// Since it was reset, or looked at for the first time.
    pub age: Duration,
    /// Since it last used a disk or sent a packet; None where nobody counts that.
    pub idle: Option<Duration>,
    /// Its SSH server answers, or nobody has tried it since it has an address.
    pub answers: bool,
    /// It is cut off from its network: that it sends nothing tells nothing.
    pub unplugged: bool,
    /// The panic with which the console of an earlier operation ended.
    pub earlier: Option<String>,
}

/// Why a machine is dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Death {
    /// Stable, for programs.
    pub reason: &'static str,
    /// Goes on after the node's name: "'s kernel panicked: …".
    text: String,
    pub reset_may_help: bool,
}

impl Death {
    /// "n11's kernel panicked: Kernel panic - not syncing: Fatal exception"
    pub(super) fn why(&self, node: &str) -> String {
        format!("{node}{}", self.text)
    }
}

/// None: it lives, or nobody can tell yet.
pub(super) fn of(facts: &Facts) -> Option<Death> {
    let console = &facts.console;
    let quiet = console.quiet.unwrap_or(facts.age);
    if let (Some(end), Some(ended)) = (&console.boot.end, console.ended) {
        let over = match end.kind {
            Kind::Panic => quiet >= PANIC_SETTLES || ended >= PANIC_LASTS,
            _ => quiet >= PROMPT_SETTLES && !facts.answers,
        };
        return over.then(|| by_sign(end.kind, &end.line, console));
    }
    // Whoever shows a login prompt has booted: that nothing reaches it is another matter.
    if facts.answers || facts.unplugged || console.boot.booted {
        return None;
    }
    let idle_for = |time: Duration| facts.idle.is_some_and(|idle| idle >= time);
    if let Some(earlier) = facts.earlier.as_ref().filter(|_| console.quiet.is_none())
        && idle_for(STILL_DEAD)
    {
        let text = format!("'s kernel panicked earlier, and it has done nothing since: {earlier}");
        return Some(Death { reason: Kind::Panic.code(), text, reset_may_help: true });
    }
    if let Some(before) = console.boot.before.as_ref().filter(|before| before.kind == Kind::Oops)
        && quiet >= OOPS_SILENCE
        && facts.idle.is_none_or(|idle| idle >= OOPS_SILENCE)
    {
        let text = format!("'s kernel has stopped after a fault: {}", before.line);
        return Some(Death { reason: Kind::Oops.code(), text, reset_may_help: true });
    }
    let stuck = match facts.idle {
        Some(idle) => quiet.min(idle) >= STUCK,
        None => console.quiet.is_some() && quiet >= STUCK_UNSEEN,
    };
    stuck.then(|| by_silence(facts, quiet))
}

fn by_sign(kind: Kind, line: &str, console: &View) -> Death {
    let before = console.boot.before.as_ref().map(|sign| sign.line.as_str());
    let happened = match kind {
        Kind::Panic | Kind::Oops => "'s kernel panicked",
        Kind::NoBootDevice => "'s firmware has found nothing to boot from",
        Kind::BootLoader => "'s boot loader has found no system and waits for somebody",
        Kind::Initramfs => "'s initramfs has not found the root file system and waits for somebody",
        Kind::Emergency => " has stopped in emergency mode",
        Kind::FirmwareShell => "'s firmware has started its own shell instead of a system",
        Kind::CloudInit | Kind::Complaint => " has stopped",
    };
    let before = before.map(|before| format!(" (before it: {before})")).unwrap_or_default();
    let text = format!("{happened}: {line}{before}");
    Death { reason: kind.code(), text, reset_may_help: kind.reset_may_help() }
}

fn by_silence(facts: &Facts, quiet: Duration) -> Death {
    let doing = if facts.idle.is_some() { ", and it has neither used a disk nor sent a packet" } else { "" };
    let seconds = facts.idle.map_or(quiet, |idle| idle.min(quiet)).as_secs();
    let (reason, text) = match &facts.console.last {
        Some(last) => {
            let before = facts.console.boot.before.as_ref().map(|sign| format!("; before it: {}", sign.line));
            let before = before.unwrap_or_default();
            let text = format!(
                " has stopped in the middle of its boot: {seconds} s of silence after \"{last}\"{doing}{before}"
            );
            ("boot_stuck", text)
        }
        None => {
            let console = match &facts.console.refused {
                Some(why) => format!("its console cannot be read ({why})"),
                None => "nothing on its console".to_owned(),
            };
            ("no_sign_of_life", format!(" runs without a sign of life: {console} for {seconds} s{doing}"))
        }
    };
    Death { reason, text, reset_may_help: true }
}

#[cfg(test)]
mod tests {
    use super::super::signs::Boot;
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A console that printed `lines` and is silent for `quiet` seconds.
    fn after(lines: &str, quiet: u64) -> Facts {
        let mut boot = Boot::default();
        for line in lines.lines() {
            boot.take(line);
        }
        let last = lines.lines().last().map(str::to_owned);
        let ended = boot.end.is_some().then_some(s(quiet));
        let console = View { boot, ended, quiet: Some(s(quiet)), last, refused: None };
        Facts { console, age: s(600), idle: Some(s(quiet)), ..Facts::default() }
    }

    fn reason(facts: &Facts) -> Option<&'static str> {
        of(facts).map(|death| death.reason)
    }

    #[test]
    fn a_panic_ends_a_boot_even_of_a_node_that_answered() {
        let mut facts = after("Oops: int3: 0000 [#1] SMP\nKernel panic - not syncing: Fatal exception in interrupt", 0);
        facts.answers = true;
        assert_eq!(of(&facts), None, "its text is still being printed");
        facts.console.quiet = Some(s(1));
        let death = of(&facts).unwrap();
        assert_eq!(
            death.why("n11"),
            "n11's kernel panicked: Kernel panic - not syncing: Fatal exception in interrupt (before it: Oops: int3: 0000 \
             [#1] SMP)"
        );
        assert!(death.reset_may_help);
    }

    #[test]
    fn a_prompt_ends_a_boot_when_it_stays() {
        for (lines, expected) in [
            ("No bootable device.", "no_boot_device"),
            ("grub rescue>", "boot_loader"),
            ("(initramfs)", "initramfs"),
            ("You are in emergency mode.", "emergency_mode"),
            ("Shell>", "firmware_shell"),
        ] {
            assert_eq!(reason(&after(lines, 1)), None, "{lines}");
            let death = of(&after(lines, 6)).unwrap();
            assert_eq!((death.reason, death.reset_may_help), (expected, false));
        }
    }

    #[test]
    fn an_oops_counts_when_nothing_follows() {
        let oops = "BUG: unable to handle page fault for address: 0\nstarted";
        assert_eq!(reason(&after(oops, 10)), None);
        assert_eq!(reason(&after(oops, 21)), Some("kernel_oops"));
        let mut busy = after(oops, 21);
        busy.idle = Some(s(1));
        assert_eq!(reason(&busy), None);
        assert_eq!(
            reason(&after("BUG: unable to handle page fault for address: 0\nn11 login:", 500)),
            None,
            "it has booted"
        );
    }

    #[test]
    fn silence_counts_only_where_nothing_else_moves() {
        let line = "[ 3.0] Run /init as init process";
        assert_eq!(reason(&after(line, 30)), None);
        assert_eq!(reason(&after(line, 80)), Some("boot_stuck"));
        let busy = Facts { idle: Some(s(2)), ..after(line, 80) };
        assert_eq!(reason(&busy), None);
        assert_eq!(reason(&Facts { answers: true, ..after(line, 80) }), None);
        assert_eq!(reason(&Facts { idle: None, ..after(line, 80) }), None);
        assert_eq!(reason(&Facts { idle: None, ..after(line, 200) }), Some("boot_stuck"));
        assert_eq!(reason(&after("n11 login:", 500)), None, "it has booted");
    }

    #[test]
    fn one_that_never_spoke_is_judged_by_what_it_does() {
        let silent = Facts { age: s(100), idle: Some(s(100)), ..Facts::default() };
        let death = of(&silent).unwrap();
        assert_eq!(death.reason, "no_sign_of_life");
        assert!(death.why("n11").starts_with("n11 runs without a sign of life: nothing on its console for 100 s"));
        assert_eq!(of(&Facts { idle: Some(s(3)), ..silent.clone() }), None);
        assert_eq!(of(&Facts { idle: None, ..silent }), None, "an image without a serial console, for one");
    }

    #[test]
    fn one_that_is_cut_off_from_its_network_is_not_dead_by_its_silence() {
        let line = "[ 3.0] Run /init as init process";
        let silent = Facts { age: s(100), idle: Some(s(100)), unplugged: true, ..Facts::default() };
        assert_eq!(of(&silent), None);
        assert_eq!(of(&Facts { earlier: Some("Kernel panic".into()), ..silent }), None);
        assert_eq!(of(&Facts { unplugged: true, ..after(line, 200) }), None);
        assert_eq!(
            reason(&Facts { unplugged: true, ..after("Kernel panic - not syncing: x", 2) }),
            Some("kernel_panic")
        );
    }

    #[test]
    fn one_that_was_left_dead_is_known_by_its_record() {
        let earlier = Some("Kernel panic - not syncing: sysrq triggered crash".to_owned());
        let facts = Facts { age: s(9), idle: Some(s(9)), earlier, ..Facts::default() };
        assert!(of(&facts).unwrap().why("n11").contains("panicked earlier"));
        assert_eq!(of(&Facts { idle: Some(s(1)), ..facts.clone() }), None, "it lives again");
        assert_eq!(of(&Facts { answers: true, ..facts.clone() }), None);
        let console = View { quiet: Some(s(0)), ..View::default() };
        assert_eq!(of(&Facts { console, ..facts }), None, "somebody has started it");
    }
}
