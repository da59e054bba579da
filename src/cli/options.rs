//! The options that describe a deployment: one table row each, from which flag, environment
//! variable, configuration key, help text and range check are made.

use std::ops::RangeInclusive;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::config_file::ConfigFile;
use crate::error::{Error, Result};
use crate::model::{DISKS_MAX, NODES_MAX, OptionDef, OptionKind, closest};
use crate::providers::{self, Provider, cloud};

const fn option(flag: &'static str, value_name: &'static str, kind: OptionKind, help: &'static str) -> OptionDef {
    OptionDef { flag, key: flag, env: &[], value_name, kind, default: None, help }
}

const fn with_default(def: OptionDef, default: &'static str) -> OptionDef {
    OptionDef { default: Some(default), ..def }
}

/// The engine when none is asked for.
pub(super) const ANY_ENGINE: &str = "auto";
/// What an option counts that takes a number of them.
const GIGABYTES: &str = "GB";
const ROOT_VOLUME_SIZE: &str = "root-volume-size";

/// Options that all providers share.
pub(super) const COMMON: &[OptionDef] = &[
    with_default(
        option(
            "cluster-size",
            "N",
            OptionKind::Integer { min: 1, max: NODES_MAX as u64 },
            "Number of nodes (n11, n12, …)",
        ),
        "1",
    ),
    with_default(
        option(
            "db-version",
            "V",
            OptionKind::Text,
            "Database version: a name from exasol versions, or any X.Y.Z; \
            rehearsal: no database, on the smallest nodes",
        ),
        "default",
    ),
    option("c4-version", "X.Y.Z", OptionKind::Text, "Version of c4 to use instead of the known one"),
    option("db-archive", "FILE", OptionKind::Path, "Take the release from this file: exasol-X.Y.Z.tar.gz"),
    option("c4", "FILE", OptionKind::Path, "Take c4 from this file"),
    option("db-archive-sha256", "HEX", OptionKind::Text, "SHA-256 of the release's archive"),
    option("c4-sha256", "HEX", OptionKind::Text, "SHA-256 of c4"),
    option("catalog", "FILE", OptionKind::Path, "Your own catalogue of releases, as TOML"),
    with_default(
        option("data-volume-size", "GB", OptionKind::Integer { min: 1, max: 65536 }, "Size of each data disk"),
        "100",
    ),
    with_default(
        option(
            "data-volumes-per-node",
            "N",
            OptionKind::Integer { min: 1, max: DISKS_MAX as u64 },
            "Number of data disks of each node",
        ),
        "1",
    ),
    with_default(
        option(
            ROOT_VOLUME_SIZE,
            "GB",
            OptionKind::Integer { min: 4, max: 16384 },
            "Size of each root disk; a database needs 30 or more",
        ),
        "50",
    ),
    option("instance-type", "TYPE", OptionKind::Text, "Machine type; on libvirt: small, medium or large"),
    option("owner", "TEXT", OptionKind::Text, "Owner tag to put on the machines"),
    option(
        "allowed-cidr",
        "CIDR",
        OptionKind::List,
        "Network that may reach SSH, SQL and Admin UI, or 'me': this machine; repeatable [default: everybody]",
    ),
    option(
        "enable-multicast-overlay",
        "",
        OptionKind::Flag,
        "Connect the nodes by an overlay network (VXLAN) that carries multicasts; always on where a cloud needs it",
    ),
    with_default(
        option(
            "engine",
            "ENGINE",
            OptionKind::Choice(&[ANY_ENGINE, "terraform", "tofu"]),
            "Terraform or OpenTofu; auto takes whichever is installed",
        ),
        ANY_ENGINE,
    ),
];

/// Which providers have an option.
#[derive(Clone, Copy)]
enum Owner {
    All,
    Clouds,
    One(&'static Provider),
}

impl Owner {
    fn has(self, provider: &Provider) -> bool {
        match self {
            Owner::All => true,
            Owner::Clouds => provider.is_cloud(),
            Owner::One(owner) => owner.name == provider.name,
        }
    }

    fn title(self) -> Option<String> {
        match self {
            Owner::All => None,
            Owner::Clouds => Some(OF_CLOUDS.into()),
            Owner::One(owner) => Some(group(owner)),
        }
    }
}

/// What the options of all clouds stand below in help texts.
const OF_CLOUDS: &str = "Options of all clouds";

/// What a provider's own options stand below in help texts.
pub(super) fn group(provider: &Provider) -> String {
    format!("Options of {}", provider.title)
}

/// Whether the options below this heading are those of some providers only.
pub(super) fn is_of_providers(heading: &str) -> bool {
    heading == OF_CLOUDS || providers::ALL.iter().any(|provider| heading == group(provider))
}

/// Whether the options below this heading are the provider's.
pub(super) fn is_of(heading: &str, provider: &Provider) -> bool {
    heading == group(provider) || (heading == OF_CLOUDS && provider.is_cloud())
}

/// Every option that some command takes, each once.
fn all() -> impl Iterator<Item = (&'static OptionDef, Owner)> {
    let own = providers::ALL.iter().flat_map(|p| p.options.iter().map(move |o| (o, Owner::One(p))));
    let common = COMMON.iter().map(|o| (o, Owner::All));
    common.chain(cloud::OPTIONS.iter().map(|o| (o, Owner::Clouds))).chain(own)
}

/// A provider's options, without those that all providers have.
pub(super) fn of(provider: &Provider) -> impl Iterator<Item = &'static OptionDef> {
    all().filter(|(_, owner)| !matches!(owner, Owner::All) && owner.has(provider)).map(|(def, _)| def)
}

/// The option of that flag.
pub(super) fn find(flag: &str) -> Option<&'static OptionDef> {
    all().map(|(def, _)| def).find(|def| def.flag == flag)
}

/// Adds the flags of all options to a command.
pub(super) fn add(mut command: Command) -> Command {
    for (def, owner) in all() {
        command = command.arg(match owner.title() {
            Some(title) => arg(def).help_heading(title),
            None => arg(def),
        });
    }
    command
}

/// Adds the flag of one option.
pub(super) fn add_one(command: Command, flag: &str) -> Command {
    command.args(find(flag).map(arg))
}

fn arg(def: &'static OptionDef) -> Arg {
    let arg = Arg::new(def.flag).long(def.flag).help(help(def));
    match def.kind {
        OptionKind::Flag => arg.action(ArgAction::SetTrue),
        OptionKind::List | OptionKind::OneOrMore => arg.value_name(def.value_name).action(ArgAction::Append),
        // "-1" is a value here, so that it gets the error that names the range.
        _ => arg.value_name(def.value_name).allow_hyphen_values(true),
    }
}

fn help(def: &OptionDef) -> String {
    let mut text = def.help.to_owned();
    if let OptionKind::Choice(choices) = def.kind {
        text.push_str(&format!(": {}", choices.join(", ")));
    }
    if let Some(default) = def.default {
        text.push_str(&format!(" [default: {default}]"));
    }
    if !def.env.is_empty() {
        text.push_str(&format!(" [env: {}]", def.env.join(", ")));
    }
    text
}

/// Where options are looked up, first hit wins: command line, environment, file, default.
pub(super) struct Sources<'a> {
    pub matches: &'a ArgMatches,
    pub env: &'a dyn Fn(&str) -> Result<Option<String>>,
    pub file: Option<&'a ConfigFile>,
}

impl Sources<'_> {
    /// The option's value, checked; None when nobody gave one and it has no default.
    pub(super) fn get(&self, def: &OptionDef) -> Result<Option<Value>> {
        self.get_or(def, None)
    }

    /// As [`Sources::get`], with another default, if there is one: as it would be typed.
    pub(super) fn get_or(&self, def: &OptionDef, implied: Option<String>) -> Result<Option<Value>> {
        if self.is_typed(def) {
            let label = format!("--{}", def.flag);
            return self.typed(def, &label).map(Some);
        }
        for name in def.variables() {
            if let Some(text) = (self.env)(&name)? {
                return parse(def, &name, &split(def, &text)).map(Some);
            }
        }
        if let Some((value, label)) = self.file.and_then(|f| f.get(def.flag)) {
            return parse(def, &label, &toml_texts(def, &label, value)?).map(Some);
        }
        let default = implied.or_else(|| def.default.map(str::to_owned));
        default.map(|text| parse(def, def.flag, &[text])).transpose()
    }

    /// Where its value came from, as errors name it.
    pub(super) fn place(&self, def: &OptionDef) -> String {
        let flag = || format!("--{}", def.flag);
        if self.is_typed(def) {
            return flag();
        }
        let variable = def.variables().find(|name| matches!((self.env)(name), Ok(Some(_))));
        variable.or_else(|| Some(self.file?.get(def.flag)?.1)).unwrap_or_else(flag)
    }

    /// Whether an error blames a flag whose value came from somewhere else. What a version is, is found out later.
    pub(super) fn is_from_elsewhere(&self, error: &Error) -> bool {
        let Error::InvalidValue { flag, .. } = error else { return false };
        let def = flag.strip_prefix("--").and_then(find).filter(|def| def.flag != "db-version");
        def.is_some_and(|def| self.is_given(def) && self.place(def) != *flag)
    }

    /// An error that blames an option's flag, which may not be where the value came from.
    pub(super) fn blamed(&self, error: Error) -> Error {
        match error {
            Error::InvalidValue { flag, value, problem, suggestion } => {
                let def = flag.strip_prefix("--").and_then(find);
                let flag = def.map_or(flag, |def| self.place(def));
                Error::InvalidValue { flag, value, problem, suggestion }
            }
            Error::Several(errors) => Error::Several(errors.into_iter().map(|error| self.blamed(error)).collect()),
            other => other,
        }
    }

    /// Whether it was given on the command line. A command such as `cache` does not have every flag.
    fn is_typed(&self, def: &OptionDef) -> bool {
        let known = self.matches.try_contains_id(def.flag).unwrap_or(false);
        known && self.matches.value_source(def.flag) == Some(ValueSource::CommandLine)
    }

    fn typed(&self, def: &OptionDef, label: &str) -> Result<Value> {
        if matches!(def.kind, OptionKind::Flag) {
            return Ok(Value::Bool(true));
        }
        let texts: Vec<String> = self.matches.get_many::<String>(def.flag).into_iter().flatten().cloned().collect();
        parse(def, label, &texts)
    }

    /// Whether it was given on the command line, in the environment or in the file; a default does not count.
    pub(super) fn is_given(&self, def: &OptionDef) -> bool {
        self.is_asked_for(def) || def.variables().any(|name| !matches!((self.env)(&name), Ok(None)))
    }

    /// As [`Sources::is_given`], but a variable of the environment may be meant for other deployments.
    pub(super) fn is_asked_for(&self, def: &OptionDef) -> bool {
        self.is_typed(def) || self.file.is_some_and(|f| f.get(def.flag).is_some())
    }

    /// Options that the provider does not have: they would be ignored.
    pub(super) fn foreign(&self, provider: &Provider) -> Vec<Error> {
        let strange = all().filter(|(def, owner)| !owner.has(provider) && self.is_asked_for(def));
        let mut errors: Vec<_> = strange.map(|(def, owner)| foreign(&self.place(def), owner, provider)).collect();
        let root_size = COMMON.iter().find(|def| def.flag == ROOT_VOLUME_SIZE);
        if provider.has_fixed_root_disk() && root_size.is_some_and(|d| self.is_asked_for(d)) {
            errors.push(Error::Usage {
                message: format!(
                    "--{ROOT_VOLUME_SIZE}: on {} the machine type decides how big the root disk is",
                    provider.name
                ),
                hint: Some("leave it out, and choose --instance-type".into()),
            });
        }
        errors
    }
}

fn foreign(place: &str, owner: Owner, provider: &Provider) -> Error {
    let owner = match owner {
        Owner::One(owner) => owner.name,
        Owner::Clouds | Owner::All => "the clouds",
    };
    Error::Usage {
        message: format!("{place} belongs to {owner}, not to {}", provider.name),
        hint: Some("leave it out, or choose the other provider with --cloud-provider".into()),
    }
}

/// All keys that a configuration file may have.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    all().map(|(def, _)| def.flag)
}

/// Those of them that the provider has.
pub(super) fn keys_of(provider: &Provider) -> impl Iterator<Item = &'static str> {
    all().filter(|(_, owner)| owner.has(provider)).map(|(def, _)| def.flag)
}

fn split(def: &OptionDef, text: &str) -> Vec<String> {
    match def.kind {
        OptionKind::List => text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect(),
        OptionKind::OneOrMore if text.contains(char::is_whitespace) => {
            text.split_whitespace().map(str::to_owned).collect()
        }
        _ => vec![text.to_owned()],
    }
}

fn toml_texts(def: &OptionDef, label: &str, value: &toml::Value) -> Result<Vec<String>> {
    let one = |v: &toml::Value| match v {
        toml::Value::String(s) => Ok(s.clone()),
        toml::Value::Integer(i) => Ok(i.to_string()),
        toml::Value::Float(f) => Ok(f.to_string()),
        toml::Value::Boolean(b) => Ok(b.to_string()),
        other => Err(invalid(label, &other.to_string(), problem(def), None)),
    };
    match (def.kind, value) {
        (OptionKind::List | OptionKind::OneOrMore, toml::Value::Array(items)) => items.iter().map(one).collect(),
        _ => Ok(vec![one(value)?]),
    }
}

fn parse(def: &OptionDef, label: &str, texts: &[String]) -> Result<Value> {
    let text = texts.last().map(String::as_str).unwrap_or_default();
    match def.kind {
        OptionKind::List => Ok(texts.iter().cloned().map(Value::String).collect()),
        OptionKind::OneOrMore if texts.is_empty() || texts.iter().any(String::is_empty) => {
            Err(invalid(label, "", "must not be empty".into(), None))
        }
        OptionKind::OneOrMore if texts.len() > 1 => Ok(texts.iter().cloned().map(Value::String).collect()),
        OptionKind::Flag => match text {
            "true" | "1" | "yes" => Ok(Value::Bool(true)),
            "false" | "0" | "no" | "" => Ok(Value::Bool(false)),
            _ => Err(invalid(label, text, problem(def), None)),
        },
        OptionKind::Integer { min, max } => {
            let range = min..=max;
            let number = number(def, text).filter(|n| range.contains(n));
            number.map(Value::from).ok_or_else(|| invalid(label, text, problem(def), meant(def, text, &range)))
        }
        OptionKind::Choice(choices) if !choices.contains(&text) => {
            Err(invalid(label, text, problem(def), closest(text, choices.iter().copied())))
        }
        OptionKind::Text | OptionKind::Path | OptionKind::PathOrUrl if text.is_empty() => {
            Err(invalid(label, text, "must not be empty".into(), None))
        }
        OptionKind::Path => absolute(text).map(Value::String),
        OptionKind::PathOrUrl if !text.contains("://") => absolute(text).map(Value::String),
        OptionKind::Text | OptionKind::OneOrMore | OptionKind::PathOrUrl | OptionKind::Choice(_) => {
            Ok(Value::String(text.to_owned()))
        }
    }
}

/// The option's value if nobody gives one.
pub(super) fn default(def: &OptionDef) -> Option<Value> {
    def.default.and_then(|text| parse(def, def.flag, &[text.to_owned()]).ok())
}

/// Makes a path absolute, because the deployment is used from other working directories later.
fn absolute(path: &str) -> Result<String> {
    let path = std::path::absolute(path).map_err(Error::io(path.to_owned()))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Where gigabytes are counted, `16`, `16G`, `16 GB` and `16GiB` are the same.
fn number(def: &OptionDef, text: &str) -> Option<u64> {
    let (digits, unit) = split_number(text);
    let known = unit.is_empty() || (def.value_name == GIGABYTES && ["g", "gb", "gib"].contains(&unit.as_str()));
    digits.parse().ok().filter(|_| known)
}

/// The digits in front, and what follows them in small letters.
fn split_number(text: &str) -> (&str, String) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start().to_lowercase())
}

/// The number in front of something that looks like a unit; a unit of other sizes is converted, if that is a whole
/// number.
fn meant(def: &OptionDef, text: &str, range: &RangeInclusive<u64>) -> Option<String> {
    let (digits, unit) = split_number(text);
    let is_unit = !unit.is_empty() && unit.chars().all(char::is_alphabetic);
    let number: u64 = digits.parse().ok().filter(|_| is_unit)?;
    let number = match unit.trim_end_matches("ib").trim_end_matches('b') {
        _ if def.value_name != GIGABYTES => number,
        "t" => number.checked_mul(1024)?,
        "m" if number.is_multiple_of(1024) => number / 1024,
        "" | "k" | "m" | "p" | "e" => return None,
        _ => number,
    };
    range.contains(&number).then(|| number.to_string())
}

fn problem(def: &OptionDef) -> String {
    match def.kind {
        OptionKind::Integer { min, max } if def.value_name == GIGABYTES => {
            format!("must be a whole number of GB, {min} to {max}")
        }
        OptionKind::Integer { min, max } => format!("must be a whole number, {min} to {max}"),
        OptionKind::Choice(choices) => format!("must be one of {}", choices.join(", ")),
        OptionKind::Flag => "must be true or false".into(),
        OptionKind::List | OptionKind::OneOrMore | OptionKind::Text => "must be a text".into(),
        OptionKind::Path => "must be a file's path".into(),
        OptionKind::PathOrUrl => "must be a path or a URL".into(),
    }
}

pub(super) fn invalid(flag: &str, value: &str, problem: String, suggestion: Option<String>) -> Error {
    Error::InvalidValue { flag: flag.to_owned(), value: value.to_owned(), problem, suggestion }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
