//! The deployment's passwords: by file, standard input, environment variable or, with a warning, by value.

use clap::{ArgMatches, Command};

use super::config_file::ConfigFile;
use super::environment;
use super::secret_args::{self, file_flag};
use crate::error::Result;
use crate::model::env_name;
use crate::ops::Passwords;

/// The three passwords of a deployment.
pub(super) const NAMES: [(&str, &str); 3] = [
    ("db-password", "SQL user sys"),
    ("adminui-password", "Admin UI user admin"),
    ("host-password", "the nodes' user exasol"),
];

pub(super) fn add(command: Command) -> Command {
    NAMES.iter().fold(command, |command, (name, whose)| {
        let help = format!("File with the password of {whose}; - is stdin [env: {}]", env_name(name));
        secret_args::add(command, name, help, "Passwords (generated, if not given)".into())
    })
}

/// Keys that a configuration file may have.
pub(super) fn keys() -> impl Iterator<Item = String> {
    NAMES.iter().map(|(name, _)| file_flag(name))
}

pub(super) fn read(matches: &ArgMatches, file: Option<&ConfigFile>, warnings: &mut Vec<String>) -> Result<Passwords> {
    let mut values = Vec::new();
    for (name, _) in NAMES {
        let value = match secret_args::typed(matches, name, warnings)? {
            Some(value) => Some(value),
            None => match environment::text(&env_name(name))? {
                Some(value) => Some(value.into()),
                None => secret_args::from_config(file, name)?,
            },
        };
        if let Some(value) = &value {
            crate::deployment::keys::check_password(&format!("--{name}"), value)?;
        }
        values.push(value);
    }
    let mut values = values.into_iter();
    let mut next = || values.next().flatten();
    Ok(Passwords { db: next(), adminui: next(), host: next() })
}
