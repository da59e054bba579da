//! `list`: every deployment that the index knows, and how it is now. Asks all of them at the same
//! time, as `status` asks one; writes nothing but, with `--prune`, the index.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::operation::{in_dir, millis};
use super::status::{self, StatusRequest};
use super::{Context, known};
use crate::deployment::{Found, Index, IndexEntry, find_deployment};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, DeploymentsReport, KnownDeployment, Phase, Status, Whose};
use crate::providers;

pub struct ListRequest {
    /// Every probe ends by then.
    pub deadline: Duration,
    /// Drops what has no directory any more.
    pub prune: bool,
    /// Also lists destroyed deployments.
    pub all: bool,
}

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
    let mut looks = Vec::new();
    let deadline = request.deadline;
    let found = join_all(entries.into_iter().map(|(name, entry)| async move {
        match entry {
            Ok(entry) => found(entry, deadline, rows).await,
            Err(error) => vec![Row::Fixed(Box::new(unreadable(&name, &error)), None)],
        }
    }));
    for rows in context.interrupt.run(found).await? {
        for row in rows {
            match (row, &index) {
                (Row::Gone(row, directory), Some(index)) if request.prune => {
                    drop_row(index, &row, Some(directory))?;
                    pruned.push(*row);
                }
                (Row::Gone(..), _) => {}
                (Row::Fixed(row, directory), Some(index)) if request.prune => match drop_row(index, &row, directory)? {
                    true => pruned.push(*row),
                    false => looks.push(Row::Fixed(row, None)),
                },
                (row, _) => looks.push(row),
            }
        }
    }
    let asked = join_all(looks.into_iter().map(|row| look(context, row, request.deadline)));
    let answers = context.interrupt.run(asked).await?;
    let mut deployments: Vec<_> = answers.into_iter().flatten().collect();
    let all = deployments.len();
    deployments.retain(|row| request.all || row.status != Phase::Destroyed.into());
    let destroyed_hidden = all - deployments.len();
    deployments
        .sort_by(|a, b| (&a.created, &a.whose.name, &a.directory).cmp(&(&b.created, &b.whose.name, &b.directory)));
    let next = next(&deployments, destroyed_hidden);
    Ok(DeploymentsReport { next, deployments, destroyed_hidden, pruned, warnings, checked_in_ms: millis(since) })
}

/// A line of the list, before anybody was asked.
enum Row {
    /// Nobody need be asked. With the directory that the index is told to forget.
    Fixed(Box<KnownDeployment>, Option<PathBuf>),
    /// Nothing is missing: not worth a line, but the index may forget the directory.
    Gone(Box<KnownDeployment>, PathBuf),
    Ask(Box<KnownDeployment>),
}

/// The rows of an entry. A directory on a file system that does not answer must not keep the others waiting: the
/// thread that looks there is left alone.
async fn found(
    entry: IndexEntry,
    deadline: Duration,
    rows: impl FnOnce(IndexEntry) -> Vec<Row> + Send + 'static,
) -> Vec<Row> {
    let silent =
        KnownDeployment { status: Status::Unknown, reason: silence(deadline), ..known(&entry, &entry.directory) };
    let looked = timeout(deadline, spawn_blocking(move || rows(entry))).await;
    looked.ok().and_then(|looked| looked.ok()).unwrap_or_else(|| vec![Row::Fixed(Box::new(silent), None)])
}

fn silence(deadline: Duration) -> String {
    format!("its directory does not answer within {} s", deadline.as_secs())
}

/// What an entry tells by itself.
fn known(entry: &IndexEntry, directory: &Path) -> KnownDeployment {
    let name = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    KnownDeployment {
        whose: Whose {
            name: name.unwrap_or_else(|| entry.deployment.to_string()),
            deployment: entry.deployment.to_string(),
        },
        directory: directory.to_owned(),
        provider: entry.provider.clone(),
        db_version: None,
        rehearsal: false,
        cluster_size: None,
        status: Status::Unknown,
        phase: None,
        reason: String::new(),
        since: None,
        created: Some(entry.created.clone()),
        tried: false,
        copies: Vec::new(),
        next: Vec::new(),
    }
}

/// One row for each directory that has, or should have, the deployment.
fn rows(entry: IndexEntry) -> Vec<Row> {
    let all: Vec<_> = [&entry.directory].into_iter().chain(&entry.copies).cloned().collect();
    let found: Vec<_> = all.iter().map(|directory| find_deployment(directory, &entry.deployment)).collect();
    let here: Vec<_> = all.iter().zip(&found).filter(|(_, f)| matches!(f, Found::Here)).map(|(d, _)| d).collect();
    let mut rows = Vec::new();
    for (directory, found) in all.iter().zip(&found) {
        let mut row = known(&entry, directory);
        match found {
            Found::Here => {
                row.copies = here.iter().filter(|other| **other != directory).map(|d| (*d).clone()).collect();
                rows.push(Row::Ask(Box::new(row)));
            }
            // Destroyed and removed, or a copy that has gone: nothing is missing.
            Found::Gone(_) if entry.destroyed || !here.is_empty() => {
                rows.push(Row::Gone(Box::new(row), directory.clone()));
            }
            Found::Gone(other) => {
                row.status = Status::Missing;
                row.reason = match other {
                    Some(id) => format!("the directory holds another deployment, {id}"),
                    None => "there is no deployment any more; if it was moved, exasol deploy in the new directory \
                        corrects the list"
                        .into(),
                };
                rows.push(Row::Fixed(Box::new(row), Some(directory.clone())));
            }
            Found::Broken(error) => {
                row.status = Status::Broken;
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
        whose: Whose { deployment: name.to_owned(), name: name.to_owned() },
        directory: PathBuf::new(),
        provider: String::new(),
        db_version: None,
        rehearsal: false,
        cluster_size: None,
        status: Status::Broken,
        phase: None,
        reason: error.to_string(),
        since: None,
        created: None,
        tried: false,
        copies: Vec::new(),
        next: Vec::new(),
    }
}

/// Drops what was lost, and what says nothing. A directory that is there stays, in whatever state it is.
fn drop_row(index: &Index, row: &KnownDeployment, gone: Option<PathBuf>) -> Result<bool> {
    match (gone, DeploymentId::try_from(row.whose.deployment.clone())) {
        (Some(directory), Ok(id)) => index.forget(&id, &directory).map(|()| true),
        _ if is_unreadable(row) => index.forget_unreadable(&row.whose.deployment),
        _ => Ok(false),
    }
}

fn is_unreadable(row: &KnownDeployment) -> bool {
    row.directory.as_os_str().is_empty()
}

async fn look(context: &Context, row: Row, deadline: Duration) -> Option<KnownDeployment> {
    let mut row = match row {
        Row::Gone(..) => return None,
        Row::Fixed(row, _) => return Some(*row),
        Row::Ask(row) => *row,
    };
    let request = StatusRequest { deadline, ..StatusRequest::usual(&row.directory) };
    let context = context.clone();
    // In a thread of its own: a read from a file system that does not answer cannot be given up.
    let here = Handle::current();
    let asking = spawn_blocking(move || here.block_on(status::run(&context, &request)));
    match timeout(deadline + SLACK, asking).await {
        Ok(Ok(Ok(report))) => {
            row.tried = report.has_tried();
            row.status = report.status;
            row.reason = report.reason;
            row.whose.name = report.whose.name;
            row.since = report.last_error.map(|error| error.at).or(report.since);
            row.provider = report.provider;
            row.phase = Some(report.phase);
            row.db_version = Some(report.db_version);
            row.rehearsal = report.rehearsal;
            row.cluster_size = Some(report.cluster_size);
            row.next = report.next;
        }
        Ok(Ok(Err(error))) => {
            row.status = Status::Broken;
            row.reason = error.to_string();
        }
        Ok(Err(_)) | Err(_) => {
            row.status = Status::Unknown;
            row.reason = silence(deadline);
        }
    }
    Some(row)
}

fn next(deployments: &[KnownDeployment], destroyed: usize) -> Vec<String> {
    if deployments.is_empty() && destroyed == 0 {
        return vec![format!("exasol init --cloud-provider {} -d DIR", providers::DEFAULT)];
    }
    let mut next = Vec::new();
    // Its machines may still be there, and who forgets it does not find them any more.
    let is_on_hypervisor = |name: &str| providers::find(name).is_ok_and(|provider| !provider.is_cloud());
    if deployments.iter().any(|row| row.status == Status::Missing && is_on_hypervisor(&row.provider)) {
        next.push("exasol sweep".to_owned());
    }
    if deployments.iter().any(|row| row.status == Status::Missing || is_unreadable(row)) {
        next.push("exasol list --prune".to_owned());
    }
    if let Some(row) = deployments.iter().find(|row| row.status == Status::Broken && !is_unreadable(row)) {
        next.push(in_dir("exasol status", &row.directory));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_that_does_not_answer_is_a_row_of_its_own() {
        let entry: IndexEntry = serde_json::from_value(serde_json::json!({
            "schema": 1, "deployment": "exasol-0001abff", "directory": "/mnt/dead/duo", "provider": "libvirt",
            "created": "2026-01-02T03:04:05Z",
        }))
        .unwrap();
        // As a file on a dead NFS mount: nothing ever comes.
        let (_keep, never) = std::sync::mpsc::channel::<()>();
        let hung = move |_| {
            let _ = never.recv();
            Vec::new()
        };
        let rows = found(entry, Duration::from_millis(1), hung).await;
        let [Row::Fixed(row, None)] = rows.as_slice() else { panic!("{} rows", rows.len()) };
        assert_eq!((row.status, row.whose.name.as_str()), (Status::Unknown, "duo"));
        assert!(row.reason.contains("does not answer"), "{}", row.reason);
    }
}
