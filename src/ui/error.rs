//! An error as people read it: the cause first, in one sentence; then what exists now, what to try, where the details
//! are. What a tool printed is behind `exasol logs`.

use crate::error::{Aftermath, Error, ToolFailure};
use crate::model::{Check, Operation, quote};

use super::causes::{self, Cause};
use super::page::Page;
use super::style::{Tone, count};

/// Lines of a failed tool's output that are shown where no log has them.
const TAIL: usize = 20;
/// A tool's own words beside the cause.
const WORDS: usize = 300;

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

pub(super) fn after(error: &Error) -> Option<&Aftermath> {
    match error {
        Error::Operation { after, .. } => Some(after),
        _ => None,
    }
}

/// A common cause behind what a tool or a server has said.
pub(super) fn common_cause(error: &Error) -> Option<Cause> {
    match root(error) {
        Error::Tool(failure) => {
            let said = failure.diagnostics.iter().chain(&failure.tail);
            causes::explain(&said.map(String::as_str).collect::<Vec<_>>().join("\n"))
        }
        error @ (Error::Download { .. } | Error::Api { .. } | Error::Io { .. }) => causes::explain(&error.to_string()),
        _ => None,
    }
}

/// What failed, in a few words: "exasol deploy failed".
pub(super) fn title(error: &Error) -> String {
    match now(error).0 {
        Some(operation) => format!("exasol {operation} failed"),
        None => "exasol failed".to_owned(),
    }
}

pub(super) fn describe(page: &mut Page, error: &Error) {
    match error {
        Error::Operation { operation, cause, next, after, .. } if is_stop(cause) => {
            stopped(page, *operation, next, after)
        }
        _ if matches!(root(error), Error::Declined { .. }) => {
            page.headline(Tone::Warning, "Stopped:", &format!("{}.", root(error)));
            let (_, _, next) = now(error);
            page.facts(&next.iter().map(|command| ("go on", command.clone())).collect::<Vec<_>>());
        }
        // What the machines, the tools or the network have done; other errors say all themselves.
        Error::Operation { now, next, after, .. } if error.exit_code() == 1 => failed(page, error, (now, next, after)),
        _ => simple(page, error),
    }
}

fn is_stop(cause: &Error) -> bool {
    matches!(cause, Error::Interrupted { .. })
}

fn simple(page: &mut Page, error: &Error) {
    match root(error) {
        Error::Preflight { checks } => preflight(page, checks),
        Error::Tool(failure) => tool(page, failure),
        Error::Several(errors) => several(page, errors),
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

/// After Ctrl-C: nothing is wrong.
fn stopped(page: &mut Page, operation: Operation, next: &[String], after: &Aftermath) {
    let nodes = match after.nodes.as_slice() {
        [] => None,
        [one] => Some((one.clone(), "exists", "is")),
        [several @ .., last] => Some((format!("{} and {last}", several.join(", ")), "exist", "are")),
    };
    let machines = nodes.map(|(names, exist, are)| match after.running {
        true => format!(" {names} {exist} and {are} running."),
        false => format!(" {names} {exist}."),
    });
    let costs = if after.costs { " What exists costs money." } else { "" };
    let lost = match operation {
        _ if after.gone.is_some() => " The cluster has been destroyed.",
        Operation::Destroy => "",
        _ => " Nothing is lost.",
    };
    page.headline(Tone::Warning, "Stopped.", format!("{}{costs}{lost}", machines.unwrap_or_default()).trim_start());
    let undo = |command: &&String| is_destroy(command) && operation != Operation::Destroy;
    let ways: Vec<_> =
        next.iter().map(|command| (if undo(&command) { "undo" } else { "go on" }, command.clone())).collect();
    page.facts(&ways);
}

fn is_destroy(command: &str) -> bool {
    command.starts_with("exasol destroy")
}

fn failed(page: &mut Page, error: &Error, (now, next, after): (&str, &[String], &Aftermath)) {
    let root = root(error);
    // Of a machine that is off it says nothing new that nobody reaches it.
    let cause = common_cause(error).filter(|cause| after.machines.is_empty() || cause.code != "unreachable");
    match (after.machines.as_slice(), &cause) {
        ([], None) => page.paragraph(Tone::Bad, "error:", &words(root, false)),
        (machines, cause) => {
            let sentence = cause.iter().map(|cause| cause.sentence.clone());
            let lines: Vec<_> = machines.iter().cloned().chain(sentence).collect();
            page.paragraph(Tone::Bad, "error:", &format!("{}\n{}", lines.join("\n"), words(root, true)));
        }
    }
    if let Error::Tool(failure) = root {
        page.quoted("it also said:", failure.diagnostics.get(1..).unwrap_or_default());
        if failure.log.is_none() {
            tail(page, failure);
        }
    }
    let is_log = |root: &Error| matches!(root, Error::Tool(failure) if failure.log.is_some());
    // In a directory that is gone no command can be run.
    let is_of_use = |hint: &String| after.gone.is_none() || !hint.contains(" -d ");
    if let Some(hint) = root.hint().filter(|_| !is_log(root)).filter(is_of_use) {
        page.labelled("hint:", &hint.lines().collect::<Vec<_>>());
    }
    page.blank();
    if let Some(better) = &after.gone {
        let mut rows: Vec<_> = vec![("Exists now", "nothing: the cluster has been destroyed".to_owned(), "")];
        rows.extend(cause.iter().map(|cause| ("Try", format!("{} run it again", cause.try_first), "")));
        rows.push(("Details", better.clone(), ""));
        return page.ways(&rows);
    }
    let there = quote(&after.directory.to_string_lossy());
    let cost = match (after.costs, now == "nothing") {
        (_, true) | (false, _) => "no cost",
        (true, false) => "it costs money",
    };
    let mut rows = vec![("Exists now", format!("{now}; {cost}"), "")];
    rows.extend(cause.iter().map(|cause| ("Try", cause.try_first.to_owned(), "")));
    // Removing everything is no way to mend anything, but where removing is what failed.
    let helpful = next.iter().zip(after.why.iter().copied().chain(std::iter::repeat("")));
    let helpful = helpful.filter(|(command, _)| next.len() == 1 || !is_destroy(command));
    rows.extend(helpful.map(|(command, why)| ("Try", command.clone(), why)));
    if !after.step.is_empty() {
        let told = if is_log(root) { "all that was printed" } else { "all that happened" };
        rows.push(("Details", format!("exasol logs -d {there} --step {}", after.step), told));
    }
    rows.push(("Help", format!("exasol support -d {there}"), "an archive without secrets"));
    page.ways(&rows);
}

/// The error itself; a tool's own words are not shown for ever. `beside`: the cause stands above it.
fn words(root: &Error, beside: bool) -> String {
    let text = match root {
        Error::Tool(failure) => {
            let ToolFailure { tool, status, diagnostics, .. } = failure.as_ref();
            match diagnostics.first() {
                Some(first) if beside => format!("{tool} says: {first}"),
                Some(first) => format!("{tool} failed ({status}): {first}"),
                None => format!("{tool} failed ({status})"),
            }
        }
        Error::Download { url, cause, .. } if beside && causes::explain(cause).is_some_and(|it| it.code == "dns") => {
            format!("download of {url} failed")
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(WORDS) {
        Some((end, _)) if matches!(root, Error::Tool(_)) => format!("{}…", &text[..end]),
        _ => text,
    }
}

fn several(page: &mut Page, errors: &[Error]) {
    page.headline(Tone::Bad, "error:", &format!("{} are wrong", count(errors.len(), "value")));
    for error in errors {
        page.paragraph(Tone::Strong, " ", &error.to_string());
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

/// Of a command that is no operation: it has no log.
fn tool(page: &mut Page, failure: &ToolFailure) {
    let ToolFailure { tool, status, diagnostics, .. } = failure;
    let cause = diagnostics.first().map(|first| format!(": {first}")).unwrap_or_default();
    page.paragraph(Tone::Bad, "error:", &format!("{tool} failed ({status}){cause}"));
    page.quoted("it also said:", diagnostics.get(1..).unwrap_or_default());
    tail(page, failure);
}

/// The last lines for people; those for programs are in the log.
fn tail(page: &mut Page, failure: &ToolFailure) {
    let is_json =
        |line: &&String| line.trim_start().starts_with('{') && serde_json::from_str::<serde_json::Value>(line).is_ok();
    let lines: Vec<_> = failure.tail.iter().filter(|line| !is_json(line)).collect();
    let last = &lines[lines.len().saturating_sub(TAIL)..];
    page.quoted(&format!("the last lines of {}:", failure.command), last);
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
            now: "the machine of n11, and 3 other things".into(),
            next: vec!["exasol deploy -d demo".into(), "exasol destroy -d demo".into()],
            after: Box::new(Aftermath {
                name: "demo".into(),
                directory: "demo".into(),
                step: "apply".into(),
                nodes: vec!["n11".into()],
                why: vec!["tries again from where it failed", "removes what exists"],
                ..Aftermath::default()
            }),
        }
    }

    /// The same operation with another cause, in another step.
    fn failed_by(cause: Error, step: &str, change: impl FnOnce(&mut Aftermath)) -> Error {
        let Error::Operation { operation, now, next, mut after, .. } = failed_apply() else { unreachable!() };
        after.step = step.into();
        change(&mut after);
        Error::Operation { operation, cause: Box::new(cause), now, next, after }
    }

    fn unreachable() -> Error {
        let said = "n11: Gathering Facts: unreachable: Failed to connect to the host via ssh: ssh: connect to host \
            192.168.122.71 port 22: No route to host";
        Error::Tool(Box::new(ToolFailure {
            tool: "ansible-playbook".into(),
            command: "ansible-playbook setup-exasol-cluster.yml".into(),
            status: "exit status 4".into(),
            diagnostics: vec![said.into()],
            tail: vec!["{\"event\": \"stats\"}".into()],
            log: Some("logs/20260102T030405Z-deploy/ansible.jsonl".into()),
        }))
    }

    #[test]
    fn a_machine_that_is_off_is_told_before_what_follows_from_it() {
        let error = failed_by(unreachable(), "install", |after| after.machines = vec!["n11's machine is off".into()]);
        insta::assert_snapshot!(text(&error));
    }

    #[test]
    fn a_common_cause_comes_first_and_costs_are_told() {
        let offline = Error::Tool(Box::new(ToolFailure {
            tool: "terraform".into(),
            command: "terraform init".into(),
            status: "exit status 1".into(),
            diagnostics: vec!["Failed to query available provider packages: Could not retrieve the list of available \
                versions for provider hetznercloud/hcloud: could not connect to registry.terraform.io: dial tcp: lookup \
                registry.terraform.io on 127.0.0.53:53: no such host".into()],
            tail: Vec::new(),
            log: Some("logs/20260102T030405Z-deploy/terraform.jsonl".into()),
        }));
        insta::assert_snapshot!(text(&failed_by(offline, "plan", |after| after.costs = true)));
    }

    #[test]
    fn ctrl_c_is_no_error_and_nothing_is_lost() {
        let stop = || Error::Interrupted { signal: 2 };
        let running = |after: &mut Aftermath| {
            after.nodes.push("n12".into());
            after.running = true;
        };
        insta::assert_snapshot!(text(&failed_by(stop(), "boot", running)), @r"
        Stopped. n11 and n12 exist and are running. Nothing is lost.
          go on  exasol deploy -d demo
          undo   exasol destroy -d demo
        ");
        let paid = text(&failed_by(stop(), "apply", |after| after.costs = true));
        assert!(paid.starts_with("Stopped. n11 exists. What exists costs money. Nothing is lost.\n"), "{paid}");
        let nothing = text(&failed_by(stop(), "plan", |after| after.nodes.clear()));
        assert!(nothing.starts_with("Stopped. Nothing is lost.\n"), "{nothing}");
    }

    #[test]
    fn of_a_run_that_was_destroyed_no_directory_is_named() {
        let Error::Operation { operation, cause, mut after, .. } = failed_apply() else { unreachable!() };
        (after.nodes, after.why) = (Vec::new(), Vec::new());
        after.gone = Some("exasol run --keep keeps the cluster".into());
        let error = Error::Operation { operation, cause, now: "nothing".into(), next: Vec::new(), after };
        let shown = text(&error);
        assert!(shown.contains("nothing: the cluster has been destroyed"), "{shown}");
        assert!(!shown.contains(", then\n"), "each sentence has its end: {shown}");
        assert!(shown.contains("exasol run --keep") && !shown.contains("-d demo"), "{shown}");
    }

    #[test]
    fn a_no_is_no_error() {
        let declined = Error::Declined { done: "nothing was made".into() };
        let Error::Operation { operation, now, mut next, after, .. } = failed_apply() else { unreachable!() };
        next.truncate(1);
        let error = Error::Operation { operation, cause: Box::new(declined), now, next, after };
        assert_eq!(error.exit_code(), 2);
        assert_eq!(text(&error), "Stopped: nothing was made.\n  go on  exasol deploy -d demo\n");
        // Asked before the operation began.
        let before = Error::Declined { done: "nothing was destroyed".into() };
        assert_eq!(text(&before), "Stopped: nothing was destroyed.\n");
    }

    #[test]
    fn a_download_s_common_cause_is_told_once() {
        let error = Error::Download {
            url: "https://x-up.example.com/c4".into(),
            cause: "no address is found for x-up.example.com: Name or service not known (5 attempts)".into(),
            hint: None,
        };
        let shown = text(&failed_by(error, "image", |_| {}));
        assert!(shown.starts_with("error: x-up.example.com is not found (DNS)"), "{shown}");
        assert!(shown.contains("download of https://x-up.example.com/c4 failed\n"), "{shown}");
    }

    #[test]
    fn removing_everything_is_suggested_only_where_that_failed() {
        let failed = text(&failed_apply());
        assert!(!failed.contains("destroy"), "{failed}");
        let Error::Operation { cause, now, after, .. } = failed_apply() else { unreachable!() };
        let next = vec!["exasol destroy -d demo".to_owned()];
        let destroy = Error::Operation { operation: Operation::Destroy, cause, now, next, after };
        assert!(text(&destroy).contains("Try         exasol destroy -d demo"), "{}", text(&destroy));
    }

    #[test]
    fn output_for_programs_is_not_shown_to_people() {
        let Error::Tool(mut failure) = unreachable() else { unreachable!() };
        failure.log = None;
        failure.tail.push("fatal: all hosts".into());
        let shown = text(&Error::Tool(failure));
        assert!(shown.contains("| fatal: all hosts") && !shown.contains("stats"), "{shown}");
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
          failed   storage pool 'default'
                     cause: it is not running
                     fix:   virsh pool-start default
          failed   ansible-core
                     cause: not found on PATH
                     fix:   sudo apt-get install ansible-core
        hint: fix what failed and run the command again; exasol doctor shows all checks
        ");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = |flag: &str, suggestion: Option<&str>| Error::InvalidValue {
            flag: flag.into(),
            value: "16XB".into(),
            problem: "must be a whole number of GB, 1 to 16384".into(),
            suggestion: suggestion.map(str::to_owned),
        };
        let foreign = Error::Usage { message: "--x belongs to y".into(), hint: Some("leave it out".into()) };
        let error = Error::Several(vec![
            wrong("--libvirt-memory", Some("16")),
            wrong("EXASOL_ROOT_VOLUME_SIZE", None),
            foreign,
        ]);
        insta::assert_snapshot!(text(&error), @r"
        error: 3 values are wrong
          --libvirt-memory: '16XB' must be a whole number of GB, 1 to 16384. Did you mean 16?
          EXASOL_ROOT_VOLUME_SIZE: '16XB' must be a whole number of GB, 1 to 16384
          --x belongs to y
        hint: leave it out
        ");
        let json: serde_json::Value = serde_json::from_str(&super::super::json::error(&error)).unwrap();
        assert_eq!(json["error"]["errors"].as_array().unwrap().len(), 3);
        assert_eq!(json["error"]["errors"][2]["code"], "usage");
        assert_eq!(json["error"]["exit_code"], 2);
    }

    #[test]
    fn the_ways_out_of_a_wrong_phase_are_said_once() {
        let error = Error::WrongPhase {
            operation: Operation::Stop,
            phase: crate::model::Phase::Destroyed,
            next: vec!["exasol init -d NEW".into()],
        };
        insta::assert_snapshot!(text(&error), @r"
        error: the cluster was destroyed: there is nothing to stop
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
