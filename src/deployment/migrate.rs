//! How a `deployment.json` that an earlier version wrote becomes one of today's schema.
//!
//! Each step takes a document from one schema to the next, as JSON: the types of an earlier schema need not be kept.
//! The file itself stays as it is until an operation writes it; a copy of it is among the previous ones then.

use serde_json::Value;

/// The form of `deployment.json` that the first release wrote.
const FIRST: u32 = 1;
/// The form that this version writes. A change that older versions would misread takes the next number, and a step.
pub(super) const SCHEMA: u32 = FIRST + STEPS.len() as u32;

/// From a document of one schema to the same of the next.
type Step = fn(Value) -> Value;

/// The first one leads from schema 1 to schema 2.
const STEPS: [Step; 0] = [];

/// Whether [`migrate`] knows a way from that schema to today's.
pub(super) fn is_known(schema: u32) -> bool {
    (FIRST..=SCHEMA).contains(&schema)
}

/// The document of that schema, in the form of today's.
pub(super) fn migrate(schema: u32, document: Value) -> Value {
    walk(&STEPS, schema, document)
}

fn walk(steps: &[Step], schema: u32, document: Value) -> Value {
    let done = schema.saturating_sub(FIRST) as usize;
    let changed = steps.iter().skip(done).fold(document, |document, step| step(document));
    numbered(changed, FIRST + steps.len() as u32)
}

fn numbered(mut document: Value, schema: u32) -> Value {
    if let Some(entries) = document.as_object_mut() {
        entries.insert("schema".into(), schema.into());
    }
    document
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a schema 2 could be: an entry has another name.
    fn renames(mut document: Value) -> Value {
        let entries = document.as_object_mut().unwrap();
        let moved = entries.remove("size").unwrap();
        entries.insert("cluster_size".into(), moved);
        document
    }

    /// And a schema 3: a number has become a list.
    fn lists(mut document: Value) -> Value {
        document["nodes"] = (0..document["cluster_size"].as_u64().unwrap()).map(|n| json!(n)).collect();
        document
    }

    #[test]
    fn an_older_document_walks_every_step_that_it_lacks_and_no_other() {
        let steps: [Step; 2] = [renames, lists];
        let newest = json!({"schema": 3, "cluster_size": 2, "nodes": [0, 1], "kept": true});
        assert_eq!(walk(&steps, 1, json!({"schema": 1, "size": 2, "kept": true})), newest);
        assert_eq!(walk(&steps, 2, json!({"schema": 2, "cluster_size": 2, "kept": true})), newest);
        assert_eq!(walk(&steps, 3, newest.clone()), newest);
    }

    #[test]
    fn todays_document_stays_as_it_is() {
        let document = json!({"schema": SCHEMA, "id": "exasol-01020304"});
        assert_eq!(migrate(SCHEMA, document.clone()), document);
        assert!(is_known(SCHEMA) && is_known(FIRST) && !is_known(SCHEMA + 1) && !is_known(FIRST - 1));
    }
}
