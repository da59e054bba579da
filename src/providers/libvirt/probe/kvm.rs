//! Does KVM really run guests here? Decided by doing.
//!
//! A diskless domain ends by itself as soon as guest code has run. Measured: about 0.7 s under
//! emulation. Where QEMU may not open /dev/kvm its start fails. On a host whose KVM cannot run
//! ordinary guests (nested without support) it takes much longer than emulation, and a Linux guest then
//! shows "running" for ever. A firmware is nearly all exits from the guest, so that on a nested host
//! where Linux runs well its probe may still be somewhat slower than emulation: hence a margin.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::super::client::{Client, Ended};
use super::super::options::DomainType;
use super::{PAUSE, name, xml};

/// What KVM was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Kvm {
    /// Guest code ran within that time.
    Works(Duration),
    /// QEMU could not start a guest with it; libvirt's words.
    Unavailable(String),
    /// A guest starts, but its code runs much later than under emulation, or not at all.
    Broken,
}

/// A busy machine's emulation was seen to need 5 s.
const LIMIT: Duration = Duration::from_secs(20);
/// KVM may take so many times as long as emulation. One that cannot run ordinary guests took 2.3 s beside 0.7 s.
const MARGIN: u32 = 3;

/// Starts a probe under KVM and, once that runs, one under emulation, and compares. Both are gone
/// when this returns: transient, removed here, and ended by libvirt if this process dies first.
pub(in super::super) fn kvm(client: &Client) -> Kvm {
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

/// As [`kvm`], for somebody who wants KVM and nothing else: however slow it is, it works if its probe ends.
pub(in super::super) fn kvm_alone(client: &Client) -> Kvm {
    let enough = AtomicBool::new(false);
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        let kvm = Probe { client, domain_type: DomainType::Kvm, sender, enough: &enough };
        scope.spawn(move || kvm.run());
        let verdict = alone(&receiver, Instant::now() + LIMIT);
        enough.store(true, Ordering::Relaxed);
        verdict
    })
}

fn alone(news: &Receiver<News>, deadline: Instant) -> Kvm {
    let mut race = Race::default();
    loop {
        match &race.kvm {
            Run::Took(took) => return Kvm::Works(*took),
            Run::Refused(cause) => return Kvm::Unavailable(cause.clone()),
            _ if Instant::now() >= deadline => return Kvm::Broken,
            _ => {}
        }
        if let Ok(one) = news.recv_timeout(PAUSE) {
            race.note(one);
        }
    }
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
        let name = name();
        if let Err(fault) = self.client.start_transient(&xml(&name, self.domain_type, "x86_64", "")) {
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
            (Run::Took(kvm), Run::Took(emulation)) if *kvm > *emulation * MARGIN => Some(Kvm::Broken),
            (Run::Took(kvm), Run::Took(_) | Run::Refused(_)) => Some(Kvm::Works(*kvm)),
            (Run::Took(kvm), Run::Since(start)) if now.duration_since(*start) * MARGIN >= *kvm => {
                Some(Kvm::Works(*kvm))
            }
            (Run::Since(start), Run::Took(emulation)) if now.duration_since(*start) > *emulation * MARGIN => {
                Some(Kvm::Broken)
            }
            _ => None,
        }
    }
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
    fn kvm_works_if_it_ends_and_not_much_later_than_emulation() {
        assert_eq!(verdict(Some(200), Some(700)), Some(Kvm::Works(200 * MS)));
        assert_eq!(verdict(Some(200), None), Some(Kvm::Works(200 * MS)));
        // A nested host on which Linux guests run well.
        assert_eq!(verdict(Some(1500), Some(700)), Some(Kvm::Works(1500 * MS)));
        assert_eq!(verdict(Some(2300), Some(700)), Some(Kvm::Broken));
        assert_eq!(verdict(None, Some(700)), Some(Kvm::Broken));
        assert_eq!(verdict(None, None), None);
    }

    #[test]
    fn a_verdict_waits_for_what_could_change_it() {
        let start = Instant::now();
        let race = Race { kvm: Run::Took(600 * MS), emulation: Run::Since(start) };
        assert_eq!(race.verdict(start + 100 * MS), None);
        let race = Race { kvm: Run::Since(start), emulation: Run::Took(700 * MS) };
        assert_eq!(race.verdict(start + 2000 * MS), None);
    }

    #[test]
    fn who_insists_on_kvm_gets_it_unless_it_is_refused_or_never_ends() {
        let told = |what: Vec<What>, deadline| {
            let (sender, receiver) = channel();
            let start = Instant::now();
            for (at, what) in what.into_iter().enumerate() {
                let at = start + 15_000 * MS * u32::try_from(at).unwrap();
                sender.send(News { of: DomainType::Kvm, at, what }).unwrap();
            }
            alone(&receiver, deadline)
        };
        let late = || Instant::now() + LIMIT;
        assert_eq!(told(vec![What::Started, What::Ended], late()), Kvm::Works(15_000 * MS));
        assert_eq!(told(vec![What::Refused("no".into())], late()), Kvm::Unavailable("no".into()));
        assert_eq!(told(vec![What::Started], Instant::now() + 100 * MS), Kvm::Broken);
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
