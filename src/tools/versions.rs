//! What programs call themselves.

use std::path::Path;
use std::time::Duration;

use super::process::{Output, Tool, find};
use crate::error::Error;
use crate::model::Component;

pub const NOT_FOUND: &str = "not found";

/// The line that the program prints when it is asked with this argument, wherever it prints it: the
/// one that begins with the first of `beginnings` that is found, or the first of all.
pub async fn program(name: &str, argument: &str, beginnings: &[&str], limit: Duration) -> Component {
    let Some(path) = find(name) else { return Component::missing(name, NOT_FOUND) };
    let output = match Tool::new(&path).arg(argument).env("LC_ALL", "C.UTF-8").output(limit).await {
        Ok(output) => output,
        Err(error) => return Component::missing(name, error.to_string()).at(path),
    };
    let (out, err) = (output.stdout_text(), output.stderr_text());
    let lines: Vec<_> = out.lines().chain(err.lines()).map(str::trim).filter(|line| !line.is_empty()).collect();
    let named = beginnings.iter().find_map(|beginning| lines.iter().find(|line| line.starts_with(beginning)));
    match named.or(lines.first()).copied() {
        Some(line) => Component::found(name, line).at(path),
        None => Component::missing(name, "it does not say").at(path),
    }
}

/// Major and minor number of `1.11.4`, `1.12.0-dev` or `2.14.18rc1`; None for what does not begin with two numbers.
pub(super) fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Lines of a broken program's output that an error has.
const MAX_SAID: usize = 5;

/// A program that is there, and does not answer as the one that we need: with what it printed.
/// `or` is what else can be done than to mend it.
pub(super) fn unusable(program: &Path, output: &Output, or: String) -> Error {
    let (err, out) = (output.stderr_text(), output.stdout_text());
    let lines = err.lines().chain(out.lines()).map(str::trim).filter(|line| !line.is_empty());
    Error::ToolUnusable {
        program: program.to_owned(),
        command: output.command().to_owned(),
        status: output.status_text(),
        said: lines.take(MAX_SAID).map(str::to_owned).collect(),
        or,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(number("1.10.0") > number("1.9.8"));
        assert_eq!((number("1.12.0-dev"), number("2.14.18rc1")), (Some((1, 12)), Some((2, 14))));
        assert_eq!((number("dev"), number("1"), number("")), (None, None, None));
    }

    #[test]
    fn fuzz_program_versions() {
        crate::fuzz::text_target("program-versions", &["1.12.0-dev", "2.14.18rc1"], |text| {
            let _ = number(text);
        });
    }
}
