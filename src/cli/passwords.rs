//! Passwords by file, standard input, environment variable or, with a warning, by value.

use std::io::Read;
use std::path::Path;

use clap::{Arg, ArgMatches, Command};

use super::config_file::ConfigFile;
use super::options::env_name;
use crate::error::{Error, Result};

/// The three passwords of a deployment.
pub(super) const NAMES: [(&str, &str); 3] = [
    ("db-password", "SQL user sys"),
    ("adminui-password", "Admin UI user admin"),
    ("host-password", "the nodes' user exasol"),
];

/// What the user gave; None where one is to be generated.
#[derive(Default)]
pub(super) struct Given {
    pub db: Option<String>,
    pub adminui: Option<String>,
    pub host: Option<String>,
    pub warnings: Vec<String>,
}

pub(super) fn add(mut command: Command) -> Command {
    for (name, whose) in NAMES {
        let heading = "Passwords (generated, if not given)";
        let file_flag: &'static str = file_flag(name);
        command = command
            .arg(
                Arg::new(file_flag)
                    .long(file_flag)
                    .value_name("FILE")
                    .help(format!("File with the password of {whose}; - is stdin [env: {}]", env_name(name)))
                    .help_heading(heading)
                    .conflicts_with(name),
            )
            .arg(Arg::new(name).long(name).value_name("VALUE").hide(true).allow_hyphen_values(true));
    }
    command
}

/// Keys that a configuration file may have.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| file_flag(name))
}

const fn file_flag(name: &str) -> &'static str {
    match name.as_bytes() {
        b"db-password" => "db-password-file",
        b"adminui-password" => "adminui-password-file",
        _ => "host-password-file",
    }
}

pub(super) fn read(matches: &ArgMatches, file: Option<&ConfigFile>) -> Result<Given> {
    let mut warnings = Vec::new();
    let mut values = Vec::new();
    refuse_two_readers_of_stdin(matches)?;
    for (name, _) in NAMES {
        let value = if let Some(path) = matches.get_one::<String>(file_flag(name)) {
            Some(from_file(name, path)?)
        } else if let Some(value) = matches.get_one::<String>(name) {
            warnings.push(format!("--{name} puts the password where every user can read it; use --{name}-file"));
            Some(value.clone())
        } else if let Ok(value) = std::env::var(env_name(name)) {
            Some(value)
        } else if let Some(path) = file.map(|f| f.text(file_flag(name))).transpose()?.flatten() {
            Some(from_file(name, &path)?)
        } else {
            None
        };
        if let Some(value) = &value {
            crate::deployment::keys::check_password(&format!("--{name}"), value)?;
        }
        values.push(value);
    }
    let mut values = values.into_iter();
    let mut next = || values.next().flatten();
    Ok(Given { db: next(), adminui: next(), host: next(), warnings })
}

fn refuse_two_readers_of_stdin(matches: &ArgMatches) -> Result<()> {
    let reads_stdin = |name: &str| matches.get_one::<String>(file_flag(name)).is_some_and(|path| path == "-");
    let readers: Vec<_> = NAMES.iter().filter(|(name, _)| reads_stdin(name)).map(|(name, _)| *name).collect();
    match readers.as_slice() {
        [first, second, ..] => Err(Error::Usage {
            message: format!("--{first}-file and --{second}-file cannot both read standard input"),
            hint: Some("give one of them a file".into()),
        }),
        _ => Ok(()),
    }
}

/// The first line's end is not part of the password: editors and `echo` add one.
fn from_file(name: &str, path: &str) -> Result<String> {
    let mut text = String::new();
    let read = if path == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(Path::new(path)).and_then(|mut f| f.read_to_string(&mut text))
    };
    read.map_err(|e| Error::Usage { message: format!("--{name}-file: {path} cannot be read: {e}"), hint: None })?;
    let end = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).map(str::len);
    text.truncate(end.unwrap_or(text.len()));
    Ok(text)
}
