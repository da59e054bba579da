//! What commands answer, as text for people. JSON is the report itself.
//!
//! One file a group of commands. What does not fit the terminal is wrapped or laid out otherwise by the page;
//! values that people copy are never wrapped.

mod cache;
mod certificate;
mod connect;
mod deployments;
mod doctor;
mod health;
mod html_report;
mod license;
mod lifecycle;
mod listed;
mod log_list;
mod sql;
mod state;
mod status;
mod support;
mod sweep;
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

/// A reason as a sentence: a capital letter, unless it begins with a name such as `n11` or `c4`, and a full stop.
fn sentence(reason: &str) -> String {
    let word = reason.split_whitespace().next().unwrap_or_default();
    let is_name = word.chars().any(|c| !c.is_ascii_lowercase());
    let mut chars = reason.trim_end_matches('.').chars();
    match chars.next() {
        None => String::new(),
        Some(first) if is_name => format!("{first}{}.", chars.as_str()),
        Some(first) => format!("{}{}.", first.to_ascii_uppercase(), chars.as_str()),
    }
}

/// The label that stands wherever a rehearsal cluster is shown.
const REHEARSAL: &str = "rehearsal: no database";

/// A version with the label where it belongs.
fn version(db_version: &str, rehearsal: bool) -> String {
    match rehearsal {
        true if db_version == "rehearsal" => REHEARSAL.to_owned(),
        true => format!("{db_version} ({REHEARSAL})"),
        false => db_version.to_owned(),
    }
}
