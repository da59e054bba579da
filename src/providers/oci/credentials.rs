//! Who asks: an API key, option by option from the command line, the environment or a profile; or a way that the
//! Terraform provider knows by itself.

use super::profile::Profile;
use super::{OPTIONS, is_fingerprint, is_ocid};
use crate::model::Check;
use crate::providers::cloud::{CredentialInput, Credentials, Found, malformed, missing};

/// The Terraform provider's variables of an API key; `TF_VAR_` forms would win.
const OF_TERRAFORM: &[&str] = &[
    "TF_VAR_auth",
    "TF_VAR_config_file_profile",
    "TF_VAR_fingerprint",
    "TF_VAR_private_key",
    "TF_VAR_private_key_password",
    "TF_VAR_private_key_path",
    "TF_VAR_tenancy_ocid",
    "TF_VAR_user_ocid",
];
const OF_API_KEY: &[&str] = &[
    "OCI_FINGERPRINT",
    "OCI_PRIVATE_KEY",
    "OCI_PRIVATE_KEY_PASSWORD",
    "OCI_PRIVATE_KEY_PATH",
    "OCI_TENANCY_OCID",
    "OCI_USER_OCID",
];
/// For a key's text, and for its file.
const KEY_VARIABLES: [&str; 2] = ["OCI_PRIVATE_KEY", "OCI_PRIVATE_KEY_PATH"];
/// Ways to ask without an API key, which the Terraform provider knows by itself.
const OTHER_AUTH: &[&str] =
    &["SecurityToken", "InstancePrincipal", "InstancePrincipalWithCerts", "ResourcePrincipal", "OKEWorkloadIdentity"];

pub(super) fn credentials(input: &CredentialInput) -> Result<Credentials, Check> {
    let profile = Profile::read(input)?;
    let settings = Settings { input, profile: &profile };
    let found =
        match input.env_of(&["TF_VAR_auth", "OCI_AUTH"]).filter(|auth| !auth.value.eq_ignore_ascii_case("ApiKey")) {
            Some(auth) => other_auth(&auth, &profile)?,
            None => api_key(&settings)?,
        };
    let tenancy = settings.get("tenancy", "tenancy");
    if tenancy.is_none() && input.option("compartment").is_none() {
        return Err(missing("the compartment", &["export OCI_COMPARTMENT_OCID=…", "or --oci-compartment-ocid OCID"]));
    }
    let told = [("tenancy", tenancy.map(|t| t.value)), ("region", profile.get("region"))];
    Ok(told.into_iter().fold(found, |found, (name, value)| match value {
        Some(value) => found.fact(name, value),
        None => found,
    }))
}

fn other_auth(auth: &Found, profile: &Profile) -> Result<Credentials, Check> {
    let known = OTHER_AUTH.iter().find(|known| known.eq_ignore_ascii_case(&auth.value));
    let known = known.ok_or_else(|| malformed(&auth.source, &format!("one of ApiKey, {}", OTHER_AUTH.join(", "))))?;
    let found = Credentials::from(format!("{} ({known})", auth.source)).unset(OF_TERRAFORM).unset(OF_API_KEY);
    Ok(found.set("OCI_AUTH", *known).set("OCI_CONFIG_FILE_PROFILE", &profile.name))
}

fn api_key(settings: &Settings) -> Result<Credentials, Check> {
    let [tenancy, user, fingerprint] = ["tenancy", "user", "fingerprint"].map(|name| (name, settings.get(name, name)));
    let key = settings.key()?;
    let named = [&tenancy, &user, &fingerprint].map(|(name, found)| (*name, found.is_some()));
    let all = named.into_iter().chain([("private key", key.is_some())]);
    let lacking: Vec<_> = all.filter(|(_, found)| !found).map(|(name, _)| name).collect();
    let ((_, Some(tenancy)), (_, Some(user)), (_, Some(fingerprint)), Some(key)) = (tenancy, user, fingerprint, key)
    else {
        return Err(none(&lacking, settings.profile));
    };
    for (found, kind) in [(&tenancy, "tenancy"), (&user, "user")] {
        if !is_ocid(&found.value, &[kind]) {
            return Err(malformed(&found.source, &format!("the {kind} is not an OCID (ocid1.{kind}.oc1..aaaa…)")));
        }
    }
    if !is_fingerprint(&fingerprint.value) {
        return Err(malformed(&fingerprint.source, "a fingerprint has 16 pairs of hex digits with colons between"));
    }
    let found = Credentials::from(user.source.clone())
        .unset(OF_TERRAFORM)
        .unset(&["OCI_CONFIG_FILE_PROFILE", key.other_variable])
        .set("OCI_AUTH", "ApiKey")
        .set("OCI_TENANCY_OCID", tenancy.value)
        .set("OCI_USER_OCID", user.value)
        .set("OCI_FINGERPRINT", fingerprint.value)
        .set(key.variable, key.value);
    Ok(match key.password {
        Some(password) => found.set("OCI_PRIVATE_KEY_PASSWORD", password),
        None => found.unset(&["OCI_PRIVATE_KEY_PASSWORD"]),
    })
}

fn none(lacking: &[&str], profile: &Profile) -> Check {
    let what = format!("{} of an API key, in the environment or in {}", lacking.join(", "), profile.place());
    missing(
        &what,
        &[
            "oci setup config  # writes ~/.oci/config; then add the public key to the user in the Console",
            "or export OCI_TENANCY_OCID=… OCI_USER_OCID=… OCI_FINGERPRINT=… OCI_PRIVATE_KEY_PATH=…",
            "or --oci-tenancy-ocid, --oci-user-ocid, --oci-fingerprint, --oci-private-key-path, --oci-config-file",
        ],
    )
}

/// What was typed or is in the environment, else the profile's.
struct Settings<'a> {
    input: &'a CredentialInput<'a>,
    profile: &'a Profile,
}

/// A private key as the Terraform provider takes it.
struct Key {
    variable: &'static str,
    /// The one for a key that comes the other way.
    other_variable: &'static str,
    value: String,
    password: Option<String>,
}

impl Settings<'_> {
    fn get(&self, option: &str, key: &str) -> Option<Found> {
        if let Some(value) = self.input.option(option).filter(|v| !v.is_empty()) {
            let def = OPTIONS.iter().find(|def| def.key == option)?;
            return Some(Found { value: value.to_owned(), source: format!("--{} or {}", def.flag, def.env[1]) });
        }
        self.profile.get(key).map(|value| Found { value, source: self.profile.place() })
    }

    /// None: no key was named.
    fn key(&self) -> Result<Option<Key>, Check> {
        let text = self.input.env_of(&["TF_VAR_private_key", "OCI_PRIVATE_KEY"]);
        let ([variable, other_variable], value, source, pem) = match (self.input.option("private_key_path"), text) {
            (None, Some(text)) => (KEY_VARIABLES, text.value.clone(), text.source, text.value),
            _ => {
                let Some(named) = self.get("private_key_path", "key_file") else { return Ok(None) };
                let path = self.absolute(&named.value);
                let pem = self.input.read(&path)?;
                let pem = pem.ok_or_else(|| malformed(&named.source, &format!("there is no file {path}")))?;
                let [text, file] = KEY_VARIABLES;
                ([file, text], path.clone(), path, pem)
            }
        };
        if !pem.contains("-----BEGIN ") || !pem.contains("PRIVATE KEY-----") {
            return Err(malformed(&source, "is not a private key in PEM form"));
        }
        let password =
            self.input.env_of(&["TF_VAR_private_key_password", "OCI_PRIVATE_KEY_PASSWORD", "OCI_CLI_PASSPHRASE"]);
        let password = password.map(|found| found.value).or_else(|| self.profile.get("pass_phrase"));
        if pem.contains("ENCRYPTED") && password.is_none() {
            let ways = ["export OCI_PRIVATE_KEY_PASSWORD=…", "or pass_phrase=… in the configuration file"];
            return Err(missing(&format!("the password of {source}"), &ways));
        }
        Ok(Some(Key { variable, other_variable, value, password }))
    }

    fn absolute(&self, path: &str) -> String {
        match (path.strip_prefix("~/"), (self.input.env)("HOME")) {
            (Some(rest), Some(home)) => format!("{home}/{rest}"),
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::PROVIDER;
    use crate::providers::cloud::testing::Sources;

    const TENANCY: &str = "ocid1.tenancy.oc1..aaaatenancy";
    const USER: &str = "ocid1.user.oc1..aaaauser";
    const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaacompartment";
    const FINGERPRINT: &str = "20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34";
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n";

    fn config() -> String {
        format!(
            "; comment\n[DEFAULT]\nuser={USER}\nfingerprint = {FINGERPRINT}\ntenancy={TENANCY}\n\
             region=uk-london-1\nkey_file=~/.oci/key.pem\n{}\n[ADMIN]\nuser=ocid1.user.oc1..aaaaadmin\n",
            "# a line\n".repeat(20)
        )
    }

    fn configured() -> Sources {
        Sources::new(&PROVIDER)
            .file("~/.oci/config", &config())
            .file("/home/me/.oci/key.pem", PEM)
            .env("HOME", "/home/me")
    }

    fn typed() -> Sources {
        Sources::new(&PROVIDER)
            .option("tenancy", TENANCY)
            .option("user", USER)
            .option("fingerprint", FINGERPRINT)
            .option("private_key_path", "/k.pem")
            .file("/k.pem", PEM)
    }

    #[test]
    fn options_win_over_the_file_one_by_one() {
        let found = configured().find().unwrap();
        assert_eq!(found.source, "~/.oci/config [DEFAULT]");
        assert_eq!((found.value("OCI_USER_OCID"), found.value("OCI_TENANCY_OCID")), (Some(USER), Some(TENANCY)));
        assert_eq!(found.value("OCI_PRIVATE_KEY_PATH"), Some("/home/me/.oci/key.pem"));
        assert_eq!((&found.facts["region"], &found.facts["tenancy"]), (&json!("uk-london-1"), &json!(TENANCY)));
        assert!(found.env.contains(&("TF_VAR_user_ocid", None)));

        let found = configured().option("user", "ocid1.user.oc1..aaaaother").find().unwrap();
        assert_eq!(found.value("OCI_USER_OCID"), Some("ocid1.user.oc1..aaaaother"));
        assert_eq!(found.value("OCI_FINGERPRINT"), Some(FINGERPRINT));
        assert!(found.source.contains("--oci-user-ocid"));
        assert_eq!(typed().find().unwrap().value("OCI_PRIVATE_KEY_PATH"), Some("/k.pem"));
    }

    #[test]
    fn a_profile_takes_from_the_default_one_what_it_leaves_out() {
        for variable in ["OCI_CONFIG_FILE_PROFILE", "OCI_CLI_PROFILE"] {
            let found = configured().env(variable, "ADMIN").find().unwrap();
            assert_eq!(found.value("OCI_USER_OCID"), Some("ocid1.user.oc1..aaaaadmin"));
            assert_eq!(found.value("OCI_TENANCY_OCID"), Some(TENANCY));
        }
        let check = configured().env("OCI_CLI_PROFILE", "NOBODY").find().unwrap_err();
        assert_eq!(check.exit_code, 2);
        assert!(check.detail.contains("OCI_CLI_PROFILE") && check.detail.contains("NOBODY"));
    }

    #[test]
    fn a_key_may_be_text_and_may_have_a_password() {
        let text = configured().env("OCI_PRIVATE_KEY", PEM).find().unwrap();
        assert_eq!((text.value("OCI_PRIVATE_KEY"), text.value("OCI_PRIVATE_KEY_PATH")), (Some(PEM), None));
        assert!(text.env.contains(&("OCI_PRIVATE_KEY_PATH", None)));

        let encrypted = typed().file("/k.pem", &PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"));
        let check = encrypted.find().unwrap_err();
        assert_eq!(check.exit_code, 4);
        assert!(check.fix.concat().contains("OCI_PRIVATE_KEY_PASSWORD"));
        let found = encrypted.clone().env("OCI_PRIVATE_KEY_PASSWORD", "hunter2").find().unwrap();
        assert_eq!(found.value("OCI_PRIVATE_KEY_PASSWORD"), Some("hunter2"));
        let config = "[DEFAULT]\npass_phrase=a#b;\"c\\ = d\n";
        let found = encrypted.file("~/.oci/config", config).find().unwrap();
        assert_eq!(found.value("OCI_PRIVATE_KEY_PASSWORD"), Some("a#b;\"c\\ = d"));
    }

    #[test]
    fn other_ways_are_left_to_the_terraform_provider() {
        let principal = Sources::new(&PROVIDER).env("OCI_AUTH", "instanceprincipal");
        let check = principal.find().unwrap_err();
        assert_eq!((check.exit_code, check.fix.concat().contains("--oci-compartment-ocid")), (4, true));
        let found = principal.option("compartment", COMPARTMENT).find().unwrap();
        assert_eq!(found.value("OCI_AUTH"), Some("InstancePrincipal"));
        assert!(found.env.contains(&("OCI_USER_OCID", None)));
        assert_eq!(Sources::new(&PROVIDER).env("OCI_AUTH", "magic").find().unwrap_err().exit_code, 2);
        let session = configured().env("TF_VAR_auth", "SecurityToken").env("OCI_CLI_PROFILE", "ADMIN").find().unwrap();
        assert_eq!(session.value("OCI_CONFIG_FILE_PROFILE"), Some("ADMIN"));
    }

    #[test]
    fn nothing_is_exit_4_and_tells_what_lacks() {
        let check = Sources::new(&PROVIDER).find().unwrap_err();
        assert_eq!(check.exit_code, 4);
        assert!(check.detail.contains("tenancy, user, fingerprint, private key"), "{}", check.detail);
        for way in ["~/.oci/config", "OCI_USER_OCID", "--oci-private-key-path"] {
            assert!(check.fix.concat().contains(way), "{way}");
        }
        let half = Sources::new(&PROVIDER).file("~/.oci/config", &format!("[DEFAULT]\nuser={USER}\ntenancy=\n"));
        let check = half.find().unwrap_err();
        assert_eq!(check.exit_code, 4);
        assert!(check.detail.starts_with("tenancy, fingerprint, private key of"), "{}", check.detail);
    }

    #[test]
    fn what_cannot_be_right_is_exit_2_and_not_shown() {
        let broken = |from: &str, to: &str| {
            let sources = Sources::new(&PROVIDER).file("~/.oci/config", &config().replace(from, to));
            sources.file("/home/me/.oci/key.pem", PEM).env("HOME", "/home/me").find().unwrap_err()
        };
        for (from, to) in [
            (USER, "hunter2"),
            (TENANCY, COMPARTMENT),
            (FINGERPRINT, "hunter2"),
            ("~/.oci/key.pem", "/hunter2.pem"),
            ("[DEFAULT]", "hunter2"),
            ("[ADMIN]", "[ADMIN"),
        ] {
            let check = broken(from, to);
            assert_eq!(check.exit_code, 2, "{to}");
            assert!(check.detail.contains("~/.oci/config"), "{}", check.detail);
            assert!(!check.detail.replace("/hunter2.pem", "").contains("hunter2"), "{}", check.detail);
        }
        let check = typed().file("/k.pem", "ssh-rsa AAAA").find().unwrap_err();
        assert_eq!((check.exit_code, check.detail.contains("/k.pem")), (2, true));
        let absent = Sources::new(&PROVIDER).option("config_file", "/none").find().unwrap_err();
        assert_eq!((absent.exit_code, absent.detail.contains("/none")), (2, true));
    }
}
