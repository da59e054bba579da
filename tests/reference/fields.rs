//! A JSON Schema as tables for people.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::markdown::{code, codes, prose, table};

/// The fields of an object's schema, one row each.
pub(super) fn fields(schema: &Value) -> String {
    table(&["Field", "Type", "Meaning"], &rows(schema, &[]))
}

/// As [`fields`], without these.
pub(super) fn rows(schema: &Value, without: &[&str]) -> Vec<Vec<String>> {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let row = |(name, field): (&String, &Value)| {
        let mut kind = kind(field);
        if !required.contains(&name.as_str()) {
            kind += ", may be missing";
        }
        vec![code(name), kind, meaning(field)]
    };
    properties.iter().filter(|(name, _)| !without.contains(&name.as_str())).map(row).collect()
}

pub(super) fn meaning(schema: &Value) -> String {
    prose(&schema["description"].as_str().unwrap_or_default().replace('\n', " "))
}

/// The definitions that results share, each as a section.
pub(super) fn definitions(defs: &BTreeMap<String, Value>) -> String {
    defs.iter().map(|(name, schema)| format!("### {name}\n\n{}{}", introduction(schema), body(schema))).collect()
}

fn introduction(schema: &Value) -> String {
    match meaning(schema) {
        none if none.is_empty() => none,
        some => format!("{some}\n\n"),
    }
}

fn body(schema: &Value) -> String {
    if schema["properties"].is_object() {
        return fields(schema);
    }
    let words: Vec<Vec<String>> = words(schema).into_iter().map(|(word, meaning)| vec![code(&word), meaning]).collect();
    table(&["Word", "Meaning"], &words)
}

/// The words that an enumeration has.
pub(super) fn words(schema: &Value) -> Vec<(String, String)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let own = list(&schema["enum"]).into_iter().filter_map(|word| Some((word.as_str()?.to_owned(), String::new())));
    let documented = list(&schema["oneOf"]).into_iter().flat_map(|one| match one["const"].as_str() {
        Some(word) => vec![(word.to_owned(), meaning(&one))],
        None => words(&one),
    });
    own.chain(documented).collect()
}

fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if !schema["const"].is_null() {
        return code(&schema["const"].to_string());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let words = words(schema);
    if !words.is_empty() {
        return codes(words.into_iter().map(|(word, _)| word));
    }
    let of = |name: &str| match name {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object with {} by name", kind(&schema["additionalProperties"]))
        }
        other => other.to_owned(),
    };
    match &schema["type"] {
        Value::String(name) => of(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(of).collect::<Vec<_>>().join(" or "),
        _ => "any value".into(),
    }
}
