//! Secrets on the command line: `--NAME-file FILE` (`-` is standard input), and `--NAME VALUE` with a
//! warning, because every user of the machine can read it there.

use std::io::Read;
use std::path::Path;

use clap::{Arg, ArgMatches, Command};
use zeroize::Zeroizing;

use super::config_file::ConfigFile;
use crate::error::{Error, Result};
use crate::model::Secret;

/// Adds both forms of a secret's flag; the one with the value is hidden.
pub(super) fn add(command: Command, name: &'static str, help: String, heading: String) -> Command {
    let file = Arg::new(file_flag(name)).long(file_flag(name)).value_name("FILE").help(help).help_heading(heading);
    command
        .arg(file.conflicts_with(name))
        .arg(Arg::new(name).long(name).value_name("VALUE").hide(true).allow_hyphen_values(true))
}

/// The flag, and the key in a configuration file.
pub(super) fn file_flag(name: &str) -> String {
    format!("{name}-file")
}

/// What was typed; a value (not a file) adds a warning.
pub(super) fn typed(matches: &ArgMatches, name: &str, warnings: &mut Vec<String>) -> Result<Option<Secret>> {
    let get = |flag: &str| matches.try_get_one::<String>(flag).ok().flatten();
    if let Some(path) = get(&file_flag(name)) {
        return from_file(name, path).map(Some);
    }
    let value = get(name);
    if value.is_some() {
        warnings.push(format!(
            "--{name} on the command line is visible to every user (ps, shell history); use --{name}-file"
        ));
    }
    Ok(value.map(|value| Secret::from(value.as_str())))
}

/// The secret from the file that the configuration file names.
pub(super) fn from_config(file: Option<&ConfigFile>, name: &str) -> Result<Option<Secret>> {
    let path = file.map(|f| f.text(&file_flag(name))).transpose()?.flatten();
    path.map(|path| from_file(name, &path)).transpose()
}

/// Fails if two flags are to read standard input.
pub(super) fn refuse_two_readers_of_stdin<'a>(
    matches: &ArgMatches,
    names: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let reads_stdin =
        |name: &&str| matches.try_get_one::<String>(&file_flag(name)).ok().flatten().is_some_and(|path| path == "-");
    let readers: Vec<_> = names.filter(reads_stdin).collect();
    match readers.as_slice() {
        [first, second, ..] => Err(Error::Usage {
            message: format!("--{first}-file and --{second}-file cannot both read standard input"),
            hint: Some("give one of them a file".into()),
        }),
        _ => Ok(()),
    }
}

/// The line break at the end is not part of the secret: editors and `echo` add it.
fn from_file(name: &str, path: &str) -> Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    let read = if path == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(Path::new(path)).and_then(|mut f| f.read_to_string(&mut text))
    };
    read.map_err(|e| Error::Usage { message: format!("--{name}-file: {path} cannot be read: {e}"), hint: None })?;
    let end = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).map(str::len);
    let length = end.unwrap_or(text.len());
    Ok(Secret::from(text.get(..length).unwrap_or_default()))
}
