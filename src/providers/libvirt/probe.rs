//! Does KVM really run guests here? Decided by doing.
//!
//! A diskless domain whose firmware is told to reboot at once (`rebootTimeout='0'`), and which ends
//! when it reboots, ends by itself as soon as guest code has run. Measured: about 0.7 s under
//! emulation. Where QEMU may not open /dev/kvm its start fails. On a host whose KVM cannot run
//! ordinary guests (nested without support) it takes longer than emulation, and a Linux guest then
//! shows "running" for ever. So KVM is used only if its probe ends, and not later than emulation's.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, Ended};
use super::options::DomainType;

/// What KVM was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kvm {
    /// Guest code ran within that time.
    Works(Duration),
    /// QEMU could not start a guest with it; libvirt's words.
    Unavailable(String),
    /// A guest starts, but its code runs later than under emulation, or not at all.
    Broken,
}

/// A busy machine's emulation was seen to need 5 s.
const LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// Starts a probe under KVM and, once that runs, one under emulation, and compares. Both are gone
/// when this returns: transient, removed here, and ended by libvirt if this process dies first.
pub(super) fn kvm(client: &Client) -> Kvm {
    let enough = AtomicBool::new(false);
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        let kvm = Probe { client, domain_type: DomainType::Kvm, sender: sender.clone(), enough: &enough };
        let emulation = Probe { client, domain_type: DomainType::Qemu, sender, enough: &enough };
        scope.spawn(move || kvm.run());
        let verdict = watch(&receiver, Instant::now() + LIMIT, || {
            scope.spawn(move || emulation.run());
        });
        enough.store(true, Ordering::Relaxed);
        verdict
    })
}

struct Probe<'a> {
    client: &'a Client,
    domain_type: DomainType,
    sender: Sender<News>,
    enough: &'a AtomicBool,
}

#[derive(Debug)]
struct News {
    of: DomainType,
    at: Instant,
    what: What,
}

#[derive(Debug)]
enum What {
    Started,
    Refused(String),
    Ended,
}

impl Probe<'_> {
    fn run(self) {
        let name = name(self.domain_type);
        if let Err(fault) = self.client.start_transient(&xml(&name, self.domain_type)) {
            return self.tell(What::Refused(fault.message));
        }
        self.tell(What::Started);
        while !self.enough.load(Ordering::Relaxed) {
            match self.client.has_ended(&name) {
                Ok(Ended::NotYet) => thread::sleep(PAUSE),
                Ok(Ended::Gone) => return self.tell(What::Ended),
                Err(fault) => {
                    self.tell(What::Refused(fault.message));
                    break;
                }
            }
        }
        // Else libvirt ends it together with the connection.
        let _ = self.client.remove_domain(&name);
    }

    fn tell(&self, what: What) {
        // Nobody listens any more when the verdict is out.
        let _ = self.sender.send(News { of: self.domain_type, at: Instant::now(), what });
    }
}

fn watch(news: &Receiver<News>, deadline: Instant, start_emulation: impl FnOnce()) -> Kvm {
    let mut race = Race::default();
    let mut start_emulation = Some(start_emulation);
    loop {
        let now = Instant::now();
        if let Some(verdict) = race.verdict(now) {
            return verdict;
        }
        if now >= deadline {
            return Kvm::Broken;
        }
        let Ok(one) = news.recv_timeout(PAUSE) else { continue };
        // Emulation's probe costs half a second: not before KVM has something to be compared with.
        if matches!((one.of, &one.what), (DomainType::Kvm, What::Started))
            && let Some(start) = start_emulation.take()
        {
            start();
        }
        race.note(one);
    }
}

/// Both runs, each timed from its own start.
#[derive(Debug, Default)]
struct Race {
    kvm: Run,
    emulation: Run,
}

#[derive(Debug, Default)]
enum Run {
    #[default]
    Waiting,
    Since(Instant),
    Took(Duration),
    Refused(String),
}

impl Race {
    fn note(&mut self, news: News) {
        let run = match news.of {
            DomainType::Kvm => &mut self.kvm,
            DomainType::Qemu => &mut self.emulation,
        };
        *run = match (news.what, &*run) {
            (What::Started, _) => Run::Since(news.at),
            (What::Ended, Run::Since(start)) => Run::Took(news.at.duration_since(*start)),
            (What::Ended, _) => Run::Took(Duration::ZERO),
            (What::Refused(cause), _) => Run::Refused(cause),
        };
    }

    /// As soon as it can't change any more.
    fn verdict(&self, now: Instant) -> Option<Kvm> {
        match (&self.kvm, &self.emulation) {
            (Run::Refused(cause), _) => Some(Kvm::Unavailable(cause.clone())),
            (Run::Took(kvm), Run::Took(emulation)) if kvm > emulation => Some(Kvm::Broken),
            (Run::Took(kvm), Run::Took(_) | Run::Refused(_)) => Some(Kvm::Works(*kvm)),
            (Run::Took(kvm), Run::Since(start)) if now.duration_since(*start) >= *kvm => Some(Kvm::Works(*kvm)),
            (Run::Since(start), Run::Took(emulation)) if now.duration_since(*start) > *emulation => Some(Kvm::Broken),
            _ => None,
        }
    }
}

/// A domain's name that nobody else has: process ids repeat, between containers at the same time.
fn name(domain_type: DomainType) -> String {
    format!("exasol-probe-{}-{:016x}", domain_type.as_str(), RandomState::new().build_hasher().finish())
}

fn xml(name: &str, domain_type: DomainType) -> String {
    format!(
        "<domain type='{}'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64'>hvm</type><bios rebootTimeout='0'/></os><cpu mode='{}'/>\
         <on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>\
         <devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>",
        domain_type.as_str(),
        domain_type.cpu_mode()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Runs given in milliseconds from the start of each; `None`: not ended yet after 3 s.
    fn verdict(kvm: Option<u32>, emulation: Option<u32>) -> Option<Kvm> {
        let start = Instant::now();
        let run = |took: Option<u32>| took.map_or(Run::Since(start), |ms| Run::Took(ms * MS));
        Race { kvm: run(kvm), emulation: run(emulation) }.verdict(start + 3000 * MS)
    }

    #[test]
    fn probes_of_one_process_id_do_not_meet() {
        let [one, other] = [name(DomainType::Kvm), name(DomainType::Kvm)];
        assert!(one.starts_with("exasol-probe-kvm-") && one != other, "{one} {other}");
    }

    #[test]
    fn kvm_works_if_it_ends_and_not_later_than_emulation() {
        assert_eq!(verdict(Some(200), Some(700)), Some(Kvm::Works(200 * MS)));
        assert_eq!(verdict(Some(200), None), Some(Kvm::Works(200 * MS)));
        assert_eq!(verdict(Some(2300), Some(700)), Some(Kvm::Broken));
        assert_eq!(verdict(None, Some(700)), Some(Kvm::Broken));
        assert_eq!(verdict(None, None), None);
    }

    #[test]
    fn a_verdict_waits_for_what_could_change_it() {
        let start = Instant::now();
        let race = Race { kvm: Run::Took(200 * MS), emulation: Run::Since(start) };
        assert_eq!(race.verdict(start + 100 * MS), None);
        let race = Race { kvm: Run::Since(start), emulation: Run::Took(700 * MS) };
        assert_eq!(race.verdict(start + 500 * MS), None);
    }

    #[test]
    fn refusals_decide() {
        let refused = || Run::Refused("Permission denied".into());
        let now = Instant::now();
        let race = Race { kvm: refused(), emulation: Run::Waiting };
        assert_eq!(race.verdict(now), Some(Kvm::Unavailable("Permission denied".into())));
        let race = Race { kvm: Run::Took(MS), emulation: refused() };
        assert_eq!(race.verdict(now), Some(Kvm::Works(MS)));
    }
}
