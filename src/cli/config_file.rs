//! `--config FILE.toml`: the flags' names as keys. A table with a provider's name has what is for that provider only:
//! with another one it is passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::closest;

/// A configuration file. Keys that no option has are told together with values that are wrong.
pub(super) struct ConfigFile {
    path: PathBuf,
    table: toml::Table,
    /// By provider.
    own: BTreeMap<&'static str, toml::Table>,
    /// What is wrong about the keys.
    errors: Vec<Error>,
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

    /// `cluster-size` and `cluster_size` are the same key; a key that no option has is one of [`ConfigFile::wrong`].
    pub(super) fn parse(
        path: PathBuf,
        text: &str,
        keys: impl Iterator<Item = String>,
        sections: &[Section],
    ) -> Result<Self> {
        let parsed: toml::Table =
            text.parse().map_err(|e| usage(format!("--config: {} is not valid TOML: {e}", path.display())))?;
        let (mut common, mut own, mut errors) = (toml::Table::new(), BTreeMap::new(), Vec::new());
        for (key, value) in parsed {
            let section = sections.iter().find(|section| section.provider == key);
            match (section, value) {
                (Some(section), toml::Value::Table(table)) => {
                    let place = format!("[{key}] of {}", path.display());
                    let prefix = Some(section.provider);
                    own.insert(section.provider, recognized(table, &section.keys, &place, prefix, &mut errors));
                }
                (_, value) => {
                    common.insert(key, value);
                }
            }
        }
        let keys: Vec<_> = keys.collect();
        let table = recognized(common, &keys, &path.display().to_string(), None, &mut errors);
        Ok(Self { path, table, own, errors })
    }

    /// What is wrong about its keys; once.
    pub(super) fn wrong(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.errors)
    }

    /// The same file, for readers who have nothing else to complain of.
    pub(super) fn sound(mut self) -> Result<Self> {
        Error::several(self.wrong()).map_or(Ok(self), Err)
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

/// The table with its keys as flags are written. `prefix`: what a provider's own options begin with.
fn recognized(
    table: toml::Table,
    known: &[String],
    place: &str,
    prefix: Option<&str>,
    errors: &mut Vec<Error>,
) -> toml::Table {
    let mut found = toml::Table::new();
    for (key, value) in table {
        let name = key.replace('_', "-");
        if !known.contains(&name) {
            errors.push(Error::InvalidValue {
                flag: format!("key in {place}"),
                value: key,
                problem: "is no option of exasol init".into(),
                suggestion: prefix
                    .map(|prefix| format!("{prefix}-{name}"))
                    .filter(|whole| known.contains(whole))
                    .or_else(|| closest(&name, known.iter().map(String::as_str))),
            });
        } else if found.insert(name.clone(), value).is_some() {
            errors.push(usage(format!("--config: {name} is given twice in {place}")));
        }
    }
    found
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
        .and_then(ConfigFile::sound)
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
        ConfigFile::parse("c.toml".into(), text, ["owner"].map(str::to_owned).into_iter(), &sections)?.sound()
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
    fn all_keys_that_are_wrong_are_told_and_a_providers_prefix_may_be_missing() {
        let error = with_sections("[libvirt]\nmemory = 3\n[hetzner]\nlocation = 'hel1'\n").err().unwrap();
        let Error::Several(errors) = error else { panic!("{error}") };
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("'location'") || told[1].contains("'location'"), "{told:?}");
        for meant in ["hetzner-location?", "libvirt-memory?"] {
            assert!(told.iter().any(|text| text.ends_with(meant)), "{meant}: {told:?}");
        }
    }

    #[test]
    fn broken_toml_names_the_place() {
        let error =
            ConfigFile::parse("c.toml".into(), "cluster-size = ", ["cluster-size"].map(str::to_owned).into_iter(), &[])
                .err()
                .unwrap();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn fuzz_config_file() {
        let seed =
            "owner = 'all'\n[libvirt]\nlibvirt_memory = 2\nowner = 'home'\n[hetzner]\nhetzner-location = 'fsn1'\n";
        crate::fuzz::text_target("config-file", &[seed], |text| {
            if let Ok(file) = with_sections(text) {
                let file = file.of("libvirt");
                let _ = (file.get("libvirt-memory"), file.text("owner"));
            }
        });
    }
}
