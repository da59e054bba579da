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
mod line_editor;
mod log;
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
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::events::{Event, Stamped};
use crate::model::{LogContent, LogLine, SqlFormat, SqlReport};

pub use line_editor::LineEditor;
pub use report::Report;
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

    /// A reader for a command's events: numbered steps on standard error; in JSON the events of an
    /// operation as lines on standard output. Outside an operation (`init`, `doctor`, `status`)
    /// nothing but warnings is told, and standard output is left to the one result. `--quiet`
    /// leaves warnings only.
    pub fn progress(&self) -> impl FnMut(&Stamped) + Send + 'static {
        let ui = self.clone();
        let mut lines = Lines::new(self.detail(), self.settings.stderr_colors);
        let mut in_operation = false;
        move |stamped| {
            let event = &stamped.event;
            in_operation |= matches!(event, Event::OperationStarted { .. });
            match ui.settings.format {
                Format::Json if in_operation => ui.json_event(stamped),
                _ => ui.text_event(event, &mut lines, in_operation),
            }
            in_operation &= !matches!(event, Event::OperationFinished { .. });
        }
    }

    fn json_event(&self, stamped: &Stamped) {
        let shown = match &stamped.event {
            Event::Warning { .. } => true,
            // A quantity is for bars, not for a log of lines.
            Event::StepProgress { .. } => false,
            _ => !self.settings.quiet,
        };
        if shown {
            self.out.try_print(&json::event(stamped));
        }
    }

    fn text_event(&self, event: &Event, lines: &mut Lines, in_operation: bool) {
        match event {
            Event::Warning { message } => self.warning(message),
            // Outside an operation the checks are the command's result.
            Event::Check(check) if in_operation => {
                plain::check_warning(check).iter().for_each(|text| self.warning(text))
            }
            _ => {}
        }
        if let Some(line) = lines.line(event) {
            self.err.try_print(&line);
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

    /// A line of a log on standard output: readable, or as it is stored. One that is no object becomes one.
    pub fn log(&self, line: &LogLine) -> Result<()> {
        self.print(&match (self.settings.format, &line.content) {
            (Format::Text, _) => log::text(line, self.settings.stdout_colors),
            (Format::Json, LogContent::Object(object)) => json::line(object),
            (Format::Json, LogContent::Text(text)) => {
                json::line(&serde_json::json!({ "source": line.source, "node": line.node, "line": text }))
            }
        })
    }

    /// Shows why the command failed: text on standard error, or the error object as the last line
    /// of standard output. Where that takes nothing (a full disk), it is told on standard error too.
    pub fn error(&self, error: &Error) {
        if self.settings.format == Format::Json && self.out.print(&json::error(error)).is_ok() {
            return;
        }
        let mut page = Page::new(self.settings.stderr_colors);
        error::describe(&mut page, error);
        self.err.try_print(&page.into_text());
    }

    /// Tells a warning on standard error, each one once.
    pub fn warning(&self, text: &str) {
        let new = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
        if new {
            self.warning_again(text);
        }
    }

    /// Tells a warning, although it was told before: it happened again.
    pub fn warning_again(&self, text: &str) {
        let mut page = Page::new(self.settings.stderr_colors);
        page.paragraph(Tone::Warning, "warning:", text);
        self.err.try_print(&page.into_text());
    }

    /// Tells a person at work something, on standard error: nothing in JSON format, nor with `--quiet`.
    pub fn note(&self, text: &str) {
        if self.settings.format == Format::Text && !self.settings.quiet {
            text.lines().for_each(|line| self.err.try_print(&format!("{}\n", clean(line))));
        }
    }

    /// Reads lines from the terminal, with the keys and the history that people know from shells.
    /// Without a file, or where it cannot be used, nothing is remembered beyond this process.
    pub fn line_editor(&self, history: Option<PathBuf>) -> Result<LineEditor> {
        LineEditor::new(self.err.clone(), history).map_err(Error::io("the terminal"))
    }

    /// Asks on the terminal; None where nobody is there to answer. Only `y` and `yes` are a yes;
    /// Ctrl-C is a no. The question is the last line, what it is about may stand above it.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if !self.settings.terminal {
            return None;
        }
        let mut lines: Vec<_> = question.lines().map(clean_output).collect();
        let last = Paint::new(self.settings.stderr_colors).paint(Tone::Strong, &lines.pop().unwrap_or_default());
        let above: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.err.try_print(&format!("{above}{last} [y/N] "));
        let answer = prompt::answer(std::io::BufReader::new(std::io::stdin()));
        if answer.as_ref().is_none_or(|line| !line.ends_with('\n')) {
            self.err.try_print("\n");
        }
        Some(answer.is_some_and(|line| prompt::is_yes(&line)))
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
