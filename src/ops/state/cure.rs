//! Cures what can be cured, with the lock held.
//!
//! In rounds: with a state in its place again it is known what the other files should be. Then the generated files.

use super::super::access::Access;
use super::super::operation::in_dir;
use super::super::ssh_files;
use super::examine;
use super::problem::{Cure, Problem};
use crate::deployment::{Content, Copied, EditPolicy, Locked, Mending, transitions};
use crate::error::Result;
use crate::model::RenderedFile;

/// The state, then Terraform's, then the keys in `ssh/`: a round for each, and one that finds nothing.
const ROUNDS: u32 = 5;

#[derive(Default)]
pub(super) struct Done {
    pub repaired: Vec<String>,
    pub warnings: Vec<String>,
}

pub(super) fn all(mending: Mending) -> Result<Done> {
    let mut done = Done::default();
    let mut render = false;
    for _ in 0..ROUNDS {
        let before = done.repaired.len();
        for problem in examine::problems(mending.remains()) {
            render |= matches!(problem.cure, Some(Cure::Render));
            one(&mending, &problem, &mut done)?;
        }
        if done.repaired.len() == before {
            break;
        }
    }
    if render {
        again(&mut mending.into_locked()?, &mut done)?;
    }
    Ok(done)
}

fn one(mending: &Mending, problem: &Problem, done: &mut Done) -> Result<()> {
    let file = problem.told.subject();
    match &problem.cure {
        Some(Cure::Tighten(loose)) => {
            mending.tighten(loose)?;
            done.repaired.push(format!("{file} has mode {:04o} again", loose.wanted));
        }
        Some(Cure::Copy(kept, copy)) => {
            let aside = mending.restore(*kept, copy)?;
            let aside = aside.map(|aside| format!("; what was there is {}", aside.display())).unwrap_or_default();
            done.repaired.push(format!("{file} is what {} was{}{aside}", copy.path.display(), of(copy)));
            done.warnings.extend(what_it_lacks(mending, copy));
        }
        Some(Cure::Aside(path)) => {
            if let Some(aside) = mending.put_aside(path)? {
                done.repaired.push(format!("{file} was damaged, and is {} now", aside.display()));
            }
        }
        Some(Cure::Render) | None => {}
    }
    Ok(())
}

/// From when it is.
fn of(copy: &Copied) -> String {
    match &copy.content {
        Ok(Content::State(state)) => format!(" (phase {}, {})", state.phase, state.updated_at),
        _ => copy.made_at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default(),
    }
}

/// An operation that has begun after the state of this copy was written is not in it.
fn what_it_lacks(mending: &Mending, copy: &Copied) -> Option<String> {
    let Ok(Content::State(state)) = &copy.content else { return None };
    let dir = mending.remains().open().ok()?;
    let written = state.updated_at.parse::<jiff::Timestamp>().ok()?;
    let folders = dir.log_folders().unwrap_or_default();
    let later = folders
        .iter()
        .rev()
        .find(|folder| folder.started_at > written && transitions::begin(folder.operation).is_some())?;
    Some(format!(
        "{} began at {:.0}, after this copy was written: what it has changed is not recorded. {} shows what it printed",
        later.operation,
        later.started_at,
        in_dir("exasol logs", mending.remains().named())
    ))
}

/// What is generated in `ssh/`; a configuration that somebody has edited stays.
fn again(dir: &mut Locked, done: &mut Done) -> Result<()> {
    let files = ssh_files::rendered(dir, &Access::to(dir)?)?;
    let wrong: Vec<_> = files.iter().filter(|file| !is_there(dir, file)).map(|file| file.path.clone()).collect();
    dir.write_files(&files, EditPolicy::Keep)?;
    done.repaired.extend(wrong.iter().map(|path| format!("{} was rendered again", path.display())));
    Ok(())
}

fn is_there(dir: &Locked, file: &RenderedFile) -> bool {
    dir.content(&file.path).is_ok_and(|found| found.as_ref() == Some(&file.content))
}
