//! The two streams with everything that decides how texts on them look. The thread that draws has a copy.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::page::Page;
use super::settings::Settings;
use super::stream::Stream;
use super::style::Tone;

#[derive(Clone)]
pub(super) struct Screen {
    pub settings: Settings,
    pub out: Stream,
    pub err: Stream,
    /// Warnings that have been shown: an event and a report may tell the same one.
    warned: Arc<Mutex<HashSet<String>>>,
}

impl Screen {
    pub fn new(settings: Settings, out: Stream, err: Stream) -> Self {
        Self { settings, out, err, warned: Arc::default() }
    }

    /// The text of a warning that has not been shown.
    pub fn new_warning(&self, text: &str) -> Option<String> {
        let new = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
        new.then(|| self.warning(text))
    }

    pub fn warning(&self, text: &str) -> String {
        let mut page = Page::new(self.settings.stderr_colors);
        page.paragraph(Tone::Warning, "warning:", text);
        page.into_text()
    }
}
