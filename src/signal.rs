//! Signals such as Ctrl-C: how urgently this process was told to end, and waits that a signal ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What people and systems end a program with: SIGINT, SIGTERM, SIGHUP.
const ENDING: [SignalKind; 3] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

/// Two SIGINTs closer together than this are one press: the terminal sends one to the whole foreground group, and a
/// wrapper (`npm`, `timeout`) passes its own on. The repetitions of a key that is held down are closer together, too; only
/// the first of them comes later, after the keyboard's delay.
const ONE_PRESS: Duration = Duration::from_millis(150);
/// Different signals closer together than this have one cause. A terminal that closes sends SIGHUP twice (bash, then
/// the kernel, 0.2 ms apart); a session that systemd ends gets SIGTERM and SIGHUP.
const ONE_CAUSE: Duration = Duration::from_secs(1);
/// A SIGTERM this long after any other signal was sent by somebody who has waited and found that we still run.
const LOST_PATIENCE: Duration = Duration::from_secs(10);

/// Whether whoever started us wants us to survive that signal: `nohup` ignores SIGHUP, a shell's `&`
/// in a script SIGINT. A handler would take that back.
pub fn is_ignored(kind: SignalKind) -> bool {
    // SAFETY: `sigaction` is a C struct of integers, pointers and a set of bits, for which all bits
    // zero is a value; without a new action the call only writes what is set now.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(kind.as_raw_value(), std::ptr::null(), &mut now) == 0 && now.sa_sigaction == libc::SIG_IGN
    }
}

/// What has been pressed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressed {
    /// How urgent it is. 0: nothing came. 1: end in order. 2: end at once. 3: kill.
    pub level: u32,
    /// How many signals came, whether or not they made it more urgent. Two SIGINTs of one press count once.
    pub count: u32,
    /// The first signal's number (2, 15, 1); it decides the exit code 128 + n.
    pub signal: i32,
    /// The last one's.
    pub last: i32,
    /// When the last one came.
    at: Option<Instant>,
}

/// What has been pressed after `signal` came at that time.
///
/// The first signal is level 1. Only a decision makes it more urgent, because Terraform loses what it is creating at
/// the second level: Ctrl-C again ([`ONE_PRESS`] after the last SIGINT, [`ONE_CAUSE`] after any other signal), or
/// SIGTERM [`LOST_PATIENCE`] after the last signal of any kind. SIGHUP never does. Times are always measured from the
/// last signal, so that one that is repeated automatically, every few seconds, stays at level 1.
fn press(pressed: Pressed, signal: i32, at: Instant) -> Pressed {
    let Some(before) = pressed.at else {
        return Pressed { level: 1, count: 1, signal, last: signal, at: Some(at) };
    };
    let apart = at.saturating_duration_since(before);
    let same_press = signal == libc::SIGINT && pressed.last == signal && apart < ONE_PRESS;
    let more_urgent = match signal {
        libc::SIGINT if pressed.last == libc::SIGINT => !same_press,
        libc::SIGINT => apart >= ONE_CAUSE,
        libc::SIGTERM => apart >= LOST_PATIENCE,
        _ => false,
    };
    Pressed {
        level: pressed.level.saturating_add(more_urgent.into()),
        count: pressed.count.saturating_add((!same_press).into()),
        signal: pressed.signal,
        last: signal,
        at: Some(at),
    }
}

/// A signal came before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted {
    /// Its number.
    pub signal: i32,
}

/// A view on the signals that this process has received. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Interrupt {
    receiver: watch::Receiver<Pressed>,
    // Keeps `changed()` pending for ever, instead of failing, when nobody listens for signals.
    _keys: Arc<Keys>,
}

/// Where signals are reported.
#[derive(Debug)]
pub struct Keys(watch::Sender<Pressed>);

impl Keys {
    fn came(&self, signal: i32) {
        let now = Instant::now();
        self.0.send_modify(|pressed| *pressed = press(*pressed, signal, now));
    }

    /// Sends `signal` after a wait that is long enough for it to count.
    #[cfg(test)]
    pub fn press(&self, signal: i32) {
        self.0.send_modify(|pressed| {
            let patient = pressed.at.map_or_else(Instant::now, |before| before + LOST_PATIENCE);
            *pressed = press(*pressed, signal, patient);
        });
    }
}

impl Interrupt {
    /// Listens for [`ENDING`] signals from now on. Needs a running tokio runtime.
    pub fn listen() -> std::io::Result<Self> {
        let (interrupt, keys) = Self::manual();
        for kind in ENDING.into_iter().filter(|kind| !is_ignored(*kind)) {
            let mut stream = signal(kind)?;
            let keys = keys.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    keys.came(kind.as_raw_value());
                }
            });
        }
        Ok(interrupt)
    }

    /// One that never fires by itself: for tests and for commands that just end.
    pub fn never() -> Self {
        Self::manual().0
    }

    /// One that fires when something is reported to its keys.
    pub fn manual() -> (Self, Arc<Keys>) {
        let (sender, receiver) = watch::channel(Pressed::default());
        let keys = Arc::new(Keys(sender));
        (Self { receiver, _keys: keys.clone() }, keys)
    }

    pub fn pressed(&self) -> Pressed {
        *self.receiver.borrow()
    }

    /// The signal's number, if one has come.
    pub fn signal(&self) -> Option<i32> {
        let pressed = self.pressed();
        (pressed.level > 0).then_some(pressed.signal)
    }

    /// Fails if a signal has come: nothing is begun after one, and Ctrl-C at a question is no answer.
    pub fn check(&self) -> Result<(), Interrupted> {
        self.signal().map_or(Ok(()), |signal| Err(Interrupted { signal }))
    }

    /// Does `work` until a signal comes; does not begin it if one has come before.
    /// For work of our own: a program that is run handles signals itself.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        until(async { self.when(|pressed| pressed.level > 0).await.signal }, work).await
    }

    /// Does `work` until another signal comes than the first `seen` ones, which were meant for something else.
    pub async fn run_from<T>(&self, seen: u32, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        until(async { self.when(|pressed| pressed.count > seen).await.last }, work).await
    }

    /// Does `work`, which ends by itself after a signal. Gives it up `grace` after the signals reached `level`.
    pub async fn run_to<T>(
        &self,
        level: u32,
        grace: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Interrupted> {
        let ended = async {
            let pressed = self.when(|pressed| pressed.level >= level).await;
            tokio::time::sleep(grace).await;
            pressed.signal
        };
        until(ended, work).await
    }

    /// Waits that long, or until a signal comes.
    pub async fn sleep(&self, time: Duration) -> Result<(), Interrupted> {
        self.run(tokio::time::sleep(time)).await
    }

    /// Completes when the last signal is another than this one.
    pub async fn other_than(&self, signal: i32) -> Pressed {
        self.when(|pressed| pressed.count > 0 && pressed.last != signal).await
    }

    async fn when(&self, enough: impl FnMut(&Pressed) -> bool) -> Pressed {
        let mut receiver = self.receiver.clone();
        let pressed = receiver.wait_for(enough).await.map(|pressed| *pressed);
        match pressed {
            Ok(pressed) => pressed,
            Err(_) => std::future::pending().await,
        }
    }
}

async fn until<T>(signal: impl Future<Output = i32>, work: impl Future<Output = T>) -> Result<T, Interrupted> {
    tokio::select! {
        // In this order: work that was not done before a signal is not done after it.
        biased;
        signal = signal => Err(Interrupted { signal }),
        result = work => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUP: i32 = libc::SIGHUP;
    const INT: i32 = libc::SIGINT;
    const TERM: i32 = libc::SIGTERM;

    /// Level and count after these signals at these times, in milliseconds.
    fn after(signals: &[(i32, u64)]) -> (u32, u32) {
        let start = Instant::now();
        let pressed = signals.iter().fold(Pressed::default(), |pressed, (signal, at)| {
            press(pressed, *signal, start + Duration::from_millis(*at))
        });
        (pressed.level, pressed.count)
    }

    #[test]
    fn only_a_decision_makes_it_more_urgent() {
        for (signals, level, count) in [
            (&[][..], 0, 0),
            (&[(HUP, 0)], 1, 1),
            // A terminal closes: bash, then the kernel.
            (&[(HUP, 0), (HUP, 0)], 1, 2),
            // systemd ends a session; it closes a unit with `SendSIGHUP=yes`.
            (&[(TERM, 0), (HUP, 1)], 1, 2),
            (&[(HUP, 0), (TERM, 1)], 1, 2),
            // SIGHUP never, however late.
            (&[(TERM, 0), (HUP, 60_000)], 1, 2),
            (&[(HUP, 0), (HUP, 60_000)], 1, 2),
            // GNU timeout: the child, then its group.
            (&[(TERM, 0), (TERM, 1)], 1, 2),
            (&[(INT, 0), (INT, 1)], 1, 1),
            // A person, twice and three times.
            (&[(INT, 0), (INT, 150)], 2, 2),
            (&[(INT, 0), (INT, 400), (INT, 800)], 3, 3),
            // Ctrl-C held down: a keyboard repeats some 30 times a second.
            (&[(INT, 0), (INT, 33), (INT, 66), (INT, 99), (INT, 132), (INT, 165), (INT, 198)], 1, 1),
            // GitHub cancels a job: SIGINT, 7.5 s later SIGTERM.
            (&[(INT, 0), (TERM, 7_500)], 1, 2),
            // Sent every few seconds, for ever.
            (&[(TERM, 0), (TERM, 5_000), (TERM, 10_000), (TERM, 15_000)], 1, 4),
            // Somebody waits, and tries again.
            (&[(TERM, 0), (TERM, 10_000)], 2, 2),
            (&[(INT, 0), (TERM, 10_000)], 2, 2),
            // Another kind within a second has the same cause.
            (&[(TERM, 0), (INT, 999)], 1, 2),
            (&[(HUP, 0), (INT, 999)], 1, 2),
            (&[(TERM, 0), (INT, 1_000)], 2, 2),
            (&[(INT, 0), (HUP, 500), (INT, 1_000)], 1, 3),
        ] {
            assert_eq!(after(signals), (level, count), "{signals:?}");
        }
    }

    #[tokio::test]
    async fn the_first_signal_decides_and_nothing_is_begun_after_it() {
        let (interrupt, keys) = Interrupt::manual();
        assert_eq!((interrupt.signal(), interrupt.check()), (None, Ok(())));
        assert_eq!(interrupt.run(async { 7 }).await, Ok(7));
        keys.press(TERM);
        keys.press(INT);
        let interrupted = Err(Interrupted { signal: TERM });
        assert_eq!((interrupt.signal(), interrupt.check()), (Some(TERM), interrupted));
        assert_eq!(interrupt.run(async { panic!("it began") }).await, interrupted);
        assert_eq!(interrupt.sleep(Duration::from_secs(3600)).await, interrupted);
    }

    #[tokio::test]
    async fn signals_that_were_meant_for_something_else_end_nothing() {
        let (interrupt, keys) = Interrupt::manual();
        keys.press(INT);
        let seen = interrupt.pressed().count;
        assert_eq!(interrupt.run_from(seen, async { 7 }).await, Ok(7));
        // Not more urgent, but not to be missed either.
        keys.came(TERM);
        assert_eq!(interrupt.pressed().level, 1);
        let hung = std::future::pending::<()>();
        assert_eq!(interrupt.run_from(seen, hung).await, Err(Interrupted { signal: TERM }));
    }

    #[tokio::test]
    async fn work_that_ends_by_itself_is_left_alone_until_it_is_urgent() {
        let (interrupt, keys) = Interrupt::manual();
        keys.press(TERM);
        keys.press(INT);
        assert_eq!(interrupt.run_to(3, Duration::ZERO, async { 7 }).await, Ok(7));
        let mut hung = std::pin::pin!(interrupt.run_to(3, Duration::ZERO, std::future::pending::<()>()));
        assert!(tokio::time::timeout(Duration::ZERO, hung.as_mut()).await.is_err());
        keys.press(INT);
        assert_eq!(hung.await, Err(Interrupted { signal: TERM }));
    }

    #[tokio::test]
    async fn another_signal_than_the_expected_one_is_waited_for() {
        let (interrupt, keys) = Interrupt::manual();
        keys.press(INT);
        let waiting = tokio::spawn(async move { interrupt.other_than(INT).await });
        keys.press(INT);
        keys.came(TERM);
        let pressed = waiting.await.unwrap();
        assert_eq!((pressed.signal, pressed.last), (INT, TERM));
    }
}
