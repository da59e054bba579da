//! The one thread that shows events while a command works.
//!
//! It alone waits for a reader that stalls. Whoever wants to print something else (a question, a result) first lets
//! it catch up: see [`Events::settle`].

use std::thread::JoinHandle;
use std::time::Duration;

use crate::events::{Event, EventSink, Events, Stamped, Waiting};

use super::json;
use super::plain::{self, Detail, Lines};
use super::screen::Screen;
use super::settings::Format;

/// A form in which events are shown. Live bars would be one more.
trait Look: Send {
    /// `in_operation`: between an operation's first and last event. Outside (`init`, `doctor`, `status`) only warnings
    /// are of interest, because the result tells the rest.
    fn show(&mut self, stamped: &Stamped, in_operation: bool);
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
        self.screen.err.print(text, || !self.events.is_closed()).ok();
    }

    fn out(&self, text: &str) {
        self.screen.out.print(text, || !self.events.is_closed()).ok();
    }
}

/// Numbered steps on standard error. `--quiet` leaves only warnings.
struct Plain {
    pen: Pen,
    lines: Lines,
}

/// Lines of standard output; outside an operation standard output is left to the one result.
struct JsonLines {
    pen: Pen,
    outside: Plain,
}

impl Look for Plain {
    fn show(&mut self, stamped: &Stamped, in_operation: bool) {
        match &stamped.event {
            Event::Warning { message } => self.pen.warn(message),
            // Outside an operation the checks are the command's result.
            Event::Check(check) if in_operation => {
                plain::check_warning(check).iter().for_each(|text| self.pen.warn(text))
            }
            _ => {}
        }
        if let Some(line) = self.lines.line(&stamped.event) {
            self.pen.err(&line);
        }
    }
}

impl Look for JsonLines {
    fn show(&mut self, stamped: &Stamped, in_operation: bool) {
        let shown = match &stamped.event {
            _ if !in_operation => return self.outside.show(stamped, in_operation),
            Event::Warning { .. } => true,
            // The progress of a transfer is too much for lines.
            Event::StepProgress { .. } => false,
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
        Format::Text => Detail::Normal,
    };
    let plain = Plain { pen: pen.clone(), lines: Lines::new(detail, settings.stderr_colors) };
    match settings.format {
        Format::Text => Box::new(plain),
        Format::Json => Box::new(JsonLines { pen, outside: plain }),
    }
}

fn draw(events: &Events, look: &mut dyn Look) {
    let mut in_operation = false;
    while let Some(waiting) = events.next() {
        let stamped = match waiting {
            Waiting::Event(stamped) => stamped,
            Waiting::LeftOut(count) => Stamped::now(Event::Warning { message: left_out(count) }),
        };
        in_operation |= matches!(stamped.event, Event::OperationStarted { .. });
        look.show(&stamped, in_operation);
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
    pub fn start(screen: Screen) -> (EventSink, Drawer) {
        let (sink, events) = EventSink::queued();
        let pen = Pen { screen, events: events.clone() };
        let thread = std::thread::spawn(move || draw(&pen.events.clone(), look(pen).as_mut()));
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
