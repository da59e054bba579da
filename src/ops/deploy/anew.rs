//! A destroyed directory deployed again: what was asked for stays; the id, the keys and the passwords are new.
//!
//! What went with the old secrets cannot come back. A password that somebody had given is asked for again: another one
//! in its place would lock out whoever knows it.

use std::path::Path;

use super::super::operation::in_dir;
use super::super::{Context, Given, known, recorded};
use super::super::{Passwords, init};
use crate::deployment::{DeploymentDir, EditPolicy};
use crate::error::{Error, Result};
use crate::model::{Operation, Phase, env_name};

/// Makes of a destroyed deployment what `init` would make of its specification; leaves any other as it is.
pub(super) fn begin(context: &Context, root: &Path, passwords: &Passwords, given: &Given) -> Result<()> {
    if DeploymentDir::open(root)?.state().phase != Phase::Destroyed {
        return Ok(());
    }
    let mut dir = DeploymentDir::open(root)?.lock(Operation::Deploy)?;
    if dir.state().phase != Phase::Destroyed {
        return Ok(());
    }
    let before = dir.state().clone();
    let facts = before.facts_of_init();
    ask_again(&before.own_passwords, passwords, root)?;
    let provider = recorded::provider(&dir)?;
    let version = recorded::version(&dir)?.clone();
    let secrets = (passwords.clone(), given.clone());
    let new = init::new_deployment(provider, (before.name, before.spec), &version, secrets, facts)?;
    // What was put back by hand since would be taken for files that somebody edited.
    dir.remove_after_destroy()?;
    // The state comes last: until then it is destroyed, and this begins again.
    dir.write_secrets(&new.secrets)?;
    dir.renewed(new.state)?;
    dir.write_files(&new.files, EditPolicy::Keep)?;
    known::forget(&before.id, &dir);
    let made = "the cluster was destroyed: it is deployed anew, with a new id, new keys and new passwords";
    context.sink.warn(format!("{made} ({})", in_dir("exasol info --show-password", root)));
    Ok(())
}

fn ask_again(own: &std::collections::BTreeSet<String>, passwords: &Passwords, root: &Path) -> Result<()> {
    let missing: Vec<_> =
        passwords.named().into_iter().filter(|(name, value)| value.is_none() && own.contains(*name)).collect();
    let Some((name, _)) = missing.first() else { return Ok(()) };
    let (flag, variable) = (format!("--{}-file", name.replace('_', "-")), env_name(name));
    Err(Error::Usage {
        message: format!("the {} was your own, and was removed with the destroyed cluster", name.replace('_', " ")),
        hint: Some(format!(
            "give it again: {} (or {variable} in the environment of exasol deploy)",
            in_dir(&format!("exasol up {flag} FILE"), root)
        )),
    })
}
