//! `json.md` and `events.md`: what programs read.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{definitions, fields, meaning, rows};
use super::markdown::{codes, table};
use super::schemas;

pub(super) fn page() -> String {
    let mut text = "# Results as JSON\n\n\
        With `--json` (or `--output json`) the result is one object on standard output, as its last line. Commands that\n\
        work for long print [events](events.md) before it, one a line. A command that fails prints an\n\
        [error](errors.md) instead. Within one number of `schema`, fields are only added: programs pass over what they\n\
        do not know. `sql --format csv` and `logs` print rows and lines of their own.\n\n"
        .to_owned();
    let mut defs = BTreeMap::new();
    for result in schemas::results() {
        collect(&result.schema, &mut defs);
        let commands = codes(result.commands.split(", "));
        text += &format!("## {}\n\n{commands}: [schema](schemas/{}.json)\n\n", result.name, result.name);
        text += &fields(&result.schema);
    }
    text += "## Parts\n\n";
    text += &definitions(&defs);
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn collect(schema: &Value, defs: &mut BTreeMap<String, Value>) {
    let all = schema["$defs"].as_object().cloned().unwrap_or_default();
    for (name, schema) in all {
        let before = defs.insert(name.clone(), schema.clone());
        assert!(before.is_none_or(|before| before == schema), "two different parts are called {name}");
    }
}

pub(super) fn events() -> String {
    let schema = schemas::event();
    let mut text = "# Events\n\n\
        `deploy`, `stop`, `start`, `destroy` and `health --repair` print them with `--json`, one object a line, before\n\
        the result; the same lines are in `logs/<time>-<operation>/events.jsonl`. Every event has `event`, its name, and `at`, the moment\n\
        (RFC 3339, UTC). The [schema](schemas/event.json).\n\n\
        `step_progress` and `node_waiting` are in the log only: they say how far a transfer is and what nodes that boot are\n\
        waiting for, every second or more often. When nobody reads standard output for a long time, events are left out, and a\n\
        `warning` says how many; the log has all of them.\n\n"
        .to_owned();
    for event in schema["oneOf"].as_array().unwrap() {
        let name = event["properties"]["event"]["const"].as_str().unwrap();
        text += &match meaning(event) {
            none if none.is_empty() => format!("## {name}\n\n"),
            some => format!("## {name}\n\n{some}\n\n"),
        };
        let part = event["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        let own = part.map(|part| rows(&schema["$defs"][part], &[])).unwrap_or_default();
        let all: Vec<_> = rows(event, &["event"]).into_iter().chain(own).collect();
        text += &table(&["Field", "Type", "Meaning"], &all);
    }
    text += "## Parts\n\n";
    let mut defs = BTreeMap::new();
    collect(&schema, &mut defs);
    text += &definitions(&defs);
    text.truncate(text.trim_end().len());
    text + "\n"
}
