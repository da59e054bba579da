use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use serde_json::Value;

use super::ask::Answers;
use super::cleaner::Cleaner;
use crate::deployment::DeploymentDir;
use crate::model::{Layer, count};
use crate::render::page::{Health, Issue, LayerRow, Look, Tone, duration, moment};

/// Earlier looks that are shown.
const LOOKS: usize = 8;
/// Enough of the history's end for them, in bytes.
const HISTORY: u64 = 256 << 10;

/// The newest looks of `health`, the newest first.
pub(super) fn recorded(dir: &DeploymentDir, cleaner: &Cleaner) -> Vec<Value> {
    let text = end_of_history(dir).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n').rev();
    lines.filter_map(|line| cleaner.json(line)).filter(Value::is_object).take(LOOKS).collect()
}

fn end_of_history(dir: &DeploymentDir) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(dir.logs_dir().join("health.jsonl"))?;
    let start = file.metadata()?.len().saturating_sub(HISTORY);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(HISTORY).read_to_end(&mut text)?;
    Ok(text)
}

/// What was found now, or else what was recorded last.
pub(super) fn of(answers: &Answers, recorded: &[Value]) -> Health {
    let why = answers.missing.first().map(|missing| format!("; {}", missing.value)).unwrap_or_default();
    let (found, source) = match (&answers.health, recorded.first()) {
        (found @ Value::Object(_), _) => {
            (found, format!("asked now, in {}", duration(found["checked_in_ms"].as_u64().unwrap_or_default())))
        }
        (_, Some(last)) => (last, format!("recorded by exasol health on {}{why}", moment(text(last, "at")))),
        (_, None) => (&Value::Null, format!("nothing is recorded{why}")),
    };
    let rows = list(&found["nodes"]).map(row).collect::<Vec<_>>();
    let issues = list(&found["issues"]).map(issue).collect::<Vec<_>>();
    let (tone, summary) = summary(found);
    let layers = Layer::ALL.into_iter().filter(|layer| !rows.is_empty() && *layer != Layer::Record);
    Health {
        tone,
        summary,
        source,
        layers: layers.map(|layer| layer.as_str().to_owned()).collect(),
        rows,
        issues,
        looks: recorded.iter().map(look).collect(),
    }
}

/// "healthy", "2 errors, 1 warning"; not known without a look.
fn summary(found: &Value) -> (Tone, String) {
    let of = |severity: &str| list(&found["issues"]).filter(|issue| issue["severity"] == severity).count();
    let (errors, warnings) = (of("error"), of("warning"));
    match (found["status"].as_str(), errors, warnings) {
        (None, ..) => (Tone::Quiet, "not known".to_owned()),
        (_, 0, 0) => (Tone::Good, "healthy".to_owned()),
        (_, 0, some) => (Tone::Warning, format!("healthy, {}", count(some, "warning"))),
        (_, some, 0) => (Tone::Bad, count(some, "error")),
        (_, some, more) => (Tone::Bad, format!("{}, {}", count(some, "error"), count(more, "warning"))),
    }
}

fn row(node: &Value) -> LayerRow {
    let cell = |layer: Layer| {
        let word = node["layers"][layer.as_str()].as_str().unwrap_or("unknown");
        let tone = match word {
            "ok" => Tone::Good,
            "warning" => Tone::Warning,
            "error" => Tone::Bad,
            _ => Tone::Quiet,
        };
        (tone, word.to_owned())
    };
    let layers = Layer::ALL.into_iter().filter(|layer| *layer != Layer::Record);
    LayerRow { node: text(node, "name").to_owned(), cells: layers.map(cell).collect() }
}

fn issue(issue: &Value) -> Issue {
    let some = |key: &str| issue[key].as_str().map(str::to_owned);
    let severity = text(issue, "severity");
    Issue {
        tone: if severity == "error" { Tone::Bad } else { Tone::Warning },
        severity: severity.to_owned(),
        place: some("node").unwrap_or_else(|| "deployment".to_owned()),
        kind: text(issue, "type").to_owned(),
        detail: some("detail"),
        hint: some("hint"),
    }
}

fn look(look: &Value) -> Look {
    let (tone, summary) = summary(look);
    let mut kinds: Vec<_> = list(&look["issues"]).map(|issue| text(issue, "type")).collect();
    kinds.dedup();
    let words = if kinds.is_empty() { summary } else { format!("{summary}: {}", kinds.join(", ")) };
    Look { at: moment(text(look, "at")), tone, words }
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_found_now_counts_before_what_is_recorded() {
        let recorded = vec![json!({"at": "2026-01-02T03:04:05Z", "status": "healthy", "issues": []})];
        let issue = json!({"type": "disk_missing", "node": "n11", "layer": "disks", "severity": "error", "detail": "d", "hint": "h"});
        let live = json!({"status": "problems", "checked_in_ms": 2100, "issues": [issue],
                          "nodes": [{"name": "n11", "layers": {"vm": "ok", "disks": "error"}}]});
        let health = of(&Answers { health: live, ..Answers::default() }, &recorded);
        assert_eq!((health.tone, &health.summary[..], &health.source[..]), (Tone::Bad, "1 error", "asked now, in 2 s"));
        let cells: Vec<_> = health.rows[0].cells.iter().map(|(_, word)| word.as_str()).collect();
        assert_eq!(cells[..4], ["ok", "unknown", "unknown", "error"]);
        assert_eq!(cells.len(), health.layers.len());
        assert_eq!(health.issues[0].hint.as_deref(), Some("h"));

        let health = of(&Answers::default(), &recorded);
        assert_eq!((health.tone, &health.summary[..]), (Tone::Good, "healthy"));
        assert_eq!(health.source, "recorded by exasol health on 2 Jan 2026, 03:04:05 UTC");
        assert!(health.layers.is_empty() && health.looks.len() == 1);
        assert_eq!(of(&Answers::default(), &[]).summary, "not known");
    }
}
