//! Terraform's state: what a hypervisor or a cloud has of the deployment is listed nowhere else.

use std::path::Path;

use super::super::terraform_dir::{self, Doubt};
use super::problem::{Cure, Problem, from_backup};
use crate::deployment::{Content, Copied, DeploymentDir, Kept, Reading, Remains};
use crate::model::{Phase, StateProblemKind as Kind, quote};

const FILE: &str = "terraform/terraform.tfstate";

pub(super) fn problem(remains: &Remains) -> Option<Problem> {
    match remains.open() {
        Ok(dir) => of_deployment(remains, &dir),
        // Whether something should be there is known once deployment.json can be read.
        Err(_) => match remains.read(Kept::Terraform) {
            Reading::Unreadable(unreadable) => {
                Some(Problem::left(Kind::Unreadable, FILE, unreadable.why, from_backup(remains, Kept::Terraform)))
            }
            Reading::Missing | Reading::Content(_) => None,
        },
    }
}

fn of_deployment(remains: &Remains, dir: &DeploymentDir) -> Option<Problem> {
    let destroying = matches!(dir.state().phase, Phase::DestroyInProgress | Phase::DestroyFailed);
    if dir.state().phase == Phase::Destroyed || (destroying && !dir.has_secrets()) {
        return None;
    }
    let doubt = terraform_dir::doubt(dir)?;
    let (kind, detail) = match doubt {
        Doubt::Errored => {
            let fix = terraform_dir::mend(dir, doubt);
            return Some(Problem::left(Kind::Unfinished, FILE, "lacks what terraform/errored.tfstate has", fix));
        }
        Doubt::Unreadable => (Kind::Unreadable, "is not a state of Terraform"),
        Doubt::Lost => (Kind::Missing, "is gone or empty, although something was made"),
    };
    let Some(copy) = usable(remains, dir) else {
        let detail = format!("{detail}, and there is no copy of it that lists anything");
        return Some(Problem::left(kind, FILE, detail, from_backup(remains, Kept::Terraform)));
    };
    Some(match is_of_the_end(remains, dir) {
        true => Problem::curable(remains, kind, FILE, detail, Cure::Copy(Kept::Terraform, Box::new(copy))),
        false => before_an_interruption(remains, kind, detail, &copy),
    })
}

/// The newest that can be read. One that lists nothing is none, where something was made: with it nobody would ever
/// remove what exists.
fn usable(remains: &Remains, dir: &DeploymentDir) -> Option<Copied> {
    let made_something = dir.state().made_something || !dir.state().nodes.is_empty();
    let newest = remains.copies(Kept::Terraform).into_iter().find(|copy| copy.content.is_ok())?;
    let lists_nothing = matches!(&newest.content, Ok(Content::Terraform(state)) if state.addresses().is_empty());
    (!made_something || !lists_nothing).then_some(newest)
}

/// Whether the newest copies were made when the last operation ended. Those that an operation makes when it begins do
/// not know what it has made since.
fn is_of_the_end(remains: &Remains, dir: &DeploymentDir) -> bool {
    let newest = remains.copies(Kept::State).into_iter().next();
    !dir.state().phase.is_in_progress() || newest.is_some_and(|newest| remains.is_as(Kept::State, &newest))
}

/// Its owner has to decide: what the operation has made is not in the copy.
fn before_an_interruption(remains: &Remains, kind: Kind, detail: &str, copy: &Copied) -> Problem {
    let place = |path: &Path| quote(&remains.root().join(path).to_string_lossy());
    let (from, to) = (place(&copy.path), place(FILE.as_ref()));
    let detail = format!(
        "{detail}; the newest copy is from before the operation that was interrupted, and lacks what that has made"
    );
    Problem::left(kind, FILE, detail, format!("cp -p {from} {to}"))
}
