//! The lines of `--log-level` on standard error. Whoever logs never waits for their reader.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use super::screen::Screen;

/// Hands each line to the thread that writes on standard error.
#[derive(Clone)]
pub struct Diagnostics(pub(super) Screen);

impl Write for Diagnostics {
    /// Gets whole lines: the formatter writes each event at once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.post_err(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Diagnostics {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
