//! Amazon Web Services.

use ini::{Ini, ParseOption};
use serde_json::{Map, Value, json};

use super::cloud::{
    self, Cloud, CredentialInput, Credentials, PowerControl, Target, malformed, missing, region_option,
};
use super::{Provider, Resources, TfvarsInput};
use crate::error::{Error, Result};
use crate::model::{Check, OptionDef, Options, Spec};

const PROFILE: &str = "--aws-profile";

const POWER: PowerControl = PowerControl::by_terraform(("aws_ec2_instance_state", "state"), ("running", "stopped"));

const RESOURCES: Resources = Resources::new(&["aws_instance"], &["aws_ebs_volume"]);

const CLOUD: Cloud = Cloud {
    find: &[
        "aws resourcegroupstaggingapi get-resources --region REGION --tag-filters Key=deployment",
        "in the console: Resource Groups & Tag Editor, Tag Editor, every region, tag 'deployment': its value is the id, exasol- and 8 hex digits",
    ],
    when_off: "the disks (EBS) and the Elastic IP addresses",
    ..Cloud::new(credentials, POWER)
};

const OPTIONS: &[OptionDef] = &[
    region_option(
        "aws-region",
        &["AWS_REGION", "AWS_DEFAULT_REGION"],
        None,
        "Region [default: the profile's, or else us-east-2]",
    ),
    // AWS_PROFILE counts less than keys in the environment, as with AWS's own tools.
    OptionDef::text(
        "aws-profile",
        "profile",
        "NAME",
        "Profile of ~/.aws/config and ~/.aws/credentials; overrides the environment",
    ),
    OptionDef::switch(
        "aws-spot-instance",
        "spot_instance",
        "Use Spot instances: cheaper, but AWS stops them when it needs the capacity",
    ),
];

pub(super) static PROVIDER: Provider =
    Provider { options: OPTIONS, validate, tfvars, ..cloud::row("aws", "Amazon Web Services", CLOUD, RESOURCES) };

/// A tag's longest value (AWS's documentation).
const OWNER_MAX: usize = 256;
/// Families of machines before Nitro: their guests see no volume ids (unverified).
const XEN: &[&str] = &[
    "t1", "t2", "m1", "m2", "m3", "m4", "c1", "c3", "c4", "r3", "r4", "i2", "d2", "h1", "p2", "g3", "x1", "x1e", "f1",
];
/// Ubuntu's image.
const ROOT_MIN_GB: u32 = 8;

fn validate(spec: &Spec) -> Result<()> {
    let target = Target::of(spec, &Options::new())?;
    let family = target.instance_type.split('.').next().unwrap_or_default();
    if XEN.contains(&family) {
        return Err(Error::invalid(
            "--instance-type",
            target.instance_type,
            "must be a machine type of the Nitro generation: on older types the disks cannot be told apart",
        ));
    }
    if let Some(owner) = spec.owner.as_ref().filter(|owner| owner.chars().count() > OWNER_MAX) {
        return Err(Error::invalid(
            "--owner",
            owner.clone(),
            format!("is too long: at most {OWNER_MAX} characters, as AWS's tags"),
        ));
    }
    cloud::at_least("--root-volume-size", spec.root_volume_size, ROOT_MIN_GB)
}

fn tfvars(input: &TfvarsInput) -> Result<Map<String, Value>> {
    let mut variables = cloud::tfvars(input, &Target::of(input.spec, input.facts)?)?;
    variables.insert("power".into(), json!(if input.powered { "running" } else { "stopped" }));
    variables.insert(
        "spot".into(),
        json!(input.spec.options.get("spot_instance").and_then(Value::as_bool).unwrap_or(false)),
    );
    Ok(variables)
}

/// In the environment. With a profile these would win.
const KEYS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
];
/// With keys these do nothing, except fail where the profile is unknown.
const PROFILE_NAMES: &[&str] = &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
/// What the services that run containers set.
const CONTAINER: &[&str] = &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// In the order of AWS's own tools: a profile that was typed, the environment's keys, its profile,
/// the profile `default`, and the role of the machine or container that this runs on.
fn credentials(input: &CredentialInput) -> Result<Credentials, Check> {
    let profiles = Profiles::read(input)?;
    let named = input.env_of(PROFILE_NAMES);
    let region_of = input.option("profile").or(named.as_ref().map(|n| n.value.as_str())).unwrap_or("default");
    let found = if let Some(name) = input.option("profile") {
        profiles.credentials(name, PROFILE)?
    } else if let Some(found) = keys(input)? {
        found
    } else if let Some(found) = web_identity(input)? {
        found
    } else if let Some(named) = &named {
        profiles.credentials(&named.value, &named.source)?
    } else if profiles.exists("default") {
        profiles.credentials("default", &profiles.shared.path)?
    } else {
        role_of_this_machine(input)?.ok_or_else(|| missing("keys or a profile for AWS", &WAYS))?
    };
    Ok(match profiles.get(region_of, "region") {
        Some(region) => found.fact("region", region),
        None => found,
    })
}

const WAYS: [&str; 2] = [
    "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…  # IAM console: users, security credentials",
    "aws configure  # or 'aws configure sso': writes ~/.aws/config and ~/.aws/credentials; --aws-profile or AWS_PROFILE choose",
];

/// Keys of the environment.
fn keys(input: &CredentialInput) -> Result<Option<Credentials>, Check> {
    let [id, secret] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| input.env_of(&[name]));
    let (id, secret) = match (id, secret) {
        (None, None) => return Ok(None),
        (Some(id), Some(secret)) => (id.value, secret.value),
        (Some(_), None) => return Err(missing("AWS_SECRET_ACCESS_KEY beside AWS_ACCESS_KEY_ID", &WAYS)),
        (None, Some(_)) => return Err(missing("AWS_ACCESS_KEY_ID beside AWS_SECRET_ACCESS_KEY", &WAYS)),
    };
    check_keys(&id, &secret).map_err(|(wrong, why)| malformed(wrong.variable, why))?;
    let found = Credentials::from("AWS_ACCESS_KEY_ID")
        .set("AWS_ACCESS_KEY_ID", id)
        .set("AWS_SECRET_ACCESS_KEY", secret)
        .unset(PROFILE_NAMES);
    Ok(Some(match input.env_of(&["AWS_SESSION_TOKEN"]) {
        Some(token) => found.set("AWS_SESSION_TOKEN", token.value),
        None => found,
    }))
}

/// A token that a pipeline or a cluster hands out, for a role.
fn web_identity(input: &CredentialInput) -> Result<Option<Credentials>, Check> {
    const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
    let Some(file) = input.env_of(&[TOKEN_FILE]) else { return Ok(None) };
    if input.env_of(&["AWS_ROLE_ARN"]).is_none() {
        return Err(missing("AWS_ROLE_ARN beside AWS_WEB_IDENTITY_TOKEN_FILE", &WAYS));
    }
    match input.read(&file.value)? {
        Some(text) if !text.trim().is_empty() => Ok(Some(Credentials::from(TOKEN_FILE).unset(PROFILE_NAMES))),
        _ => Err(missing(&format!("a token in {} ({TOKEN_FILE})", file.value), &WAYS)),
    }
}

/// Whether it has a role is known to AWS alone.
fn role_of_this_machine(input: &CredentialInput) -> Result<Option<Credentials>, Check> {
    if let Some(container) = input.env_of(CONTAINER) {
        return Ok(Some(Credentials::from(container.source)));
    }
    let off = input.env_of(&["AWS_EC2_METADATA_DISABLED"]).is_some_and(|v| v.value.eq_ignore_ascii_case("true"));
    let vendor = input.read("/sys/class/dmi/id/sys_vendor")?.unwrap_or_default();
    Ok((vendor.trim() == "Amazon EC2" && !off).then(|| Credentials::from("the role of this EC2 machine")))
}

/// How a part of a key is called.
struct Name {
    variable: &'static str,
    key: &'static str,
}

const ID: Name = Name { variable: "AWS_ACCESS_KEY_ID", key: "aws_access_key_id" };
const SECRET: Name = Name { variable: "AWS_SECRET_ACCESS_KEY", key: "aws_secret_access_key" };

/// IAM's documentation: ids have 16 to 128 letters, digits and `_`; nothing is said of secrets.
fn check_keys(id: &str, secret: &str) -> Result<(), (Name, &'static str)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !(16..=128).contains(&id.len()) || !id.chars().all(word) {
        return Err((ID, "an access key's id has 16 to 128 letters and digits"));
    }
    if secret.len() < 16 || !secret.chars().all(|c| c.is_ascii_graphic()) {
        return Err((SECRET, "a secret access key has at least 16 characters and no spaces"));
    }
    Ok(())
}

/// The two files of AWS's tools. Both may have a profile, and the credentials' file counts first.
struct Profiles {
    shared: IniFile,
    config: IniFile,
}

struct IniFile {
    path: String,
    sections: Ini,
}

impl Profiles {
    fn read(input: &CredentialInput) -> Result<Self, Check> {
        let file = |variable, usual: &str| {
            let path = input.env_of(&[variable]).map_or_else(|| usual.to_owned(), |found| found.value);
            let text = input.read(&path)?.unwrap_or_default();
            // As it stands: backslashes and quotes are no escapes there.
            let as_it_stands = ParseOption { enabled_escape: false, enabled_quote: false, ..ParseOption::default() };
            let sections = Ini::load_from_str_opt(&text, as_it_stands)
                .map_err(|e| malformed(&path, &format!("line {}: {}", e.line, e.msg)))?;
            Ok(IniFile { path, sections })
        };
        Ok(Self {
            shared: file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")?,
            config: file("AWS_CONFIG_FILE", "~/.aws/config")?,
        })
    }

    fn get(&self, profile: &str, key: &str) -> Option<&str> {
        let in_config = format!("profile {profile}");
        let places = [(&self.shared, profile), (&self.config, in_config.as_str()), (&self.config, profile)];
        // In the configuration's file only `default` goes without the word `profile`.
        let places = places.into_iter().take(if profile == "default" { 3 } else { 2 });
        places
            .filter_map(|(file, section)| file.sections.get_from(Some(section), key))
            .map(str::trim)
            .find(|value| !value.is_empty())
    }

    fn exists(&self, profile: &str) -> bool {
        ["aws_access_key_id", "aws_secret_access_key"]
            .iter()
            .chain(OTHER_WAYS)
            .any(|key| self.get(profile, key).is_some())
    }

    /// `chosen_by`: the flag, variable or file that says which profile.
    fn credentials(&self, profile: &str, chosen_by: &str) -> Result<Credentials, Check> {
        let Self { shared, config } = self;
        let files = format!("{} or {}", config.path, shared.path);
        let source = format!("profile '{profile}' in {files} ({chosen_by})");
        match (self.get(profile, ID.key), self.get(profile, SECRET.key)) {
            (Some(id), Some(secret)) => {
                check_keys(id, secret).map_err(|(wrong, why)| malformed(&source, &format!("{}: {why}", wrong.key)))?
            }
            (Some(_), None) => return Err(malformed(&source, "aws_access_key_id without aws_secret_access_key")),
            (None, Some(_)) => return Err(malformed(&source, "aws_secret_access_key without aws_access_key_id")),
            (None, None) if self.exists(profile) => self.check_role(profile, &source)?,
            (None, None) => return Err(missing(&format!("credentials for {source}"), &WAYS)),
        }
        Ok(Credentials::from(format!("profile '{profile}' ({chosen_by})"))
            .set("AWS_PROFILE", profile)
            .unset(&["AWS_DEFAULT_PROFILE"])
            .unset(KEYS))
    }

    /// A role is taken on by somebody.
    fn check_role(&self, profile: &str, source: &str) -> Result<(), Check> {
        let by = ["source_profile", "credential_source", "web_identity_token_file", "sso_session", "sso_start_url"];
        if self.get(profile, "role_arn").is_some() && by.iter().all(|key| self.get(profile, key).is_none()) {
            return Err(malformed(
                source,
                "role_arn without source_profile, credential_source or web_identity_token_file",
            ));
        }
        match self.get(profile, "source_profile") {
            Some(other) if !self.exists(other) => Err(missing(&format!("source_profile '{other}' of {source}"), &WAYS)),
            _ => Ok(()),
        }
    }
}

/// Of these a profile without keys has at least one.
const OTHER_WAYS: &[&str] = &["role_arn", "sso_session", "sso_start_url", "credential_process", "login_session"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::cloud::testing::{self, Sources};

    const ID_VALUE: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECRET_VALUE: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn keys_of(section: &str) -> String {
        format!("[{section}]\naws_access_key_id = {ID_VALUE}\naws_secret_access_key = {SECRET_VALUE}\n")
    }

    fn with_keys() -> Sources {
        Sources::new(&PROVIDER).env("AWS_ACCESS_KEY_ID", ID_VALUE).env("AWS_SECRET_ACCESS_KEY", SECRET_VALUE)
    }

    #[test]
    fn variables() {
        insta::assert_json_snapshot!(testing::variables_of_an_owner(&PROVIDER, json!({})));
    }

    #[test]
    fn all_options() {
        let options = json!({"region": "eu-central-1", "spot_instance": true, "network_cidr": "10.77.0.0/24"});
        let variables = testing::variables(&PROVIDER, options, |spec| {
            spec.instance_type = Some("m8g.4xlarge".into());
            spec.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        });
        assert_eq!(variables["spot"], true);
        assert_eq!(variables["architecture"], "aarch64");
        assert_eq!(variables["region"], "eu-central-1");
        assert_eq!(variables["allowed_ipv4"], json!(["192.0.2.0/24"]));
        assert_eq!(variables["allowed_ipv6"], json!(["2001:db8::/32"]));
    }

    #[test]
    fn machines_that_hide_volume_ids_and_long_owners_are_refused() {
        let mut spec = testing::spec(&PROVIDER, json!({"allow_unlisted": true}));
        spec.instance_type = Some("t2.large".into());
        assert!(validate(&spec).unwrap_err().to_string().contains("Nitro"));
        spec.instance_type = Some("m5.large".into());
        validate(&spec).unwrap();
        spec.owner = Some("ä".repeat(257));
        assert!(validate(&spec).unwrap_err().to_string().starts_with("--owner"));
    }

    #[test]
    fn credentials_come_from_flag_environment_files_and_machine_in_this_order() {
        let source = |sources: &Sources| sources.find().unwrap().source;
        let machine = Sources::new(&PROVIDER).file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
        assert_eq!(source(&machine), "the role of this EC2 machine");
        let files = machine.file("~/.aws/credentials", &(keys_of("default") + &keys_of("a") + &keys_of("b")));
        assert_eq!(source(&files), "profile 'default' (~/.aws/credentials)");
        let named = files.env("AWS_PROFILE", "a");
        assert_eq!(source(&named), "profile 'a' (AWS_PROFILE)");
        let token = named
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
            .file("/token", "x")
            .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x");
        assert_eq!(source(&token), "AWS_WEB_IDENTITY_TOKEN_FILE");
        let keys = token.env("AWS_ACCESS_KEY_ID", ID_VALUE).env("AWS_SECRET_ACCESS_KEY", SECRET_VALUE);
        assert_eq!(source(&keys), "AWS_ACCESS_KEY_ID");
        assert_eq!(source(&keys.option("profile", "b")), "profile 'b' (--aws-profile)");
    }

    #[test]
    fn what_would_win_against_the_choice_is_taken_away() {
        let sources = with_keys().env("AWS_SESSION_TOKEN", "t").file("~/.aws/config", &keys_of("profile b"));
        let keys = sources.find().unwrap();
        assert_eq!(keys.value("AWS_SESSION_TOKEN"), Some("t"));
        assert!(keys.env.contains(&("AWS_PROFILE", None)));
        let profile = sources.option("profile", "b").find().unwrap();
        assert_eq!(profile.value("AWS_PROFILE"), Some("b"));
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            assert!(profile.env.contains(&(name, None)), "{name}");
        }
    }

    #[test]
    fn the_region_is_the_profiles() {
        let region = |sources: Sources| sources.find().unwrap().facts.get("region").cloned();
        let config = "[default]\nregion = eu-west-1\n[profile b]\nregion = eu-north-1\nsso_session = s\n";
        let sources = with_keys().file("~/.aws/config", config);
        assert_eq!(region(sources.clone()), Some("eu-west-1".into()));
        assert_eq!(region(sources.clone().option("profile", "b")), Some("eu-north-1".into()));
        assert_eq!(region(sources.env("AWS_PROFILE", "c")), None);
    }

    #[test]
    fn nothing_is_exit_4() {
        let nothing = Sources::new(&PROVIDER).find().unwrap_err();
        assert_eq!(nothing.exit_code, 4);
        for word in ["AWS_ACCESS_KEY_ID", "--aws-profile", "~/.aws/credentials"] {
            assert!(nothing.fix.concat().contains(word), "{word}");
        }
        let half = Sources::new(&PROVIDER).env("AWS_ACCESS_KEY_ID", ID_VALUE).env("AWS_SECRET_ACCESS_KEY", "");
        let half = half.find().unwrap_err();
        assert!(half.exit_code == 4 && half.detail.contains("AWS_SECRET_ACCESS_KEY"));
        let unknown = with_keys().option("profile", "prod").find().unwrap_err();
        assert_eq!(unknown.exit_code, 4);
        assert!(unknown.detail.contains("'prod'") && unknown.detail.contains("--aws-profile"), "{}", unknown.detail);
        let empty = Sources::new(&PROVIDER).file("~/.aws/credentials", "[default]\nregion = eu-west-1\n");
        assert_eq!(empty.find().unwrap_err().exit_code, 4);
    }

    #[test]
    fn wrong_ones_are_exit_2_and_are_not_shown() {
        let wrong = [
            Sources::new(&PROVIDER).env("AWS_ACCESS_KEY_ID", "hunter2").env("AWS_SECRET_ACCESS_KEY", SECRET_VALUE),
            Sources::new(&PROVIDER).env("AWS_ACCESS_KEY_ID", ID_VALUE).env("AWS_SECRET_ACCESS_KEY", "hunter 2"),
            Sources::new(&PROVIDER).file("~/.aws/credentials", "[default\naws_access_key_id = hunter2\n"),
            Sources::new(&PROVIDER).file("~/.aws/credentials", "[default]\naws_access_key_id = hunter2\n"),
            Sources::new(&PROVIDER).file("~/.aws/config", "[default]\nrole_arn = hunter2\n"),
        ];
        for sources in wrong {
            let check = sources.find().unwrap_err();
            assert_eq!(check.exit_code, 2, "{}", check.detail);
            assert!(!check.detail.contains("hunter"), "{}", check.detail);
            assert!(check.detail.contains("AWS_") || check.detail.contains("~/.aws/"), "{}", check.detail);
        }
    }

    #[test]
    fn a_role_needs_somebody_who_takes_it_on() {
        let config = "[profile a]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = b\n";
        let sources = Sources::new(&PROVIDER).file("~/.aws/config", config).option("profile", "a");
        assert!(sources.find().unwrap_err().detail.contains("'b'"));
        sources.file("~/.aws/credentials", &keys_of("b")).find().unwrap();
    }

    #[test]
    fn fuzz_credentials_aws() {
        let seed = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = abc/def\n\
            [profile b]\nregion=eu-central-1\nsso_session = x\n";
        crate::fuzz::text_target("credentials-aws", &[seed], |text| {
            let options = ParseOption { enabled_escape: false, enabled_quote: false, ..ParseOption::default() };
            let Ok(sections) = Ini::load_from_str_opt(text, options) else { return };
            let file = || IniFile { path: String::new(), sections: sections.clone() };
            let profiles = Profiles { shared: file(), config: file() };
            for name in ["default", "b"] {
                let _ = (profiles.exists(name), profiles.credentials(name, "AWS_PROFILE"));
            }
        });
    }
}
