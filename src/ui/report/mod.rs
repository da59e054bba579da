//! What commands answer, as text for people. JSON is the report itself.
//!
//! One file a group of commands; a report is shown in full, whatever the width of the terminal,
//! and values that people copy are never wrapped.

mod cache;
mod certificate;
mod connect;
mod deployments;
mod health;
mod html_report;
mod license;
mod lifecycle;
mod listed;
mod log_list;
mod sql;
mod status;
mod support;
mod version;
mod versions;
mod ways;

use serde::Serialize;

use super::page::Page;

pub(super) use sql::csv;

/// A command's result.
pub trait Report: Serialize {
    /// Writes the result as people read it.
    fn text(&self, page: &mut Page);

    /// What the user should know beside the result: shown on standard error, part of the JSON.
    fn warnings(&self) -> &[String] {
        &[]
    }
}

/// The label that stands wherever a rehearsal cluster is shown.
const REHEARSAL: &str = "rehearsal: no database";

/// A version with the label where it belongs.
fn version(db_version: &str, rehearsal: bool) -> String {
    if rehearsal { format!("{db_version} ({REHEARSAL})") } else { db_version.to_owned() }
}
