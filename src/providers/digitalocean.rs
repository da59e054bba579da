//! DigitalOcean.

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::cloud::{
    self, Authorization, Cloud, CredentialInput, Credentials, Found, PowerApi, PowerControl, Switch, Target, malformed,
    missing, region_option, search,
};
use super::{Provider, Resources, TfvarsInput};
use crate::error::{Error, Result};
use crate::model::{Body, Check, HttpCall, OptionDef, Options, Power, SecretDef, Spec};

const TOKEN: SecretDef = SecretDef {
    flag: "digitalocean-token",
    what: "API token of the DigitalOcean account",
    env: &["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"],
};
/// The first one that the Terraform provider looks at.
const TOKEN_VARIABLE: &str = "DIGITALOCEAN_TOKEN";
const TOKEN_FILE: &str = "~/.digitalocean_token";
/// As the vendor's command-line tool says in the help of its `volume-action attach`.
const VOLUMES_MAX: u32 = 15;
/// 16 TiB (the vendor's API documentation).
const VOLUME_MAX_GB: u32 = 16_384;
/// Taken by the vendor in all regions (its VPC documentation and release notes).
const RESERVED: [&str; 4] = ["10.229.0.0/16", "10.244.0.0/16", "10.245.0.0/16", "10.246.0.0/24"];

const RESOURCES: Resources = Resources::new(&["digitalocean_droplet"], &["digitalocean_volume"]);

const CLOUD: Cloud = Cloud {
    find: &[
        "doctl compute tag list",
        "doctl compute droplet list --format ID,Name,Tags",
        "doctl compute volume list",
        "doctl compute firewall list",
        "doctl vpcs list",
        "doctl compute ssh-key list",
        "in the control panel: Manage, Tags: the tag is the id, exasol- and 8 hex digits; VPC, firewall and SSH key have it in their names",
    ],
    secrets: &[TOKEN],
    when_off: "everything: DigitalOcean bills droplets until they are destroyed (exasol destroy)",
    fixed_root_disk: true,
    ..Cloud::new(credentials, PowerControl::Api(POWER))
};

const OPTIONS: &[OptionDef] =
    &[region_option("digitalocean-region", &[], Some("nyc3"), "Region: nyc3, ams3, fra1, lon1, sfo3, sgp1, …")];

pub(super) static PROVIDER: Provider =
    Provider { options: OPTIONS, validate, tfvars, ..cloud::row("digitalocean", "DigitalOcean", CLOUD, RESOURCES) };

fn validate(spec: &Spec) -> Result<()> {
    Target::of(spec, &Options::new())?;
    cloud::at_most("--data-volumes-per-node", spec.data_volumes_per_node, VOLUMES_MAX, "volumes")?;
    cloud::at_most("--data-volume-size", spec.data_volume_size, VOLUME_MAX_GB, "GB")?;
    let given = spec.options.get("network_cidr").and_then(Value::as_str);
    given.map_or(Ok(()), not_reserved)
}

fn not_reserved(network: &str) -> Result<()> {
    let overlaps = |reserved: &str| {
        let both = network.parse::<Ipv4Net>().ok().zip(reserved.parse::<Ipv4Net>().ok());
        both.is_some_and(|(ours, theirs)| ours.contains(&theirs) || theirs.contains(&ours))
    };
    match RESERVED.into_iter().find(|reserved| overlaps(reserved)) {
        None => Ok(()),
        Some(reserved) => Err(Error::invalid(
            "--network-cidr",
            network,
            format!("must be a network that does not overlap {reserved}, which DigitalOcean uses itself"),
        )),
    }
}

fn tfvars(input: &TfvarsInput) -> Result<Map<String, Value>> {
    let mut variables = cloud::tfvars(input, &Target::of(input.spec, input.facts)?)?;
    not_reserved(variables["network_cidr"].as_str().unwrap_or_default())?;
    cloud::relabel_owner(&mut variables);
    Ok(variables)
}

fn credentials(input: &CredentialInput) -> Result<Credentials, Check> {
    let found = match search(input, TOKEN.flag, TOKEN.env, &[])? {
        None => match doctl(input)? {
            None => search(input, TOKEN.flag, &[], &[(TOKEN_FILE, |text| Some(text.trim().to_owned()))])?,
            found => found,
        },
        found => found,
    };
    let found = found.ok_or_else(|| {
        missing(
            "an API token of the DigitalOcean account",
            &[
                "export DIGITALOCEAN_TOKEN=…  # control panel: API, Tokens; scopes: exasol init --show-permissions",
                "or --digitalocean-token-file FILE, or doctl auth init (~/.config/doctl/config.yaml), or ~/.digitalocean_token",
            ],
        )
    })?;
    // Personal and OAuth tokens; those from before 2022 have no prefix.
    let secret =
        ["dop_v1_", "doo_v1_"].iter().find_map(|prefix| found.value.strip_prefix(prefix)).unwrap_or(&found.value);
    if secret.len() != 64 || !secret.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(malformed(&found.source, "a token of DigitalOcean is dop_v1_ and 64 hexadecimal digits"));
    }
    Ok(Credentials::from(found.source).set(TOKEN_VARIABLE, found.value))
}

/// The token of the current context of the vendor's own command.
fn doctl(input: &CredentialInput) -> Result<Option<Found>, Check> {
    let home = (input.env)("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()).unwrap_or_else(|| "~/.config".into());
    let path = format!("{home}/doctl/config.yaml");
    let Some(text) = input.read(&path)? else { return Ok(None) };
    let context = input.env_of(&["DIGITALOCEAN_CONTEXT"]).map(|found| found.value);
    Ok(context_token(&text, context.as_deref()).map(|value| Found { value, source: path }))
}

/// `access-token` is that of the context "default"; the others' are below `auth-contexts`. The file
/// is YAML as the command writes it: one scalar a line.
fn context_token(text: &str, context: Option<&str>) -> Option<String> {
    let scalar = |value: &str| Some(value.trim().trim_matches(['"', '\'']).to_owned()).filter(|v| !v.is_empty());
    let top = |key: &str| text.lines().find_map(|line| scalar(line.strip_prefix(key)?.strip_prefix(':')?));
    let context = context.map(str::to_lowercase).or_else(|| top("context")).unwrap_or_else(|| "default".into());
    if context == "default" {
        return top("access-token");
    }
    let below = text.lines().skip_while(|line| !line.starts_with("auth-contexts:")).skip(1);
    let mut below = below.take_while(|line| line.starts_with(' '));
    below.find_map(|line| scalar(line.trim().strip_prefix(&context)?.strip_prefix(':')?))
}

const POWER: PowerApi = PowerApi {
    endpoint: ("DIGITALOCEAN_API_URL", "https://api.digitalocean.com"),
    authorization: |credentials| Authorization::token(credentials, TOKEN_VARIABLE),
    switch,
    prove: |endpoint, _| HttpCall::get(format!("{endpoint}/v2/account")),
    ask: |endpoint, droplet| HttpCall::get(format!("{endpoint}/v2/droplets/{droplet}")),
    state,
};

/// "power_off" cuts the power: `stop` has shut the guest down before.
fn switch(endpoint: &str, droplet: &str, to: Switch) -> HttpCall {
    let action = to.word("power_on", "power_off");
    HttpCall::post(format!("{endpoint}/v2/droplets/{droplet}/actions"), Body::Json(json!({"type": action})))
}

fn state(answer: &Value) -> Power {
    match answer["droplet"]["status"].as_str() {
        Some("active") => Power::Running,
        Some("off") => Power::Off,
        _ => Power::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::cloud::testing::{self, Sources};

    const CONFIG: &str = "~/.config/doctl/config.yaml";

    fn token(digit: char) -> String {
        format!("dop_v1_{}", digit.to_string().repeat(64))
    }

    #[test]
    fn variables() {
        insta::assert_json_snapshot!(testing::variables_of_an_owner(&PROVIDER, json!({"region": "fra1"})));
    }

    #[test]
    fn what_the_cloud_cannot_do_is_a_wrong_value() {
        let invalid = |edit: fn(&mut Spec)| testing::refused(&PROVIDER, json!({}), edit);
        assert!(invalid(|spec| spec.data_volumes_per_node = 16).contains("--data-volumes-per-node"));
        assert!(invalid(|spec| spec.data_volume_size = 16_385).contains("--data-volume-size"));
        assert!(invalid(|spec| spec.instance_type = Some("s-2vcpu-4gb-arm".into())).contains("--allow-unlisted"));
        let network = invalid(|spec| _ = spec.options.insert("network_cidr".into(), "10.244.8.0/24".into()));
        assert!(network.contains("10.244.0.0/16"), "{network}");
        validate(&testing::spec(&PROVIDER, json!({"network_cidr": "10.243.8.0/24"}))).unwrap();
    }

    #[test]
    fn a_token_comes_from_flag_environment_and_files_in_this_order() {
        let all = Sources::new(&PROVIDER)
            .typed("digitalocean-token", &token('1'))
            .env("EXASOL_DIGITALOCEAN_TOKEN", &token('2'))
            .env("DIGITALOCEAN_TOKEN", &token('3'))
            .env("DIGITALOCEAN_ACCESS_TOKEN", &token('4'))
            .file(CONFIG, &format!("access-token: {}\ncontext: default\n", token('5')))
            .file("~/.digitalocean_token", &format!("{}\n", token('6')));
        assert_eq!(
            all.each_source(),
            [
                "--digitalocean-token",
                "EXASOL_DIGITALOCEAN_TOKEN",
                "DIGITALOCEAN_TOKEN",
                "DIGITALOCEAN_ACCESS_TOKEN",
                CONFIG,
                "~/.digitalocean_token"
            ]
        );
        assert_eq!(all.find().unwrap().value("DIGITALOCEAN_TOKEN"), Some(token('1').as_str()));
    }

    #[test]
    fn doctl_s_current_context_counts() {
        let config =
            "access-token: one\nauth-contexts:\n  other: \"three\"\n  staging: two\ncontext: staging\noutput: text\n";
        assert_eq!(context_token(config, None).as_deref(), Some("two"));
        assert_eq!(context_token(config, Some("Other")).as_deref(), Some("three"));
        assert_eq!(context_token(config, Some("default")).as_deref(), Some("one"));
        assert_eq!(context_token(config, Some("nobody")), None);
        assert_eq!(context_token("access-token: \"\"\n", None), None);
        let config = format!("access-token: {}\nauth-contexts:\n  b: {}\n", token('a'), token('b'));
        let found = Sources::new(&PROVIDER).env("DIGITALOCEAN_CONTEXT", "b").env("XDG_CONFIG_HOME", "/c");
        let found = found.file("/c/doctl/config.yaml", &config).find().unwrap();
        assert_eq!(found.value(TOKEN_VARIABLE), Some(token('b').as_str()));
    }

    #[test]
    fn no_token_is_exit_4_and_a_wrong_one_2() {
        let check = Sources::new(&PROVIDER).env("DIGITALOCEAN_TOKEN", "").find().unwrap_err();
        assert_eq!(check.exit_code, 4);
        let ways = check.fix.concat();
        for way in ["DIGITALOCEAN_TOKEN", "--digitalocean-token-file", CONFIG, "~/.digitalocean_token"] {
            assert!(ways.contains(way), "{way}");
        }
        let wrong = Sources::new(&PROVIDER).env("DIGITALOCEAN_ACCESS_TOKEN", "hunter2").find().unwrap_err();
        assert_eq!(wrong.exit_code, 2);
        assert!(wrong.detail.contains("DIGITALOCEAN_ACCESS_TOKEN") && !wrong.detail.contains("hunter2"));
        let old = Sources::new(&PROVIDER).env("DIGITALOCEAN_TOKEN", &"0f".repeat(32));
        old.find().unwrap();
    }

    #[test]
    fn power() {
        let call = switch("https://e", "42", Switch::Off);
        assert_eq!(call, HttpCall::post("https://e/v2/droplets/42/actions", Body::Json(json!({"type": "power_off"}))));
        assert_eq!(switch("https://e", "42", Switch::On).body, Body::Json(json!({"type": "power_on"})));
        assert_eq!(state(&json!({"droplet": {"status": "active"}})), Power::Running);
        assert_eq!(state(&json!({"droplet": {"status": "off"}})), Power::Off);
        assert_eq!(state(&json!({"droplet": {"status": "new"}})), Power::Unknown);
    }
}
