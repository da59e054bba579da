use serde_json::Value;

use crate::model::{LogContent, LogLine};
use crate::render::page::{Note, Tone};

/// Characters of one.
const LONGEST: usize = 600;

/// What an event says that is worth a look, if it does.
pub(super) fn of(line: &LogLine) -> Option<Note> {
    let LogContent::Object(event) = &line.content else { return None };
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let failed = event["state"] == "failed" || event["status"] == "failed";
    let (tone, kind, words) = match text("event") {
        "warning" => (Tone::Warning, "warning", text("message").to_owned()),
        "task" if failed => (Tone::Bad, "task failed", joined(text("name"), text("message"))),
        "resource" if failed => (Tone::Bad, "resource failed", joined(text("action"), text("address"))),
        "check" if failed => (Tone::Bad, "check failed", joined(first(event, &["title", "name"]), text("detail"))),
        "machine_dead" => (Tone::Bad, "machine dead", joined(text("reason"), text("line"))),
        "machine_reset" => (Tone::Warning, "machine switched off and on", text("why").to_owned()),
        _ => return None,
    };
    let place = line.node.clone().or_else(|| line.step.clone()).unwrap_or_default();
    Some(Note { tone, kind: kind.to_owned(), place, text: short(&words) })
}

/// The last lines of a machine's console.
pub(super) fn console(node: &str, lines: &[String]) -> Note {
    let kind = "end of the console".to_owned();
    Note { tone: Tone::Quiet, kind, place: node.to_owned(), text: short(&lines.join("\n")) }
}

fn first<'a>(event: &'a Value, keys: &[&str]) -> &'a str {
    keys.iter().find_map(|key| event[*key].as_str()).unwrap_or_default()
}

fn joined(one: &str, other: &str) -> String {
    if one.is_empty() || other.is_empty() { format!("{one}{other}") } else { format!("{one}: {other}") }
}

/// The text has been cleaned before, so that no secret is cut in two.
fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
