use std::path::Path;
use std::sync::LazyLock;

use super::file::{self, CatalogFault, Owner};
use super::numbers::Number;
use crate::model::{DbVersion, InvalidValue, Spec};

// A test proves that the embedded file parses; the empty list is never seen.
static VERSIONS: LazyLock<Vec<DbVersion>> =
    LazyLock::new(|| file::parse(include_str!("versions.toml"), Owner::Binary).unwrap_or_default());

/// All versions of this binary, in the order of `--list-versions`.
pub fn versions() -> &'static [DbVersion] {
    &VERSIONS
}

/// The versions of somebody's own catalogue, whose paths are relative to `folder`.
///
/// # Errors
/// The first mistake in it; a name that this binary has is one.
pub fn parse_catalog(text: &str, folder: &Path) -> Result<Vec<DbVersion>, CatalogFault> {
    let own = file::parse(text, Owner::User(folder))?;
    let is_built_in = |name: &&str| versions().iter().flat_map(names).any(|known| known == *name);
    if let Some(name) = own.iter().flat_map(names).find(is_built_in) {
        return Err(CatalogFault {
            line: text.lines().position(|line| line.contains(&format!("\"{name}\""))).unwrap_or_default() + 1,
            message: format!("'{name}' is built into this program: choose another name"),
        });
    }
    Ok(own)
}

/// The built-in version of that name or alias.
pub fn find_version(name: &str) -> Result<&'static DbVersion, InvalidValue> {
    find_among(versions(), name).ok_or_else(|| unknown(versions(), name))
}

/// The version of that name or alias, or with that number: `2025.1.8` is `exasol-2025.1.8`.
pub fn find_among<'a>(versions: &'a [DbVersion], name: &str) -> Option<&'a DbVersion> {
    let number = Number::parse(name).map(|number| number.name());
    let is_meant = |known: &str| known == name || Some(known) == number.as_deref();
    versions.iter().find(|version| names(version).any(is_meant))
}

/// What a deployment is made of: what it recorded, or the built-in version that it names.
pub fn of_spec(spec: &Spec) -> Result<&DbVersion, InvalidValue> {
    match &spec.release {
        Some(release) => Ok(release),
        None => find_version(&spec.db_version),
    }
}

/// The answer to a name that is none of these.
pub fn unknown(versions: &[DbVersion], name: &str) -> InvalidValue {
    let known: Vec<&str> = versions.iter().flat_map(names).collect();
    InvalidValue::none_of("--db-version", name, &known).also(", or any release of Exasol as X.Y.Z")
}

/// Whether that version is a stand-in without a database behind it.
pub fn is_rehearsal(name: &str) -> bool {
    find_version(name).is_ok_and(|version| version.rehearsal)
}

fn names(version: &DbVersion) -> impl Iterator<Item = &str> {
    std::iter::once(version.name.as_str()).chain(version.aliases.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConfigKeys, RELEASE_TREE, Source};

    #[test]
    fn the_embedded_file_parses() {
        assert_eq!(file::parse(include_str!("versions.toml"), Owner::Binary).unwrap(), versions());
    }

    #[test]
    fn every_real_artifact_has_one_source_and_a_well_formed_checksum() {
        for version in versions() {
            for artifact in [&version.archive, &version.c4] {
                if version.rehearsal {
                    assert_eq!((artifact.source(), &artifact.sha256), (Source::Binary, &None));
                    continue;
                }
                assert!(artifact.sha256.is_some(), "{}", version.name);
                let end = format!("/{}", artifact.file);
                let url = artifact.url(Some("/srv/releases")).unwrap().unwrap();
                assert!(url.ends_with(&end) && (url.starts_with("https://") || url.starts_with("file:///")), "{url}");
                assert!(
                    version.c4_version.as_deref().is_none_or(|c4| !url.ends_with("/c4") || url.contains(c4)),
                    "{url}"
                );
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
    fn the_configuration_has_the_keys_of_its_series() {
        let keys = |name: &str| find_version(name).unwrap().config_keys;
        assert_eq!(keys("default"), ConfigKeys::V2025_1);
        assert_eq!(keys("default-arm64"), ConfigKeys::V2025_2);
        assert_eq!(keys("rehearsal"), ConfigKeys::V2025_2);
    }

    #[test]
    fn an_alias_leads_to_its_version() {
        for name in ["default", "exasol-2025.1.8", "2025.1.8"] {
            assert_eq!(find_version(name).unwrap().name, "exasol-2025.1.8");
        }
        assert_eq!(find_version("default-arm64").unwrap().name, "exasol-2025.2.0-arm64dev.1");
        assert!(find_version("default-local").unwrap().is_local());
    }

    #[test]
    fn an_unknown_version_is_answered_with_the_nearest_one() {
        let error = find_version("rehersal").unwrap_err();
        assert_eq!(error.suggestion.as_deref(), Some("rehearsal"));
        assert!(error.problem.contains("exasol-2025.1.8-local"));
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

    #[test]
    fn a_name_that_is_built_in_is_nobody_elses() {
        let text = "[[version]]\nname = \"x\"\naliases = [\"default\"]\narch = \"x86_64\"\nc4_version = \"4.28.7\"\n\
            [version.archive]\nurl = \"https://h/x\"\n";
        let fault = parse_catalog(text, Path::new("/")).unwrap_err();
        assert_eq!(
            (fault.line, fault.message.as_str()),
            (3, "'default' is built into this program: choose another name")
        );
        assert_eq!(parse_catalog(&text.replace("default", "y"), Path::new("/")).unwrap()[0].aliases, ["y"]);
    }

    #[test]
    fn fuzz_release_catalogue() {
        let own = "[[version]]\nname = \"mine\"\narch = \"x86_64\"\nc4_version = \"4.28.7\"\n\
            archive = { url = \"https://example.com/a.tar.gz\" }\nc4 = { path = \"c4\" }\n";
        crate::fuzz::text_target("release-catalogue", &[include_str!("versions.toml"), own], |text| {
            for version in parse_catalog(text, Path::new("/tree")).into_iter().flatten() {
                assert!(names(&version).all(|name| !name.contains(['/', '\n', ' '])));
            }
        });
    }
}
