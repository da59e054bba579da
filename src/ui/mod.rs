//! What people and programs see: readers of events and reports, errors, questions.
//!
//! Belongs here: everything that prints, and how it looks as text and as JSON. Results go to
//! standard output, everything else to standard error; with `--output json` the events of long
//! commands and the error object are lines of standard output too, the result or error last.
//! Does not belong here: finding anything out, deciding anything, ending the process.
//!
//! Values from outside pass [`sanitize`] before they are shown.

mod error;
mod json;
mod page;
mod plain;
mod prompt;
mod report;
#[cfg(test)]
mod samples;
mod sanitize;
mod settings;
mod stream;
mod style;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::events::{Event, Stamped};
use crate::model::SqlReport;

pub use report::{Report, SqlFormat};
pub use settings::{ColorChoice, Environment, Flags, Format, Settings};

use page::Page;
use plain::{Detail, Lines};
use sanitize::{clean, clean_output};
use stream::Stream;
use style::{Paint, Tone};

/// The one that draws. Cheap to clone.
#[derive(Clone)]
pub struct Ui {
    settings: Settings,
    out: Stream,
    err: Stream,
    /// Warnings that have been shown: an operation's reader and its report may tell the same one.
    warned: Arc<Mutex<HashSet<String>>>,
}

impl Ui {
    #[expect(clippy::disallowed_methods, reason = "the one place where standard output is opened")]
    pub fn new(settings: Settings) -> Self {
        Self::on(settings, Stream::new(std::io::stdout()), Stream::new(std::io::stderr()))
    }

    fn on(settings: Settings, out: Stream, err: Stream) -> Self {
        Self { settings, out, err, warned: Arc::default() }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A reader for a long command's events: numbered steps on standard error, or JSON lines on
    /// standard output. With `--quiet` only warnings.
    pub fn progress(&self) -> impl FnMut(&Stamped) + Send + 'static {
        let ui = self.clone();
        let mut read_text = self.notices();
        move |stamped| match ui.settings.format {
            Format::Text => read_text(stamped),
            Format::Json if ui.settings.quiet && !matches!(stamped.event, Event::Warning { .. }) => {}
            // A quantity is for bars, not for a log of lines.
            Format::Json if matches!(stamped.event, Event::StepProgress { .. }) => {}
            Format::Json => ui.out.try_print(&json::event(stamped)),
        }
    }

    /// A reader for the events of a command that answers with one object: always text on standard
    /// error, in JSON format warnings only.
    pub fn notices(&self) -> impl FnMut(&Stamped) + Send + 'static {
        let ui = self.clone();
        let mut lines = Lines::new(self.detail(), self.settings.stderr_colors);
        move |stamped| {
            match &stamped.event {
                Event::Warning { message } => ui.warning(message),
                Event::Check(check) => {
                    plain::check_warning(check).iter().for_each(|warning| ui.warning(warning));
                }
                _ => {}
            }
            if let Some(line) = lines.line(&stamped.event) {
                ui.err.try_print(&line);
            }
        }
    }

    /// Shows a command's result on standard output, and its warnings on standard error unless
    /// they have been shown. Fails where the result cannot be written; a reader that has gone is
    /// no failure.
    pub fn result<R: Report + ?Sized>(&self, report: &R) -> Result<()> {
        let text = match self.settings.format {
            Format::Json => json::result(to_json(report)?),
            Format::Text => {
                report.warnings().iter().for_each(|warning| self.warning(warning));
                page(report, self.settings.stdout_colors)
            }
        };
        self.print(&text)
    }

    /// A result set in the form that `sql --format` asks for; JSON if `--output json` does.
    pub fn sql(&self, report: &SqlReport, format: SqlFormat) -> Result<()> {
        match format {
            _ if self.settings.format == Format::Json => self.result(report),
            SqlFormat::Json => self.print(&json::result(to_json(report)?)),
            SqlFormat::Table => self.result(report),
            // Data for programs stays as it is, unless a terminal would obey it.
            SqlFormat::Csv if self.settings.stdout_terminal => {
                let lines: String = report::csv(report).lines().map(|line| format!("{}\n", clean(line))).collect();
                self.print(&lines)
            }
            SqlFormat::Csv => self.print(&report::csv(report)),
        }
    }

    /// A report on standard error, before a question about it. Nothing in JSON format.
    pub fn preview<R: Report + ?Sized>(&self, report: &R) {
        if self.settings.format == Format::Text {
            self.err.try_print(&page(report, self.settings.stderr_colors));
        }
    }

    /// Shows why the command failed: text on standard error, or the error object as the last line
    /// of standard output.
    pub fn error(&self, error: &Error) {
        match self.settings.format {
            Format::Json => self.out.try_print(&json::error(error)),
            Format::Text => {
                let mut page = Page::new(self.settings.stderr_colors);
                error::describe(&mut page, error);
                self.err.try_print(&page.into_text());
            }
        }
    }

    /// Tells a warning on standard error, each one once.
    pub fn warning(&self, text: &str) {
        let new = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
        if new {
            let mut page = Page::new(self.settings.stderr_colors);
            page.paragraph(Tone::Warning, "warning:", text);
            self.err.try_print(&page.into_text());
        }
    }

    /// Asks on the terminal; None where nobody is there to answer. Only `y` and `yes` are a yes.
    ///
    /// Blocks until a line was typed: call it before signals are caught, else
    /// [`confirm_unless`](Self::confirm_unless).
    pub fn confirm(&self, question: &str) -> Option<bool> {
        self.confirm_unless(question, || false)
    }

    /// As [`confirm`](Self::confirm), with the answer no as soon as `give_up` says so (Ctrl-C).
    pub fn confirm_unless(&self, question: &str, give_up: impl Fn() -> bool) -> Option<bool> {
        if !self.settings.terminal {
            return None;
        }
        let question = Paint::new(self.settings.stderr_colors).paint(Tone::Strong, &clean_output(question));
        self.err.try_print(&format!("{question} [y/N] "));
        Some(prompt::answer(std::io::BufReader::new(std::io::stdin()), give_up))
    }

    fn print(&self, text: &str) -> Result<()> {
        self.out.print(text).map_err(Error::io("the result could not be written to standard output"))
    }

    fn detail(&self) -> Detail {
        let Settings { format, verbose, quiet, .. } = self.settings;
        match () {
            () if quiet || format == Format::Json => Detail::Quiet,
            () if verbose => Detail::Verbose,
            () => Detail::Normal,
        }
    }
}

fn page<R: Report + ?Sized>(report: &R, colors: bool) -> String {
    let mut page = Page::new(colors);
    report.text(&mut page);
    page.into_text()
}

fn to_json<R: Report + ?Sized>(report: &R) -> Result<Value> {
    serde_json::to_value(report).map_err(|error| Error::other(format!("the result cannot be written as JSON: {error}")))
}

#[cfg(test)]
mod tests;
