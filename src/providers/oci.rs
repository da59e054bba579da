//! Oracle Cloud Infrastructure.

use ini::{Ini, ParseOption};
use serde_json::{Map, Value, json};

use super::cloud::{
    self, Cloud, CredentialInput, Credentials, Found, PowerControl, Row, Target, TerraformPower, malformed, missing,
    region_option,
};
use super::{Provider, TfvarsInput};
use crate::error::{Error, Result};
use crate::model::{Check, OptionDef, OptionKind, Options, Spec};

const CONFIG_FILE: &str = "~/.oci/config";
const DEFAULT_PROFILE: &str = "DEFAULT";
/// The smallest volume and boot volume (Oracle's documentation of block volumes).
const VOLUME_MIN_GB: u32 = 50;
/// Volumes of a machine beside its boot volume.
const VOLUMES_MAX: u32 = 32;
const TAG_MAX: usize = 256;
/// Of a network security group.
const RULES_MAX: usize = 120;

const fn text(
    flag: &'static str,
    key: &'static str,
    env: &'static [&'static str],
    value_name: &'static str,
    help: &'static str,
) -> OptionDef {
    OptionDef { flag, key, env, value_name, kind: OptionKind::Text, default: None, help }
}

const OPTIONS: &[OptionDef] = &[
    region_option(
        "oci-region",
        &["TF_VAR_region", "OCI_REGION", "OCI_CLI_REGION"],
        None,
        "Region [default: the configuration file's, else eu-frankfurt-1]",
    ),
    text(
        "oci-compartment-ocid",
        "compartment",
        &["TF_VAR_compartment_ocid", "OCI_COMPARTMENT_OCID"],
        "OCID",
        "Compartment in which everything is created [default: the tenancy's root]",
    ),
    text(
        "oci-tenancy-ocid",
        "tenancy",
        &["TF_VAR_tenancy_ocid", "OCI_TENANCY_OCID", "OCI_CLI_TENANCY"],
        "OCID",
        "Tenancy [default: the configuration file's]",
    ),
    text(
        "oci-user-ocid",
        "user",
        &["TF_VAR_user_ocid", "OCI_USER_OCID", "OCI_CLI_USER"],
        "OCID",
        "User whose API key is used [default: the configuration file's]",
    ),
    text(
        "oci-fingerprint",
        "fingerprint",
        &["TF_VAR_fingerprint", "OCI_FINGERPRINT", "OCI_CLI_FINGERPRINT"],
        "HEX",
        "The API key's fingerprint [default: the configuration file's]",
    ),
    OptionDef {
        kind: OptionKind::PathOrUrl,
        ..text(
            "oci-private-key-path",
            "private_key_path",
            &["TF_VAR_private_key_path", "OCI_PRIVATE_KEY_PATH", "OCI_CLI_KEY_FILE"],
            "FILE",
            "The API key [default: the configuration file's]",
        )
    },
    OptionDef {
        kind: OptionKind::PathOrUrl,
        ..text(
            "oci-config-file",
            "config_file",
            &["OCI_CONFIG_FILE", "OCI_CLI_CONFIG_FILE"],
            "FILE",
            "Configuration of Oracle's tools [default: ~/.oci/config; OCI_CONFIG_FILE_PROFILE names the profile]",
        )
    },
];

pub(super) static PROVIDER: Provider = Provider {
    // Another image would be put under a running machine.
    frozen: &[("oci_core_instance", &["source_details", "source_id"])],
    ..cloud::row(Row {
        name: "oci",
        title: "Oracle Cloud",
        templates: &["cloud", "terraform-oci"],
        options: OPTIONS,
        machine_types: &["oci_core_instance"],
        disk_types: &["oci_core_volume"],
        permissions: include_str!("../../templates/terraform-oci/permissions.json"),
        validate,
        tfvars,
        cloud: Cloud {
            secrets: &[],
            credentials,
            power: PowerControl::Terraform(TerraformPower {
                resource: "oci_core_instance",
                attribute: "state",
                running: &["RUNNING"],
                off: &["STOPPED"],
            }),
            when_off: "volumes; Oracle does not bill stopped machines of the standard shapes",
            always_overlay: false,
            fixed_root_disk: false,
        },
    })
};

fn validate(spec: &Spec) -> Result<()> {
    Shape::of(&Target::of(spec, &Options::new())?)?;
    for (flag, key, kinds) in [
        ("--oci-compartment-ocid", "compartment", &["compartment", "tenancy"][..]),
        ("--oci-tenancy-ocid", "tenancy", &["tenancy"]),
        ("--oci-user-ocid", "user", &["user"]),
    ] {
        if let Some(ocid) = option(spec, key).filter(|ocid| !is_ocid(ocid, kinds)) {
            return Err(invalid(flag, ocid, format!("an OCID such as ocid1.{}.oc1..aaaa…", kinds[0])));
        }
    }
    if let Some(fingerprint) = option(spec, "fingerprint").filter(|f| !is_fingerprint(f)) {
        return Err(invalid("--oci-fingerprint", fingerprint, "16 pairs of hex digits with colons between".into()));
    }
    cloud::at_least("--data-volume-size", spec.data_volume_size, VOLUME_MIN_GB)?;
    cloud::at_least("--root-volume-size", spec.root_volume_size, VOLUME_MIN_GB)?;
    cloud::at_most("--data-volumes-per-node", spec.data_volumes_per_node, VOLUMES_MAX, "volumes")?;
    cloud::owner_within(spec, TAG_MAX)?;
    rules_fit(spec)
}

/// Each network needs a rule a port, an IPv4 one another for ping; the cluster has one.
fn rules_fit(spec: &Spec) -> Result<()> {
    let rules = spec.allowed_cidrs.iter().map(|net| if net.addr().is_ipv4() { 4 } else { 3 }).sum::<usize>() + 1;
    if rules <= RULES_MAX {
        return Ok(());
    }
    let count = spec.allowed_cidrs.len().to_string();
    Err(invalid("--allowed-cidr", &count, format!("fewer networks: they need {rules} rules, a group has {RULES_MAX}")))
}

fn option<'a>(spec: &'a Spec, key: &str) -> Option<&'a str> {
    spec.options.get(key).and_then(Value::as_str)
}

fn invalid(flag: &str, value: &str, allowed: String) -> Error {
    Error::InvalidValue { flag: flag.into(), value: value.into(), allowed, suggestion: None }
}

/// `ocid1.<kind>.<realm>.[region][.future].<unique>`
fn is_ocid(text: &str, kinds: &[&str]) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let plain = |part: &&str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    parts.len() >= 5
        && parts[0] == "ocid1"
        && kinds.contains(&parts[1])
        && parts.iter().all(plain)
        && parts.last().is_some_and(|unique| !unique.is_empty())
}

fn is_fingerprint(text: &str) -> bool {
    let pair = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
    text.split(':').count() == 16 && text.split(':').all(pair)
}

/// What `--instance-type` stands for: SHAPE:OCPUS:GB, or the name of a shape alone.
#[derive(Debug, PartialEq)]
struct Shape {
    name: String,
    /// OCPUs and memory in GB of a flexible shape.
    size: Option<(u64, u64)>,
}

impl Shape {
    fn of(target: &Target) -> Result<Self> {
        let parts: Vec<_> = target.instance_type.split(':').collect();
        let flexible = parts[0].ends_with(".Flex");
        let number = |text: &str| text.parse().ok().filter(|n: &u64| *n > 0);
        let size = match (target.listed, &parts[1..]) {
            (Some(listed), _) => {
                let ocpus = listed.facts.get("ocpus").and_then(toml::Value::as_integer);
                ocpus.and_then(|n| u64::try_from(n).ok()).map(|ocpus| (ocpus, listed.size.memory_mb / 1024))
            }
            (None, [ocpus, memory]) if flexible => number(ocpus).zip(number(memory)),
            (None, _) => None,
        };
        if flexible != size.is_some() || (!flexible && parts.len() > 1) || parts[0].is_empty() {
            return Err(invalid(
                "--instance-type",
                &target.instance_type,
                "SHAPE:OCPUS:GB for a flexible shape, e.g. VM.Standard.E5.Flex:2:16; the shape alone for others".into(),
            ));
        }
        Ok(Self { name: parts[0].to_owned(), size })
    }
}

fn tfvars(input: &TfvarsInput) -> Result<Map<String, Value>> {
    let target = Target::of(input.spec, input.facts)?;
    let shape = Shape::of(&target)?;
    let tenancy = input.facts.get("tenancy").and_then(Value::as_str);
    let compartment = option(input.spec, "compartment").or(tenancy).ok_or_else(|| Error::Usage {
        message: "the compartment is not known: neither it nor the tenancy was named".into(),
        hint: Some("name it with --oci-compartment-ocid".into()),
    })?;
    let mut variables = cloud::tfvars(input, &target)?;
    variables.extend([
        ("compartment_ocid".to_owned(), json!(compartment)),
        ("power".to_owned(), json!(if input.powered { "running" } else { "stopped" })),
        ("shape".to_owned(), json!(shape.name)),
        ("ocpus".to_owned(), json!(shape.size.map(|(ocpus, _)| ocpus))),
        ("memory_gb".to_owned(), json!(shape.size.map(|(_, memory)| memory))),
    ]);
    Ok(variables)
}

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

fn credentials(input: &CredentialInput) -> Result<Credentials, Check> {
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

/// A profile of the configuration file.
struct Profile {
    path: String,
    name: String,
    file: Ini,
}

impl Profile {
    fn read(input: &CredentialInput) -> Result<Self, Check> {
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
    fn get(&self, key: &str) -> Option<String> {
        let value = |profile: &str| self.file.get_from(Some(profile), key).map(str::trim).filter(|v| !v.is_empty());
        value(&self.name).or_else(|| value(DEFAULT_PROFILE)).map(str::to_owned)
    }

    fn place(&self) -> String {
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
    use super::*;
    use crate::model::{DeploymentId, NodePlan};
    use crate::providers::cloud::testing::{self, Sources};

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

    fn refused(options: Value, edit: impl FnOnce(&mut Spec)) -> String {
        let mut spec = testing::spec(&PROVIDER, options);
        edit(&mut spec);
        let error = validate(&spec).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn variables() {
        insta::assert_json_snapshot!(testing::variables(&PROVIDER, json!({"compartment": COMPARTMENT}), |spec| {
            spec.owner = Some("O'Neil & <co>".into());
        }));
    }

    #[test]
    fn the_compartment_is_the_tenancy_unless_named_and_the_region_the_file_s() {
        let spec = testing::spec(&PROVIDER, json!({}));
        let id = DeploymentId::from_random([1, 2, 3, 4]);
        let nodes = NodePlan::all(&id, &spec);
        let variables = |facts: Value| {
            let facts: Options = serde_json::from_value(facts).unwrap();
            let (spec, id, facts, nodes) = (&spec, &id, &facts, nodes.as_slice());
            tfvars(&TfvarsInput { id, spec, facts, nodes, base_volume: "", ssh_public_key: "", powered: false })
        };
        let found = variables(json!({"tenancy": TENANCY, "region": "uk-london-1"})).unwrap();
        assert_eq!((&found["compartment_ocid"], &found["region"]), (&json!(TENANCY), &json!("uk-london-1")));
        assert_eq!(found["power"], "stopped");
        assert_eq!(variables(json!({})).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn a_shape_has_the_size_that_its_name_tells() {
        let shape = |name: &str| {
            let mut spec = testing::spec(&PROVIDER, json!({"allow_unlisted": true}));
            spec.instance_type = Some(name.into());
            Shape::of(&Target::of(&spec, &Options::new()).unwrap())
        };
        let of = |name: &str, size| Shape { name: name.into(), size };
        assert_eq!(shape("VM.Standard.E5.Flex").unwrap(), of("VM.Standard.E5.Flex", Some((2, 16))));
        assert_eq!(shape("VM.Standard.A1.Flex:4:24").unwrap(), of("VM.Standard.A1.Flex", Some((4, 24))));
        assert_eq!(shape("VM.Standard.E9.Flex:3:20").unwrap(), of("VM.Standard.E9.Flex", Some((3, 20))));
        assert_eq!(shape("VM.Standard2.4").unwrap(), of("VM.Standard2.4", None));
        for wrong in
            ["VM.X.Flex", "VM.X.Flex:2", "VM.X.Flex:0:4", "VM.X.Flex:2:4:1", "VM.X.Flex:a:b", "VM.X:2:4", ":1:2"]
        {
            assert_eq!(shape(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn every_listed_shape_can_be_asked_for() {
        for name in crate::catalog::instance_types(PROVIDER.name) {
            let mut spec = testing::spec(&PROVIDER, json!({}));
            spec.instance_type = Some(name.clone());
            let shape = Shape::of(&Target::of(&spec, &Options::new()).unwrap()).unwrap();
            let listed = crate::catalog::instance_type(PROVIDER.name, &name).unwrap();
            let (ocpus, memory) = shape.size.unwrap();
            assert_eq!(memory * 1024, listed.size.memory_mb);
            if name.contains(':') {
                assert_eq!(name, format!("{}:{ocpus}:{memory}", shape.name));
            }
        }
    }

    #[test]
    fn what_oracle_cannot_do_is_refused() {
        assert!(refused(json!({"compartment": "mine"}), |_| ()).contains("--oci-compartment-ocid"));
        assert!(refused(json!({"tenancy": COMPARTMENT}), |_| ()).contains("--oci-tenancy-ocid"));
        assert!(refused(json!({"user": TENANCY}), |_| ()).contains("--oci-user-ocid"));
        assert!(refused(json!({"fingerprint": "20:3b"}), |_| ()).contains("--oci-fingerprint"));
        assert!(refused(json!({}), |spec| spec.data_volume_size = 49).contains("50 GB or more"));
        assert!(refused(json!({}), |spec| spec.root_volume_size = 49).contains("--root-volume-size"));
        assert!(refused(json!({}), |spec| spec.data_volumes_per_node = 33).contains("32 volumes or fewer"));
        let many = |spec: &mut Spec| {
            spec.allowed_cidrs = (0..30).map(|n| format!("203.0.113.{n}/32").parse().unwrap()).collect();
        };
        assert!(refused(json!({}), many).contains("121 rules"));
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
