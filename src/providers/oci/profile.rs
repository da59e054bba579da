//! A profile of the configuration file of Oracle's tools.

use ini::{Ini, ParseOption};

use crate::model::Check;
use crate::providers::cloud::{CredentialInput, malformed};

const CONFIG_FILE: &str = "~/.oci/config";
const DEFAULT_PROFILE: &str = "DEFAULT";

/// A profile of the configuration file.
pub(super) struct Profile {
    path: String,
    pub name: String,
    file: Ini,
}

impl Profile {
    pub fn read(input: &CredentialInput) -> Result<Self, Check> {
        let path = input.option("config_file").unwrap_or(CONFIG_FILE).to_owned();
        let text = input.read(&path)?;
        if text.is_none() && input.option("config_file").is_some() {
            return Err(malformed(&path, "there is no such file"));
        }
        let file = parsed(text.as_deref().unwrap_or_default()).map_err(|why| malformed(&path, &why))?;
        let asked = input.env_of(&["TF_VAR_config_file_profile", "OCI_CONFIG_FILE_PROFILE", "OCI_CLI_PROFILE"]);
        if let Some(asked) = &asked
            && text.is_some()
            && file.section(Some(asked.value.as_str())).is_none()
        {
            return Err(malformed(&asked.source, &format!("{path} has no profile {}", asked.value)));
        }
        Ok(Self { path, name: asked.map_or(DEFAULT_PROFILE.to_owned(), |asked| asked.value), file })
    }

    /// What a profile leaves out is taken from the default one, as Oracle's tools do.
    pub fn get(&self, key: &str) -> Option<String> {
        let value = |profile: &str| self.file.get_from(Some(profile), key).map(str::trim).filter(|v| !v.is_empty());
        value(&self.name).or_else(|| value(DEFAULT_PROFILE)).map(str::to_owned)
    }

    pub fn place(&self) -> String {
        format!("{} [{}]", self.path, self.name)
    }
}

/// Values are taken as they stand, as Oracle's tools do. Lines that mean nothing are errors; the crate
/// would take them for the beginning of the next key.
fn parsed(text: &str) -> Result<Ini, String> {
    let means_something = |line: &str| {
        let line = line.trim();
        line.is_empty()
            || line.starts_with(['#', ';'])
            || (line.starts_with('[') && line.ends_with(']'))
            || line.contains('=')
    };
    if let Some(index) = text.lines().position(|line| !means_something(line)) {
        return Err(format!("line {} is neither [PROFILE] nor key=value", index + 1));
    }
    let options = ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
    Ini::load_from_str_opt(text, options).map_err(|e| format!("line {}: {}", e.line, e.msg))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_credentials_oci() {
        let seed =
            "# x\n[DEFAULT]\nuser=ocid1.user.oc1..a\nfingerprint=aa:bb\nkey_file=~/.oci/k.pem\n[B]\nregion = x\n";
        crate::fuzz::text_target("credentials-oci", &[seed], |text| {
            let Ok(file) = parsed(text) else { return };
            let profile = Profile { path: CONFIG_FILE.into(), name: "B".into(), file };
            let _ = (profile.get("user"), profile.place());
        });
    }
}
