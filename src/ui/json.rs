//! Results, events and errors for programs: one JSON object a line.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, ToolFailure};
use crate::events::Stamped;
use crate::model::{Check, SCHEMA};

use super::error::{after, common_cause, now, root};
use super::sanitize::is_harmful;

/// An object of ours with `"schema"` in front; anything that is not an object goes under `items`.
pub(super) fn result(value: Value) -> String {
    let mut object = Map::from_iter([("schema".to_owned(), SCHEMA.into())]);
    match value {
        Value::Object(fields) => object.extend(fields),
        other => drop(object.insert("items".to_owned(), other)),
    }
    line(&object)
}

pub(super) fn event(event: &Stamped) -> String {
    line(event)
}

/// `{"schema":1,"error":{"code":…,"message":…,"hint":…,"exit_code":…}}`, and what is known beyond that.
pub(super) fn error(error: &Error) -> String {
    let mut object = Map::from_iter([
        ("code".to_owned(), error.code().into()),
        ("message".to_owned(), error.to_string().into()),
        ("hint".to_owned(), error.hint().into()),
        ("exit_code".to_owned(), error.exit_code().into()),
    ]);
    let (operation, exists, next) = now(error);
    let more = [
        ("operation", operation.map(|operation| json!(operation))),
        ("now", exists.map(|exists| json!(exists))),
        ("next", (!next.is_empty()).then(|| json!(next))),
        ("step", after(error).filter(|after| !after.step.is_empty()).map(|after| json!(after.step))),
        ("machines", after(error).filter(|after| !after.machines.is_empty()).map(|after| json!(after.machines))),
        ("costs", after(error).map(|after| json!(after.costs))),
        ("cause", common_cause(error).map(|cause| json!({ "code": cause.code, "text": cause.sentence }))),
        ("checks", failed_checks(error)),
        ("tool", tool(error)),
        ("machine", machine(error)),
        ("errors", several(error)),
    ];
    object.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    line(&json!({ "schema": SCHEMA, "error": object }))
}

fn failed_checks(error: &Error) -> Option<Value> {
    let Error::Preflight { checks } = root(error) else { return None };
    Some(json!(checks.iter().filter(|check| check.is_failed()).collect::<Vec<&Check>>()))
}

fn tool(error: &Error) -> Option<Value> {
    let Error::Tool(failure) = root(error) else { return None };
    let ToolFailure { tool, command, status, diagnostics, tail, log } = failure.as_ref();
    Some(json!({
        "name": tool,
        "command": command,
        "status": status,
        "diagnostics": diagnostics,
        "tail": tail,
        // A path need not be UTF-8, and then serde would fail.
        "log": log.as_ref().map(|log| log.to_string_lossy()),
    }))
}

fn several(error: &Error) -> Option<Value> {
    let Error::Several(errors) = root(error) else { return None };
    let one = |error: &Error| json!({ "code": error.code(), "message": error.to_string(), "hint": error.hint() });
    Some(errors.iter().map(one).collect())
}

fn machine(error: &Error) -> Option<Value> {
    let Error::MachineDead { node, reason, resets, .. } = root(error) else { return None };
    Some(json!({ "node": node, "reason": reason, "resets": resets }))
}

/// One line. JSON leaves C1 controls and invisible characters as they are; a terminal may obey
/// them, so they are escaped. They occur only within strings, where an escape means the same.
pub(super) fn line(value: &impl Serialize) -> String {
    let plain = serde_json::to_string(value).unwrap_or_else(|error| unserializable(&error));
    let mut line = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        if is_harmful(c) {
            let mut units = [0; 2];
            line.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

/// Reports hold strings, numbers and paths; only a path that is not UTF-8 gets here.
fn unserializable(error: &serde_json::Error) -> String {
    let message = format!("the result cannot be written as JSON: {error}");
    json!({ "schema": SCHEMA, "error": { "code": "failed", "message": message, "hint": null, "exit_code": 1 } })
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_schema_comes_first() {
        assert_eq!(result(json!({"b": 1, "a": 2})), "{\"schema\":1,\"b\":1,\"a\":2}\n");
        assert_eq!(result(json!(["x"])), "{\"schema\":1,\"items\":[\"x\"]}\n");
    }

    #[test]
    fn a_log_whose_path_is_not_utf_8_is_named_as_well_as_can_be() {
        let log = Path::new(OsStr::from_bytes(b"d\xff/logs/terraform.jsonl")).to_owned();
        let failure = ToolFailure {
            tool: "terraform".into(),
            command: "terraform apply".into(),
            status: "exit status 1".into(),
            diagnostics: Vec::new(),
            tail: Vec::new(),
            log: Some(log),
        };
        let object: Value = serde_json::from_str(&error(&Error::Tool(Box::new(failure)))).unwrap();
        assert_eq!(object["error"]["tool"]["log"], "d\u{fffd}/logs/terraform.jsonl");
    }

    #[test]
    fn the_error_object_has_its_four_fields_always() {
        let text = error(&Error::other("no"));
        assert_eq!(
            text,
            "{\"schema\":1,\"error\":{\"code\":\"failed\",\"message\":\"no\",\"hint\":null,\"exit_code\":1}}\n"
        );
    }

    proptest! {
        #[test]
        fn harmful_characters_are_escaped_and_mean_the_same(text in any::<String>()) {
            let shown = result(json!({ "value": text }));
            let body = shown.strip_suffix('\n').unwrap();
            prop_assert!(!body.chars().any(is_harmful));
            prop_assert_eq!(&serde_json::from_str::<Value>(body).unwrap()["value"], &json!(text));
        }
    }
}
