//! `--config FILE.toml`: the flags' names as keys.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::closest;

/// A configuration file whose keys have all been recognized.
pub(super) struct ConfigFile {
    path: PathBuf,
    table: toml::Table,
}

impl ConfigFile {
    pub(super) fn read(path: &Path, keys: impl Iterator<Item = String>) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| usage(format!("--config: {} cannot be read: {e}", path.display())))?;
        Self::parse(path.to_owned(), &text, keys)
    }

    /// `cluster-size` and `cluster_size` are the same key; a key that no option has is an error.
    pub(super) fn parse(path: PathBuf, text: &str, keys: impl Iterator<Item = String>) -> Result<Self> {
        let parsed: toml::Table =
            text.parse().map_err(|e| usage(format!("--config: {} is not valid TOML: {e}", path.display())))?;
        let known: Vec<_> = keys.collect();
        let mut table = toml::Table::new();
        for (key, value) in parsed {
            let name = key.replace('_', "-");
            if !known.contains(&name) {
                return Err(Error::InvalidValue {
                    flag: format!("key in {}", path.display()),
                    value: key,
                    allowed: "the options of exasol init, without dashes in front".into(),
                    suggestion: closest(&name, known.iter().map(String::as_str)),
                });
            }
            if table.insert(name.clone(), value).is_some() {
                return Err(usage(format!("--config: {name} is given twice in {}", path.display())));
            }
        }
        Ok(Self { path, table })
    }

    /// A key's value, and how to name it in an error.
    pub(super) fn get(&self, key: &str) -> Option<(&toml::Value, String)> {
        self.table.get(key).map(|value| (value, format!("{key} in {}", self.path.display())))
    }

    /// A text value of a key that is not in the table of options.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some((toml::Value::String(text), _)) => Ok(Some(text.clone())),
            Some((other, label)) => Err(Error::invalid(label, other.to_string(), "a text")),
        }
    }
}

fn usage(message: String) -> Error {
    Error::Usage { message, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_gets_a_suggestion() {
        let error = ConfigFile::parse(
            "c.toml".into(),
            "cluster-sice = 3",
            ["cluster-size", "owner"].map(str::to_owned).into_iter(),
        )
        .err()
        .unwrap();
        assert!(error.to_string().contains("did you mean 'cluster-size'?"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn underscores_are_dashes() {
        let file =
            ConfigFile::parse("c.toml".into(), "cluster_size = 3", ["cluster-size"].map(str::to_owned).into_iter())
                .unwrap();
        assert_eq!(file.get("cluster-size").unwrap().0.as_integer(), Some(3));
    }

    #[test]
    fn broken_toml_names_the_place() {
        let error =
            ConfigFile::parse("c.toml".into(), "cluster-size = ", ["cluster-size"].map(str::to_owned).into_iter())
                .err()
                .unwrap();
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
