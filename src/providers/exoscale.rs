//! Exoscale.

use serde_json::{Map, Value, json};
use toml::Table;

use super::cloud::{
    self, Cloud, CredentialInput, Credentials, Found, PowerControl, Target, malformed, missing, region_option, search,
};
use super::{Provider, Resources, TfvarsInput};
use crate::error::Result;
use crate::model::{Check, OptionDef, Options, SecretDef, Spec};

const KEY: SecretDef =
    SecretDef { flag: "exoscale-api-key", what: "Exoscale API key", env: &["EXOSCALE_API_KEY", "EXOSCALE_KEY"] };
const SECRET: SecretDef = SecretDef {
    flag: "exoscale-api-secret",
    what: "Exoscale API key's secret",
    env: &["EXOSCALE_API_SECRET", "EXOSCALE_SECRET", "EXOSCALE_SECRET_KEY"],
};
/// The Terraform provider looks at these first.
const STRONGER: [&str; 3] = ["EXOSCALE_KEY", "EXOSCALE_SECRET", "EXOSCALE_SECRET_KEY"];
const KEY_FILE: &str = "~/.exoscale_api_key";
const SECRET_FILE: &str = "~/.exoscale_api_secret";
/// Block storage (the vendor's documentation).
const VOLUMES_MAX: u32 = 5;
const VOLUME_MIN_GB: u32 = 10;
/// Root disks (the Terraform provider's own check).
const ROOT_MIN_GB: u32 = 10;

const POWER: PowerControl = PowerControl::by_terraform(("exoscale_compute_instance", "state"), ("running", "stopped"));

const RESOURCES: Resources = Resources::new(&["exoscale_compute_instance"], &["exoscale_block_storage_volume"]);

const CLOUD: Cloud = Cloud {
    find: &[
        "exo compute instance list",
        "exo compute block-storage list",
        "exo compute private-network list",
        "exo compute security-group list",
        "exo compute anti-affinity-group list",
        "exo compute ssh-key list",
        "in the portal, every zone: label 'exasol-deployment' or name: the id is exasol- and 8 hex digits",
    ],
    secrets: &[KEY, SECRET],
    // That the machines themselves cost nothing while they are off: (unverified).
    when_off: "root disks and volumes",
    ..Cloud::new(credentials, POWER)
};

const OPTIONS: &[OptionDef] = &[region_option(
    "exoscale-zone",
    &["EXOSCALE_ZONE"],
    Some("ch-gva-2"),
    "Zone: ch-gva-2, ch-dk-2, at-vie-1, at-vie-2, bg-sof-1, de-fra-1, de-muc-1, hr-zag-1",
)];

pub(super) static PROVIDER: Provider =
    Provider { options: OPTIONS, validate, tfvars, ..cloud::row("exoscale", "Exoscale", CLOUD, RESOURCES) };

fn validate(spec: &Spec) -> Result<()> {
    Target::of(spec, &Options::new())?;
    cloud::at_most("--data-volumes-per-node", spec.data_volumes_per_node, VOLUMES_MAX, "volumes")?;
    cloud::at_least("--data-volume-size", spec.data_volume_size, VOLUME_MIN_GB)?;
    cloud::at_least("--root-volume-size", spec.root_volume_size, ROOT_MIN_GB)
}

fn tfvars(input: &TfvarsInput) -> Result<Map<String, Value>> {
    let mut variables = cloud::tfvars(input, &Target::of(input.spec, input.facts)?)?;
    variables.insert("power".into(), json!(if input.powered { "running" } else { "stopped" }));
    cloud::relabel_owner(&mut variables);
    Ok(variables)
}

/// Key and secret belong together: once one of them is found among flags and variables, the other
/// one is not taken from a file.
fn credentials(input: &CredentialInput) -> Result<Credentials, Check> {
    let pair = match (search(input, KEY.flag, KEY.env, &[])?, search(input, SECRET.flag, SECRET.env, &[])?) {
        (Some(key), Some(secret)) => Some((key, secret)),
        (Some(key), None) => return Err(half(&key, "secret", "EXOSCALE_API_SECRET", SECRET.flag)),
        (None, Some(secret)) => return Err(half(&secret, "key", "EXOSCALE_API_KEY", KEY.flag)),
        (None, None) => match account(input)? {
            None => files(input)?,
            found => found,
        },
    };
    let (key, secret) = pair.ok_or_else(|| {
        missing(
            "an Exoscale API key and its secret",
            &[
                "export EXOSCALE_API_KEY=… EXOSCALE_API_SECRET=…  # portal: IAM, Keys; role: exasol init --show-permissions",
                "or --exoscale-api-key-file FILE --exoscale-api-secret-file FILE",
                "or exo config (~/.config/exoscale/exoscale.toml), or ~/.exoscale_api_key and ~/.exoscale_api_secret",
            ],
        )
    })?;
    if !key.value.starts_with("EXO") || !key.value.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(malformed(&key.source, "an API key of Exoscale is EXO, letters and digits"));
    }
    let of_secret = |b: u8| b.is_ascii_alphanumeric() || b"-_+/=".contains(&b);
    if secret.value.len() < 32 || !secret.value.bytes().all(of_secret) {
        return Err(malformed(&secret.source, "a secret of Exoscale has 43 letters, digits, - and _"));
    }
    let source = if key.source == secret.source { key.source } else { format!("{}, {}", key.source, secret.source) };
    Ok(Credentials::from(source)
        .set("EXOSCALE_API_KEY", key.value)
        .set("EXOSCALE_API_SECRET", secret.value)
        .unset(&STRONGER))
}

fn half(found: &Found, lacks: &str, variable: &str, flag: &str) -> Check {
    let ways = [format!("export {variable}=…"), format!("or --{flag}-file FILE")];
    missing(&format!("{}, but the {lacks} that belongs to it", found.source), &ways.each_ref().map(String::as_str))
}

/// The account of the vendor's own command.
fn account(input: &CredentialInput) -> Result<Option<(Found, Found)>, Check> {
    let home = (input.env)("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()).unwrap_or_else(|| "~/.config".into());
    let paths = match input.env_of(&["EXOSCALE_CONFIG"]) {
        Some(named) => vec![named.value],
        None => vec![format!("{home}/exoscale/exoscale.toml"), "~/.exoscale/exoscale.toml".into()],
    };
    let wanted = input.env_of(&["EXOSCALE_ACCOUNT"]).map(|found| found.value);
    for path in paths {
        let Some(text) = input.read(&path)? else { continue };
        let (key, secret) = account_in(&text, wanted.as_deref()).map_err(|why| malformed(&path, &why))?;
        let found = |value| Found { value, source: path.clone() };
        return Ok(Some((found(key), found(secret))));
    }
    Ok(None)
}

/// Key and secret of the account of that name, or of the default one. Err says what is wrong.
fn account_in(text: &str, wanted: Option<&str>) -> Result<(String, String), String> {
    // The command does not mind case in names, and itself writes them in two ways.
    let get = |table: &Table, name: &str| {
        table.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let word = |table: &Table, name: &str| {
        get(table, name).and_then(|v| v.as_str().map(str::to_owned)).filter(|word| !word.is_empty())
    };
    let config: Table = text.parse().map_err(|_| "is not TOML".to_owned())?;
    let name = wanted.map(str::to_owned).or_else(|| word(&config, "defaultAccount"));
    let name = name.ok_or("has no default account: exo config set NAME, or EXOSCALE_ACCOUNT=NAME")?;
    let accounts = get(&config, "accounts").and_then(|v| v.as_array().cloned()).unwrap_or_default();
    let account = accounts.iter().filter_map(|a| a.as_table()).find(|a| word(a, "name").as_deref() == Some(&*name));
    let account = account.ok_or_else(|| format!("has no account {name}"))?;
    if get(account, "secretCommand").is_some() {
        return Err(format!(
            "a program keeps the secret of {name}, and exasol does not run that program: export EXOSCALE_API_KEY and \
            EXOSCALE_API_SECRET"
        ));
    }
    word(account, "key").zip(word(account, "secret")).ok_or_else(|| format!("has no key and secret for {name}"))
}

/// Where the Bash deployer looked.
fn files(input: &CredentialInput) -> Result<Option<(Found, Found)>, Check> {
    let found = |path: &str| {
        let text = input.read(path)?;
        Ok(text.map(|text| Found { value: text.trim().to_owned(), source: path.to_owned() }))
    };
    Ok(found(KEY_FILE)?.zip(found(SECRET_FILE)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::cloud::testing::{self, Sources};

    const CONFIG: &str = "~/.config/exoscale/exoscale.toml";
    const KEY_VALUE: &str = "EXO0123456789abcdef01234567";
    const SECRET_VALUE: &str = "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNO_";

    fn config() -> String {
        format!(
            "defaultaccount = \"b\"\n\
             [[accounts]]\nname = \"a\"\nkey = \"EXOa\"\nsecret = \"x\"\n\
             [[accounts]]\nname = \"b\"\nKey = \"{KEY_VALUE}\"\nSecret = \"{SECRET_VALUE}\"\n\
             [[accounts]]\nname = \"c\"\nkey = \"EXOc\"\nsecretCommand = [\"pass\", \"c\"]\n"
        )
    }

    #[test]
    fn variables() {
        insta::assert_json_snapshot!(testing::variables_of_an_owner(&PROVIDER, json!({"region": "at-vie-2"})));
    }

    #[test]
    fn what_the_cloud_cannot_do_is_a_wrong_value() {
        let invalid = |edit: fn(&mut Spec)| testing::refused(&PROVIDER, json!({}), edit);
        assert!(invalid(|spec| spec.data_volumes_per_node = 6).contains("--data-volumes-per-node"));
        assert!(invalid(|spec| spec.data_volume_size = 9).contains("--data-volume-size"));
        assert!(invalid(|spec| spec.root_volume_size = 9).contains("--root-volume-size"));
        assert!(invalid(|spec| spec.instance_type = Some("standard.large-arm".into())).contains("--allow-unlisted"));
    }

    #[test]
    fn credentials_come_from_flags_environment_and_files_in_this_order() {
        let all = Sources::new(&PROVIDER).env("EXOSCALE_API_SECRET", SECRET_VALUE).env("EXOSCALE_API_KEY", KEY_VALUE);
        assert_eq!(all.find().unwrap().source, "EXOSCALE_API_KEY, EXOSCALE_API_SECRET");
        let all = all.typed("exoscale-api-key", KEY_VALUE).typed("exoscale-api-secret", SECRET_VALUE);
        assert_eq!(all.find().unwrap().source, "--exoscale-api-key, --exoscale-api-secret");

        let files = Sources::new(&PROVIDER).file(KEY_FILE, "EXOold\n").file(SECRET_FILE, SECRET_VALUE);
        assert_eq!(files.find().unwrap().source, format!("{KEY_FILE}, {SECRET_FILE}"));
        let files = files.file(CONFIG, &config());
        assert_eq!(files.find().unwrap().source, CONFIG);
        let old_names = files.env("EXOSCALE_KEY", KEY_VALUE).env("EXOSCALE_SECRET_KEY", SECRET_VALUE);
        assert_eq!(old_names.find().unwrap().source, "EXOSCALE_KEY, EXOSCALE_SECRET_KEY");
    }

    #[test]
    fn no_other_variable_wins_over_what_was_found() {
        let found = Sources::new(&PROVIDER).file(CONFIG, &config()).find().unwrap();
        assert_eq!(found.value("EXOSCALE_API_KEY"), Some(KEY_VALUE));
        assert_eq!(found.value("EXOSCALE_API_SECRET"), Some(SECRET_VALUE));
        for name in STRONGER {
            assert!(found.env.contains(&(name, None)), "{name}");
        }
    }

    #[test]
    fn the_account_is_the_default_one_or_the_named_one() {
        let pair = (KEY_VALUE.to_owned(), SECRET_VALUE.to_owned());
        assert_eq!(account_in(&config(), None), Ok(pair));
        assert_eq!(account_in(&config(), Some("a")), Ok(("EXOa".into(), "x".into())));
        assert!(account_in(&config(), Some("c")).unwrap_err().contains("EXOSCALE_API_SECRET"));
        assert!(account_in(&config(), Some("d")).unwrap_err().contains("no account d"));
        assert!(account_in("[[accounts]]\nname = \"a\"", None).unwrap_err().contains("default account"));
        let named = Sources::new(&PROVIDER).file("/e.toml", &config()).env("EXOSCALE_CONFIG", "/e.toml");
        named.find().unwrap();
        let check = named.env("EXOSCALE_ACCOUNT", "d").find().unwrap_err();
        assert_eq!((check.exit_code, check.detail.contains("/e.toml")), (2, true));
    }

    #[test]
    fn none_is_exit_4_half_of_it_too_and_a_wrong_one_2() {
        let none = Sources::new(&PROVIDER).env("EXOSCALE_API_KEY", "").find().unwrap_err();
        assert_eq!(none.exit_code, 4);
        let ways = none.fix.concat();
        for way in ["EXOSCALE_API_KEY", "EXOSCALE_API_SECRET", "--exoscale-api-key-file", CONFIG] {
            assert!(ways.contains(way), "{way}");
        }
        // Not the secret of another key.
        let half = Sources::new(&PROVIDER).env("EXOSCALE_API_KEY", KEY_VALUE).file(CONFIG, &config());
        let half = half.find().unwrap_err();
        assert_eq!(half.exit_code, 4);
        assert!(half.detail.contains("EXOSCALE_API_KEY") && half.fix.concat().contains("--exoscale-api-secret-file"));
        let wrong = |key, secret| {
            let sources = Sources::new(&PROVIDER).env("EXOSCALE_API_KEY", key).env("EXOSCALE_API_SECRET", secret);
            let check = sources.find().unwrap_err();
            assert_eq!(check.exit_code, 2);
            check.detail
        };
        assert!(wrong("hunter2", SECRET_VALUE).starts_with("EXOSCALE_API_KEY:"));
        assert!(wrong(KEY_VALUE, "hunter2").starts_with("EXOSCALE_API_SECRET:"));
        assert!(!wrong(KEY_VALUE, "hunter2").contains("hunter2"));
    }

    #[test]
    fn fuzz_credentials_exoscale() {
        let seed = "defaultAccount = \"a\"\n[[accounts]]\nname = \"a\"\nkey = \"EXO1\"\nsecret = \"s\"\n";
        crate::fuzz::text_target("credentials-exoscale", &[seed], |text| {
            let _ = (account_in(text, None), account_in(text, Some("a")));
        });
    }
}
