//! The generated files in `ssh/`: they follow from the state and the secrets, and can be rendered again.

use std::path::{Path, PathBuf};

use super::super::operation::in_dir;
use super::super::{access, rendered};
use super::problem::{Cure, Problem};
use crate::deployment::{DeploymentDir, Remains};
use crate::error::Error;
use crate::model::{Phase, StateProblemKind as Kind};

const FOLDER: &str = "ssh";
/// Its lines may be somebody's own.
const CONFIG: &str = "ssh/config";

pub(super) fn problems(remains: &Remains) -> Vec<Problem> {
    // What these files follow from comes first.
    let Some(dir) = remains.open().ok().filter(|dir| has_them(dir) && dir.secrets().is_ok()) else { return Vec::new() };
    match (rendered::files(&dir), dir.edited_files()) {
        (Ok(files), Ok(edited)) => {
            let wrong = files.stale.iter().map(Path::new).filter(|file| !is_harmless(&dir, file, &edited));
            wrong.map(|file| problem(remains, file, &edited)).collect()
        }
        (Err(error), _) | (_, Err(error)) => vec![unknown(remains, &error)],
    }
}

/// Generated files that were edited, and that are left to their owner.
pub(super) fn edited(remains: &Remains) -> Vec<PathBuf> {
    let Ok(dir) = remains.open() else { return Vec::new() };
    let edited = dir.edited_files().unwrap_or_default();
    edited.into_iter().filter(|file| !is_key(file)).collect()
}

/// Before the first deploy there are none, and after destroy.
fn has_them(dir: &DeploymentDir) -> bool {
    let gone = matches!(dir.state().phase, Phase::DestroyInProgress | Phase::DestroyFailed | Phase::Destroyed);
    !gone && dir.state().rendered.keys().any(|name| Path::new(name).starts_with(FOLDER))
}

/// Nobody edits a key, or the keys of others: such a file is damaged.
fn is_key(file: &Path) -> bool {
    file.starts_with(FOLDER) && file != Path::new(CONFIG)
}

/// A configuration that somebody has edited, or that names the place where the directory was before: ssh is told both.
fn is_harmless(dir: &DeploymentDir, file: &Path, edited: &[PathBuf]) -> bool {
    let has_moved = || dir.root().join(file).is_file() && !access::is_in_place(dir).unwrap_or(true);
    file == Path::new(CONFIG) && (edited.iter().any(|edited| edited == file) || has_moved())
}

fn problem(remains: &Remains, file: &Path, edited: &[PathBuf]) -> Problem {
    let is_missing = remains.root().join(file).symlink_metadata().is_err();
    let (kind, detail) = match is_missing {
        true => (Kind::Missing, "is missing"),
        false => (Kind::Outdated, "is not what the state and the secrets say"),
    };
    match file.starts_with(FOLDER) {
        // The inventory needs what only the nodes know.
        false => Problem::left(kind, file, detail, in_dir("exasol health --repair", remains.named())),
        true if edited.iter().any(|edited| edited == file) => {
            Problem::curable(remains, Kind::Unreadable, file, "is damaged", Cure::Aside(file.to_owned()))
        }
        true => Problem::curable(remains, kind, file, detail, Cure::Render),
    }
}

fn unknown(remains: &Remains, error: &Error) -> Problem {
    let fix = error.hint().unwrap_or_else(|| in_dir("exasol status", remains.named()));
    Problem::left(Kind::Unreadable, "ssh", format!("cannot be compared with the state: {error}"), fix)
}
