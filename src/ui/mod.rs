//! What people and programs see: events while a command works, its report, errors, questions.
//!
//! Belongs here: everything that prints, and how it looks as text and as JSON. Results go to
//! standard output, everything else to standard error; with `--output json` the events of long
//! commands and the error object are lines of standard output too, the result or error last.
//! Does not belong here: finding anything out, deciding anything, ending the process.
//!
//! Nobody waits for a reader that stalls: [`drawer`] has the thread that shows events, [`stream`] those that write.
//!
//! Values from outside pass [`sanitize`] before they are shown.

mod causes;
mod ci;
mod diagnostics;
mod drawer;
mod error;
mod json;
mod line_editor;
mod live;
mod log;
mod look;
mod page;
mod plain;
mod prompt;
mod report;
mod result_file;
#[cfg(test)]
mod sample_events;
#[cfg(test)]
mod sample_programs;
#[cfg(test)]
mod samples;
mod sanitize;
mod screen;
mod settings;
mod story;
mod stream;
mod style;
mod table;
mod words;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::ZonedDateTime;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::model::{LogContent, LogLine, SqlFormat, SqlReport};
use crate::signal::Interrupt;

pub use diagnostics::Diagnostics;
pub use line_editor::LineEditor;
pub use report::Report;
pub use settings::{ColorChoice, Environment, Flags, Format, Settings};
pub use words::at_spaces;

use drawer::Drawer;
use look::Look;
use page::Page;
use sanitize::clean;
use screen::Screen;
use settings::Ci;
use stream::{Printed, Stream};

/// How long a command waits for a reader who takes nothing of its progress. One who reads slowly gets it all.
const PROGRESS_LIMIT: Duration = Duration::from_secs(2);
/// How long it waits after a signal, however much the reader takes; and how long a result still waits for its reader when a signal comes meanwhile.
const AFTER_SIGNAL: Duration = Duration::from_millis(500);

/// What commands print with. Cheap to clone.
#[derive(Clone)]
pub struct Ui {
    screen: Screen,
    /// Where the result is written as JSON, too.
    result_file: Option<PathBuf>,
    running: Arc<Mutex<Running>>,
    /// What time it is, here.
    clock: fn() -> ZonedDateTime,
}

/// What belongs to the command that runs.
#[derive(Default)]
struct Running {
    drawer: Option<Drawer>,
    /// The signals that have come, as long as somebody counts them. Until then they end the process by themselves.
    interrupt: Option<Interrupt>,
    signals: Signals,
}

/// What a signal means for the command that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signals {
    /// It ends the command.
    #[default]
    End,
    /// It ends a part of it, such as an SQL statement. A reader is given up only if it comes while something is printed.
    Part,
}

impl Ui {
    #[expect(clippy::disallowed_methods, reason = "the one place where the two streams are opened")]
    pub fn new(settings: Settings) -> Self {
        Self::on(settings, Stream::new(std::io::stdout()), Stream::new(std::io::stderr()), screen::terminal_size)
    }

    fn on(settings: Settings, out: Stream, err: Stream, size: screen::Size) -> Self {
        let screen = Screen::new(settings, out, err, size);
        Self { screen, result_file: None, running: Arc::default(), clock: ZonedDateTime::now }
    }

    /// Also writes the result, or the error, to a file, as the JSON object that `--output json` prints.
    pub fn with_result_file(self, file: Option<PathBuf>) -> Self {
        Self { result_file: file, ..self }
    }

    /// Whether the result can be written to its file: to be asked before any work is done.
    pub fn check_result_file(&self) -> Result<()> {
        let Some(file) = &self.result_file else { return Ok(()) };
        result_file::check(file).map_err(|error| {
            let problem = format!("must be a file in a folder that is there and can be written ({error})");
            Error::invalid("--result", file.display().to_string(), problem)
        })
    }

    pub fn settings(&self) -> &Settings {
        &self.screen.settings
    }

    /// Begins to show events, in a thread of its own: numbered steps on standard error, or lines of JSON on standard
    /// output. From now on, nothing waits for its reader for long after one of the signals that `interrupt` counts.
    pub fn begin_progress(&self, interrupt: Interrupt, signals: Signals) -> EventSink {
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|_| self.settings().ci == Ci::GitHub);
        let (sink, drawer) = Drawer::start(self.screen.clone(), summary.map(PathBuf::from));
        *self.running() = Running { drawer: Some(drawer), interrupt: Some(interrupt), signals };
        sink
    }

    /// Shows the events that are left; those that nobody reads are given up soon.
    pub fn end_progress(&self) {
        let drawer = self.running().drawer.take();
        if let Some(drawer) = drawer {
            drawer.end(self.progress_patience());
        }
    }

    /// Shows a command's result on standard output, and its warnings on standard error unless
    /// they have been shown. Fails where the result cannot be written; a reader that has gone is
    /// no failure.
    pub fn result<R: Report + ?Sized>(&self, report: &R) -> Result<()> {
        self.keep(report)?;
        let text = match self.settings().format {
            Format::Json => json::result(to_json(report)?),
            Format::Text => {
                report.warnings().iter().for_each(|warning| self.warning(warning));
                page(report, self.look())
            }
        };
        self.print(&text)
    }

    /// Writes a result to the file that `--result` names, and shows nothing.
    pub fn keep<R: Report + ?Sized>(&self, report: &R) -> Result<()> {
        let Some(file) = &self.result_file else { return Ok(()) };
        let written = result_file::write(file, &json::result(to_json(report)?));
        written.map_err(Error::io(format!("the result could not be written to {}", file.display())))
    }

    /// How standard output is looked at, now: a window may have another size than before.
    fn look(&self) -> Look {
        let settings = self.settings();
        let reported = settings.stdout_terminal.then(|| console::Term::stdout().size_checked()).flatten();
        Look {
            colors: settings.stdout_colors,
            columns: reported.and_then(|(_, columns)| Look::columns(columns)),
            verbose: settings.verbose,
            home: std::env::home_dir(),
            now: (self.clock)(),
        }
    }

    /// A result set in the form that `sql --format` asks for; JSON if `--output json` does.
    pub fn sql(&self, report: &SqlReport, format: SqlFormat) -> Result<()> {
        if format == SqlFormat::Table || self.settings().format == Format::Json {
            return self.result(report);
        }
        self.keep(report)?;
        match format {
            SqlFormat::Table | SqlFormat::Json => self.print(&json::result(to_json(report)?)),
            // Data for programs stays as it is, unless a terminal would obey it.
            SqlFormat::Csv if self.settings().stdout_terminal => {
                let lines: String = report::csv(report).lines().map(|line| format!("{}\n", clean(line))).collect();
                self.print(&lines)
            }
            SqlFormat::Csv => self.print(&report::csv(report)),
        }
    }

    /// A line of a log on standard output: readable, or as it is stored. One that is no object becomes one.
    pub fn log(&self, line: &LogLine) -> Result<()> {
        self.print(&match (self.settings().format, &line.content) {
            (Format::Text, _) => log::text(line, self.settings().stdout_colors, &jiff::tz::TimeZone::system()),
            (Format::Json, LogContent::Object(object)) => json::line(object),
            (Format::Json, LogContent::Text(text)) => {
                json::line(&serde_json::json!({ "source": line.source, "node": line.node, "line": text }))
            }
        })
    }

    /// Shows why the command failed: text on standard error, or the error object as the last line
    /// of standard output. Where that takes nothing (a full disk), it is told on standard error too.
    pub fn error(&self, error: &Error) {
        self.settle();
        if let Some(file) = &self.result_file
            && let Err(cause) = result_file::write(file, &json::error(error))
        {
            self.warning(&format!("the error could not be written to {}: {cause}", file.display()));
        }
        // Somebody who ended the command by a signal does not wait for its last message.
        let limit = matches!(error.exit_code(), 128..).then_some(AFTER_SIGNAL);
        if self.settings().format == Format::Json {
            let printed = self.screen.out.print(&json::error(error), self.patience(limit));
            if matches!(printed, Ok(Printed::Yes)) {
                return;
            }
        }
        let columns = self.screen.columns();
        let mut page = Page::with(Look { colors: self.settings().stderr_colors, columns, ..self.look() });
        error::describe(&mut page, error);
        let mark = ci::failure(self.settings().ci, &error::title(error), &error.to_string()).unwrap_or_default();
        self.screen.print_err(&(page.into_text() + &mark), self.patience(limit)).ok();
    }

    /// Shows a warning on standard error, each one once.
    pub fn warning(&self, text: &str) {
        self.screen.new_warning(text).iter().for_each(|text| self.tell(text));
    }

    /// Shows a warning, even if it was shown before: it happened again.
    pub fn warning_again(&self, text: &str) {
        self.tell(&self.screen.warning(text));
    }

    /// Tells a person at work something, on standard error: nothing in JSON format, nor with `--quiet`.
    pub fn note(&self, text: &str) {
        if self.settings().format == Format::Text && !self.settings().quiet {
            text.lines().for_each(|line| self.tell(&format!("{}\n", clean(line))));
        }
    }

    /// Asks GitHub's runner to hide a secret in everything that the job prints from now on.
    pub fn mask(&self, secret: &str) {
        let escaped = secret.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        self.tell(&format!("::add-mask::{escaped}\n"));
    }

    /// Reads lines from the terminal, with the keys and the history that people know from shells.
    /// Without a file, or where it cannot be used, nothing is remembered beyond this process.
    pub fn line_editor(&self, history: Option<PathBuf>) -> Result<LineEditor> {
        LineEditor::new(self.screen.err().clone(), history).map_err(Error::io("the terminal"))
    }

    /// Asks on the terminal; None where nobody is there to answer. Only `y` and `yes` are a yes;
    /// Ctrl-C is a no. The question is the last line, what it is about may stand above it.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if !self.settings().terminal {
            return None;
        }
        let (colors, columns) = (self.settings().stderr_colors, self.screen.columns());
        let mut page = Page::with(Look { colors, columns, ..Look::default() });
        page.question(question);
        self.screen.hold(true);
        self.tell(&format!("{} [y/N] ", page.into_text().trim_end()));
        let interrupt = self.running().interrupt.clone();
        let answer = prompt::answer(std::io::BufReader::new(std::io::stdin()), interrupt.as_ref());
        if answer.as_ref().is_none_or(|line| !line.ends_with('\n')) {
            self.tell("\n");
        }
        self.screen.hold(false);
        Some(answer.is_some_and(|line| prompt::is_yes(&line)))
    }

    /// Where `--log-level` writes.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics(self.screen.clone())
    }

    /// To be called before the process ends or becomes another program: writes what nobody has waited for.
    pub fn finish(&self) {
        self.screen.flush_err(self.patience(Some(AFTER_SIGNAL)));
    }

    /// On standard output, after the events that were emitted before. A reader may take as long as it likes, until a
    /// signal comes.
    fn print(&self, text: &str) -> Result<()> {
        self.settle();
        // Both streams may be the same terminal.
        self.screen.print_err("", self.patience(Some(PROGRESS_LIMIT))).ok();
        match self.screen.out.print(text, self.patience(None)) {
            Ok(Printed::Yes) => Ok(()),
            Ok(Printed::NotYet) => Err(Error::Interrupted { signal: self.last_signal() }),
            Err(error) => Err(Error::io("the result could not be written to standard output")(error)),
        }
    }

    /// On standard error, after the events that were emitted before. Nobody can be told what cannot be written.
    fn tell(&self, text: &str) {
        self.settle();
        self.screen.print_err(text, self.patience(Some(PROGRESS_LIMIT))).ok();
    }

    /// Lets the events that were emitted before be shown before something else is.
    fn settle(&self) {
        let events = self.running().drawer.as_ref().map(|drawer| drawer.events.clone());
        if let Some(events) = events {
            events.settle(self.progress_patience());
        }
    }

    /// Whether to wait on for a reader of progress who has taken nothing for so long.
    fn progress_patience(&self) -> impl Fn(Duration) -> bool + use<> {
        let interrupt = self.running().interrupt.clone();
        let began = Instant::now();
        move |silent| match interrupt.as_ref().and_then(Interrupt::signal) {
            Some(_) => began.elapsed() < AFTER_SIGNAL,
            None => silent < PROGRESS_LIMIT,
        }
    }

    /// Whether to wait on for a reader: within the limit, and only for a moment after a signal that counts.
    fn patience(&self, limit: Option<Duration>) -> impl Fn() -> bool + use<> {
        let (interrupt, signals) = {
            let running = self.running();
            (running.interrupt.clone(), running.signals)
        };
        let count = move || interrupt.as_ref().map_or(0, |interrupt| interrupt.pressed().count);
        let before = match signals {
            Signals::End => 0,
            Signals::Part => count(),
        };
        let (began, pressed) = (Instant::now(), Cell::new(None));
        move || {
            if pressed.get().is_none() && count() > before {
                pressed.set(Some(Instant::now()));
            }
            let ended = pressed.get().is_some_and(|since: Instant| since.elapsed() >= AFTER_SIGNAL);
            !ended && limit.is_none_or(|limit| began.elapsed() < limit)
        }
    }

    fn last_signal(&self) -> i32 {
        self.running().interrupt.as_ref().map_or(0, |interrupt| interrupt.pressed().last)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // Held for an assignment or a copy only.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn page<R: Report + ?Sized>(report: &R, look: Look) -> String {
    let mut page = Page::with(look);
    report.text(&mut page);
    page.into_text()
}

fn to_json<R: Report + ?Sized>(report: &R) -> Result<Value> {
    serde_json::to_value(report).map_err(|error| Error::other(format!("the result cannot be written as JSON: {error}")))
}

#[cfg(test)]
mod tests;
