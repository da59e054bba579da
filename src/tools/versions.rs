//! What programs call themselves.

use std::time::Duration;

use super::process::{Tool, find};
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
