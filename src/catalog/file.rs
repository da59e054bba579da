//! The form of a catalogue of releases: the one that is built in, and those that people bring.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::addresses::is_safe;
use super::numbers::{c4_on_server, config_keys, is_c4_version};
use crate::model::{Artifact, ConfigKeys, DbVersion, HashOrigin, Origin, is_sha256};

/// What is wrong with a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFault {
    /// From 1 on.
    pub line: usize,
    pub message: String,
}

/// Whose catalogue it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// May have what is packed from this binary.
    Binary,
    /// A user, whose paths are relative to this folder.
    User(&'a Path),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    #[serde(default)]
    aliases: Vec<Spanned<String>>,
    arch: Spanned<String>,
    working_copy: Option<Spanned<String>>,
    c4_version: Option<Spanned<String>>,
    config_keys: Option<ConfigKeys>,
    remark: Option<String>,
    #[serde(default)]
    rehearsal: Option<Spanned<bool>>,
    archive: Spanned<Place>,
    c4: Option<Spanned<Place>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    file: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    tree: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    sha256: Option<Spanned<String>>,
}

/// Where in the text something is wrong, and what.
type Wrong = (Range<usize>, String);

pub(super) fn parse(text: &str, owner: Owner<'_>) -> Result<Vec<DbVersion>, CatalogFault> {
    let at = |(range, message): Wrong| {
        let before = text.get(..range.start.min(text.len())).unwrap_or_default();
        CatalogFault { line: before.matches('\n').count() + 1, message }
    };
    let file: File = toml::from_str(text)
        .map_err(|error| at((error.span().unwrap_or_default(), error.message().trim().to_owned())))?;
    let mut seen = HashSet::new();
    for name in file.version.iter().flat_map(|entry| [&entry.name].into_iter().chain(&entry.aliases)) {
        if !is_word(name.get_ref()) {
            let message =
                format!("'{}' is not a valid name: letters, digits, '.', '-' and '_', 64 at most", name.get_ref());
            return Err(at((name.span(), message)));
        }
        if !seen.insert(name.get_ref().as_str()) {
            return Err(at((name.span(), format!("'{}' is in it twice", name.get_ref()))));
        }
    }
    file.version.iter().map(|entry| version(entry, owner).map_err(at)).collect()
}

fn version(entry: &Entry, owner: Owner<'_>) -> Result<DbVersion, Wrong> {
    let name = entry.name.get_ref().clone();
    let rehearsal = entry.rehearsal.as_ref().is_some_and(|rehearsal| *rehearsal.get_ref());
    if let (Some(rehearsal), Owner::User(_)) = (&entry.rehearsal, owner) {
        return Err((rehearsal.span(), "only this program's own catalogue has rehearsals".into()));
    }
    let architectures: &[&str] = if rehearsal { &["any"] } else { &["x86_64", "aarch64"] };
    let arch = entry.arch.get_ref();
    if !architectures.contains(&arch.as_str()) {
        return Err((entry.arch.span(), format!("arch = '{arch}': one of {}", architectures.join(", "))));
    }
    if let Some(c4) = entry.c4_version.as_ref().filter(|c4| !is_c4_version(c4.get_ref())) {
        return Err((c4.span(), format!("c4_version = '{}': a version such as 4.28.7", c4.get_ref())));
    }
    let working_copy = match &entry.working_copy {
        None => format!("@{name}"),
        Some(given) if given.get_ref().strip_prefix('@').is_some_and(is_word) => given.get_ref().clone(),
        Some(given) => return Err((given.span(), format!("working_copy = '{}': @exasol-X.Y.Z", given.get_ref()))),
    };
    let c4_version = entry.c4_version.as_ref().map(|c4| c4.get_ref().clone());
    let c4 = match (&entry.c4, &c4_version) {
        (Some(place), _) => artifact(place, "c4", rehearsal, owner)?,
        (None, Some(version)) => c4_on_server(version, arch, None),
        (None, None) => return Err((entry.name.span(), format!("'{name}' has neither c4 nor c4_version"))),
    };
    let archive =
        artifact(&entry.archive, &format!("{}.tar.gz", working_copy.trim_start_matches('@')), rehearsal, owner)?;
    Ok(DbVersion {
        aliases: entry.aliases.iter().map(|alias| alias.get_ref().clone()).collect(),
        arch: arch.clone(),
        config_keys: entry.config_keys.unwrap_or_else(|| config_keys(&working_copy)),
        working_copy,
        c4_version,
        origin: match owner {
            Owner::Binary => Origin::BuiltIn,
            Owner::User(_) => Origin::Catalog,
        },
        archive,
        c4,
        rehearsal,
        remark: entry.remark.clone(),
        name,
    })
}

fn artifact(place: &Spanned<Place>, usual: &str, rehearsal: bool, owner: Owner<'_>) -> Result<Artifact, Wrong> {
    let Place { file, url, tree, path, sha256 } = place.get_ref();
    if let Some(file) = file.as_ref().filter(|file| !is_word(file.get_ref())) {
        let message = format!("file = '{}': a bare name of letters, digits, '.', '-' and '_'", file.get_ref());
        return Err((file.span(), message));
    }
    let sources = [url, tree, path].into_iter().flatten().count();
    if sources != usize::from(!rehearsal) {
        return Err((place.span(), "one of url, tree and path says where the file comes from".into()));
    }
    if let Some(url) = url.as_ref().filter(|url| !is_safe(url.get_ref())) {
        return Err((url.span(), "url: an address of https, or of http on this machine".into()));
    }
    if let Some(sum) = sha256.as_ref().filter(|sum| !is_sha256(sum.get_ref())) {
        return Err((sum.span(), format!("sha256 = '{}': 64 hexadecimal digits", sum.get_ref())));
    }
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.get_ref().clone());
    let path = path.as_ref().map(|path| match owner {
        Owner::User(folder) => folder.join(path.get_ref()),
        Owner::Binary => path.get_ref().into(),
    });
    Ok(Artifact {
        file: text(file).unwrap_or_else(|| usual.to_owned()),
        url: text(url),
        tree: text(tree),
        path,
        sha256: text(sha256).map(|sum| sum.to_ascii_lowercase()),
        sha256_from: sha256.as_ref().map(|_| HashOrigin::Catalog),
    })
}

/// What may stand in a path, in a file of shell variables and in c4's configuration.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[version]]
name = "ours-2025.1.10"
aliases = ["ours"]
arch = "x86_64"
working_copy = "@exasol-2025.1.10"
c4_version = "4.28.7"

[version.archive]
path = "files/exasol-2025.1.10.tar.gz"
sha256 = "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB"

[version.c4]
url = "https://mirror.example.com/c4"
"#;

    fn read(text: &str) -> Result<Vec<DbVersion>, CatalogFault> {
        parse(text, Owner::User(Path::new("/srv")))
    }

    #[test]
    fn a_catalogue_of_ones_own_is_read() {
        let [version] = &read(GOOD).unwrap()[..] else { panic!() };
        assert_eq!(version.origin, Origin::Catalog);
        assert_eq!(version.archive.path.as_deref(), Some(Path::new("/srv/files/exasol-2025.1.10.tar.gz")));
        assert_eq!(version.archive.file, "exasol-2025.1.10.tar.gz");
        assert_eq!(version.archive.sha256.as_deref(), Some("ab".repeat(32).as_str()));
        assert_eq!((version.c4.file.as_str(), version.c4.sha256.as_deref()), ("c4", None));
        assert_eq!(version.config_keys, ConfigKeys::V2025_1);
    }

    #[test]
    fn without_an_address_c4_comes_from_the_server() {
        let text = GOOD.split("\n[version.c4]").next().unwrap();
        let [version] = &read(text).unwrap()[..] else { panic!() };
        assert!(version.c4.url.as_deref().unwrap().ends_with("/c4/linux/x86_64/4.28.7/c4"));
        let fault = read(&text.replace("c4_version = \"4.28.7\"\n", "")).unwrap_err();
        assert_eq!((fault.line, fault.message.as_str()), (3, "'ours-2025.1.10' has neither c4 nor c4_version"));
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        for (from, to, line, says) in [
            ("aliases", "alias", 4, "unknown field `alias`"),
            ("\"x86_64\"", "\"x86\"", 5, "arch = 'x86': one of x86_64, aarch64"),
            ("\"x86_64\"", "7", 5, "invalid type"),
            ("[\"ours\"]", "[\"ours-2025.1.10\"]", 4, "'ours-2025.1.10' is in it twice"),
            ("\"ours-2025.1.10\"", "\"../x\"", 3, "'../x' is not a valid name"),
            ("@exasol-2025.1.10", "exasol 2025", 6, "working_copy = 'exasol 2025'"),
            ("4.28.7", "latest", 7, "c4_version = 'latest'"),
            ("ABAB", "XYZ", 11, "64 hexadecimal digits"),
            ("https://", "http://", 14, "url: an address of https"),
            ("url =", "urls =", 14, "unknown field `urls`"),
            ("url = \"https://mirror.example.com/c4\"", "file = \"c4\"", 13, "one of url, tree and path"),
            ("url =", "path = \"c4\"\nurl =", 13, "one of url, tree and path"),
            ("url =", "file = \"a/b\"\nurl =", 14, "file = 'a/b'"),
            ("arch =", "rehearsal = true\narch =", 5, "only this program's own"),
            ("arch =", "arch ", 5, "expected"),
        ] {
            let fault = read(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(fault.message.contains(says), "{from}: {fault:?}");
            assert_eq!(fault.line, line, "{from}: {fault:?}");
        }
    }

    #[test]
    fn the_keys_of_c4s_configuration_can_be_said() {
        let text = GOOD.replace("arch =", "config_keys = \"2025.2\"\narch =");
        assert_eq!(read(&text).unwrap()[0].config_keys, ConfigKeys::V2025_2);
        assert_eq!(read(&text.replace("2025.2", "2099.1")).unwrap_err().line, 5);
    }
}
