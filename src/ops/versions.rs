//! `versions`: the releases that can be named, and, with `--check`, which ones the server has beside them.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;

use super::{Context, ReleaseRequest, known};
use crate::catalog::{self, Number};
use crate::error::{Error, Result};
use crate::model::{DbVersion, KnownVersion, Source, VersionsReport};
use crate::tools::http;

/// Questions at the same time.
const AT_ONCE: usize = 8;
/// Questions altogether.
const AT_MOST: usize = 48;
/// For all of them.
const LIMIT: Duration = Duration::from_secs(20);

pub async fn run(context: &Context, asked: &ReleaseRequest, check: bool) -> Result<VersionsReport> {
    let versions = all(asked)?;
    let mut report = VersionsReport {
        versions: versions.iter().map(KnownVersion::of).collect(),
        warnings: Vec::new(),
        next: Vec::new(),
    };
    if check {
        context.interrupt.run(look(asked, versions, &mut report)).await??;
    }
    Ok(report)
}

/// Built in, of the user's own catalogue, of the user's deployments, and those whose number is known; each once.
pub(super) fn all(asked: &ReleaseRequest) -> Result<Vec<DbVersion>> {
    let mut all = catalog::versions().to_vec();
    all.extend(asked.own_versions()?);
    let is_there = |all: &[DbVersion], other: &DbVersion| {
        all.iter().any(|version| (&version.name, &version.c4_version) == (&other.name, &other.c4_version))
    };
    for release in known::specs().into_iter().filter_map(|spec| spec.release) {
        if !is_there(&all, &release) {
            all.push(*release);
        }
    }
    for (number, c4) in catalog::KNOWN {
        let version = catalog::on_server(number, c4, asked.server.as_deref())?;
        if !is_there(&all, &version) && !all.iter().any(|known| known.name == version.name) {
            all.push(version);
        }
    }
    Ok(all)
}

/// Asks for everything that has an address, and for the numbers that come next.
async fn look(asked: &ReleaseRequest, versions: Vec<DbVersion>, report: &mut VersionsReport) -> Result<()> {
    let numbers: Vec<_> = versions.iter().filter_map(|version| Number::parse(&version.name)).collect();
    let mut candidates = Vec::new();
    for number in catalog::next_numbers(&numbers) {
        let c4 = number.c4().unwrap_or(catalog::newest_c4());
        candidates.push(catalog::on_server(number, c4, asked.server.as_deref())?);
    }
    let is_new = versions.len();
    let questions = versions.into_iter().chain(candidates).enumerate().filter_map(|(index, version)| {
        let Source::Url(url) = version.archive.source() else { return None };
        // Whoever has named a server asks that one alone.
        let is_asked = asked.server.as_ref().is_none_or(|server| url.starts_with(server.as_str()));
        is_asked.then(|| (index, url.to_owned(), version.clone()))
    });
    let mut questions: Vec<_> = questions.take(AT_MOST).collect();
    report.versions.iter_mut().for_each(|version| version.on_server = Some(None));
    // One first: where there is no network, nobody waits for the others. It is the default release's.
    if questions.is_empty() {
        return Ok(());
    }
    let first = questions.remove(0);
    let mut mute = 0;
    match http::is_there(&first.1).await {
        Ok(there) => take(report, is_new, first.0, &first.2, there),
        // It answers, though not yes or no: it may know others better.
        Err(Error::Download { cause, .. }) if cause.starts_with("HTTP ") => mute += 1,
        Err(error) => return Err(without_network(error)),
    }
    let answers =
        stream::iter(questions).map(async |(index, url, version)| (index, version, http::is_there(&url).await));
    let mut answers = std::pin::pin!(answers.buffer_unordered(AT_ONCE));
    let mut found = Vec::new();
    let all = async {
        while let Some((index, version, answer)) = answers.next().await {
            match answer {
                Ok(there) => found.push((index, version, there)),
                Err(_) => mute += 1,
            }
        }
    };
    if tokio::time::timeout(LIMIT, all).await.is_err() {
        report.warnings.push(format!("not everything was answered within {} s", LIMIT.as_secs()));
    } else if mute > 0 {
        report.warnings.push(format!("{mute} questions got no answer"));
    }
    found.sort_by_key(|(index, ..)| *index);
    for (index, version, there) in found {
        take(report, is_new, index, &version, there);
    }
    Ok(())
}

/// What the server answered for one; below `known` it stands in the report already.
fn take(report: &mut VersionsReport, known: usize, index: usize, version: &DbVersion, there: bool) {
    if let Some(row) = report.versions.get_mut(index).filter(|_| index < known) {
        row.on_server = Some(Some(there));
        return;
    }
    if !there {
        return;
    }
    let c4 = Number::parse(&version.name).and_then(|number| number.c4());
    let mut row = KnownVersion { on_server: Some(Some(true)), ..KnownVersion::of(version) };
    let number = version.name.trim_start_matches("exasol-").to_owned();
    if c4.is_none() {
        row.remark =
            Some("this program does not know which c4 belongs to it: the newest one fits every database".into());
        row.c4_version = None;
    }
    let c4 = version.c4_version.as_ref().filter(|_| c4.is_none()).map(|c4| format!(" --c4-version {c4}"));
    report.next = vec![format!("exasol init --db-version {number}{}", c4.unwrap_or_default())];
    report.versions.push(row);
}

fn without_network(error: Error) -> Error {
    match error {
        Error::Download { url, cause, .. } => Error::Download {
            url,
            cause,
            hint: Some("without --check, exasol versions lists what is known here and needs no network".into()),
        },
        other => other,
    }
}
