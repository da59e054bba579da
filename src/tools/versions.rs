//! What programs call themselves.

use std::time::Duration;

use super::process::{Tool, find};
use crate::model::Component;

pub const NOT_FOUND: &str = "not found";

/// The first line that the program prints when it is asked with this argument, wherever it prints it.
pub async fn program(name: &str, argument: &str, limit: Duration) -> Component {
    let Some(path) = find(name) else { return Component::missing(name, NOT_FOUND) };
    let output = match Tool::new(&path).arg(argument).env("LC_ALL", "C.UTF-8").output(limit).await {
        Ok(output) => output,
        Err(error) => return Component::missing(name, error.to_string()).at(path),
    };
    let (out, err) = (output.stdout_text(), output.stderr_text());
    match out.lines().chain(err.lines()).map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => Component::found(name, line).at(path),
        None => Component::missing(name, "it does not say").at(path),
    }
}
