//! What is wrong with a deployment's directory, and what would cure it without a guess. Reads only.

use std::path::{Path, PathBuf};

use super::super::operation::in_dir;
use super::problem::{Cure, Problem, from_backup};
use super::{generated, terraform};
use crate::deployment::{Kept, Loose, Reading, Remains, Unreadable};
use crate::error::Error;
use crate::model::{Phase, StateProblemKind as Kind, quote};

pub(super) fn problems(remains: &Remains) -> Vec<Problem> {
    let mut all: Vec<_> = lock(remains).into_iter().chain(folder(remains)).collect();
    all.extend(remains.loose().into_iter().map(|loose| permissions(remains, loose)));
    all.extend(state(remains));
    all.extend(secrets(remains));
    all.extend(terraform::problem(remains));
    all.extend(generated::problems(remains));
    all
}

/// What is in the place of the lock's file is not followed, and nobody but its owner can tell what it is for.
fn lock(remains: &Remains) -> Option<Problem> {
    match remains.lock_status() {
        Err(Error::BrokenState { file, why, .. }) => {
            let detail = why.split(':').next().unwrap_or_default().to_owned();
            Some(Problem::left(Kind::InTheWay, ".lock", detail, aside_by_hand(&file)))
        }
        Err(error) => {
            let fix = in_dir("exasol status", remains.named());
            Some(Problem::left(Kind::Unreadable, ".lock", format!("tells nothing: {error}"), fix))
        }
        Ok(_) => None,
    }
}

fn folder(remains: &Remains) -> Option<Problem> {
    let (folder, why) = remains.strange_folder()?;
    let fix = aside_by_hand(&remains.root().join(&folder));
    Some(Problem::left(Kind::InTheWay, folder, format!("{why}: no copies are kept"), fix))
}

/// The command that moves something out of the way.
fn aside_by_hand(file: &Path) -> String {
    let place = file.to_string_lossy();
    format!("mv {} {}", quote(&place), quote(&format!("{place}.aside")))
}

fn permissions(remains: &Remains, loose: Loose) -> Problem {
    let file = if loose.path.as_os_str().is_empty() { PathBuf::from(".") } else { loose.path.clone() };
    let what = match loose.mode & 0o077 {
        0 => "its owner cannot use it",
        _ => "others may use it",
    };
    let detail = format!("has mode {:04o} instead of {:04o}: {what}", loose.mode, loose.wanted);
    Problem::curable(remains, Kind::Permissions, file, detail, Cure::Tighten(loose))
}

fn state(remains: &Remains) -> Option<Problem> {
    broken(remains, Kept::State)
}

/// A destroyed deployment has none any more.
fn secrets(remains: &Remains) -> Option<Problem> {
    let gone = |phase: Phase| matches!(phase, Phase::DestroyInProgress | Phase::DestroyFailed | Phase::Destroyed);
    let missing = matches!(remains.read(Kept::Secrets), Reading::Missing);
    let is_needed = match remains.open() {
        Ok(dir) => !gone(dir.state().phase),
        // Nobody knows; a copy tells that it was not destroyed.
        Err(_) => remains.copies(Kept::Secrets).iter().any(|copy| copy.content.is_ok()),
    };
    if missing && !is_needed { None } else { broken(remains, Kept::Secrets) }
}

/// A file that cannot be read, or is not there: the newest copy that can be read cures it.
fn broken(remains: &Remains, kept: Kept) -> Option<Problem> {
    let (kind, detail) = match remains.read(kept) {
        Reading::Content(_) => return None,
        Reading::Missing => (Kind::Missing, "is missing".to_owned()),
        Reading::Unreadable(Unreadable { newer: true, why }) => {
            let fix = "use the version of exasol that wrote it, or a newer one";
            return Some(Problem::left(Kind::NewerSchema, kept.path(), why, fix));
        }
        Reading::Unreadable(Unreadable { why, .. }) => (Kind::Unreadable, why),
    };
    let copy = remains.copies(kept).into_iter().find(|copy| copy.content.is_ok());
    Some(match copy {
        Some(copy) => Problem::curable(remains, kind, kept.path(), detail, Cure::Copy(kept, Box::new(copy))),
        None => Problem::left(
            kind,
            kept.path(),
            format!("{detail}, and there is no copy of it"),
            from_backup(remains, kept),
        ),
    })
}
