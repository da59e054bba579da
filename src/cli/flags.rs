//! Arguments and parsers that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use jiff::SignedDuration;

use crate::providers;

/// A command with examples, one or more lines that begin with two spaces. What else is to be said is its `after_help`.
pub(super) fn simple(name: &'static str, about: &'static str, examples: &'static str) -> Command {
    Command::new(name).about(about).before_help(format!("Examples:\n{examples}"))
}

pub(super) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

pub(super) fn probe_timeout() -> Arg {
    Arg::new("probe-timeout")
        .long("probe-timeout")
        .value_name("SECONDS")
        .value_parser(value_parser!(u64).range(1..=600))
        .default_value("5")
        .help("Give up on each check after this many seconds")
}

pub(super) fn provider_arg() -> Arg {
    // Not a clap list of values: the table's own error suggests the nearest name.
    Arg::new("cloud-provider").long("cloud-provider").alias("provider").value_name("PROVIDER").help(format!(
        "Where to deploy: {} [default: {}]",
        providers::names().join(", "),
        providers::DEFAULT
    ))
}

pub(super) fn name_arg() -> Arg {
    Arg::new("name")
        .long("name")
        .value_name("NAME")
        .allow_hyphen_values(true)
        .help("What to call the deployment, and to type after -d [default: the directory's name]")
}

pub(super) fn config_arg() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .value_hint(clap::ValueHint::FilePath)
        .help("TOML file with option names as keys; flags and environment variables override it")
}

/// `90s`, `15m`, `1h 30m`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let with_unit = if text.bytes().all(|byte| byte.is_ascii_digit()) { format!("{text}s") } else { text.to_owned() };
    let parsed = with_unit.parse::<SignedDuration>().ok().and_then(|time| time.try_into().ok());
    parsed.ok_or_else(|| format!("'{text}' is not a duration such as 90s, 15m or 1h 30m"))
}

/// A flag that may be missing from a command's definition counts as not given.
pub(super) fn is_set(matches: &ArgMatches, name: &str) -> bool {
    matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), duration("900"));
        assert_eq!(duration("1h"), duration("60m"));
        assert_eq!(duration("1h 30m"), duration("90m"));
        for wrong in ["", "m", "-1s", "1d", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
