//! `--config FILE.toml`: the flags' names as keys. A table with a provider's name has what is for that provider only:
//! with another one it is passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::closest;

/// A configuration file whose keys have all been recognized.
pub(super) struct ConfigFile {
    path: PathBuf,
    table: toml::Table,
    /// By provider.
    own: BTreeMap<&'static str, toml::Table>,
}

/// The table that a provider may have, and the keys in it.
pub(super) struct Section {
    pub provider: &'static str,
    pub keys: Vec<String>,
}

impl ConfigFile {
    pub(super) fn read(path: &Path, keys: impl Iterator<Item = String>, sections: &[Section]) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| usage(format!("--config: {} cannot be read: {e}", path.display())))?;
        Self::parse(path.to_owned(), &text, keys, sections)
    }

    /// `cluster-size` and `cluster_size` are the same key; a key that no option has is an error.
    pub(super) fn parse(
        path: PathBuf,
        text: &str,
        keys: impl Iterator<Item = String>,
        sections: &[Section],
    ) -> Result<Self> {
        let parsed: toml::Table =
            text.parse().map_err(|e| usage(format!("--config: {} is not valid TOML: {e}", path.display())))?;
        let (mut common, mut own) = (toml::Table::new(), BTreeMap::new());
        for (key, value) in parsed {
            let section = sections.iter().find(|section| section.provider == key);
            match (section, value) {
                (Some(section), toml::Value::Table(table)) => {
                    let place = format!("[{key}] of {}", path.display());
                    own.insert(section.provider, recognized(table, &section.keys, &place)?);
                }
                (_, value) => {
                    common.insert(key, value);
                }
            }
        }
        let table = recognized(common, &keys.collect::<Vec<_>>(), &path.display().to_string())?;
        Ok(Self { path, table, own })
    }

    /// With what the file has for that provider only, which goes before what it has for all.
    pub(super) fn of(mut self, provider: &str) -> Self {
        self.table.extend(self.own.remove(provider).unwrap_or_default());
        self
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
            Some((other, label)) => Err(Error::invalid(label, other.to_string(), "must be a text")),
        }
    }
}

/// The table with its keys as flags are written.
fn recognized(table: toml::Table, known: &[String], place: &str) -> Result<toml::Table> {
    let mut found = toml::Table::new();
    let mut errors = Vec::new();
    for (key, value) in table {
        let name = key.replace('_', "-");
        if !known.contains(&name) {
            errors.push(Error::InvalidValue {
                flag: format!("key in {place}"),
                value: key,
                problem: "is no option of exasol init".into(),
                suggestion: closest(&name, known.iter().map(String::as_str)),
            });
        } else if found.insert(name.clone(), value).is_some() {
            errors.push(usage(format!("--config: {name} is given twice in {place}")));
        }
    }
    Error::several(errors).map_or(Ok(found), Err)
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
            &[],
        )
        .err()
        .unwrap();
        assert!(error.to_string().contains("Did you mean cluster-size?"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn underscores_are_dashes() {
        let file = ConfigFile::parse(
            "c.toml".into(),
            "cluster_size = 3",
            ["cluster-size"].map(str::to_owned).into_iter(),
            &[],
        )
        .unwrap();
        assert_eq!(file.get("cluster-size").unwrap().0.as_integer(), Some(3));
    }

    fn with_sections(text: &str) -> Result<ConfigFile> {
        let section = |provider, key: &str| Section { provider, keys: vec!["owner".to_owned(), key.to_owned()] };
        let sections = [section("libvirt", "libvirt-memory"), section("hetzner", "hetzner-location")];
        ConfigFile::parse("c.toml".into(), text, ["owner"].map(str::to_owned).into_iter(), &sections)
    }

    #[test]
    fn a_providers_table_is_for_that_provider_and_goes_before_the_rest() {
        let text =
            "owner = 'all'\n[libvirt]\nlibvirt_memory = 2\nowner = 'home'\n[hetzner]\nhetzner-location = 'fsn1'\n";
        let file = with_sections(text).unwrap().of("libvirt");
        assert_eq!(file.get("libvirt-memory").unwrap().0.as_integer(), Some(2));
        assert_eq!(file.text("owner").unwrap().as_deref(), Some("home"));
        assert!(file.get("hetzner-location").is_none());
        let file = with_sections(text).unwrap().of("aws");
        assert_eq!(file.text("owner").unwrap().as_deref(), Some("all"));
    }

    #[test]
    fn an_unknown_key_in_a_table_is_an_error_for_every_provider() {
        let error = with_sections("[hetzner]\nhetzner-locaton = 'fsn1'\n").err().unwrap().to_string();
        assert!(error.contains("[hetzner] of c.toml") && error.contains("hetzner-location?"), "{error}");
        let foreign = with_sections("[libvirt]\nhetzner-location = 'fsn1'\n").err().unwrap().to_string();
        assert!(foreign.contains("[libvirt] of c.toml"), "{foreign}");
    }

    #[test]
    fn broken_toml_names_the_place() {
        let error =
            ConfigFile::parse("c.toml".into(), "cluster-size = ", ["cluster-size"].map(str::to_owned).into_iter(), &[])
                .err()
                .unwrap();
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
