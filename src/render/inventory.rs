//! The inventory. Only values made by machines: Ansible evaluates `{{ }}` in variables.

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// JSON, which Ansible's YAML inventory plugin reads. How a node is reached is in ssh/config, under
/// the same name. The first of the nodes comes first.
pub fn inventory<'a>(nodes: impl Iterator<Item = &'a str>) -> Result<String> {
    let hosts: Map<_, _> = nodes.map(|name| (name.to_owned(), json!({}))).collect();
    let first: Map<_, _> = hosts.iter().take(1).map(|(k, v)| (k.clone(), v.clone())).collect();
    let inventory = json!({
        "all": {
            "vars": {
                // Looking for an interpreter would cost a connection for each node.
                "ansible_python_interpreter": "/usr/bin/python3",
                // Without a terminal an installation goes on when the connection breaks, and what
                // scripts say on stderr stays apart.
                "ansible_ssh_use_tty": false,
            },
            "children": {
                "nodes": { "hosts": Value::Object(hosts) },
                // Where c4 is run.
                "first": { "hosts": Value::Object(first) },
            },
        },
    });
    serde_json::to_string_pretty(&inventory).map(|text| text + "\n").context("the inventory").map_err(Error::Other)
}
