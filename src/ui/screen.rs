//! The two streams with everything that decides how texts on them look. The thread that draws has a copy.
//!
//! Standard error may have a block below its last line that is drawn again and again. Whatever is printed takes the
//! block's place: it is erased in the same write, so that the two never mix.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use console::measure_text_width;
use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

use super::ci;
use super::look::Look;
use super::page::Page;
use super::settings::{Ci, Format, Settings};
use super::stream::{Printed, Stream};
use super::style::Tone;

/// Rows and columns of the terminal; None where there is none.
pub(super) type Size = fn() -> Option<(u16, u16)>;

#[derive(Clone)]
pub(super) struct Screen {
    pub settings: Settings,
    pub out: Stream,
    err: Stream,
    size: Size,
    /// Warnings that have been shown: an event and a report may tell the same one.
    warned: Arc<Mutex<HashSet<String>>>,
    block: Arc<Mutex<Block>>,
}

/// What is drawn below the last line.
#[derive(Default)]
struct Block {
    /// Widths of its lines. The cursor is at the beginning of the line below them.
    widths: Vec<usize>,
    /// A question is being asked: nothing is drawn below it.
    held: bool,
}

impl Screen {
    pub fn new(settings: Settings, out: Stream, err: Stream, size: Size) -> Self {
        Self { settings, out, err, size, warned: Arc::default(), block: Arc::default() }
    }

    /// Rows and columns; what is usual where the terminal does not tell.
    pub fn size(&self) -> (usize, usize) {
        let (rows, columns) = (self.size)().filter(|(rows, columns)| *rows > 0 && *columns > 0).unwrap_or((24, 80));
        (rows.into(), columns.into())
    }

    /// The same, where a block may be drawn now: None while a shell has put us into the background.
    pub fn free_terminal(&self) -> Option<(usize, usize)> {
        (self.size)().map(|_| self.size())
    }

    /// Columns, where standard error is a terminal that is read by people.
    pub fn columns(&self) -> Option<usize> {
        self.free_terminal().map(|(_, columns)| columns)
    }

    /// On standard error, in the place of the block, if there is one.
    pub fn print_err(&self, text: &str, goes_on: impl Fn() -> bool) -> io::Result<Printed> {
        self.draw(text, &[], goes_on)
    }

    /// As [`Screen::print_err`], with this block below it. Its lines are not wider than the terminal.
    pub fn draw(&self, text: &str, block: &[String], goes_on: impl Fn() -> bool) -> io::Result<Printed> {
        let pending = {
            let mut drawn = self.block();
            let block: &[String] = if drawn.held { &[] } else { block };
            let frame: String = block.iter().map(|line| format!("{line}\n")).collect();
            let whole = format!("{}{text}{frame}", drawn.erased(self.size().1));
            drawn.widths = block.iter().map(|line| measure_text_width(line)).collect();
            if whole.is_empty() {
                return Ok(Printed::Yes);
            }
            // Within the lock: texts are written in the order in which blocks are erased.
            self.err.begin(&whole)?
        };
        pending.wait(goes_on)
    }

    /// As [`Screen::print_err`], but does not wait until it is written.
    pub fn post_err(&self, text: &str) {
        let mut drawn = self.block();
        self.err.post(format!("{}{text}", drawn.erased(self.size().1)));
    }

    /// Waits until everything that was posted is written.
    pub fn flush_err(&self, goes_on: impl Fn() -> bool) {
        if self.err.has_posted() {
            self.err.flush(goes_on);
        }
    }

    /// Whether something else than this program has the terminal now, or a question is asked on it.
    pub fn hold(&self, held: bool) {
        self.block().held = held;
    }

    /// What was drawn is not where it was: somebody else has written on the terminal.
    pub fn forget_block(&self) {
        self.block().widths.clear();
    }

    /// The text of a warning that has not been shown.
    pub fn new_warning(&self, text: &str) -> Option<String> {
        let new = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
        new.then(|| self.warning(text))
    }

    pub fn warning(&self, text: &str) -> String {
        let look = Look { colors: self.settings.stderr_colors, columns: self.columns(), ..Look::default() };
        let mut page = Page::with(look);
        page.paragraph(Tone::Warning, "warning:", text);
        page.into_text() + &self.mark(text)
    }

    /// What puts a warning on the CI system's page of the job, too: a step's lines are folded.
    fn mark(&self, text: &str) -> String {
        let ci = if self.settings.format == Format::Text { self.settings.ci } else { Ci::None };
        ci::warning(ci, text).unwrap_or_default()
    }

    pub fn err(&self) -> &Stream {
        &self.err
    }

    fn block(&self) -> MutexGuard<'_, Block> {
        // Held while a text is queued, never while one is written.
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Block {
    /// What erases it on a terminal that is now so wide: a line that was wider has become several.
    fn erased(&mut self, columns: usize) -> String {
        let rows: usize = self.widths.drain(..).map(|width| width.div_ceil(columns).max(1)).sum();
        match rows {
            0 => String::new(),
            rows => format!("\u{1b}[{rows}A\r\u{1b}[J"),
        }
    }
}

/// The size of the terminal that standard error is, while we are in its foreground.
#[expect(clippy::disallowed_methods, reason = "asks about the stream, prints nothing")]
pub(super) fn terminal_size() -> Option<(u16, u16)> {
    let foreground = tcgetpgrp(io::stderr()).ok()?;
    let size = (foreground == getpgrp()).then(|| tcgetwinsize(io::stderr()).ok())??;
    Some((size.ws_row, size.ws_col))
}
