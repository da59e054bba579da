//! `exasol` in the place of a program that a Terraform provider calls.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::ScriptReport;
use crate::providers::{self, StandIn};
use crate::tools::alias::find_other;
use crate::tools::process::Tool;

/// What is stood in for under that name (this program's argument 0).
pub fn named(argument: &OsStr) -> Option<&'static StandIn> {
    let name = Path::new(argument).file_name()?;
    let mut stand_ins = providers::ALL.iter().filter_map(|p| p.hypervisor()?.stand_in.as_ref());
    stand_ins.find(|stand_in| name == stand_in.program)
}

/// What the program would print. Calls that are not the provider's with our own files are the real
/// program's: this process becomes it.
///
/// # Errors
/// It is not installed.
pub fn run(stand_in: &StandIn, arguments: Vec<OsString>) -> Result<ScriptReport> {
    if let Some(text) = ours(stand_in, &arguments) {
        return Ok(ScriptReport { text });
    }
    match find_other(stand_in.program) {
        Some(program) => Err(Tool::new(program).args(arguments).exec()),
        None => Err(Error::ToolMissing {
            tool: stand_in.program.into(),
            needed: Some("exasol stands in for it, but this is not a file that exasol made".into()),
            install: format!("install {}, or undo what was edited in terraform/", stand_in.program),
            fetched: false,
        }),
    }
}

/// Options, then the stylesheet, then the document.
fn ours(stand_in: &StandIn, arguments: &[OsString]) -> Option<String> {
    let is_option = |argument: &&OsString| argument.as_encoded_bytes().starts_with(b"-");
    let (options, files): (Vec<_>, Vec<_>) = arguments.iter().partition(is_option);
    let [stylesheet, document] = files.as_slice() else { return None };
    if !options.iter().all(|option| stand_in.options.iter().any(|known| *option == *known)) {
        return None;
    }
    let read = |file: &OsString| std::fs::read_to_string(file).ok();
    (stand_in.transform)(&read(stylesheet)?, &read(document)?)
}
