//! The user's pager, as git uses it.

use std::ffi::OsString;
use std::io::{Seek, Write};

use super::process::{self, Tool};
use crate::error::{Error, Result};

const USUAL: &str = "less";

/// Becomes the pager, which reads the text. Returns where there is none to use, or it cannot be run.
///
/// # Errors
/// The text cannot be handed over, or the pager cannot be run.
pub fn become_pager(text: &str) -> Result<()> {
    let Some(command) = named(std::env::var_os("PAGER"), std::env::var_os("TERM")) else { return Ok(()) };
    let Some(program) = command.split_whitespace().next() else { return Ok(()) };
    if process::find(program).is_none() {
        return Ok(());
    }
    // A file, not a pipe: nobody is left to fill a pipe.
    let failed = || Error::io("the text for the pager");
    let mut file = tempfile::tempfile().map_err(failed())?;
    file.write_all(text.as_bytes()).and_then(|()| file.rewind()).map_err(failed())?;
    let mut shell = Tool::new("sh").arg("-c").arg(&command);
    // Quit if it fits the screen, show colors, leave it there: what git asks for.
    for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if std::env::var_os(name).is_none() {
            shell = shell.env(name, value);
        }
    }
    Err(shell.exec_reading(file))
}

/// The command line of the pager; None: the text is to be shown at once.
fn named(pager: Option<OsString>, terminal: Option<OsString>) -> Option<String> {
    let capable = terminal.is_some_and(|name| name != "dumb");
    let pager = pager.map_or(USUAL.to_owned(), |pager| pager.to_string_lossy().trim().to_owned());
    Some(pager).filter(|pager| capable && !pager.is_empty() && pager != "cat")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cat_and_nothing_are_no_pagers() {
        let named = |pager: Option<&str>, terminal: Option<&str>| {
            named(pager.map(OsString::from), terminal.map(OsString::from)).unwrap_or_default()
        };
        assert_eq!(named(None, Some("xterm")), "less");
        assert_eq!(named(Some("most -s"), Some("xterm")), "most -s");
        for (pager, terminal) in
            [(Some("cat"), Some("xterm")), (Some(" "), Some("xterm")), (None, Some("dumb")), (None, None)]
        {
            assert_eq!(named(pager, terminal), "", "{pager:?} {terminal:?}");
        }
    }
}
