//! `-d NAME`: a deployment by what people call it, from wherever they are.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::known;
use super::operation::in_dir;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{Phase, closest, quote};

/// `exasol list` shows more.
const MENTIONED: usize = 10;

/// The directory that was meant: a path that is there, or that has a `/` in it, is taken as it is; another word is a
/// deployment's name, or its id. A word that nothing is called stays a path: what reads it says that nothing is there.
///
/// # Errors
/// [`Error::Usage`] if several deployments have that name, [`Error::NotADeployment`] with a name that is similar.
pub fn find(typed: &Path) -> Result<PathBuf> {
    let Some(word) = word(typed) else { return Ok(typed.to_owned()) };
    let all = all();
    let named: Vec<_> = all.iter().filter(|known| known.name == word || known.id == word).collect();
    // What was destroyed has left its name to others.
    let living: Vec<_> = named.iter().filter(|known| !known.destroyed).copied().collect();
    match (living.as_slice(), named.as_slice()) {
        ([one], _) | ([], [one]) => Ok(one.directory.clone()),
        ([], []) => match closest(word, all.iter().map(|known| known.name.as_str())) {
            Some(similar) => {
                Err(Error::NotADeployment { dir: typed.to_owned(), similar: Some(similar), known: Vec::new() })
            }
            None => Ok(typed.to_owned()),
        },
        ([], several) | (several, _) => Err(ambiguous(word, several)),
    }
}

/// The error, with the deployments that may have been meant: where there is none, all of them; where a node was
/// expected, the one that is called like it.
pub fn with_known(error: Error) -> Error {
    match error {
        Error::NotADeployment { dir, similar: None, .. } => {
            let mut known: Vec<_> = living().into_iter().map(|(name, _)| name).collect();
            known.truncate(MENTIONED);
            Error::NotADeployment { dir, similar: None, known }
        }
        Error::InvalidValue { flag, value, problem, suggestion: None } if flag == "NODE" && is_known(&value) => {
            let suggestion = Some(format!("-d {}", quote(&value)));
            Error::InvalidValue { flag, value, problem, suggestion }
        }
        other => other,
    }
}

/// Whether a deployment is called so.
pub fn is_known(name: &str) -> bool {
    living().iter().any(|(known, _)| known == name)
}

/// Names and directories of those that were not destroyed.
pub(super) fn living() -> Vec<(String, PathBuf)> {
    all().into_iter().filter(|known| !known.destroyed).map(|known| (known.name, known.directory)).collect()
}

/// A name as it would be typed; None for a path.
fn word(typed: &Path) -> Option<&str> {
    let text = typed.to_str()?;
    let mut parts = typed.components();
    let only = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    (only && !text.contains('/') && typed.symlink_metadata().is_err()).then_some(text)
}

struct Known {
    name: String,
    id: String,
    directory: PathBuf,
    destroyed: bool,
}

/// Every deployment whose directory can be read.
fn all() -> Vec<Known> {
    let entries = known::index().and_then(|index| index.entries()).unwrap_or_default();
    let entries = entries.into_iter().filter_map(|(_, entry)| entry.ok());
    let places: BTreeSet<_> = entries.flat_map(|entry| std::iter::once(entry.directory).chain(entry.copies)).collect();
    let dirs = places.iter().filter_map(|place| DeploymentDir::open(place).ok());
    dirs.map(|dir| Known {
        name: dir.name(),
        id: dir.state().id.to_string(),
        directory: dir.root().to_owned(),
        destroyed: dir.state().phase == Phase::Destroyed,
    })
    .collect()
}

fn ambiguous(word: &str, several: &[&Known]) -> Error {
    let places: Vec<_> = several.iter().map(|known| known.directory.display().to_string()).collect();
    let first = several.first().map_or_else(PathBuf::new, |known| known.directory.clone());
    Error::Usage {
        message: format!("{} deployments are called '{word}': {}", several.len(), places.join(", ")),
        hint: Some(format!("name the directory, e.g. {}", in_dir("exasol status", &first))),
    }
}
