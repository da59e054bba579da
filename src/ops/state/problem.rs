//! What can be wrong with a file of the directory, and what would cure it.

use std::path::PathBuf;

use super::super::operation::in_dir;
use crate::deployment::{Copied, Kept, Loose, Remains};
use crate::model::{StateProblem, StateProblemKind as Kind, quote};

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

pub(super) fn from_backup(remains: &Remains, kept: Kept) -> String {
    let place = remains.root().join(kept.path());
    format!("put it back from a backup: {}", quote(&place.to_string_lossy()))
}
