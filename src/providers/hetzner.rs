//! Hetzner Cloud.

use serde_json::{Map, Value, json};

use super::cloud::{
    self, Authorization, Cloud, CredentialInput, Credentials, Found, InFile, PowerApi, PowerControl, Switch, Target,
    malformed, missing, region_option, search,
};
use super::{Provider, Resources, TfvarsInput};
use crate::error::{Error, Result};
use crate::model::{Body, Check, HttpCall, OptionDef, Options, Power, SecretDef, Spec};

const TOKEN: SecretDef = SecretDef {
    flag: "hetzner-token",
    what: "API token of the Hetzner project",
    env: &["HCLOUD_TOKEN", "HETZNER_TOKEN"],
};
/// The variable that the Terraform provider reads.
const TOKEN_VARIABLE: &str = "HCLOUD_TOKEN";
/// Hetzner's smallest volume (its API documentation).
const VOLUME_MIN_GB: u32 = 10;

const RESOURCES: Resources = Resources::new(&["hcloud_server"], &["hcloud_volume"]);

const CLOUD: Cloud = Cloud {
    find: &[
        "hcloud server list --selector exasol-deployment",
        "hcloud volume list --selector exasol-deployment",
        "hcloud network list --selector exasol-deployment",
        "hcloud firewall list --selector exasol-deployment",
        "hcloud ssh-key list --selector exasol-deployment",
        "hcloud placement-group list --selector exasol-deployment",
        "in the console of the project: label 'exasol-deployment': its value is the id, exasol- and 8 hex digits",
    ],
    secrets: &[TOKEN],
    when_off: "everything: Hetzner bills servers until they are deleted (exasol destroy)",
    always_overlay: true,
    fixed_root_disk: true,
    ..Cloud::new(credentials, PowerControl::Api(POWER))
};

const OPTIONS: &[OptionDef] = &[
    region_option("hetzner-location", &[], Some("nbg1"), "Location: nbg1, fsn1, hel1, ash, hil, sin"),
    OptionDef::text("hetzner-network-zone", "network_zone", "ZONE", "Network zone [default: the location's]"),
];

pub(super) static PROVIDER: Provider =
    Provider { options: OPTIONS, validate, tfvars, ..cloud::row("hetzner", "Hetzner Cloud", CLOUD, RESOURCES) };

fn validate(spec: &Spec) -> Result<()> {
    let target = Target::of(spec, &Options::new())?;
    network_zone(spec, &target)?;
    target.region_has_its_type(spec)?;
    cloud::at_least("--data-volume-size", spec.data_volume_size, VOLUME_MIN_GB)
}

fn network_zone(spec: &Spec, target: &Target) -> Result<String> {
    let given = spec.options.get("network_zone").and_then(Value::as_str);
    let known = target.region_facts.and_then(|facts| facts.get("network_zone")?.as_str());
    match (given, known) {
        (Some(given), Some(known)) if given != known => Err(Error::invalid(
            "--hetzner-network-zone",
            given,
            format!("is not the zone of {}, which is in {known}", target.region),
        )),
        (Some(zone), _) | (None, Some(zone)) => Ok(zone.to_owned()),
        (None, None) => Err(Error::Usage {
            message: format!("the network zone of {} is not known", target.region),
            hint: Some("name it with --hetzner-network-zone".into()),
        }),
    }
}

fn tfvars(input: &TfvarsInput) -> Result<Map<String, Value>> {
    let target = Target::of(input.spec, input.facts)?;
    let mut variables = cloud::tfvars(input, &target)?;
    variables.insert("network_zone".into(), json!(network_zone(input.spec, &target)?));
    cloud::relabel_owner(&mut variables);
    Ok(variables)
}

fn credentials(input: &CredentialInput) -> Result<Credentials, Check> {
    let old_file: [InFile; 1] = [("~/.hetzner_token", |text| Some(text.trim().to_owned()))];
    let found = match search(input, TOKEN.flag, TOKEN.env, &[])? {
        Some(found) => Some(found),
        None => match of_command(input)? {
            Some(found) => Some(found),
            None => search(input, TOKEN.flag, TOKEN.env, &old_file)?,
        },
    };
    let found = found.ok_or_else(|| {
        missing(
            "a token of the Hetzner project",
            &[
                "export HCLOUD_TOKEN=…  # Cloud Console: project, Security, API tokens, read and write",
                "or --hetzner-token-file FILE, or a context of the hcloud command (~/.config/hcloud/cli.toml)",
            ],
        )
    })?;
    // As all tokens of this API look.
    if found.value.len() != 64 || !found.value.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(malformed(&found.source, "a token of Hetzner Cloud has 64 letters and digits"));
    }
    Ok(Credentials::from(found.source).set(TOKEN_VARIABLE, found.value))
}

/// What Hetzner's own command would use: the context that HCLOUD_CONTEXT names, or else the active one.
fn of_command(input: &CredentialInput) -> Result<Option<Found>, Check> {
    let path = "~/.config/hcloud/cli.toml";
    let Some(text) = input.read(path)? else { return Ok(None) };
    let wanted = input.env_of(&["HCLOUD_CONTEXT"]).map(|found| found.value);
    Ok(token_of(&text, wanted.as_deref()).map(|value| Found { value, source: path.to_owned() }))
}

fn token_of(text: &str, wanted: Option<&str>) -> Option<String> {
    let config: toml::Table = text.parse().ok()?;
    let active = wanted.or_else(|| config.get("active_context")?.as_str())?;
    let contexts = config.get("contexts")?.as_array()?;
    let context = contexts.iter().find(|c| c.get("name").and_then(toml::Value::as_str) == Some(active))?;
    context.get("token")?.as_str().map(str::to_owned)
}

const POWER: PowerApi = PowerApi {
    endpoint: ("HCLOUD_ENDPOINT", "https://api.hetzner.cloud/v1"),
    authorization: |credentials| Authorization::token(credentials, TOKEN_VARIABLE),
    switch,
    ask: |endpoint, machine| HttpCall::get(format!("{endpoint}/servers/{machine}")),
    prove: |endpoint, _| HttpCall::get(format!("{endpoint}/locations?per_page=1")),
    state,
};

/// "poweroff" cuts the power: `stop` has shut the guest down before.
fn switch(endpoint: &str, machine: &str, to: Switch) -> HttpCall {
    let action = to.word("poweron", "poweroff");
    HttpCall::post(format!("{endpoint}/servers/{machine}/actions/{action}"), Body::Empty)
}

fn state(answer: &Value) -> Power {
    match answer["server"]["status"].as_str() {
        Some("running") => Power::Running,
        Some("off") => Power::Off,
        _ => Power::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::cloud::testing::{self, Sources};

    const TOKEN_VALUE: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678901";

    #[test]
    fn every_location_gets_a_type_that_it_has() {
        let spec = |options: Value, name: Option<&str>| Spec {
            instance_type: name.map(str::to_owned),
            ..testing::spec(&PROVIDER, options)
        };
        for region in crate::catalog::regions("hetzner") {
            validate(&spec(json!({ "region": region }), None)).unwrap();
        }
        let refused = validate(&spec(json!({ "region": "ash" }), Some("cpx32"))).unwrap_err().to_string();
        assert!(refused.contains("does not exist in ash, only in nbg1, fsn1, hel1"), "{refused}");
        assert!(validate(&spec(json!({}), Some("cpx31"))).is_err());
        validate(&spec(json!({ "region": "ash" }), Some("ccx13"))).unwrap();
        validate(&spec(json!({ "region": "ash", "allow_unlisted": true }), Some("cpx32"))).unwrap();
    }

    #[test]
    fn variables() {
        insta::assert_json_snapshot!(testing::variables_of_an_owner(&PROVIDER, json!({})));
    }

    #[test]
    fn the_network_zone_follows_the_location() {
        let spec = |options: Value| testing::spec(&PROVIDER, options);
        let zone = |options| {
            network_zone(
                &spec(options),
                &Target::of(&testing::spec(&PROVIDER, json!({"region": "ash"})), &Options::new()).unwrap(),
            )
        };
        assert_eq!(zone(json!({"region": "ash"})).unwrap(), "us-east");
        assert!(zone(json!({"region": "ash", "network_zone": "eu-central"})).is_err());
        assert!(validate(&spec(json!({"region": "xyz1"}))).unwrap_err().to_string().contains("--allow-unlisted"));
        assert!(validate(&spec(json!({"region": "xyz1", "allow_unlisted": true}))).is_err());
        validate(&spec(json!({"region": "xyz1", "allow_unlisted": true, "network_zone": "x"}))).unwrap();
    }

    #[test]
    fn a_token_comes_from_flag_environment_and_files_in_this_order() {
        let config = format!(
            "active_context = \"b\"\n[[contexts]]\nname = \"a\"\ntoken = \"x\"\n[[contexts]]\nname = \"b\"\ntoken = \"{TOKEN_VALUE}\""
        );
        let all = Sources::new(&PROVIDER)
            .typed("hetzner-token", TOKEN_VALUE)
            .env("HCLOUD_TOKEN", TOKEN_VALUE)
            .env("HETZNER_TOKEN", TOKEN_VALUE)
            .file("~/.config/hcloud/cli.toml", &config)
            .file("~/.hetzner_token", &format!("{TOKEN_VALUE}\n"));
        let order = all.each_source();
        assert_eq!(
            order,
            ["--hetzner-token", "HCLOUD_TOKEN", "HETZNER_TOKEN", "~/.config/hcloud/cli.toml", "~/.hetzner_token"]
        );
        assert_eq!(all.find().unwrap().value("HCLOUD_TOKEN"), Some(TOKEN_VALUE));
        assert_eq!(token_of(&config, Some("a")).as_deref(), Some("x"));
        assert_eq!(token_of(&config, Some("c")), None);
    }

    #[test]
    fn no_token_is_exit_4_and_a_wrong_one_2() {
        let check = Sources::new(&PROVIDER).find().unwrap_err();
        assert_eq!(check.exit_code, 4);
        assert!(check.fix.concat().contains("HCLOUD_TOKEN") && check.fix.concat().contains("--hetzner-token-file"));
        assert_eq!(Sources::new(&PROVIDER).env("HCLOUD_TOKEN", "").find().unwrap_err().exit_code, 4);
        let wrong = Sources::new(&PROVIDER).env("HCLOUD_TOKEN", "hunter2").find().unwrap_err();
        assert_eq!(wrong.exit_code, 2);
        assert!(wrong.detail.contains("HCLOUD_TOKEN") && !wrong.detail.contains("hunter2"));
    }

    #[test]
    fn power() {
        let call = switch("https://e", "42", Switch::Off);
        assert_eq!(call, HttpCall::post("https://e/servers/42/actions/poweroff", Body::Empty));
        assert_eq!(state(&json!({"server": {"status": "off"}})), Power::Off);
        assert_eq!(state(&json!({"server": {"status": "starting"}})), Power::Unknown);
    }

    #[test]
    fn fuzz_credentials_hetzner() {
        let seed = "active_context = \"a\"\n[[contexts]]\nname = \"a\"\ntoken = \"t\"\n[[contexts]]\nname = \"b\"\n";
        crate::fuzz::text_target("credentials-hetzner", &[seed], |text| {
            let _ = (token_of(text, None), token_of(text, Some("b")));
        });
    }
}
