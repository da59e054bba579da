//! `license show` and `license upload`.

use serde_json::Value;

use crate::model::LicenseReport;
use crate::ui::page::Page;
use crate::ui::style::Tone;

use super::{REHEARSAL, Report};

impl Report for LicenseReport {
    fn text(&self, page: &mut Page) {
        let label = if self.rehearsal { format!(" ({REHEARSAL})") } else { String::new() };
        let word = if self.uploaded.is_some() { "uploaded:" } else { "license:" };
        page.headline(Tone::Good, word, &format!("{}{label}", self.whose.name));
        let mut fields = Vec::new();
        flatten("", &self.license, &mut fields);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        page.facts(&fields);
        if self.uploaded.is_some() {
            page.line("According to Exasol, it can take a few minutes until the license takes effect.");
        }
        page.next(&self.next);
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// `Limits.max_nodes_per_cluster`.
fn flatten(name: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Object(parts) => {
            for (part, value) in parts {
                let name = if name.is_empty() { part.clone() } else { format!("{name}.{part}") };
                flatten(&name, value, fields);
            }
        }
        Value::String(text) => fields.push((name.to_owned(), text.clone())),
        other => fields.push((name.to_owned(), other.to_string())),
    }
}
