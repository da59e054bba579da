//! Credentials of clouds that are typed. Those that lie in the environment or in files of the clouds'
//! own tools are looked for by every operation, and never kept.

use clap::{ArgMatches, Command};

use super::config_file::ConfigFile;
use super::options;
use super::secret_args::{self, file_flag};
use crate::error::{Error, Result};
use crate::model::{SecretDef, env_name};
use crate::ops::Given;
use crate::providers::{self, Provider};

pub(super) fn secrets_of(provider: &Provider) -> &'static [SecretDef] {
    // The rows are static: so are their secrets.
    provider.cloud().map_or(&[], |cloud| cloud.secrets)
}

/// Flags of all secrets, each once.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    providers::ALL.iter().flat_map(|p| secrets_of(p)).map(|secret| secret.flag)
}

pub(super) fn add(mut command: Command) -> Command {
    for provider in providers::ALL {
        for secret in secrets_of(provider) {
            let variables: Vec<_> =
                [env_name(secret.flag)].into_iter().chain(secret.env.iter().map(|v| (*v).into())).collect();
            let help = format!("File with the {}; - is stdin [env: {}]", secret.what, variables.join(", "));
            command = secret_args::add(command, secret.flag, help, options::group(provider));
        }
    }
    command
}

/// Keys that a configuration file may have.
pub(super) fn keys() -> impl Iterator<Item = String> {
    names().map(file_flag)
}

/// Those of them that are the provider's.
pub(super) fn keys_of(provider: &Provider) -> impl Iterator<Item = String> {
    secrets_of(provider).iter().map(|secret| file_flag(secret.flag))
}

pub(super) fn read(
    matches: &ArgMatches,
    file: Option<&ConfigFile>,
    provider: &Provider,
    warnings: &mut Vec<String>,
) -> Result<Given> {
    let mut given = Given::new();
    for owner in providers::ALL {
        for secret in secrets_of(owner) {
            let typed = secret_args::typed(matches, secret.flag, warnings)?;
            let value = match typed {
                Some(value) => Some(value),
                None => secret_args::from_config(file, secret.flag)?,
            };
            let Some(value) = value else { continue };
            if owner.name != provider.name {
                return Err(Error::Usage {
                    message: format!("--{} belongs to {}, not to {}", secret.flag, owner.name, provider.name),
                    hint: Some("leave it out, or choose the other provider with --cloud-provider".into()),
                });
            }
            if value.is_empty() {
                return Err(options::invalid(&format!("--{}", secret.flag), "", "must not be empty".into(), None));
            }
            given.insert(secret.flag.to_owned(), value);
        }
    }
    Ok(given)
}
