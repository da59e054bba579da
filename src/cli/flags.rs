//! What several commands' definitions are made of.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

pub(super) fn simple(name: &'static str, about: &'static str, examples: &'static str) -> Command {
    Command::new(name).about(about).after_help(format!("Examples:\n{examples}"))
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
        .help("Every probe ends by then")
}

/// `90s`, `15m`, `1h`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time: 90s, 15m, 1h");
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "" | "s" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(3600),
        _ => return Err(wrong()),
    };
    Ok(Duration::from_secs(seconds))
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
        for wrong in ["", "m", "-1s", "1d", "1.5m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
