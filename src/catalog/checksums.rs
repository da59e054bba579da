//! What the plugins of Terraform's providers must be: `checksums.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// Names a file of the same form that counts instead of the one in the binary.
pub const CHECKSUMS_FILE: &str = "EXASOL_PROVIDER_CHECKSUMS";

// A test proves that the embedded file is good; the empty value is never seen.
static CHECKSUMS: LazyLock<Vec<ProviderChecksums>> =
    LazyLock::new(|| parse_checksums(include_str!("checksums.toml")).unwrap_or_default());

/// The published checksums of one version of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderChecksums {
    /// `dmacvicar/libvirt`
    pub source: String,
    pub version: String,
    /// The registries that hand out these files: `registry.terraform.io`.
    pub registries: Vec<String>,
    /// As in a dependency lock file: `h1:…`, `zh:…`.
    pub hashes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    provider: Vec<ProviderChecksums>,
}

/// Those of this binary.
pub fn provider_checksums() -> &'static [ProviderChecksums] {
    &CHECKSUMS
}

/// # Errors
/// The first mistake, for people.
pub fn parse_checksums(text: &str) -> Result<Vec<ProviderChecksums>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let known = |hash: &&String| !(hash.starts_with("h1:") || hash.starts_with("zh:"));
    match file.provider.iter().flat_map(|provider| &provider.hashes).find(known) {
        Some(wrong) => Err(format!("'{wrong}' is neither h1:… nor zh:…")),
        None => Ok(file.provider),
    }
}

impl ProviderChecksums {
    /// `.terraform.lock.hcl` as Terraform and OpenTofu write it, for a plugin from this registry.
    pub fn lock_file(&self, registry: &str) -> String {
        let hashes: String = self.hashes.iter().map(|hash| format!("    \"{hash}\",\n")).collect();
        let Self { source, version, .. } = self;
        format!(
            "provider \"{registry}/{source}\" {{\n  version     = \"{version}\"\n  constraints = \"{version}\"\n  \
             hashes = [\n{hashes}  ]\n}}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::*;
    use crate::model::is_sha256;

    #[test]
    fn the_embedded_file_is_good() {
        assert_eq!(parse_checksums(include_str!("checksums.toml")).unwrap(), provider_checksums());
        assert!(!provider_checksums().is_empty());
        for hash in provider_checksums().iter().flat_map(|provider| &provider.hashes) {
            match hash.split_at(3) {
                ("h1:", sum) => assert_eq!(BASE64.decode(sum).unwrap().len(), 32, "{hash}"),
                (_, sum) => assert!(is_sha256(sum), "{hash}"),
            }
        }
    }

    #[test]
    fn a_mistake_is_named() {
        let wrong = "[[provider]]\nsource = \"a/b\"\nversion = \"1\"\nregistries = []\nhashes = [\"md5:1\"]\n";
        assert_eq!(parse_checksums(wrong).unwrap_err(), "'md5:1' is neither h1:… nor zh:…");
        assert!(parse_checksums("nothing = 1").unwrap_err().contains("nothing"));
        assert_eq!(parse_checksums("").unwrap(), []);
    }

    #[test]
    fn a_lock_file_is_as_terraform_writes_it() {
        let some = ProviderChecksums {
            source: "dmacvicar/libvirt".into(),
            version: "0.8.3".into(),
            registries: Vec::new(),
            hashes: vec!["h1:a".into(), "zh:b".into()],
        };
        insta::assert_snapshot!(some.lock_file("registry.terraform.io"), @r#"
        provider "registry.terraform.io/dmacvicar/libvirt" {
          version     = "0.8.3"
          constraints = "0.8.3"
          hashes = [
            "h1:a",
            "zh:b",
          ]
        }
        "#);
    }

    #[test]
    fn fuzz_provider_checksums() {
        crate::fuzz::text_target("provider-checksums", &[include_str!("checksums.toml")], |text| {
            drop(parse_checksums(text));
        });
    }
}
