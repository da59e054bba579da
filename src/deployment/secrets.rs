//! `secrets.json`: what nobody else may read. It is written with mode 0600, never rendered into
//! anything but files of the same mode, never printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::atomic;
use crate::error::{Error, Result};
use crate::model::Secret;

/// Passwords and private keys of one deployment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Of the SQL user `sys`.
    pub db_password: Secret,
    /// What the former shall become: the next deploy tells the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_db_password: Option<Secret>,
    /// Of the Admin UI's user `admin`.
    pub adminui_password: Secret,
    /// Of the user `exasol` on the nodes.
    pub host_password: Secret,
    /// The same as `$6$…` (sha512-crypt), which is what user-data may carry. Kept, because a new salt
    /// would make every rendering differ.
    pub host_password_hash: Secret,
    /// The deployer's own private key for the nodes, OpenSSH PEM.
    pub ssh_key: Secret,
    /// The nodes' SSH host keys by node name, OpenSSH PEM.
    pub host_keys: BTreeMap<String, Secret>,
    /// The private key that the nodes use among themselves, OpenSSH PEM; made by the first deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_key: Option<Secret>,
    /// Credentials of a cloud that were typed at `init`, by their flags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cloud: BTreeMap<String, Secret>,
}

impl Secrets {
    /// Reads `file`.
    ///
    /// # Errors
    /// [`Error::BrokenState`] if it is missing or cannot be understood. The parser's own text is not
    /// shown: it quotes values.
    pub(super) fn read(file: &Path) -> Result<Secrets> {
        let broken = |why: String| Error::BrokenState { file: file.to_path_buf(), why, repair: None };
        let text = Zeroizing::new(atomic::read(file)?.ok_or_else(|| broken("is missing".into()))?);
        Secrets::parse(&text).map_err(broken)
    }

    /// The secrets that a file says; else a clause about the file, without the parser's own text.
    pub(super) fn parse(text: &[u8]) -> Result<Secrets, String> {
        serde_json::from_slice(text).map_err(|e| {
            let problem = match e.classify() {
                serde_json::error::Category::Data => "has a wrong or missing entry",
                serde_json::error::Category::Eof => "is cut off",
                _ => "is not valid JSON",
            };
            format!("{problem} at line {} column {}", e.line(), e.column())
        })
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        atomic::write(file, &self.to_json()?, 0o600)
    }

    /// The buffer is overwritten when it is dropped. Those that it has outgrown while it was written are not.
    pub(super) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>> {
        let mut text = Zeroizing::new(serde_json::to_vec_pretty(self).context("the secrets as JSON")?);
        text.push(b'\n');
        Ok(text)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("host_keys", &self.host_keys.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;
    use crate::deployment::testing;

    #[test]
    fn debug_shows_no_secret() {
        let secrets = testing::secrets();
        let shown = format!("{secrets:?} {secrets:#?}");
        assert!(shown.contains("n11"));
        let json = serde_json::to_value(&secrets).unwrap();
        for value in json.as_object().unwrap().values().filter_map(|v| v.as_str()) {
            assert!(!shown.contains(value), "{value}");
        }
        assert!(!shown.contains("key of n11"));
    }

    #[test]
    fn a_broken_file_is_described_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets.json");
        assert!(Secrets::read(&file).unwrap_err().to_string().ends_with("secrets.json is missing"));
        for text in ["", "{", "\"hunter2\"", "{\"db_password\": hunter2}", "{\"db_password\": 1, \"hunter2\": 2}"] {
            fs::write(&file, text).unwrap();
            let error = Secrets::read(&file).unwrap_err();
            assert!(matches!(error, Error::BrokenState { .. }));
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.to_string().contains("line 1"), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_password_survives_the_file(password in any::<String>()) {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("secrets.json");
            let secrets = Secrets { db_password: password.into(), ..testing::secrets() };
            secrets.write(&file).unwrap();
            prop_assert_eq!(Secrets::read(&file).unwrap(), secrets);
            prop_assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
        }
    }

    #[test]
    fn fuzz_secrets_json() {
        let frozen = include_bytes!("../../tests/fixtures/frozen/schema-1/secrets.json");
        crate::fuzz::target("secrets-json", &[frozen], |bytes| match Secrets::parse(bytes) {
            Ok(secrets) => drop(secrets.to_json().unwrap()),
            Err(why) => assert!(why.len() < 100, "it quotes nothing: {why}"),
        });
    }
}
