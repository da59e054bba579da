//! `errors.md` and `exit-codes.md`: one of each error, asked for its code, exit code and hint.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::markdown::{code, codes, prose, table};
use crate::error::{ENDED_BY_SIGNAL, EXIT_CODES, Error, ToolFailure};
use crate::model::{Check, Operation, Phase};

/// One of each, with values as they could be.
fn samples() -> Vec<Error> {
    let dir = || PathBuf::from("demo");
    vec![
        Error::InvalidValue {
            flag: "--cluster-size".into(),
            value: "0".into(),
            problem: "must be a whole number, 1 to 64".into(),
            suggestion: None,
        },
        Error::Usage {
            message: "--refresh: libvirt is asked by every status anyway".into(),
            hint: Some("leave it out".into()),
        },
        Error::Several(vec![Error::other("one"), Error::other("another")]),
        Error::NotADeployment { dir: dir(), similar: None, known: Vec::new() },
        Error::AlreadyInitialized {
            dir: dir(),
            deployment: "exasol-1a2b3c4d".into(),
            phase: Phase::Initialized,
            running: false,
        },
        Error::DirectoryNotEmpty { dir: dir(), found: "notes.txt".into() },
        Error::BashDeployment { dir: dir() },
        Error::OpenToOthers {
            folder: dir(),
            why: "every user can change /srv/shared".into(),
            fix: "chmod o-w /srv/shared".into(),
        },
        Error::WrongPhase {
            operation: Operation::Start,
            phase: Phase::Initialized,
            next: vec!["exasol deploy -d demo".into()],
        },
        Error::NotYet {
            message: "there are no nodes yet".into(),
            hint: Some("make them: exasol deploy -d demo".into()),
        },
        Error::BrokenState {
            file: dir().join("deployment.json"),
            why: "cannot be read: EOF at line 1".into(),
            repair: Some(dir()),
        },
        Error::EditedFiles { files: vec!["terraform/main.tf".into()] },
        Error::Preflight { checks: vec![Check::failed("pool_active", "storage pool 'default'", "it is not running")] },
        Error::ToolMissing {
            tool: "tofu 1.6 or newer".into(),
            needed: None,
            install: "how to install it".into(),
            fetched: false,
        },
        Error::ToolUnusable {
            program: "/usr/bin/ansible-playbook".into(),
            command: "ansible-playbook --version".into(),
            status: "exit status 1".into(),
            said: vec!["No module named ansible".into()],
            or: "or how to install it".into(),
        },
        Error::LibvirtUnreachable {
            uri: "qemu:///system".into(),
            cause: "Permission denied".into(),
            fix: vec!["the command that fixes it here".into()],
        },
        Error::Locked { holder: None, dir: "demo".into() },
        Error::Tool(Box::new(ToolFailure {
            tool: "terraform".into(),
            status: "exit status 1".into(),
            diagnostics: vec!["storage pool not found".into()],
            log: Some("logs/20260102T030405Z-deploy/terraform.jsonl".into()),
            ..ToolFailure::default()
        })),
        Error::TerraformState {
            why: "terraform/terraform.tfstate cannot be read".into(),
            hint: "put it back from a backup".into(),
        },
        Error::PlanRefused {
            changes: vec!["replace the data disk n11-1".into()],
            hint: "what would allow it, if anything does".into(),
        },
        Error::Timeout { what: "SSH on n11".into(), limit_s: 600, last_seen: None, hint: None },
        Error::MachineDead {
            node: "n11".into(),
            reason: "kernel_panic",
            why: "n11's kernel panicked: Kernel panic - not syncing: Fatal exception in interrupt".into(),
            resets: 2,
            hint: Some("what its console showed, and what may help".into()),
        },
        Error::SharedAddress {
            nodes: vec!["n11".into(), "n12".into()],
            address: std::net::Ipv4Addr::new(192, 168, 122, 7).into(),
            hint: "how the image is made to tell its machines apart".into(),
        },
        Error::Download { url: "https://example.com/image".into(), cause: "404 Not Found".into(), hint: None },
        Error::Api { call: "POST /servers/42/actions/poweroff".into(), cause: "403 Forbidden".into(), hint: None },
        Error::Checksum { what: "image.img".into(), expected: "3f1a…".into(), found: "99b0…".into() },
        Error::SqlConnection { host: "n11".into(), cause: "connection refused".into(), code: None, hint: None },
        Error::SqlStatement { code: "42000".into(), text: "object T not found".into() },
        Error::Fingerprint { host: "n11".into(), expected: "3f1a…".into(), found: "99b0…".into(), hint: None },
        Error::LeftBehind {
            things: vec!["volume exasol-1a2b3c4d-n11-root".into()],
            again: "exasol destroy -d demo".into(),
        },
        Error::Interrupted { signal: 15 },
        Error::Io { context: "deployment.json".into(), source: std::io::Error::from_raw_os_error(28) },
        Error::other("anything else; the message says what"),
    ]
}

pub(super) fn codes_of_all() -> Vec<&'static str> {
    samples().iter().map(Error::code).collect()
}

pub(super) fn page() -> String {
    let mut text = "# Errors\n\n\
        With `--json` a command that fails prints as its last line\n\n\
        ```json\n\
        {\"schema\":1,\"error\":{\"code\":\"locked\",\"message\":\"…\",\"hint\":\"…\",\"exit_code\":75}}\n\
        ```\n\n\
        The code is stable; message and hint are for people. Further fields are in the\n\
        [schema](schemas/error.json): `operation`, `now` (what exists), `next` (commands), `checks` (those that failed),\n\
        `tool` (the program that failed, with its own words). The messages and hints below are examples.\n\n\
        A command that could look, and does not like what it saw, is no failed one: `health`, and `status --wait` whose time\n\
        is up, print their usual result and end with 1.\n\n"
        .to_owned();
    let row = |error: Error| {
        vec![code(error.code()), exit_code(&error), prose(&error.to_string()), prose(&error.hint().unwrap_or_default())]
    };
    text += &table(&["Code", "Exit code", "Message", "Hint"], &samples().into_iter().map(row).collect::<Vec<_>>());
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn exit_code(error: &Error) -> String {
    match error {
        Error::Interrupted { .. } => "128 + signal".into(),
        // Those of the checks that failed.
        Error::Preflight { .. } => "4, or 2 for a wrong value".into(),
        other => other.exit_code().to_string(),
    }
}

pub(super) fn exit_codes() -> String {
    let mut by_exit: BTreeMap<u8, Vec<&'static str>> = BTreeMap::new();
    let lasting = samples().into_iter().filter(|error| !matches!(error, Error::Interrupted { .. }));
    lasting.for_each(|error| by_exit.entry(error.exit_code()).or_default().push(error.code()));
    let mut rows: Vec<_> = EXIT_CODES
        .iter()
        .map(|(exit, meaning)| {
            let errors = by_exit.remove(exit).map(|all| codes(&all)).unwrap_or_default();
            vec![exit.to_string(), prose(meaning), errors]
        })
        .collect();
    assert!(by_exit.is_empty(), "exit codes without a meaning: {by_exit:?}");
    rows.push(vec!["128 + n".into(), prose(ENDED_BY_SIGNAL), code("interrupted")]);
    let mut text = "# Exit codes\n\n".to_owned();
    text += &table(&["Exit code", "Meaning", "[Error codes](errors.md)"], &rows);
    text += "`exasol ssh n11 -- CMD` ends as `ssh` ends: with the exit code of `CMD`, or 255 where there was no connection.\n";
    text
}

/// The source is the list of what there is: a new variant without a sample is found.
#[test]
fn every_error_is_in_the_reference() {
    let source = include_str!("../../src/error.rs");
    let (_, method) = source.split_once("pub fn code(&self)").unwrap();
    let method = method.split("pub fn exit_code").next().unwrap();
    let written: Vec<_> = method.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(written.len() > 20);
    let mut known = codes_of_all();
    written.iter().for_each(|code| assert!(known.contains(code), "{code}: add one to samples()"));
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), written.len());
}
