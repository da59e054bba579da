//! Credentials are looked for anew by every operation, and handed to Terraform as environment
//! variables of its child process. Only what was typed at `init` is kept, in `secrets.json`.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{Check, Options, Secret, Spec};

const ID: &str = "credentials";

/// Where credentials may come from.
pub struct CredentialInput<'a> {
    pub spec: &'a Spec,
    /// What was typed, by flag.
    pub given: &'a BTreeMap<String, Secret>,
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// A file's text; `~/` is the home folder. None: there is none; Err: it cannot be read.
    pub file: &'a dyn Fn(&str) -> Result<Option<String>, String>,
}

impl CredentialInput<'_> {
    /// The first of these variables that is set to something, with its name.
    pub(in crate::providers) fn env_of(&self, names: &[&'static str]) -> Option<Found> {
        names.iter().find_map(|name| {
            let value = (self.env)(name).filter(|v| !v.is_empty())?;
            Some(Found { value, source: (*name).to_owned() })
        })
    }

    /// The file's text; the failed check if it is there and cannot be read.
    pub(in crate::providers) fn read(&self, path: &str) -> Result<Option<String>, Check> {
        (self.file)(path).map_err(|why| malformed(path, &format!("cannot be read: {why}")))
    }

    /// A provider's own option as it was typed or as its variable has it.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.spec.options.get(key).and_then(|v| v.as_str())
    }
}

/// What a cloud's Terraform provider needs to know who asks.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Variables for the child process; None takes one away that would win otherwise.
    pub env: Vec<(&'static str, Option<Secret>)>,
    /// Where they were found, for people: "HCLOUD_TOKEN".
    pub source: String,
    /// What they tell beside the secret, recorded by `init`: a region, a project.
    pub facts: Options,
}

impl Credentials {
    pub fn from(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    pub fn set(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        self.env.push((name, Some(value.into())));
        self
    }

    pub fn unset(mut self, names: &[&'static str]) -> Self {
        self.env.extend(names.iter().map(|name| (*name, None)));
        self
    }

    /// Records something that is no secret.
    pub fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into().into());
        self
    }

    /// The value that the child process gets for a variable.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(n, _)| *n == name)?.1.as_deref()
    }

    pub(crate) fn check(&self) -> Check {
        Check::ok(ID, "credentials", format!("found: {}", self.source))
    }
}

/// Values are left out.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Credentials").field("env", &names).field("source", &self.source).finish_non_exhaustive()
    }
}

/// A value and where it was found.
pub(in crate::providers) struct Found {
    pub value: String,
    /// `--hetzner-token`, `HCLOUD_TOKEN`, `~/.config/hcloud/cli.toml`.
    pub source: String,
}

/// A file's path, and what finds the value in its text (None: it has none).
pub(in crate::providers) type InFile = (&'static str, fn(&str) -> Option<String>);

/// A secret by the usual order: typed, own variable, the cloud's variables, and then files.
pub(in crate::providers) fn search(
    input: &CredentialInput,
    flag: &str,
    env: &[&'static str],
    files: &[InFile],
) -> Result<Option<Found>, Check> {
    if let Some(value) = input.given.get(flag) {
        return Ok(Some(Found { value: (**value).to_owned(), source: format!("--{flag}") }));
    }
    let own = crate::model::env_name(flag);
    if let Some(value) = (input.env)(&own).filter(|v| !v.is_empty()) {
        return Ok(Some(Found { value, source: own }));
    }
    if let Some(found) = input.env_of(env) {
        return Ok(Some(found));
    }
    for (path, value_in) in files {
        if let Some(value) = input.read(path)?.and_then(|text| value_in(&text)) {
            return Ok(Some(Found { value, source: (*path).to_owned() }));
        }
    }
    Ok(None)
}

/// Nothing was found. `ways` are what people can do, one a line.
pub(in crate::providers) fn missing(what: &str, ways: &[&str]) -> Check {
    let check = Check::failed(ID, "credentials", format!("{what}: none found"));
    ways.iter().fold(check, |check, way| check.fix(*way))
}

/// Something was found that cannot be right; the value itself is not shown.
pub(in crate::providers) fn malformed(source: &str, why: &str) -> Check {
    let mut check = Check::failed(ID, "credentials", format!("{source}: {why}"));
    check.exit_code = 2;
    check
}
