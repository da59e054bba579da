//! Words that people try, and what they are called here.
//!
//! What removes things, or asks for less care, is never the guess.

use super::{credentials, options};
use crate::model::quote;
use crate::ops::info;
use crate::providers::{self, Provider};

/// What may have been meant by a command that there is none of. `parent`: the command that it was typed after.
pub(super) fn command(parent: &str, word: &str) -> Option<&'static str> {
    if parent == "cache" {
        return (word.starts_with("pru") || ["clear", "clean", "gc", "rm", "delete", "remove"].contains(&word))
            .then_some("exasol cache prune --dry-run lists what would be removed");
    }
    Some(match word {
        "restart" | "reboot" => "to restart a cluster: exasol stop -d DIR && exasol start -d DIR",
        "create" | "new" | "add" | "provision" => "exasol init describes a cluster, exasol deploy creates it",
        "apply" | "install" | "resume" | "continue" => "exasol deploy creates a cluster, and goes on after a failure",
        "rm" | "delete" | "remove" | "teardown" | "uninstall" => {
            "exasol destroy --dry-run lists what removing a deployment would remove"
        }
        "down" | "halt" | "shutdown" | "pause" => "exasol stop switches the machines off and keeps the data",
        "update" | "set" | "scale" | "resize" | "edit" => {
            "exasol init --update changes a deployment, the next deploy applies it"
        }
        "config" | "describe" | "show" | "inspect" | "get" => {
            "exasol status shows a deployment, exasol info how to connect"
        }
        "top" | "ps" | "ls" => "exasol list shows all deployments, exasol status one of them",
        "check" | "verify" | "preflight" | "setup" => "exasol doctor checks this machine, exasol health a cluster",
        "test" => "exasol run creates a cluster for one command, exasol health checks one that is there",
        "plan" | "diff" => "exasol deploy --plan shows what would be created",
        "log" | "events" | "tail" => "exasol logs shows what the last operation printed",
        "login" | "exec" => "exasol ssh runs commands on a node, exasol sql statements in the database",
        "clean" | "gc" => "exasol cache lists what is kept for later deployments",
        "man-page" | "docs" | "usage" => "exasol help shows all commands and topics",
        _ => return None,
    })
}

/// What may have been meant by an option that the command does not have: without its dashes, or one letter of `-f`.
/// `has`: whether the command takes an option, without its dashes.
pub(super) fn option(command: &str, flag: &str, words: &[String], has: &dyn Fn(&str) -> bool) -> Option<String> {
    if let Some(way) = of_command(command, flag) {
        return Some(way);
    }
    let text = match flag {
        "memory" | "ram" | "mem" => sizes(own("memory")),
        "cpus" | "cpu" | "vcpus" | "cores" => sizes(own("vcpus")),
        "image" | "network" | "pool" | "uri" => own(flag),
        "region" | "location" | "zone" | "availability-zone" => places(words),
        "cloud" | "platform" | "infra" => "--cloud-provider PROVIDER".into(),
        "token" | "api-token" | "api-key" | "credentials" => secrets(words),
        "nodes" | "node-count" | "size" | "count" | "replicas" => "--cluster-size N".into(),
        "cidr" | "cidrs" | "allow" | "allow-cidr" | "allowed-cidrs" | "allowed-ips" => "--allowed-cidr CIDR".into(),
        "disk" | "disk-size" | "storage" | "volume-size" => "--data-volume-size GB, or --root-volume-size GB".into(),
        "type" | "instance" | "machine-type" | "flavor" => "--instance-type TYPE".into(),
        "version" | "release" => "--db-version V".into(),
        "password" | "sys-password" | "db-pass" if has("show-password") => "--show-password".into(),
        "password" | "sys-password" | "db-pass" => "--db-password-file FILE, or - for standard input".into(),
        "force" | "assume-yes" | "no-confirm" | "noconfirm" | "f" => "--yes, which answers the question".into(),
        "dir" | "directory" | "deployment" | "path" => "-d DIR".into(),
        "config-file" | "c" => "--config FILE".into(),
        "format" | "o" => "--json, or --output text".into(),
        "j" => "--json".into(),
        "a" => "--all".into(),
        "debug" => "--log-level debug, or -v".into(),
        "silent" => "--quiet".into(),
        "check" | "noop" | "simulate" | "n" => "--dry-run".into(),
        "statement" | "query" | "execute" => "--command STATEMENT".into(),
        _ => return belongs_to_init(command, flag),
    };
    // An option of another command is no help.
    let first = text.strip_prefix("--").map(|text| text.split([' ', ',']).next().unwrap_or_default());
    (!text.is_empty() && first.is_none_or(has)).then(|| format!("did you mean {text}?"))
}

/// What one command does without the option, or by another one.
fn of_command(command: &str, flag: &str) -> Option<String> {
    let way = match (command, flag) {
        ("logs", "tail" | "n" | "lines" | "last") => "exasol logs | tail -n 20 shows the end".to_owned(),
        ("logs", "errors" | "error") => {
            "exasol logs --step STEP shows the step that failed; exasol status names it".to_owned()
        }
        ("status", "follow" | "f") => "did you mean --watch?".to_owned(),
        ("health", "fix") => "did you mean --repair?".to_owned(),
        ("init", "dry-run" | "plan") => {
            "exasol init creates no machines; exasol deploy --plan shows what would be created".to_owned()
        }
        ("up" | "run", "dry-run" | "plan") => {
            "exasol init describes a cluster, and exasol deploy --plan shows what would be created".to_owned()
        }
        ("deploy", "resume" | "continue" | "retry") => "exasol deploy goes on after a failure by itself".to_owned(),
        ("deploy" | "up", "update") => {
            "exasol init --update changes options, and exasol deploy applies them".to_owned()
        }
        ("sql", "f" | "file" | "script") => "a script is read from standard input: exasol sql < FILE".to_owned(),
        ("info", client) if info::CLIENTS.contains(&client) => format!("did you mean --for {client}?"),
        _ => return None,
    };
    Some(way)
}

/// What describes a deployment is said to `init`, before or afterwards.
fn belongs_to_init(command: &str, flag: &str) -> Option<String> {
    let describes = options::find(flag).is_some() || flag == "config";
    let works_on_it = ["deploy", "start", "stop", "status", "health"].contains(&command);
    (describes && works_on_it)
        .then(|| format!("exasol init --update --{flag} changes it, and the next deploy applies it"))
}

/// What may have been meant by a word where the command takes none.
pub(super) fn word(
    command: &str,
    word: &str,
    has: &dyn Fn(&str) -> bool,
    is_command: &dyn Fn(&str) -> bool,
) -> Option<String> {
    if providers::ALL.iter().any(|provider| provider.name == word) && has("cloud-provider") {
        return Some(format!("did you mean --cloud-provider {word}?"));
    }
    match command {
        "sql" => Some("put the whole statement in quotes: exasol sql 'SELECT 1'".into()),
        "run" => Some(format!("put -- before the command: exasol run -- {}", quote(word))),
        "man" if is_command(word) => Some(format!("did you mean exasol help {word}?")),
        "versions" => Some("exasol versions lists all; exasol init --db-version V chooses one".into()),
        _ if has("deployment") => Some("name one deployment, and put a name with spaces in quotes".into()),
        _ => None,
    }
}

/// The flag of a provider's own option.
fn own(key: &str) -> String {
    let flags: Vec<_> = providers::ALL.iter().filter_map(|provider| provider.flag(key)).collect();
    flags.join(", ")
}

/// The files of credentials that the typed provider takes, else those of all.
fn secrets(words: &[String]) -> String {
    let secrets = named(words).into_iter().flat_map(credentials::secrets_of);
    secrets.map(|secret| format!("--{}-file", secret.flag)).collect::<Vec<_>>().join(", ")
}

fn sizes(flag: String) -> String {
    format!("{flag} (in a cloud: --instance-type TYPE)")
}

/// Where a provider's machines are made: the options of the one that was typed, else of all.
fn places(words: &[String]) -> String {
    let is_place = |flag: &&str| ["region", "location", "zone"].iter().any(|end| flag.ends_with(end));
    let flags = named(words).into_iter().flat_map(|provider| provider.options).map(|def| def.flag).filter(is_place);
    flags.map(|flag| format!("--{flag}")).collect::<Vec<_>>().join(", ")
}

/// The providers whose names were typed, else all.
fn named(words: &[String]) -> Vec<&'static Provider> {
    let typed = |provider: &&Provider| words.iter().any(|word| word.rsplit('=').next() == Some(provider.name));
    let named: Vec<_> = providers::ALL.iter().copied().filter(typed).collect();
    if named.is_empty() { providers::ALL.to_vec() } else { named }
}
