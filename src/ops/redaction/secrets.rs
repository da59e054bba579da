//! Every secret of a deployment that this machine knows, with a name for each: what is shown
//! to others is compared with them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::super::credentials;
use crate::deployment::{DeploymentDir, Kept, previous_copies};
use crate::model::names_a_secret;
use crate::providers;

/// A shorter value of a variable is no secret but a word: `TOKEN=yes`.
const VARIABLE_FROM: usize = 6;

pub(in crate::ops) struct Known {
    /// Name and value.
    pub secrets: Vec<(String, String)>,
    /// Why some may be missing.
    pub warning: Option<String>,
}

/// `dir`: where the state could be read.
pub(in crate::ops) fn known(root: &Path, dir: Option<&DeploymentDir>) -> Known {
    let mut known = Known { secrets: Vec::new(), warning: None };
    recorded(root, &mut known);
    earlier(root, &mut known.secrets);
    keys(root, &mut known.secrets);
    for (name, value) in std::env::vars_os() {
        let (name, value) = (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned());
        if names_a_secret(&name) && value.len() >= VARIABLE_FROM {
            add(&name, &value, &mut known.secrets);
        }
    }
    given_to_terraform(dir, &mut known.secrets);
    known.secrets.retain(|(_, value)| !value.trim().is_empty());
    known
}

/// `secrets.json`, even where it is not what this version expects.
fn recorded(root: &Path, known: &mut Known) {
    let file = root.join("secrets.json");
    match fs::read(&file) {
        Ok(text) => match serde_json::from_slice::<Value>(&text) {
            Ok(value) => strings("secret", &value, &mut known.secrets),
            Err(error) => {
                // Half of it is still full of secrets.
                let text = String::from_utf8_lossy(&text).into_owned();
                let between_quotes = text.split('"').map(|part| ("secret".to_owned(), part.replace("\\n", "\n")));
                known
                    .secrets
                    .extend(between_quotes.filter(|(_, part)| part.len() >= VARIABLE_FROM && !part.contains(": ")));
                known.warning = Some(format!(
                    "{} is not valid JSON (line {}): secrets were taken out by what is left of it and by their form",
                    file.display(),
                    error.line()
                ));
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            known.warning =
                Some(format!("{} cannot be read ({error}): secrets were taken out by their form only", file.display()));
        }
    }
}

/// Of earlier copies of the file: a password that was changed is still in older logs.
fn earlier(root: &Path, secrets: &mut Vec<(String, String)>) {
    for copy in previous_copies(root, Kept::Secrets) {
        if let Ok(value) = serde_json::from_slice::<Value>(&copy.text) {
            strings("secret", &value, secrets);
        }
    }
}

fn strings(name: &str, value: &Value, secrets: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => add(name, text, secrets),
        Value::Array(all) => all.iter().for_each(|value| strings(name, value, secrets)),
        Value::Object(all) => all.iter().for_each(|(name, value)| strings(name, value, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// With the secrets within a value that is JSON itself: a service account's key.
fn add(name: &str, value: &str, secrets: &mut Vec<(String, String)>) {
    secrets.push((name.to_owned(), value.to_owned()));
    if let Ok(Value::Object(parts)) = serde_json::from_str::<Value>(value) {
        let is_secret = |part: &str| ["key", "secret", "token", "password"].iter().any(|word| part.contains(word));
        for (part, value) in parts.iter().filter(|(part, _)| is_secret(&part.to_lowercase())) {
            strings(part, value, secrets);
        }
    }
}

/// Private keys in `ssh/`: where `secrets.json` is broken, they are the same.
fn keys(root: &Path, secrets: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(root.join("ssh")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if text.starts_with("-----BEGIN") {
            secrets.push((entry.file_name().to_string_lossy().into_owned(), text));
        }
    }
}

/// What the provider would hand to Terraform: from variables and files of the cloud's own command.
fn given_to_terraform(dir: Option<&DeploymentDir>, secrets: &mut Vec<(String, String)>) {
    let Some(dir) = dir else { return };
    let Ok(provider) = providers::find(&dir.state().spec.provider) else { return };
    let given = dir.secrets().map(|secrets| secrets.cloud).unwrap_or_default();
    let Some(Ok(found)) = credentials::find(provider, &dir.state().spec, &given, None) else { return };
    for (name, value) in found.env {
        let secret = names_a_secret(name) || name.to_ascii_uppercase().contains("KEY");
        if let Some(value) = value.filter(|value| secret && value.len() >= VARIABLE_FROM) {
            add(name, &value, secrets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(root: &Path) -> Vec<(String, String)> {
        known(root, None).secrets
    }

    #[test]
    fn every_value_of_the_file_is_one_whatever_its_form() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"db_password": "one", "host_keys": {"n11": "two"}, "cloud": {"token": "{\"private_key\": \"three\"}"}, "new": ["four"]}"#;
        fs::write(dir.path().join("secrets.json"), text).unwrap();
        let values: Vec<_> = names_of(dir.path()).into_iter().map(|(_, value)| value).collect();
        for wanted in ["one", "two", "three", "four"] {
            assert!(values.iter().any(|value| value == wanted), "{wanted}");
        }
    }

    #[test]
    fn a_secret_that_was_changed_is_still_known() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("previous")).unwrap();
        fs::write(dir.path().join("previous/secrets.json.2"), r#"{"db_password": "hunter22"}"#).unwrap();
        assert!(names_of(dir.path()).iter().any(|(_, value)| value == "hunter22"));
    }

    #[test]
    fn half_a_file_still_tells_its_secrets() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("ssh")).unwrap();
        fs::write(dir.path().join("ssh/id_ed25519"), "-----BEGIN X-----\nAAAA\n").unwrap();
        fs::write(dir.path().join("secrets.json"), "{\"db_password\": \"hunter22\", \"adminui_pa").unwrap();
        let found = known(dir.path(), None);
        assert!(found.secrets.iter().any(|(_, value)| value == "hunter22"));
        assert!(found.secrets.iter().any(|(name, _)| name == "id_ed25519"));
        assert!(found.warning.unwrap().contains("not valid JSON"));
    }
}
