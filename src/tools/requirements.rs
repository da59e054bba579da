//! Programs that must be there, as preflight checks with the command that installs each.

use crate::error::{Error, INSTALL_TOOLS};
use crate::model::Check;

/// A tool that was looked for: its version, or why it can't be used.
pub fn check(id: &'static str, title: &str, found: std::result::Result<String, &Error>) -> Check {
    match found {
        Ok(version) => Check::ok(id, title, version),
        Err(Error::ToolMissing { tool, needed, install, fetched }) => {
            let needed = needed.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
            let check = Check::failed(id, title, format!("{tool} was not found on PATH{needed}"));
            match fetched {
                // Lines for a shell: the other way is a comment.
                true => check.fix(INSTALL_TOOLS).fix(format!("# or {install}")),
                false => check.fix(install),
            }
        }
        Err(other) => {
            let check = Check::failed(id, title, other.to_string());
            other.hint().into_iter().fold(check, Check::fix)
        }
    }
}
