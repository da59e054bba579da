//! `state`: what is recorded of a deployment, whether it is sound, and earlier copies in the place of what is not.
//!
//! None of the three needs a state that can be read, and none asks a machine.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the three stories: show, verify, repair |
//! | `show` | the files and their copies as rows |
//! | `problem` | what can be wrong with a file, and what would cure it |
//! | `examine` | what is wrong |
//! | `terraform` | the same for Terraform's state |
//! | `generated` | the same for the files in `ssh/` |
//! | `cure` | under the lock: does it |

mod cure;
mod examine;
mod generated;
mod problem;
mod show;
mod terraform;

use std::path::{Path, PathBuf};

use super::operation::in_dir;
use super::{Confirm, Context};
use crate::deployment::{LockStatus, Remains};
use crate::error::{Error, Result};
use crate::model::{StateCheck, StateProblem, StateRepair, StateReport};
use problem::Problem;

pub struct RepairRequest<'a> {
    pub dir: PathBuf,
    /// None: `--yes` was given.
    pub confirm: Option<Confirm<'a>>,
}

/// # Errors
/// Those of [`Remains::at`]: everything else is part of the answer.
pub fn show(root: &Path) -> Result<StateReport> {
    let remains = Remains::at(root)?;
    let dir = remains.open().ok();
    let next = if dir.is_some() { "exasol status" } else { "exasol state verify" };
    Ok(StateReport {
        directory: remains.root().to_owned(),
        deployment: dir.as_ref().map(|dir| dir.state().id.to_string()),
        name: dir.as_ref().map(|dir| dir.name()),
        files: show::files(&remains),
        next: vec![in_dir(next, root)],
    })
}

/// # Errors
/// Those of [`Remains::at`].
pub fn verify(root: &Path) -> Result<StateCheck> {
    let remains = Remains::at(root)?;
    let problems = told(examine::problems(&remains));
    let operation = match remains.lock_status() {
        Ok(LockStatus::Held(holder)) => holder,
        Ok(LockStatus::Free) | Err(_) => None,
    };
    Ok(StateCheck {
        directory: remains.root().to_owned(),
        sound: problems.is_empty(),
        edited: generated::edited(&remains),
        next: next(root, &problems),
        problems,
        operation,
    })
}

/// Looks, asks, takes the lock, cures what can be cured, and looks again. Where nothing can be, it writes nothing.
pub fn repair(context: &Context, request: &RepairRequest) -> Result<StateRepair> {
    let remains = Remains::at(&request.dir)?;
    let found = examine::problems(&remains);
    if !found.iter().any(|problem| problem.cure.is_some()) {
        return Ok(report(&remains, cure::Done::default(), found));
    }
    confirm(context, request, &found)?;
    let done = cure::all(remains.lock()?)?;
    let left = examine::problems(&remains);
    Ok(report(&remains, done, left))
}

fn report(remains: &Remains, done: cure::Done, left: Vec<Problem>) -> StateRepair {
    let left = told(left);
    StateRepair {
        directory: remains.root().to_owned(),
        sound: left.is_empty(),
        repaired: done.repaired,
        warnings: done.warnings,
        next: next(remains.named(), &left),
        left,
    }
}

fn confirm(context: &Context, request: &RepairRequest, found: &[Problem]) -> Result<()> {
    let Some(confirm) = request.confirm else { return Ok(()) };
    let plans: String = found.iter().filter_map(Problem::plan).map(|plan| format!("  {plan}\n")).collect();
    let answer = confirm(&format!("This would be done:\n{plans}Repair {}?", request.dir.display()));
    context.interrupt.check()?;
    match answer {
        Some(true) => Ok(()),
        Some(false) => Err(Error::Declined { done: "nothing was changed".into() }),
        None => Err(Error::Usage {
            message: "state repair asks before it changes anything, but there is no terminal to ask on".into(),
            hint: Some(in_dir("exasol state repair --yes", &request.dir)),
        }),
    }
}

fn told(problems: Vec<Problem>) -> Vec<StateProblem> {
    problems.into_iter().map(|problem| problem.told).collect()
}

/// Every command that fixes something, once; the status where nothing is wrong.
fn next(root: &Path, problems: &[StateProblem]) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for problem in problems {
        if !commands.contains(&problem.fix) {
            commands.push(problem.fix.clone());
        }
    }
    if commands.is_empty() { vec![in_dir("exasol status", root)] } else { commands }
}
