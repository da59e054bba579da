//! Terraform's `-json` lines, as events and diagnostics. Pure.
//!
//! The form is documented in Terraform's "Machine-Readable UI"; OpenTofu 1.6 and later print the
//! same. The lines hold no values of resources: outputs that are sensitive come without a value.

use serde::Deserialize;

use super::lines::Tail;
use crate::events::{Event, ItemState};
use crate::model::ChangeAction;

/// What one line means to us.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// A resource's change of state during an apply.
    Resource(ResourceChange),
    Error(Diagnostic),
    Warning(Diagnostic),
    /// Plans, refreshes, summaries, output of provisioners: what the line says for people.
    Message(String),
    /// No JSON: what Terraform says before it knows how to print, or a wrapper of it.
    Text(String),
}

#[derive(Debug, PartialEq)]
pub(super) struct ResourceChange {
    pub action: ChangeAction,
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
    #[serde(rename = "@message", default)]
    message: String,
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

/// Whether something got done. That Terraform itself lives, which it tells every 10 s of a resource whose provider hangs,
/// is no progress.
pub(super) fn is_progress(line: &str) -> bool {
    const KINDS: [&str; 5] = ["refresh_start", "refresh_complete", "apply_start", "apply_complete", "apply_errored"];
    serde_json::from_str::<RawLine>(line).is_ok_and(|raw| KINDS.contains(&raw.kind.as_str()))
}

/// Reads one line.
pub(super) fn parse(line: &str) -> Line {
    let Ok(raw) = serde_json::from_str::<RawLine>(line) else {
        return match serde_json::from_str::<serde::de::IgnoredAny>(line) {
            Ok(_) => Line::Message(String::new()),
            Err(_) => Line::Text(line.to_owned()),
        };
    };
    let state = match raw.kind.as_str() {
        "diagnostic" => {
            return match raw.diagnostic {
                Some(diagnostic) if diagnostic.is_error() => Line::Error(diagnostic),
                Some(diagnostic) => Line::Warning(diagnostic),
                None => Line::Message(raw.message),
            };
        }
        "apply_start" => ItemState::Started,
        "apply_progress" => ItemState::Running,
        "apply_complete" => ItemState::Done,
        "apply_errored" => ItemState::Failed,
        _ => return Line::Message(raw.message),
    };
    let Some(hook) = raw.hook else { return Line::Message(raw.message) };
    let Some(action) = ChangeAction::ALL.into_iter().find(|action| action.as_str() == hook.action) else {
        return Line::Message(raw.message);
    };
    Line::Resource(ResourceChange {
        action,
        address: hook.resource.addr,
        state,
        elapsed_ms: hook.elapsed_seconds.map(|seconds| (seconds * 1000.0) as u64),
    })
}

/// Where Terraform and OpenTofu begin and end to tell that the user's own configuration file, as
/// `~/.terraformrc`, cannot be read. They then go on without it: without its mirrors and credentials.
const CONFIGURATION: &str = "There are some problems with the CLI configuration";
const END_OF_CONFIGURATION: &str = "As a result of the above problems";
/// Lines of that which are kept.
const MAX_CONFIGURATION: usize = 10;

/// What a run said, as far as its error needs it.
#[derive(Default)]
pub(super) struct Said {
    /// Each once, in the order in which they came.
    errors: Vec<String>,
    /// What is wrong with the user's configuration file.
    configuration: Vec<String>,
    in_configuration: bool,
    /// What was no JSON.
    text: Tail,
    /// That, and what the JSON says for people.
    all: Tail,
}

impl Said {
    pub fn error(&mut self, diagnostic: &Diagnostic) {
        let text = diagnostic.text();
        if !self.errors.contains(&text) {
            self.errors.push(text);
        }
    }

    pub fn message(&mut self, text: &str) {
        self.in_configuration = false;
        if !text.is_empty() {
            self.all.push(text);
        }
    }

    pub fn text(&mut self, line: &str) {
        let words = line.trim_matches(|sign: char| sign.is_whitespace() || "│╷╵".contains(sign));
        if words.starts_with(CONFIGURATION) {
            self.in_configuration = true;
        } else if words.starts_with(END_OF_CONFIGURATION) {
            self.in_configuration = false;
        } else if self.in_configuration {
            if !words.is_empty() && self.configuration.len() < MAX_CONFIGURATION {
                self.configuration.push(words.strip_prefix("Error: ").unwrap_or(words).to_owned());
            }
        } else if !words.is_empty() {
            self.text.push(line);
            self.all.push(line);
        }
    }

    /// What is wrong with the user's own configuration file, with its name and line.
    pub fn configuration(&self) -> Option<String> {
        (!self.configuration.is_empty()).then(|| self.configuration.join(" "))
    }

    /// The causes, the first of all others first, and the last lines that tell more: never JSON.
    pub fn end(self) -> (Vec<String>, Vec<String>) {
        let causes: Vec<_> = self.configuration().into_iter().chain(self.errors).collect();
        let tail = if causes.is_empty() { self.all } else { self.text };
        (causes, tail.into_vec())
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

    fn resources(text: &str) -> Vec<(ChangeAction, String, ItemState)> {
        let changes = text.lines().filter_map(|line| match parse(line) {
            Line::Resource(change) => Some((change.action, change.address, change.state)),
            _ => None,
        });
        changes.collect()
    }

    fn errors(text: &str) -> Vec<String> {
        let mut errors = Said::default();
        for line in text.lines() {
            if let Line::Error(diagnostic) = parse(line) {
                errors.error(&diagnostic);
            }
        }
        errors.end().0
    }

    /// As a run reads its lines.
    fn said(text: &str) -> (Vec<String>, Vec<String>) {
        let mut said = Said::default();
        for line in text.lines() {
            match parse(line) {
                Line::Error(diagnostic) => said.error(&diagnostic),
                Line::Message(text) => said.message(&text),
                Line::Text(text) => said.text(&text),
                Line::Resource(_) | Line::Warning(_) => (),
            }
        }
        said.end()
    }

    #[test]
    fn every_resource_of_an_apply_starts_and_ends() {
        let seen = resources(CREATE);
        let ended =
            seen.iter().filter(|(action, _, state)| *action == ChangeAction::Create && *state == ItemState::Done);
        assert_eq!(ended.count(), 4);
        assert_eq!(seen.len(), 8);
        assert!(seen.iter().any(|(_, address, _)| address == "terraform_data.domain[\"n11\"]"));
        assert!(errors(CREATE).is_empty());
    }

    #[test]
    fn a_failed_apply_names_resource_and_cause() {
        assert!(resources(FAILED).contains(&(
            ChangeAction::Create,
            "terraform_data.extra[0]".into(),
            ItemState::Failed
        )));
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
        for text in ["{}", "[1]", r#"{"type":"apply_start"}"#, "{\"type\":5}"] {
            assert_eq!(parse(text), Line::Message(String::new()), "{text}");
        }
        for text in ["", "Error: text"] {
            assert_eq!(parse(text), Line::Text(text.into()));
        }
    }

    /// Printed by Terraform 1.11.4 and OpenTofu 1.12 before the JSON.
    const TERRAFORMS: &str = "There are some problems with the CLI configuration:\n╷\n\
        │ Error: Error parsing /home/u/.terraformrc: At 3:12: expected '/' for comment\n│\n╵\n\n\
        As a result of the above problems, Terraform may not behave as intended.\n\n";
    const TOFUS: &str = "There are some problems with the CLI configuration:\n\n\
        Error: Error parsing /home/u/.tofurc: At 3:12: expected '/' for comment\n\n\
        As a result of the above problems, OpenTofu may not behave as intended.\n\n";

    #[test]
    fn a_configuration_that_cannot_be_read_comes_before_what_follows_from_it() {
        for (configuration, file) in [(TERRAFORMS, ".terraformrc"), (TOFUS, ".tofurc")] {
            let (causes, tail) = said(&format!("{configuration}{UNREACHABLE}"));
            let first = format!("Error parsing /home/u/{file}: At 3:12: expected '/' for comment");
            assert_eq!(causes[0], first);
            assert!(causes[1].contains("no such host"), "{causes:?}");
            assert!(tail.is_empty(), "{tail:?}");
        }
    }

    #[test]
    fn the_last_lines_are_words_and_never_json() {
        let (causes, tail) = said(&format!("wrapper 1.2\n{CREATE}"));
        assert!(causes.is_empty());
        assert!(tail.iter().all(|line| !line.starts_with('{') && !line.is_empty()), "{tail:?}");
        assert!(tail.last().is_some_and(|line| line.starts_with("Outputs")), "{tail:?}");
        assert_eq!(said(&format!("a stack trace\n{FAILED}")).1, ["a stack trace"]);
    }

    #[test]
    fn fuzz_terraform_messages() {
        let seeds = [
            include_str!("../../tests/fixtures/terraform/apply-create.jsonl"),
            include_str!("../../tests/fixtures/terraform/apply-failed.jsonl"),
            include_str!("../../tests/fixtures/terraform/init-failed.jsonl"),
            include_str!("../../tests/fixtures/terraform/init-unreachable.jsonl"),
            include_str!("../../tests/fixtures/terraform/plan-update.jsonl"),
        ];
        crate::fuzz::text_target("terraform-messages", &seeds, |text| {
            for line in text.lines() {
                parse(line);
                is_progress(line);
            }
        });
    }
}
