//! Whether a line of JSON is what `docs/reference/schemas/` says: the part of JSON Schema that those
//! files use, and stricter in one thing: a field that the schema does not name is an error.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Fails unless the value fits the schema of that name.
#[track_caller]
pub fn assert_fits(name: &str, value: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/schemas");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    if let Err(why) = fits(&schema, value) {
        panic!("not as docs/reference/schemas/{name}.json says: {why}\n{value}");
    }
}

/// Which schema a line of a command's output has: it depends on the words of the command.
pub fn of_line<'a>(words: &[&'a str], line: &Value) -> Option<&'a str> {
    if line["error"].is_object() {
        return Some("error");
    }
    if line.get("event").is_some() {
        return Some("event");
    }
    let given = |flag: &str| words.contains(&flag);
    let command = words.iter().find(|word| ALL.contains(word))?;
    Some(match *command {
        "init" if given("--update") => "update",
        "init" if words.iter().any(|word| LISTS.contains(word)) => "listed",
        "run" if given("--clean") => "clean",
        "up" => "deploy",
        "cache" if given("warm") => "cache-warm",
        "init" if given("--show-permissions") => "permissions",
        "deploy" if given("--plan") => "plan",
        "info" if given("--for") => "info-for",
        "stop" | "start" => "power",
        "state" if given("verify") => "state-verify",
        "state" if given("repair") => "state-repair",
        "state" => "state-show",
        "completions" => "script",
        "man" if given("--dir") => "written",
        "man" => "script",
        // What a node's programs print, and lines of logs, have forms of their own.
        "ssh" | "cp" => return None,
        "logs" if !given("--list") => return None,
        other => other,
    })
}

const LISTS: [&str; 4] = ["--list-providers", "--list-versions", "--list-types", "--list-regions"];

const ALL: [&str; 27] = [
    "adopt",
    "sweep",
    "up",
    "run",
    "tunnel",
    "open",
    "cp",
    "versions",
    "init",
    "deploy",
    "status",
    "stop",
    "start",
    "health",
    "destroy",
    "doctor",
    "info",
    "ssh",
    "sql",
    "logs",
    "report",
    "list",
    "cache",
    "completions",
    "man",
    "version",
    "state",
];

fn fits(root: &Value, value: &Value) -> Result<(), String> {
    let known = check(root, root, value, "$")?;
    all_known(value, known, "$")
}

/// The fields of an object that some part of the schema names; None: any may be there.
type Known = Option<BTreeSet<String>>;

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<Known, String> {
    let Some(schema) = schema.as_object() else {
        return if *schema == Value::Bool(true) { Ok(None) } else { Err(format!("{at}: nothing fits")) };
    };
    let mut known = BTreeSet::new();
    let mut open = schema.is_empty() || schema.keys().all(|key| key == "description");
    for (key, rule) in schema {
        match key.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" | "default" => {}
            "type" => has_type(rule, value, at)?,
            "const" if rule == value => {}
            "const" => return Err(format!("{at}: {value} is not {rule}")),
            "enum" if rule.as_array().is_some_and(|all| all.contains(value)) => {}
            "enum" => return Err(format!("{at}: {value} is none of {rule}")),
            "minimum" => at_least(rule, value, at)?,
            "maximum" if value.as_f64() <= rule.as_f64() => {}
            "maximum" => return Err(format!("{at}: {value} is more than {rule}")),
            "required" => has_all(rule, value, at)?,
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    known.insert(name.clone());
                    if let Some(field) = value.get(name) {
                        within(root, rule, field, &format!("{at}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                open = true;
                for (name, field) in value.as_object().into_iter().flatten() {
                    within(root, rule, field, &format!("{at}.{name}"))?;
                }
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    within(root, rule, item, &format!("{at}[{number}]"))?;
                }
            }
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                merge(&mut known, &mut open, check(root, &root["$defs"][name], value, at)?);
            }
            "oneOf" | "anyOf" => {
                let choices: Vec<_> = rule.as_array().unwrap().iter().map(|one| check(root, one, value, at)).collect();
                let why = choices.iter().find_map(|choice| choice.as_ref().err()).cloned();
                match choices.into_iter().find_map(Result::ok) {
                    Some(choice) => merge(&mut known, &mut open, choice),
                    None => return Err(format!("{at}: fits none of {key}: {}", why.unwrap_or_default())),
                }
            }
            other => panic!("{at}: the test does not know '{other}' in a schema"),
        }
    }
    Ok((!open).then_some(known))
}

fn merge(known: &mut BTreeSet<String>, open: &mut bool, more: Known) {
    match more {
        Some(more) => known.extend(more),
        None => *open = true,
    }
}

fn within(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let known = check(root, schema, value, at)?;
    all_known(value, known, at)
}

fn all_known(value: &Value, known: Known, at: &str) -> Result<(), String> {
    let Some(known) = known else { return Ok(()) };
    match value.as_object().into_iter().flatten().find(|(name, _)| !known.contains(*name)) {
        Some((name, _)) => Err(format!("{at}: {name} is not in the schema")),
        None => Ok(()),
    }
}

fn has_type(rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: the test does not know the type '{other}'"),
    };
    let fits = match rule {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("{at}: {value} is no {rule}")) }
}

fn at_least(rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    // Only numbers have a least one.
    let enough = value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap());
    if enough { Ok(()) } else { Err(format!("{at}: {value} is less than {rule}")) }
}

fn has_all(rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    let missing = rule.as_array().unwrap().iter().find(|name| value.get(name.as_str().unwrap()).is_none());
    match missing {
        Some(name) if value.is_object() => Err(format!("{at}: {name} is missing")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_found() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": { "type": ["integer", "null"], "minimum": 0 },
                "b": { "$ref": "#/$defs/Word" },
                "c": { "type": "array", "items": { "type": "string" } },
                "d": true,
            },
            "required": ["a"],
            "$defs": { "Word": { "oneOf": [{ "const": "x" }, { "enum": ["y", "z"] }] } },
        });
        for good in [json!({"a": 1}), json!({"a": null, "b": "z", "c": ["q"], "d": {"any": 1}})] {
            assert_eq!(fits(&schema, &good), Ok(()), "{good}");
        }
        for bad in [
            json!([]),
            json!({}),
            json!({"a": -1}),
            json!({"a": "1"}),
            json!({"a": 1, "b": "q"}),
            json!({"a": 1, "c": [1]}),
            json!({"a": 1, "e": 1}),
        ] {
            assert!(fits(&schema, &bad).is_err(), "{bad}");
        }
    }
}
