use std::collections::BTreeMap;

use serde_json::Value;

/// A provider's own options by key (`memory`, `pool`, …), as JSON values.
pub type Options = BTreeMap<String, Value>;

/// One option of one provider: a row of its table, from which flag, environment variable,
/// configuration key, help and check are made.
#[derive(Debug, Clone, Copy)]
pub struct OptionDef {
    /// Long flag without dashes, also the key in `--config` files: `libvirt-memory`.
    pub flag: &'static str,
    /// Key in the provider's [`Options`].
    pub key: &'static str,
    /// Further environment variables beside `EXASOL_<FLAG>`, first hit wins: the provider's own names for it.
    pub env: &'static [&'static str],
    pub value_name: &'static str,
    pub kind: OptionKind,
    /// As it would be typed; None where the provider decides or nothing is the default.
    pub default: Option<&'static str>,
    pub help: &'static str,
}

impl OptionDef {
    /// A text, without variables of the provider's own.
    pub const fn text(flag: &'static str, key: &'static str, value_name: &'static str, help: &'static str) -> Self {
        Self { flag, key, env: &[], value_name, kind: OptionKind::Text, default: None, help }
    }

    /// A switch that is off unless it is given.
    pub const fn switch(flag: &'static str, key: &'static str, help: &'static str) -> Self {
        Self { kind: OptionKind::Flag, ..Self::text(flag, key, "", help) }
    }

    /// The environment variables that give it, the first that is set and not empty wins.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        [env_name(self.flag)].into_iter().chain(self.env.iter().map(|name| (*name).to_owned()))
    }
}

#[derive(Debug, Clone, Copy)]
pub enum OptionKind {
    Integer {
        min: u64,
        max: u64,
    },
    Text,
    /// A file's path, made absolute where it is read.
    Path,
    /// As a path, or a URL.
    PathOrUrl,
    /// Given several times, or comma-separated in an environment variable.
    List,
    /// Once, as a text. Given again it is a list of texts; in an environment variable they are divided by spaces.
    OneOrMore,
    /// On or off; without a value on the command line.
    Flag,
    Choice(&'static [&'static str]),
}

/// The environment variable of an option: `EXASOL_CLUSTER_SIZE` for `cluster-size`.
pub fn env_name(flag: &str) -> String {
    format!("EXASOL_{}", flag.to_uppercase().replace('-', "_"))
}

/// A secret that a provider takes on the command line: `--<flag>-file FILE`, or `--<flag> VALUE` with a warning.
#[derive(Debug, Clone, Copy)]
pub struct SecretDef {
    /// Long flag without dashes: `hetzner-token`.
    pub flag: &'static str,
    /// What it is, for the help: "API token of the project".
    pub what: &'static str,
    /// The provider's own environment variables, which are read by every operation.
    pub env: &'static [&'static str],
}
