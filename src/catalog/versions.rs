use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::{InvalidValue, closest};

/// The variable that names the folder where `-local` versions find their files.
pub const RELEASE_TREE: &str = "EXASOL_RELEASE_TREE";

/// A version that can be installed: an entry of `versions.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DbVersion {
    pub name: String,
    pub aliases: Vec<String>,
    /// `x86_64`, `aarch64`, or `any`; see [`DbVersion::runs_on`].
    pub arch: String,
    /// c4's name for it: `@exasol-2025.1.8`.
    pub working_copy: String,
    pub archive: Artifact,
    pub c4: Artifact,
    /// A stand-in without a database behind it.
    #[serde(default)]
    pub rehearsal: bool,
}

/// A file that the nodes need.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its name in the cache and on the nodes.
    pub file: String,
    url: Option<String>,
    tree: Option<String>,
    /// Lower-case hex. None only for what is packed from this binary.
    pub sha256: Option<String>,
}

/// Where an artifact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    Url(&'a str),
    /// A path below the release tree.
    Tree(&'a str),
    /// Packed from what ships in this binary.
    Binary,
}

impl DbVersion {
    /// Whether machines of this architecture (`x86_64`, `aarch64`) can run it.
    pub fn runs_on(&self, arch: &str) -> bool {
        self.arch == "any" || self.arch == arch
    }

    /// Whether its files come from the release tree.
    pub fn is_local(&self) -> bool {
        [&self.archive, &self.c4].iter().any(|artifact| matches!(artifact.source(), Source::Tree(_)))
    }
}

impl Artifact {
    pub fn source(&self) -> Source<'_> {
        match (&self.url, &self.tree) {
            (Some(url), _) => Source::Url(url),
            (None, Some(path)) => Source::Tree(path),
            (None, None) => Source::Binary,
        }
    }

    /// The address to fetch it from: https, or file below `tree`, the absolute path that
    /// [`RELEASE_TREE`] holds. None: it is packed from this binary.
    pub fn url(&self, tree: Option<&str>) -> Result<Option<String>, InvalidValue> {
        match (self.source(), tree) {
            (Source::Url(url), _) => Ok(Some(url.to_owned())),
            (Source::Tree(path), Some(tree)) if tree.starts_with('/') => {
                Ok(Some(format!("file://{}/{path}", percent_encoded(tree.trim_end_matches('/')))))
            }
            (Source::Tree(path), tree) => Err(InvalidValue {
                flag: RELEASE_TREE.to_owned(),
                value: tree.unwrap_or_default().to_owned(),
                allowed: format!("must be the absolute path of the folder that holds {path}"),
                suggestion: None,
            }),
            (Source::Binary, _) => Ok(None),
        }
    }
}

#[derive(Deserialize)]
struct File {
    version: Vec<DbVersion>,
}

// A test proves that the embedded file parses; the empty list is never seen.
static VERSIONS: LazyLock<Vec<DbVersion>> = LazyLock::new(|| {
    toml::from_str::<File>(include_str!("versions.toml")).map(|file| file.version).unwrap_or_default()
});

/// All versions, in the order of `--list-versions`.
pub fn versions() -> &'static [DbVersion] {
    &VERSIONS
}

/// The version of that name or alias.
pub fn find_version(name: &str) -> Result<&'static DbVersion, InvalidValue> {
    versions().iter().find(|version| names(version).any(|known| known == name)).ok_or_else(|| {
        let known: Vec<&str> = versions().iter().flat_map(names).collect();
        InvalidValue {
            flag: "--db-version".to_owned(),
            value: name.to_owned(),
            allowed: format!("one of {}", known.join(", ")),
            suggestion: closest(name, known.iter().copied()),
        }
    })
}

/// Whether that version is a stand-in without a database behind it.
pub fn is_rehearsal(name: &str) -> bool {
    find_version(name).is_ok_and(|version| version.rehearsal)
}

fn names(version: &DbVersion) -> impl Iterator<Item = &str> {
    std::iter::once(version.name.as_str()).chain(version.aliases.iter().map(String::as_str))
}

/// A path as it stands in a URL: a folder may be called `Exasol 2025#1`.
fn percent_encoded(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_embedded_file_parses() {
        let file: File = toml::from_str(include_str!("versions.toml")).unwrap();
        assert_eq!(file.version, versions());
    }

    #[test]
    fn names_and_aliases_are_unique() {
        let mut seen = HashSet::new();
        for name in versions().iter().flat_map(names) {
            assert!(seen.insert(name), "{name} stands there twice");
        }
    }

    #[test]
    fn every_real_artifact_has_one_source_and_a_well_formed_checksum() {
        for version in versions() {
            for artifact in [&version.archive, &version.c4] {
                assert!(!artifact.file.contains('/'));
                if version.rehearsal {
                    assert_eq!((artifact.source(), &artifact.sha256), (Source::Binary, &None));
                    continue;
                }
                assert!(artifact.url.is_some() != artifact.tree.is_some(), "{}", version.name);
                let sha256 = artifact.sha256.as_deref().unwrap();
                assert!(sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
                let end = format!("/{}", artifact.file);
                let url = artifact.url(Some("/srv/releases")).unwrap().unwrap();
                assert!(url.ends_with(&end) && (url.starts_with("https://") || url.starts_with("file:///")), "{url}");
            }
        }
    }

    #[test]
    fn architecture_and_name_agree() {
        for version in versions() {
            let expected = match version.name.as_str() {
                "rehearsal" => "any",
                name if name.contains("-arm64") => "aarch64",
                _ => "x86_64",
            };
            assert_eq!(version.arch, expected, "{}", version.name);
            assert!(version.working_copy.starts_with("@exasol-"));
        }
        assert!(find_version("rehearsal").unwrap().runs_on("aarch64"));
        assert!(!find_version("default").unwrap().runs_on("aarch64"));
    }

    #[test]
    fn an_alias_leads_to_its_version() {
        assert_eq!(find_version("default").unwrap().name, "exasol-2025.1.8");
        assert_eq!(find_version("default-arm64").unwrap().name, "exasol-2025.2.0-arm64dev.1");
        assert!(find_version("default-local").unwrap().is_local());
    }

    #[test]
    fn an_unknown_version_is_answered_with_the_nearest_one() {
        let error = find_version("rehersal").unwrap_err();
        assert_eq!(error.suggestion.as_deref(), Some("rehearsal"));
        assert!(error.allowed.contains("exasol-2025.1.8-local"));
        assert_eq!(find_version("oracle").unwrap_err().suggestion, None);
    }

    #[test]
    fn a_local_version_is_read_below_the_tree_and_only_there() {
        let c4 = &find_version("default-local").unwrap().c4;
        let url = c4.url(Some("/srv/a b#1/")).unwrap().unwrap();
        assert_eq!(url, "file:///srv/a%20b%231/c4/linux/x86_64/4.29.0/c4");
        for tree in [None, Some(""), Some("releases")] {
            assert_eq!(c4.url(tree).unwrap_err().flag, RELEASE_TREE);
        }
        assert_eq!(find_version("rehearsal").unwrap().c4.url(None), Ok(None));
    }
}
