//! The programs that `doctor --install-tools` fetches: `tools.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::is_sha256;

/// Names a file of the same form that counts instead of the one in the binary.
pub const TOOLS_FILE: &str = "EXASOL_TOOLS_CATALOG";

// A test proves that the embedded file is good; the empty value is never seen.
static TOOLS: LazyLock<ToolPins> = LazyLock::new(|| parse_tools(include_str!("tools.toml")).unwrap_or_default());

/// Which version of which program, where it is, and how it is known to be the right one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolPins {
    pub opentofu: OpenTofuPin,
    pub pip: FilePin,
    pub ansible: Vec<AnsiblePin>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenTofuPin {
    pub version: String,
    /// By architecture, as `uname -m` says it: a `.tar.gz` with the program `tofu` in it.
    pub archive: BTreeMap<String, FilePin>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePin {
    pub url: String,
    /// 64 hexadecimal digits.
    pub sha256: String,
    /// About; only told to people.
    pub bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnsiblePin {
    /// Of ansible-core.
    pub version: String,
    /// `3.11`, …
    pub pythons: Vec<String>,
    /// About; only told to people.
    pub bytes: u64,
    /// A requirements file of pip's with a hash for every file that may be taken.
    pub requirements: String,
}

/// Those of this binary.
pub fn tools() -> &'static ToolPins {
    &TOOLS
}

/// # Errors
/// The first mistake, for people.
pub fn parse_tools(text: &str) -> Result<ToolPins, String> {
    let pins: ToolPins = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let files = pins.opentofu.archive.values().chain([&pins.pip]);
    if let Some(wrong) = files.map(|file| &file.sha256).find(|sha256| !is_sha256(sha256)) {
        return Err(format!("'{wrong}' is not a SHA-256 of 64 hexadecimal digits"));
    }
    Ok(pins)
}

impl ToolPins {
    /// The packages for that version of Python (`3.11`).
    pub fn ansible_for(&self, python: &str) -> Option<&AnsiblePin> {
        self.ansible.iter().find(|pin| pin.pythons.iter().any(|known| known == python))
    }

    /// `3.9, 3.10, … or 3.14`
    pub fn pythons(&self) -> String {
        let known: Vec<_> = self.ansible.iter().flat_map(|pin| &pin.pythons).map(String::as_str).collect();
        match known.as_slice() {
            [some @ .., last] if !some.is_empty() => format!("{} or {last}", some.join(", ")),
            all => all.join(", "),
        }
    }
}

impl AnsiblePin {
    /// How many packages there are.
    pub fn packages(&self) -> usize {
        self.requirements.lines().filter(|line| line.contains("==")).count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_embedded_file_is_good() {
        assert_eq!(&parse_tools(include_str!("tools.toml")).unwrap(), tools());
        for (arch, word) in [("x86_64", "amd64"), ("aarch64", "arm64")] {
            let OpenTofuPin { version, archive } = &tools().opentofu;
            let end = format!("/v{version}/tofu_{version}_linux_{word}.tar.gz");
            assert!(archive[arch].url.starts_with("https://github.com/opentofu/") && archive[arch].url.ends_with(&end));
        }
    }

    #[test]
    fn a_python_has_one_set_of_packages_each_with_hashes() {
        let mut pythons = HashSet::new();
        for pin in &tools().ansible {
            assert!(pin.pythons.iter().all(|python| pythons.insert(python)), "{}", pin.version);
            let begin = format!("ansible-core=={} \\\n", pin.version);
            assert!(pin.requirements.starts_with(&begin), "{}", pin.version);
            assert!(pin.packages() >= 9);
            let entries = pin.requirements.replace("\\\n", "");
            for entry in entries.lines() {
                let mut words = entry.split_whitespace();
                assert!(words.next().unwrap().contains("=="), "{entry}");
                let hashes: Vec<_> = words.map(|word| word.strip_prefix("--hash=sha256:").unwrap()).collect();
                assert!(!hashes.is_empty() && hashes.iter().all(|hash| is_sha256(hash)), "{entry}");
            }
        }
        assert_eq!(tools().ansible_for("3.12").unwrap().version, tools().ansible_for("3.11").unwrap().version);
        assert!(tools().ansible_for("3.6").is_none());
        assert_eq!(tools().pythons(), "3.9, 3.10, 3.11, 3.12, 3.13 or 3.14");
    }

    #[test]
    fn a_mistake_is_told() {
        let text = include_str!("tools.toml").replacen("50a6", "50a", 1);
        assert!(parse_tools(&text).unwrap_err().contains("is not a SHA-256"));
        assert!(parse_tools("[opentofu]\nversion = 1").unwrap_err().contains("line 2"));
    }

    #[test]
    fn fuzz_tools_catalogue() {
        crate::fuzz::text_target("tools-catalogue", &[include_str!("tools.toml")], |text| drop(parse_tools(text)));
    }
}
