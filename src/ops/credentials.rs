//! Credentials of a cloud, looked for on this machine anew by every operation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::{Check, Options, Secret, Spec};
use crate::providers::{CredentialInput, Credentials, Provider};
use crate::tools::terraform::Workdir;

/// What was typed at `init`, by flag.
pub type Given = BTreeMap<String, Secret>;

/// The credentials, or the failed check. None for a provider that needs none. `recorded`: what was
/// found out where the deployment was made.
pub(super) fn find(
    provider: &Provider,
    spec: &Spec,
    given: &Given,
    recorded: Option<&Options>,
) -> Option<std::result::Result<Credentials, Check>> {
    let cloud = provider.cloud()?;
    let env = |name: &str| std::env::var(name).ok();
    let found = (cloud.credentials)(&CredentialInput { spec, given, env: &env, file: &read });
    Some(found.and_then(|credentials| same_account(credentials, recorded)))
}

/// A region that credentials tell is only a wish.
const REGION: &str = "region";

/// With another account (another default of the cloud's own command, say) Terraform would find nothing of
/// what it made, and make everything anew.
fn same_account(credentials: Credentials, recorded: Option<&Options>) -> std::result::Result<Credentials, Check> {
    let other = credentials.facts.iter().find_map(|(name, now)| {
        let then = recorded?.get(name).filter(|then| *then != now && name != REGION)?;
        Some(format!("{name} is {now} now, but was {then} when the deployment was made"))
    });
    match other {
        None => Ok(credentials),
        Some(detail) => {
            let detail = format!("{} is of another account: {detail}", credentials.source);
            Err(Check::failed("credentials", "credentials", detail)
                .fix("use the credentials of the deployment's account"))
        }
    }
}

/// The credentials of an existing deployment.
///
/// # Errors
/// [`Error::Preflight`] with the one check.
pub(super) fn of(dir: &DeploymentDir, provider: &Provider) -> Result<Credentials> {
    if !provider.is_cloud() {
        return Ok(Credentials::default());
    }
    let given = dir.secrets()?.cloud;
    match find(provider, &dir.state().spec, &given, Some(&dir.state().facts)) {
        Some(Err(check)) => Err(Error::Preflight { checks: vec![check] }),
        Some(Ok(credentials)) => Ok(credentials),
        None => Ok(Credentials::default()),
    }
}

/// Hands them to every run of Terraform, as environment variables.
pub(super) fn give(credentials: &Credentials, mut workdir: Workdir) -> Workdir {
    for (name, value) in &credentials.env {
        workdir = match value {
            Some(value) => workdir.secret_env(*name, &**value),
            None => workdir.without_env(name),
        };
    }
    workdir
}

fn read(path: &str) -> std::result::Result<Option<String>, String> {
    let path = match path.strip_prefix("~/") {
        Some(rest) => match std::env::home_dir() {
            Some(home) => home.join(rest),
            None => return Ok(None),
        },
        None => PathBuf::from(path),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_account_is_refused_and_another_region_is_not() {
        let now = || Credentials {
            source: "az login".into(),
            facts: facts(&[("subscription", "a"), ("region", "here")]),
            ..Default::default()
        };
        same_account(now(), None).unwrap();
        same_account(now(), Some(&Options::new())).unwrap();
        same_account(now(), Some(&facts(&[("subscription", "a"), ("region", "there")]))).unwrap();
        let check = same_account(now(), Some(&facts(&[("subscription", "b")]))).unwrap_err();
        assert!(check.detail.contains("az login") && check.detail.contains("\"b\""), "{}", check.detail);
        assert_eq!(check.exit_code, 4);
    }

    fn facts(pairs: &[(&str, &str)]) -> Options {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }
}
