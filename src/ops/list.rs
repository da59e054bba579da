//! `list`: every deployment that the index knows, and how it is now. Asks all of them at the same
//! time, as `status` asks one; writes nothing but, with `--prune`, the index.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::blocking::blocking;
use super::operation::{in_dir, millis};
use super::status::{self, StatusRequest};
use super::{Context, known};
use crate::deployment::{Found, Index, IndexEntry, find_deployment};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, DeploymentsReport, KnownDeployment};
use crate::providers;

pub struct ListRequest {
    /// Every probe ends by then.
    pub deadline: Duration,
    /// Drops what has no directory any more.
    pub prune: bool,
}

/// The directory that an entry names has gone.
const MISSING: &str = "missing";
/// The directory, or the entry, cannot be read.
const BROKEN: &str = "broken";
/// Something did not answer in time.
const UNKNOWN: &str = "unknown";
/// What is left after a deadline for reading files and putting results together.
const SLACK: Duration = Duration::from_millis(500);

/// # Errors
/// Where the index's folder is there and cannot be read; never for a single deployment.
pub async fn run(context: &Context, request: ListRequest) -> Result<DeploymentsReport> {
    let since = Instant::now();
    let mut warnings = Vec::new();
    let index = match known::index() {
        Ok(index) => Some(index),
        Err(error) => {
            warnings.push(format!("the list of deployments cannot be read: {error}"));
            None
        }
    };
    let entries = index.as_ref().map(Index::entries).transpose()?.unwrap_or_default();
    let mut pruned = Vec::new();
    let read = join_all(entries.into_iter().map(async |(name, entry)| match entry {
        Ok(entry) => rows_within(request.deadline, entry).await,
        Err(error) => vec![Row::Fixed(Box::new(unreadable(&name, &error)), None)],
    }));
    let mut looks = Vec::new();
    for row in context.interrupt.run(read).await?.into_iter().flatten() {
        match (row, &index) {
            (Row::Fixed(row, directory), Some(index)) if request.prune => match drop_row(index, &row, directory)? {
                true => pruned.push(*row),
                false => looks.push(Row::Fixed(row, None)),
            },
            (row, _) => looks.push(row),
        }
    }
    let asked = join_all(looks.into_iter().map(|row| look(context, row, request.deadline)));
    let answers = context.interrupt.run(asked).await?;
    let mut deployments: Vec<_> = answers.into_iter().flatten().collect();
    deployments.sort_by(|a, b| (&a.created, &a.name, &a.directory).cmp(&(&b.created, &b.name, &b.directory)));
    Ok(DeploymentsReport { next: next(&deployments), deployments, pruned, warnings, checked_in_ms: millis(since) })
}

/// A line of the list, before anybody was asked.
enum Row {
    /// Nobody need be asked. With the directory that the index is told to forget.
    Fixed(Box<KnownDeployment>, Option<PathBuf>),
    Ask(Box<KnownDeployment>),
}

/// As [`rows`]: a directory on a network file system whose server has gone is waited for no longer than a machine.
async fn rows_within(limit: Duration, entry: IndexEntry) -> Vec<Row> {
    let silent = KnownDeployment {
        name: entry.deployment.to_string(),
        directory: entry.directory.clone(),
        provider: entry.provider.clone(),
        created: Some(entry.created.clone()),
        status: UNKNOWN.into(),
        reason: format!("its directory could not be read within {} s", limit.as_secs()),
        ..KnownDeployment::default()
    };
    match timeout(limit, blocking(move || Ok(rows(entry)))).await {
        Ok(Ok(rows)) => rows,
        Ok(Err(_)) | Err(_) => vec![Row::Fixed(Box::new(silent), None)],
    }
}

/// One row for each directory that has, or should have, the deployment.
fn rows(entry: IndexEntry) -> Vec<Row> {
    let all: Vec<_> = [&entry.directory].into_iter().chain(&entry.copies).cloned().collect();
    let found: Vec<_> = all.iter().map(|directory| find_deployment(directory, &entry.deployment)).collect();
    let here: Vec<_> = all.iter().zip(&found).filter(|(_, f)| matches!(f, Found::Here)).map(|(d, _)| d).collect();
    let mut rows = Vec::new();
    for (directory, found) in all.iter().zip(&found) {
        let mut row = KnownDeployment {
            deployment: entry.deployment.to_string(),
            name: entry.deployment.to_string(),
            directory: directory.clone(),
            provider: entry.provider.clone(),
            created: Some(entry.created.clone()),
            ..KnownDeployment::default()
        };
        match found {
            Found::Here => {
                row.copies = here.iter().filter(|other| **other != directory).map(|d| (*d).clone()).collect();
                rows.push(Row::Ask(Box::new(row)));
            }
            // Destroyed and removed, or a copy that has gone: nothing is missing.
            Found::Gone(_) if entry.destroyed || !here.is_empty() => {
                row.status = String::new();
                rows.push(Row::Fixed(Box::new(row), Some(directory.clone())));
            }
            Found::Gone(other) => {
                row.status = MISSING.into();
                row.reason = match other {
                    Some(id) => format!("the directory holds another deployment, {id}"),
                    None => "there is no deployment any more; if it was moved, exasol deploy in the new directory \
                        corrects the list"
                        .into(),
                };
                rows.push(Row::Fixed(Box::new(row), Some(directory.clone())));
            }
            Found::Broken(error) => {
                row.status = BROKEN.into();
                row.reason = error.to_string();
                rows.push(Row::Fixed(Box::new(row), None));
            }
        }
    }
    rows
}

/// An entry that tells nothing but its name.
fn unreadable(name: &str, error: &Error) -> KnownDeployment {
    KnownDeployment {
        deployment: name.to_owned(),
        name: name.to_owned(),
        status: BROKEN.into(),
        reason: error.to_string(),
        ..KnownDeployment::default()
    }
}

/// Drops what was lost, and what says nothing. A directory that is there stays, in whatever state it is.
fn drop_row(index: &Index, row: &KnownDeployment, gone: Option<PathBuf>) -> Result<bool> {
    match (gone, DeploymentId::try_from(row.deployment.clone())) {
        (Some(directory), Ok(id)) => index.forget(&id, &directory).map(|()| true),
        _ if is_unreadable(row) => index.forget_unreadable(&row.deployment),
        _ => Ok(false),
    }
}

fn is_unreadable(row: &KnownDeployment) -> bool {
    row.directory.as_os_str().is_empty()
}

/// None: nothing worth a row.
async fn look(context: &Context, row: Row, deadline: Duration) -> Option<KnownDeployment> {
    let mut row = match row {
        Row::Fixed(row, _) => return (!row.status.is_empty()).then_some(*row),
        Row::Ask(row) => *row,
    };
    let request = StatusRequest { deadline, ..StatusRequest::usual(&row.directory) };
    let asked = timeout(deadline + SLACK, status::run(context, &request)).await;
    match asked {
        Ok(Ok(report)) => {
            row.status = report.status;
            row.reason = report.reason;
            row.name = report.name;
            row.provider = report.provider;
            row.phase = Some(report.phase);
            row.db_version = Some(report.db_version);
            row.rehearsal = report.rehearsal;
            row.cluster_size = Some(report.cluster_size);
            row.next = report.next;
        }
        Ok(Err(error)) => {
            row.status = BROKEN.into();
            row.reason = error.to_string();
        }
        Err(_) => {
            row.status = UNKNOWN.into();
            row.reason = format!("no answer within {} s", deadline.as_secs());
        }
    }
    Some(row)
}

fn next(deployments: &[KnownDeployment]) -> Vec<String> {
    if deployments.is_empty() {
        return vec![format!("exasol init --cloud-provider {} -d DIR", providers::DEFAULT)];
    }
    let mut next = Vec::new();
    if deployments.iter().any(|row| row.status == MISSING || is_unreadable(row)) {
        next.push("exasol list --prune".to_owned());
    }
    if let Some(row) = deployments.iter().find(|row| row.status == BROKEN && !is_unreadable(row)) {
        next.push(in_dir("exasol status", &row.directory));
    }
    next
}
