//! Words that people try, and what they are called here.

use crate::providers::{self, Provider};

/// What may have been meant by a command that there is none of.
pub(super) fn command(word: &str) -> Option<&'static str> {
    Some(match word {
        "restart" | "reboot" => "to restart a cluster: exasol stop -d DIR && exasol start -d DIR",
        "create" | "new" | "add" | "provision" => "exasol init describes a cluster, exasol deploy creates it",
        "apply" | "install" | "resume" | "continue" => "exasol deploy creates a cluster, and goes on after a failure",
        "rm" | "delete" | "remove" | "teardown" | "uninstall" => {
            "exasol destroy --dry-run lists what removing a deployment would remove"
        }
        "down" | "halt" | "shutdown" | "pause" => "exasol stop switches the machines off and keeps the data",
        "update" | "set" | "scale" | "resize" => {
            "exasol init --update changes a deployment, the next deploy applies it"
        }
        "config" | "describe" | "show" | "inspect" | "get" => {
            "exasol status shows a deployment, exasol info how to connect"
        }
        "check" | "verify" | "preflight" | "setup" => "exasol doctor checks this machine, exasol health a cluster",
        "plan" | "diff" => "exasol deploy --plan shows what would be created",
        "log" | "events" | "tail" => "exasol logs shows what the last operation printed",
        "login" | "exec" => "exasol ssh runs commands on a node, exasol sql statements in the database",
        "clean" | "gc" => "exasol cache lists what is kept for later deployments",
        "man-page" | "docs" | "usage" => "exasol help shows all commands and topics",
        _ => return None,
    })
}

/// What may have been meant by an option that the command does not have, without its dashes.
pub(super) fn option(command: &str, flag: &str, words: &[String]) -> Option<String> {
    let text = match flag {
        "memory" | "ram" | "mem" => sizes(own("memory")),
        "cpus" | "cpu" | "vcpus" | "cores" => sizes(own("vcpus")),
        "image" | "network" | "pool" | "uri" => own(flag),
        "region" | "location" | "zone" | "availability-zone" => places(words),
        "nodes" | "node-count" | "size" | "count" | "replicas" => "--cluster-size N".into(),
        "cidr" | "cidrs" | "allow" | "allow-cidr" | "allowed-cidrs" | "allowed-ips" => "--allowed-cidr CIDR".into(),
        "disk" | "disk-size" | "storage" | "volume-size" => "--data-volume-size GB, or --root-volume-size GB".into(),
        "type" | "instance" | "machine-type" | "flavor" => "--instance-type TYPE".into(),
        "version" | "release" => "--db-version V".into(),
        "password" | "sys-password" | "db-pass" => "--db-password-file FILE, or - for standard input".into(),
        "force" | "assume-yes" | "no-confirm" | "noconfirm" => "--yes answers the question".into(),
        "dir" | "directory" | "deployment" | "path" => "-d DIR".into(),
        "format" => "--output text or --output json".into(),
        "debug" => "--log-level debug, or -v".into(),
        "silent" => "--quiet".into(),
        "check" | "noop" | "simulate" => "--dry-run".into(),
        "statement" | "query" | "execute" => "--command STATEMENT".into(),
        _ => return None,
    };
    // An option of another command is no help.
    let describes = ["init", "doctor", "up", "run"].contains(&command);
    let is_description = text.starts_with("--libvirt") || DESCRIPTION.iter().any(|begin| text.starts_with(begin));
    (!text.is_empty() && (describes || !is_description)).then(|| format!("did you mean {text}?"))
}

/// What options that describe a deployment begin with.
const DESCRIPTION: [&str; 6] =
    ["--cluster-size", "--allowed-cidr", "--data-volume", "--instance-type", "--db-version", "--db-password"];

/// What may have been meant by a word where the command takes none.
pub(super) fn word(command: &str, word: &str) -> Option<String> {
    match command {
        "sql" => Some("put the whole statement in quotes: exasol sql 'SELECT 1'".into()),
        "list" | "doctor" | "cache" => None,
        _ if word.starts_with('-') => None,
        _ => Some("put a value with spaces in quotes".into()),
    }
}

/// The flag of a provider's own option.
fn own(key: &str) -> String {
    let flags: Vec<_> = providers::ALL.iter().filter_map(|provider| provider.flag(key)).collect();
    flags.join(", ")
}

fn sizes(flag: String) -> String {
    format!("{flag} (in a cloud: --instance-type TYPE)")
}

/// Where a provider's machines are made: the options of the one that was typed, else of all.
fn places(words: &[String]) -> String {
    let typed = |provider: &&&Provider| words.iter().any(|word| word.rsplit('=').next() == Some(provider.name));
    let named: Vec<_> = providers::ALL.iter().filter(typed).collect();
    let providers = if named.is_empty() { providers::ALL.iter().collect() } else { named };
    let is_place = |flag: &&str| ["region", "location", "zone"].iter().any(|end| flag.ends_with(end));
    let flags = providers.iter().flat_map(|provider| provider.options).map(|def| def.flag).filter(is_place);
    flags.map(|flag| format!("--{flag}")).collect::<Vec<_>>().join(", ")
}
