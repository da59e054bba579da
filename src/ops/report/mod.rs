//! `report`: one page about a deployment, for tickets and for people who look rather than read. It works in
//! every phase, beside a running operation, and with machines that are off; it takes no lock, and changes
//! nothing but the new file.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the story: where the page goes, what is asked, what is told |
//! | `cleaner` | from anything to texts without secrets and control characters |
//! | `ask` | live answers, within limits |
//! | `nodes` | pure: nodes, their disks and networks |
//! | `health` | pure: what was found now, or recorded last |
//! | `runs` | the logs of the last operations |
//! | `run` | pure: from an operation's events to its steps |
//! | `notes` | pure: what in an operation is worth a look |
//! | `tables` | pure: versions and the specification |
//!
//! Does not belong here: how the page looks (`render::page`).

mod ask;
mod cleaner;
mod health;
mod nodes;
mod notes;
mod run;
mod runs;
mod tables;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::new_file::{self, NewFile};
use super::{Context, recorded, redaction, version};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{HtmlReport, MissingEvidence, VersionReport};
use crate::render::page::{self, Fact, Page, Tone, Trouble, moment};

use ask::Answers;
use cleaner::Cleaner;

const ENDING: &str = ".html";
const FLAG: &str = "--output-file";

pub struct ReportRequest {
    pub dir: PathBuf,
    /// None: a name of its own in the current folder.
    pub file: Option<PathBuf>,
    /// Ask no machine: what is recorded is enough.
    pub offline: bool,
    /// As `status` has it.
    pub deadline: Duration,
}

pub async fn run(context: &Context, request: ReportRequest) -> Result<HtmlReport> {
    let dir = DeploymentDir::open(&request.dir)?;
    let now = jiff::Timestamp::now();
    let name = format!("exasol-report-{}-{}", dir.state().id, now.strftime("%Y%m%dT%H%M%SZ"));
    let file = NewFile::at(request.file.clone().unwrap_or_else(|| new_file::free(&name, ENDING)), FLAG)?;
    let known = redaction::known(dir.root(), Some(&dir));
    let cleaner = Cleaner::new(&known.secrets);
    let asking = async { tokio::join!(ask::live(context, &request), version::verbose()) };
    let (live, versions) = context.interrupt.run(asking).await?;

    let page = content(&dir, &cleaner, &moment(&now.to_string()), live.clean(&cleaner), versions);
    let html = page::page(&page)?;
    file.file().write_all(html.as_bytes()).map_err(Error::io("cannot write the report"))?;
    let (file, bytes) = file.place()?;
    let missing = page.missing.into_iter().map(|Fact { name, value }| MissingEvidence { what: name, why: value });
    Ok(HtmlReport {
        file,
        deployment: dir.state().id.to_string(),
        bytes,
        operations: page.runs.len(),
        missing: missing.collect(),
        warnings: known.warning.into_iter().collect(),
    })
}

fn content(
    dir: &DeploymentDir,
    cleaner: &Cleaner,
    made_at: &str,
    answers: Answers,
    versions: Result<VersionReport>,
) -> Page {
    let state = cleaner.value(dir.state());
    let recorded = health::recorded(dir, cleaner);
    let health = health::of(&answers, &recorded);
    let runs = runs::last(dir, cleaner);
    let (tone, status, reason) = verdict(&state, &answers);
    let mut missing = answers.missing.clone();
    if state.is_null() {
        missing.push(Fact::new("the recorded state", "nothing of it is left without a secret"));
    }
    let components = match versions {
        Ok(versions) => tables::versions(&cleaner.value(&versions), &dir.state().spec.provider),
        Err(error) => {
            missing.push(Fact::new("versions", cleaner.text(&error.to_string())));
            Vec::new()
        }
    };
    missing.extend(runs.missing);
    Page {
        title: cleaner.text(&dir.name()),
        made_at: made_at.to_owned(),
        exasol: env!("CARGO_PKG_VERSION").to_owned(),
        tone,
        status,
        reason,
        facts: tables::facts(&state, recorded::is_rehearsal(dir)),
        running: running(&answers.status["operation"]),
        trouble: trouble(&state["last_error"]),
        next: strings(&answers.status["next"]),
        nodes: nodes::all(dir, &state, &answers.status, recorded.first(), &health),
        buses: nodes::buses(&state),
        health,
        runs: runs.shown,
        more_runs: runs.more,
        components,
        spec: tables::spec(&state["spec"]),
        missing,
    }
}

/// What `status` says, or else what is recorded.
fn verdict(state: &Value, answers: &Answers) -> (Tone, String, String) {
    let (status, reason) = match answers.status["status"].as_str() {
        Some(status) => (status, answers.status["reason"].as_str().unwrap_or_default().to_owned()),
        None => {
            let at = moment(state["updated_at"].as_str().unwrap_or_default());
            (state["phase"].as_str().unwrap_or("unknown"), format!("as recorded on {at}"))
        }
    };
    let tone = match status {
        "database_ready" => Tone::Good,
        "initialized" | "stopped" | "destroyed" => Tone::Quiet,
        "interrupted" => Tone::Warning,
        running if running.ends_with("_in_progress") => Tone::Active,
        _ => Tone::Bad,
    };
    (tone, status.replace('_', " "), reason)
}

fn running(holder: &Value) -> Option<String> {
    let operation = holder["operation"].as_str()?;
    Some(format!("{operation} has been running since {}", moment(holder["since"].as_str()?)))
}

fn trouble(error: &Value) -> Option<Trouble> {
    let text = |key: &str| error[key].as_str();
    let (operation, code, at) = (text("operation")?, text("code")?, moment(text("at")?));
    let what = format!("The last operation failed: {operation}, with the code {code}, on {at}");
    Some(Trouble { what, message: text("message")?.to_owned() })
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
