//! Terraform's `-json` lines, as events and diagnostics. Pure.
//!
//! The form is documented in Terraform's "Machine-Readable UI"; OpenTofu 1.6 and later print the
//! same. The lines hold no values of resources: outputs that are sensitive come without a value.

use serde::Deserialize;

use crate::events::{Event, ItemState};

/// What one line means to us.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// A resource's change of state during an apply.
    Resource(ResourceChange),
    Error(Diagnostic),
    Warning(Diagnostic),
    /// Plans, refreshes, summaries, output of provisioners, text: for the log only.
    Other,
}

#[derive(Debug, PartialEq)]
pub(super) struct ResourceChange {
    /// `create`, `update`, `delete`, `read`, `replace`.
    pub action: String,
    pub address: String,
    pub state: ItemState,
    pub elapsed_ms: Option<u64>,
}

/// One of Terraform's messages, as it also stands in `validate -json`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Diagnostic {
    pub severity: String,
    pub summary: String,
    #[serde(default)]
    pub detail: String,
    pub address: Option<String>,
}

impl Diagnostic {
    /// `address: summary: detail`, as far as they are there.
    pub fn text(&self) -> String {
        let parts = [self.address.as_deref().unwrap_or_default(), &self.summary, &self.detail];
        let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(": ")
    }

    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

impl From<ResourceChange> for Event {
    fn from(change: ResourceChange) -> Event {
        let ResourceChange { action, address, state, elapsed_ms } = change;
        Event::Resource { action, address, state, elapsed_ms }
    }
}

#[derive(Deserialize)]
struct RawLine {
    #[serde(rename = "type", default)]
    kind: String,
    hook: Option<Hook>,
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Hook {
    resource: Resource,
    #[serde(default)]
    action: String,
    elapsed_seconds: Option<f64>,
}

#[derive(Deserialize)]
struct Resource {
    addr: String,
}

/// Reads one line; anything unknown is [`Line::Other`].
pub(super) fn parse(line: &str) -> Line {
    let Ok(raw) = serde_json::from_str::<RawLine>(line) else { return Line::Other };
    let state = match raw.kind.as_str() {
        "diagnostic" => {
            return match raw.diagnostic {
                Some(diagnostic) if diagnostic.is_error() => Line::Error(diagnostic),
                Some(diagnostic) => Line::Warning(diagnostic),
                None => Line::Other,
            };
        }
        "apply_start" => ItemState::Started,
        "apply_progress" => ItemState::Running,
        "apply_complete" => ItemState::Done,
        "apply_errored" => ItemState::Failed,
        _ => return Line::Other,
    };
    let Some(hook) = raw.hook else { return Line::Other };
    Line::Resource(ResourceChange {
        action: hook.action,
        address: hook.resource.addr,
        state,
        elapsed_ms: hook.elapsed_seconds.map(|seconds| (seconds * 1000.0) as u64),
    })
}

/// The errors of a run, each once, in the order in which they came.
#[derive(Default)]
pub(super) struct Errors(Vec<String>);

impl Errors {
    pub fn push(&mut self, diagnostic: &Diagnostic) {
        let text = diagnostic.text();
        if !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    pub fn into_vec(self) -> Vec<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = include_str!("../../tests/fixtures/terraform/apply-create.jsonl");
    const FAILED: &str = include_str!("../../tests/fixtures/terraform/apply-failed.jsonl");
    const INIT_FAILED: &str = include_str!("../../tests/fixtures/terraform/init-failed.jsonl");
    const UNREACHABLE: &str = include_str!("../../tests/fixtures/terraform/init-unreachable.jsonl");
    const UPDATE: &str = include_str!("../../tests/fixtures/terraform/plan-update.jsonl");

    fn resources(text: &str) -> Vec<(String, String, ItemState)> {
        let changes = text.lines().filter_map(|line| match parse(line) {
            Line::Resource(change) => Some((change.action, change.address, change.state)),
            _ => None,
        });
        changes.collect()
    }

    fn errors(text: &str) -> Vec<String> {
        let mut errors = Errors::default();
        for line in text.lines() {
            if let Line::Error(diagnostic) = parse(line) {
                errors.push(&diagnostic);
            }
        }
        errors.into_vec()
    }

    #[test]
    fn every_resource_of_an_apply_starts_and_ends() {
        let seen = resources(CREATE);
        let ended = seen.iter().filter(|(action, _, state)| action == "create" && *state == ItemState::Done);
        assert_eq!(ended.count(), 4);
        assert_eq!(seen.len(), 8);
        assert!(seen.iter().any(|(_, address, _)| address == "terraform_data.domain[\"n11\"]"));
        assert!(errors(CREATE).is_empty());
    }

    #[test]
    fn a_failed_apply_names_resource_and_cause() {
        assert!(resources(FAILED).contains(&("create".into(), "terraform_data.extra[0]".into(), ItemState::Failed)));
        assert_eq!(
            errors(FAILED),
            ["terraform_data.extra[0]: local-exec provisioner error: Error running command \
              'echo no space left >&2; exit 28': exit status 28. Output: no space left"]
        );
    }

    #[test]
    fn a_failed_init_gives_each_cause_once_and_first_things_first() {
        let causes = errors(INIT_FAILED);
        assert_eq!(causes.len(), 3);
        assert!(causes[0].starts_with("Unclosed configuration block: There is no closing brace"), "{causes:?}");
        assert!(errors(UNREACHABLE)[0].contains("no such host"));
    }

    #[test]
    fn warnings_and_plans_are_told_apart_from_errors() {
        assert!(resources(UPDATE).is_empty() && errors(UPDATE).is_empty());
        let warnings = UPDATE.lines().filter(|line| matches!(parse(line), Line::Warning(_))).count();
        assert_eq!(warnings, 1);
    }

    #[test]
    fn progress_has_its_time_and_text_is_no_event() {
        let line = r#"{"@level":"info","hook":{"resource":{"addr":"libvirt_volume.root[\"n11\"]"},"action":"create","elapsed_seconds":10},"type":"apply_progress"}"#;
        let Line::Resource(change) = parse(line) else { panic!() };
        assert_eq!((change.state, change.elapsed_ms), (ItemState::Running, Some(10_000)));
        for text in ["", "Error: text", "{}", "[1]", r#"{"type":"apply_start"}"#, "{\"type\":5}"] {
            assert_eq!(parse(text), Line::Other, "{text}");
        }
    }
}
