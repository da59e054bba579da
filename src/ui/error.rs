//! An error as people read it: the cause first, then what the tool said, what exists now, what to do.

use crate::error::{Error, ToolFailure};
use crate::model::{Check, Operation};

use super::page::Page;
use super::style::{Tone, count};

/// Lines of a failed tool's output that are shown; the rest is in its log.
const TAIL: usize = 20;

/// The error that a failed operation wraps.
pub(super) fn root(error: &Error) -> &Error {
    match error {
        Error::Operation { cause, .. } => root(cause),
        other => other,
    }
}

/// The failed operation, what exists now, and the commands that lead on.
pub(super) fn now(error: &Error) -> (Option<Operation>, Option<&str>, &[String]) {
    match error {
        Error::Operation { operation, now, next, .. } => (Some(*operation), Some(now), next),
        Error::WrongPhase { operation, next, .. } => (Some(*operation), None, next),
        _ => (None, None, &[]),
    }
}

pub(super) fn describe(page: &mut Page, error: &Error) {
    match root(error) {
        Error::Preflight { checks } => preflight(page, checks),
        Error::Tool(failure) => tool(page, failure),
        cause => page.paragraph(Tone::Bad, "error:", &cause.to_string()),
    }
    let (_, exists, next) = now(error);
    if let Some(exists) = exists {
        page.labelled("now: ", &[exists]);
    }
    page.next(next);
    // A wrong phase's hint is its next commands, which have just been shown.
    if let Some(hint) = error.hint().filter(|_| !matches!(root(error), Error::WrongPhase { .. })) {
        page.labelled("hint:", &hint.lines().collect::<Vec<_>>());
    }
}

fn preflight(page: &mut Page, checks: &[Check]) {
    let failed: Vec<_> = checks.iter().filter(|check| check.is_failed()).collect();
    let headline = format!("{} of {} failed", failed.len(), count(checks.len(), "check"));
    page.headline(Tone::Bad, "error:", &headline);
    for check in failed {
        page.check(check);
    }
}

fn tool(page: &mut Page, failure: &ToolFailure) {
    let ToolFailure { tool, command, status, diagnostics, tail, log: _ } = failure;
    let cause = diagnostics.first().map(|first| format!(": {first}")).unwrap_or_default();
    page.paragraph(Tone::Bad, "error:", &format!("{tool} failed ({status}){cause}"));
    page.quoted("it also said:", diagnostics.get(1..).unwrap_or_default());
    let last = &tail[tail.len().saturating_sub(TAIL)..];
    page.quoted(&format!("the last lines of {command}:"), last);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: &Error) -> String {
        let mut page = Page::new(false);
        describe(&mut page, error);
        page.into_text()
    }

    fn failed_apply() -> Error {
        Error::Operation {
            operation: Operation::Deploy,
            cause: Box::new(Error::Tool(Box::new(ToolFailure {
                tool: "terraform".into(),
                command: "terraform apply plan.bin".into(),
                status: "exit status 1".into(),
                diagnostics: vec![
                    "Error creating domain n11: internal error\n  with libvirt_domain.node[\"n11\"]".into(),
                    "Error: pool is full".into(),
                ],
                tail: (1..=25).map(|n| format!("line {n}\u{1b}[0m")).collect(),
                log: Some("logs/20260102T030405Z-deploy/terraform.jsonl".into()),
            }))),
            now: "1 of 2 machines exists".into(),
            next: vec!["exasol deploy".into(), "exasol destroy".into()],
        }
    }

    #[test]
    fn a_failed_tool_shows_its_words_what_exists_and_what_to_do() {
        insta::assert_snapshot!(text(&failed_apply()));
    }

    #[test]
    fn every_failed_check_is_shown_and_only_those() {
        let checks = vec![
            Check::ok("libvirt_connect", "libvirt answers", "9.0.0"),
            Check::failed("pool_active", "storage pool 'default' is active", "it is not running")
                .fix("virsh pool-start default"),
            Check::failed("ansible", "ansible-core is installed", "not found on PATH")
                .fix("sudo apt-get install ansible-core"),
        ];
        insta::assert_snapshot!(text(&Error::Preflight { checks }), @r"
        error: 2 of 3 checks failed
          failed   storage pool 'default' is active
                     cause: it is not running
                     mend:  virsh pool-start default
          failed   ansible-core is installed
                     cause: not found on PATH
                     mend:  sudo apt-get install ansible-core
        hint: fix what failed and run the command again; exasol doctor shows all checks
        ");
    }

    #[test]
    fn the_ways_out_of_a_wrong_phase_are_said_once() {
        let error = Error::WrongPhase {
            operation: Operation::Deploy,
            phase: crate::model::Phase::Destroyed,
            next: vec!["exasol init -d NEW".into()],
        };
        insta::assert_snapshot!(text(&error), @r"
        error: deploy cannot run while the deployment is destroyed
        next: exasol init -d NEW
        ");
    }

    #[test]
    fn commands_in_a_hint_stay_below_each_other() {
        let error = Error::LibvirtUnreachable {
            uri: "qemu:///system".into(),
            cause: "Failed to connect socket: No such file or directory".into(),
            fix: vec!["sudo apt-get install libvirt-daemon-system".into(), "sudo systemctl start libvirtd".into()],
        };
        insta::assert_snapshot!(text(&error), @r"
        error: libvirt at qemu:///system cannot be reached: Failed to connect socket: No such file or directory
        hint: sudo apt-get install libvirt-daemon-system
              sudo systemctl start libvirtd
        ");
    }

    #[test]
    fn a_value_from_outside_cannot_reach_the_terminal() {
        let error = Error::SqlStatement { code: "42000".into(), text: "syntax error near \u{1b}[2J\u{9b}1A".into() };
        assert_eq!(text(&error), "error: [42000] syntax error near \\u{1b}[2J\\u{9b}1A\n");
    }

    #[test]
    fn programs_get_the_same_facts() {
        let mut json: serde_json::Value = serde_json::from_str(&super::super::json::error(&failed_apply())).unwrap();
        json["error"]["tool"]["tail"].as_array_mut().unwrap().truncate(1);
        insta::assert_json_snapshot!(json);
    }
}
