//! The one thread that shows events while a command works.
//!
//! It alone waits for a reader that stalls. Whoever wants to print something else (a question, a result) first lets
//! it catch up: see [`Events::settle`].

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::events::{Event, EventSink, Events, Stamped, Waiting};

use super::ci;
use super::json;
use super::live::Live;
use super::plain::{self, Detail, Lines};
use super::screen::Screen;
use super::settings::{Ci, Format};
use super::story::Story;

/// How often a look hears that time has passed; nothing is redrawn more often.
const TICK: Duration = Duration::from_secs(1);
/// Who hears of time later than this was stopped (Ctrl-Z), and the terminal was somebody else's meanwhile.
const STOPPED: Duration = Duration::from_secs(4);

/// A form in which events are shown. `now`: since this command began to show them.
trait Look: Send {
    /// `in_operation`: between an operation's first and last event. Outside (`init`, `doctor`, `status`) only warnings
    /// are of interest, because the result tells the rest.
    fn show(&mut self, stamped: &Stamped, in_operation: bool, now: Duration);

    /// Time has passed.
    fn tick(&mut self, _now: Duration) {}
}

/// What the thread writes with. It waits for its reader for as long as it takes, but no more when the queue is closed:
/// then whoever has closed it prints next. Nobody can be told what cannot be written.
#[derive(Clone)]
struct Pen {
    screen: Screen,
    events: Events,
}

impl Pen {
    fn warn(&self, text: &str) {
        self.screen.new_warning(text).iter().for_each(|text| self.err(text));
    }

    fn err(&self, text: &str) {
        self.draw(text, &[]);
    }

    /// A text, and below it a block that the next one replaces.
    fn draw(&self, text: &str, block: &[String]) {
        self.screen.draw(text, block, || !self.events.is_closed()).ok();
    }

    fn out(&self, text: &str) {
        self.screen.out.print(text, || !self.events.is_closed()).ok();
    }
}

/// The warning that an event is, if it is one. Outside an operation the checks are the command's result.
fn warning(event: &Event, in_operation: bool) -> Option<String> {
    match event {
        Event::Warning { message } => Some(message.clone()),
        Event::Check(check) if in_operation => plain::check_warning(check),
        _ => None,
    }
}

/// Numbered steps on standard error. `--quiet` leaves only warnings.
struct Plain {
    pen: Pen,
    lines: Lines,
    /// None where nothing but warnings is shown.
    ci: Ci,
}

/// Lines of standard output; outside an operation standard output is left to the one result.
struct JsonLines {
    pen: Pen,
    outside: Plain,
}

impl Look for Plain {
    fn show(&mut self, stamped: &Stamped, in_operation: bool, now: Duration) {
        if let Some(text) = warning(&stamped.event, in_operation) {
            self.pen.warn(&text);
        }
        if let Event::StepStarted { step } = &stamped.event {
            let (known, title) = (self.lines.story.has_step(step), self.lines.step(step));
            let group = ci::begin_group(self.ci, step, &title, &stamped.at).filter(|_| known);
            group.iter().for_each(|line| self.pen.err(line));
        }
        if let Event::StepFinished { step, .. } = &stamped.event {
            let group = ci::end_group(self.ci, step, &stamped.at).filter(|_| self.lines.story.has_step(step));
            group.iter().for_each(|line| self.pen.err(line));
        }
        if let Some(line) = self.lines.line(&stamped.event, now) {
            self.pen.err(&line);
        }
    }

    fn tick(&mut self, now: Duration) {
        self.lines.heartbeat(now).iter().for_each(|line| self.pen.err(line));
    }
}

/// On a terminal: what runs is redrawn below what stays.
struct Redrawn {
    pen: Pen,
    live: Live,
    drawn: Duration,
}

impl Redrawn {
    /// A text that stays, and the block below it.
    fn draw(&mut self, text: &str, now: Duration) {
        if now.saturating_sub(self.drawn) >= STOPPED {
            self.pen.screen.forget_block();
        }
        self.drawn = now;
        let block = self.pen.screen.free_terminal().map(|size| self.live.block(now, size)).unwrap_or_default();
        self.pen.draw(text, &block);
    }
}

impl Look for Redrawn {
    fn show(&mut self, stamped: &Stamped, in_operation: bool, now: Duration) {
        let columns = self.pen.screen.size().1;
        let warning = warning(&stamped.event, in_operation).and_then(|text| self.pen.screen.new_warning(&text));
        let stays = match warning {
            Some(text) => Some(self.live.headline(columns) + &text),
            None => self.live.take(&stamped.event, now, columns),
        };
        match stays {
            Some(text) => self.draw(&text, now),
            None if in_operation && now >= self.drawn + TICK => self.draw("", now),
            None => {}
        }
    }

    fn tick(&mut self, now: Duration) {
        self.draw("", now);
    }
}

impl Look for JsonLines {
    fn show(&mut self, stamped: &Stamped, in_operation: bool, now: Duration) {
        let shown = match &stamped.event {
            _ if !in_operation => return self.outside.show(stamped, in_operation, now),
            Event::Warning { .. } => true,
            // What changes every second is too much for lines.
            Event::StepProgress { .. } | Event::NodeWaiting { .. } => false,
            _ => !self.pen.screen.settings.quiet,
        };
        if shown {
            self.pen.out(&json::event(stamped));
        }
    }
}

fn look(pen: Pen) -> Box<dyn Look> {
    let settings = pen.screen.settings;
    let detail = match settings.format {
        Format::Json => Detail::Quiet,
        Format::Text if settings.quiet => Detail::Quiet,
        Format::Text if settings.verbose => Detail::Verbose,
        Format::Text if settings.ci != Ci::None => Detail::Folded,
        Format::Text => Detail::Normal,
    };
    let ci = if detail == Detail::Quiet { Ci::None } else { settings.ci };
    let plain = Plain { pen: pen.clone(), lines: Lines::new(detail, settings.stderr_colors), ci };
    match settings.format {
        Format::Text if settings.live => Box::new(Redrawn { pen, live: Live::new(settings), drawn: Duration::ZERO }),
        Format::Text => Box::new(plain),
        Format::Json => Box::new(JsonLines { pen, outside: plain }),
    }
}

/// What a CI system's page of the job shows.
struct Summary {
    file: PathBuf,
    story: Story,
}

impl Summary {
    fn take(&mut self, event: &Event, now: Duration) {
        self.story.take(event, now);
        if let Event::OperationFinished { ok, elapsed_ms, .. } = event {
            let text = ci::summary(&self.story, *ok, *elapsed_ms);
            text.iter().for_each(|text| ci::append(&self.file, text));
        }
    }
}

fn draw(events: &Events, look: &mut dyn Look, mut summary: Option<Summary>) {
    let began = Instant::now();
    let mut in_operation = false;
    let mut ticked = Duration::ZERO;
    while let Some(waiting) = events.next_within((ticked + TICK).saturating_sub(began.elapsed())) {
        let now = began.elapsed();
        if now >= ticked + TICK {
            ticked = now;
            look.tick(now);
        }
        let stamped = match waiting {
            Waiting::Event(stamped) => stamped,
            Waiting::LeftOut(count) => Stamped::now(Event::Warning { message: left_out(count) }),
            Waiting::Nothing => continue,
        };
        in_operation |= matches!(stamped.event, Event::OperationStarted { .. });
        look.show(&stamped, in_operation, now);
        if let Some(summary) = &mut summary {
            summary.take(&stamped.event, now);
        }
        in_operation &= !matches!(stamped.event, Event::OperationFinished { .. });
    }
}

fn left_out(count: u64) -> String {
    format!("{count} events are not shown here, because nobody read this output; the operation's log has all of them")
}

/// The running thread.
pub(super) struct Drawer {
    pub events: Events,
    thread: JoinHandle<()>,
}

impl Drawer {
    /// `summary`: the file to which each operation adds its table of steps.
    pub fn start(screen: Screen, summary: Option<PathBuf>) -> (EventSink, Drawer) {
        let (sink, events) = EventSink::queued();
        let pen = Pen { screen, events: events.clone() };
        let summary = summary.map(|file| Summary { file, story: Story::default() });
        let thread = std::thread::spawn(move || draw(&pen.events.clone(), look(pen).as_mut(), summary));
        (sink, Drawer { events, thread })
    }

    /// Shows what was emitted, until `goes_on` says no: see [`Events::settle`]. Of what is left then, the thread gives
    /// the landmarks and the number of the others to the streams before this returns: whatever is printed later comes
    /// after them.
    pub fn end(self, goes_on: impl Fn(Duration) -> bool) {
        self.events.settle(goes_on);
        self.events.close();
        // If it panicked, nothing can be done about it here.
        self.thread.join().ok();
    }
}
