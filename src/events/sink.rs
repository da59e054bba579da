//! The way of an event: first into the operation's log, then into a queue for the thread that shows it.
//!
//! Emitting never waits for that thread. Its reader may stall (a pager, a terminal after Ctrl-S, a CI system that
//! stops collecting), and the work has a running Terraform to look after. So the queue has a limit, and what does not
//! fit is counted instead. The channels of the standard library cannot do that: they grow, wait, or refuse.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, Stamped};

/// How many events wait at most. With a few hundred bytes each, this is about one MiB.
const ROOM: usize = 4096;
/// How often somebody who waits for the reader checks whether to wait on.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

type Log = Arc<dyn Fn(&Stamped) + Send + Sync>;

/// Where events go. Cheap to clone.
#[derive(Clone, Default)]
pub struct EventSink {
    log: Option<Log>,
    queue: Option<Events>,
}

impl EventSink {
    /// A sink that nobody reads.
    pub fn silent() -> Self {
        Self::default()
    }

    /// A sink, and the queue in which its events wait to be shown.
    pub fn queued() -> (Self, Events) {
        let events = Events::default();
        (Self { log: None, queue: Some(events.clone()) }, events)
    }

    /// This sink, but `log` writes every event before it is shown: the log also has what the screen leaves out.
    pub fn logged(&self, log: impl Fn(&Stamped) + Send + Sync + 'static) -> Self {
        Self { log: Some(Arc::new(log)), queue: self.queue.clone() }
    }

    pub fn emit(&self, event: Event) {
        let stamped = Stamped::now(event);
        if let Some(log) = &self.log {
            log(&stamped);
        }
        if let Some(queue) = &self.queue {
            queue.put(stamped);
        }
    }

    pub fn warn(&self, message: impl Into<String>) {
        self.emit(Event::Warning { message: message.into() });
    }

    pub fn detail(&self, step: &'static str, message: impl Into<String>) {
        self.emit(Event::StepDetail { step, message: message.into() });
    }
}

/// What the queue hands to its one reader.
#[derive(Debug)]
pub enum Waiting {
    Event(Stamped),
    /// So many events did not fit in here.
    LeftOut(u64),
    /// The time is up, and nothing came.
    Nothing,
}

/// The queue's other end. Cheap to clone; one thread reads, others may wait until it has shown everything.
#[derive(Clone, Default)]
pub struct Events {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// Something was put in, or the queue was closed.
    filled: Condvar,
    /// The reader has shown something.
    shown: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Number of all that were put in, taken out, and shown.
    put: u64,
    taken: u64,
    shown: u64,
    /// How many events were shown when somebody last waited in vain.
    stalled_at: Option<u64>,
    closed: bool,
}

impl Events {
    fn put(&self, stamped: Stamped) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.put(stamped);
        self.queue.filled.notify_one();
    }

    /// Waits so long for what is to be shown next; None when the queue was closed. Asking means that the one before is
    /// shown.
    pub fn next_within(&self, limit: Duration) -> Option<Waiting> {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        state.shown = state.taken;
        self.queue.shown.notify_all();
        loop {
            if let Some(next) = state.waiting.pop_front() {
                state.taken += 1;
                return Some(next);
            }
            if state.closed {
                return None;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(Waiting::Nothing);
            }
            let waited = self.queue.filled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until everything that was emitted before this call is shown, or `goes_on` says no: it is asked again and
    /// again, and gets for how long the reader has taken nothing. False if it said no. The next call then does not wait
    /// until the reader moves again.
    pub fn settle(&self, goes_on: impl Fn(Duration) -> bool) -> bool {
        let mut state = self.lock();
        let target = state.put;
        let (mut seen, mut since) = (state.shown, Instant::now());
        while state.shown < target {
            if state.stalled_at == Some(state.shown) {
                return false;
            }
            if state.shown != seen {
                (seen, since) = (state.shown, Instant::now());
            }
            if !goes_on(since.elapsed()) {
                state.stalled_at = Some(state.shown);
                return false;
            }
            let waited = self.queue.shown.wait_timeout(state, LOOK_AGAIN);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Takes no more events. Of those that still wait the landmarks are shown; the others are counted.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.keep_landmarks();
        self.queue.filled.notify_one();
    }

    /// Nobody waits any more for what is shown now.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the queue is consistent at any moment.
        self.queue.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, stamped: Stamped) {
        // After a gap the queue takes events again only when half of it is read. That makes one gap, not a thousand.
        let room = if matches!(self.waiting.back(), Some(Waiting::LeftOut(_))) { ROOM / 2 } else { ROOM };
        if self.waiting.len() < room || stamped.event.is_landmark() {
            self.waiting.push_back(Waiting::Event(stamped));
        } else if let Some(Waiting::LeftOut(count)) = self.waiting.back_mut() {
            *count += 1;
            return;
        } else {
            self.waiting.push_back(Waiting::LeftOut(1));
        }
        self.put += 1;
    }

    fn keep_landmarks(&mut self) {
        let Some(gap) = self.waiting.iter().position(|waiting| !waiting.is_landmark()) else { return };
        let left = self.waiting.iter().filter(|waiting| !waiting.is_landmark()).map(Waiting::count).sum();
        self.waiting.retain(Waiting::is_landmark);
        self.waiting.insert(gap, Waiting::LeftOut(left));
        self.put = self.taken + self.waiting.len() as u64;
    }
}

impl Waiting {
    fn count(&self) -> u64 {
        match self {
            Waiting::Event(_) => 1,
            Waiting::LeftOut(count) => *count,
            Waiting::Nothing => 0,
        }
    }

    fn is_landmark(&self) -> bool {
        matches!(self, Waiting::Event(stamped) if stamped.event.is_landmark())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(events: &Events) -> Vec<String> {
        events.close_after_reading();
        std::iter::from_fn(|| events.next()).map(|waiting| text(&waiting)).collect()
    }

    fn text(waiting: &Waiting) -> String {
        match waiting {
            Waiting::Event(Stamped { event: Event::Warning { message }, .. }) => message.clone(),
            Waiting::Event(Stamped { event: Event::StepStarted { step }, .. }) => format!("[{step}]"),
            Waiting::LeftOut(count) => format!("{count} left out"),
            other => panic!("{other:?}"),
        }
    }

    impl Events {
        /// As [`Events::next_within`], for as long as it takes.
        fn next(&self) -> Option<Waiting> {
            self.next_within(Duration::from_secs(3600))
        }

        /// As [`Events::close`], but what waits is still read.
        fn close_after_reading(&self) {
            self.lock().closed = true;
        }
    }

    #[test]
    fn an_event_is_logged_before_it_is_shown() {
        let (sink, events) = EventSink::queued();
        let seen = events.clone();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let sink = sink.logged(move |stamped| {
            assert_eq!(seen.lock().put, lines.lock().unwrap().len() as u64);
            lines.lock().unwrap().push(serde_json::to_value(stamped).unwrap());
        });
        sink.warn("disk is nearly full");
        sink.warn("disk is full");
        let log = log.lock().unwrap();
        assert_eq!((&log[0]["event"], &log[0]["message"]), (&"warning".into(), &"disk is nearly full".into()));
        assert!(log[0]["at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(texts(&events), ["disk is nearly full", "disk is full"]);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_steps_are_kept() {
        let (sink, events) = EventSink::queued();
        (0..ROOM + 5).for_each(|number| sink.warn(number.to_string()));
        sink.emit(Event::StepStarted { step: "next" });
        sink.warn("lost again");
        let texts = texts(&events);
        assert_eq!(texts.len(), ROOM + 3);
        assert_eq!(texts[ROOM - 1..], [(ROOM - 1).to_string().as_str(), "5 left out", "[next]", "1 left out"]);
    }

    #[test]
    fn a_slow_reader_gets_one_gap_and_then_the_latest() {
        let (sink, events) = EventSink::queued();
        (0..ROOM + 1).for_each(|_| sink.warn("early"));
        events.next();
        sink.warn("not yet");
        (0..=ROOM / 2).for_each(|_| drop(events.next()));
        sink.warn("late");
        let texts = texts(&events);
        assert_eq!(texts[texts.len() - 2..], ["2 left out", "late"]);
    }

    #[test]
    fn a_wait_ends_when_all_is_shown_or_the_time_is_up() {
        let (sink, events) = EventSink::queued();
        assert!(events.settle(|_| false), "there is nothing to wait for");
        sink.warn("one");
        assert!(!events.settle(|silent| silent < LOOK_AGAIN));
        assert!(!events.settle(|_| panic!("asked")), "nobody waits twice for a reader that does not move");
        let reader = events.clone();
        let thread = std::thread::spawn(move || while reader.next().is_some() {});
        while !events.settle(|_| true) {
            std::thread::sleep(Duration::from_millis(1));
        }
        events.close();
        thread.join().unwrap();
    }

    #[test]
    fn a_reader_that_has_something_else_to_do_does_not_wait_for_ever() {
        let (sink, events) = EventSink::queued();
        assert!(matches!(events.next_within(Duration::ZERO), Some(Waiting::Nothing)));
        sink.warn("one");
        assert!(matches!(events.next_within(Duration::ZERO), Some(Waiting::Event(_))));
        events.close();
        assert!(events.next_within(Duration::ZERO).is_none());
    }

    #[test]
    fn a_closed_queue_tells_how_many_nobody_saw_and_keeps_the_steps() {
        let (sink, events) = EventSink::queued();
        sink.emit(Event::StepStarted { step: "one" });
        (0..3).for_each(|_| sink.warn("late"));
        sink.emit(Event::StepStarted { step: "two" });
        sink.warn("late");
        events.close();
        sink.warn("too late");
        assert_eq!(
            std::iter::from_fn(|| events.next()).map(|waiting| text(&waiting)).collect::<Vec<_>>(),
            ["[one]", "4 left out", "[two]"]
        );
        assert!(events.settle(|_| false), "it is all shown");
    }
}
