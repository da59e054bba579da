//! What is wrong with a deployment's directory, and what would cure it without a guess. Reads only.

use std::path::{Path, PathBuf};

use super::super::operation::in_dir;
use super::{generated, terraform};
use crate::deployment::{Copied, Kept, Loose, Reading, Remains, Unreadable};
use crate::error::Error;
use crate::model::{Phase, StateProblem, StateProblemKind as Kind, quote};

const REPAIR: &str = "exasol state repair";

pub(super) struct Problem {
    pub told: StateProblem,
    /// None: somebody has to do something.
    pub cure: Option<Cure>,
}

pub(super) enum Cure {
    Tighten(Loose),
    /// The copy takes the file's place.
    Copy(Kept, Box<Copied>),
    /// A generated file that is broken is put aside; then it is missing.
    Aside(PathBuf),
    /// What is generated in `ssh/` is rendered again.
    Render,
}

impl Problem {
    /// Somebody has to do this.
    pub fn left(kind: Kind, file: impl Into<PathBuf>, detail: impl Into<String>, fix: impl Into<String>) -> Problem {
        let told = StateProblem { kind, file: file.into(), detail: detail.into(), fix: fix.into(), repairable: false };
        Problem { told, cure: None }
    }

    pub fn curable(
        remains: &Remains,
        kind: Kind,
        file: impl Into<PathBuf>,
        detail: impl Into<String>,
        cure: Cure,
    ) -> Problem {
        let mut problem = Problem::left(kind, file, detail, in_dir(REPAIR, remains.named()));
        problem.told.repairable = true;
        problem.cure = Some(cure);
        problem
    }

    /// What its cure does, in words.
    pub fn plan(&self) -> Option<String> {
        let file = self.told.subject();
        Some(match self.cure.as_ref()? {
            Cure::Tighten(loose) => format!("{file}: mode {:04o} instead of {:04o}", loose.wanted, loose.mode),
            Cure::Copy(_, copy) => format!("{file}: {} takes its place", copy.path.display()),
            Cure::Aside(_) => format!("{file}: put aside, and rendered again"),
            Cure::Render => format!("{file}: rendered again"),
        })
    }
}

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

pub(super) fn from_backup(remains: &Remains, kept: Kept) -> String {
    let place = remains.root().join(kept.path());
    format!("put it back from a backup: {}", quote(&place.to_string_lossy()))
}
