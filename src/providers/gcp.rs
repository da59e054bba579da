//! Google Cloud.

use serde_json::{Map, Value, json};

use super::cloud::{
    self, Cloud, CredentialInput, Credentials, PowerControl, Target, malformed, missing, region_option,
};
use super::{PreflightInput, Provider, Resources, TfvarsInput};
use crate::error::{Error, Result};
use crate::model::{Check, OptionDef, OptionKind, Options, Outcome, Spec};

const ZONE: &str = "--gcp-zone";
const PROJECT: &str = "--gcp-project";
const KEY_FILE: &str = "--gcp-credentials-file";

const POWER: PowerControl =
    PowerControl::by_terraform(("google_compute_instance", "current_status"), ("RUNNING", "TERMINATED"));

const RESOURCES: Resources = Resources::new(&["google_compute_instance"], &["google_compute_disk"]);

const CLOUD: Cloud = Cloud {
    find: &[
        "gcloud compute instances list --filter=labels.deployment:exasol-*",
        "gcloud compute disks list --filter=labels.deployment:exasol-*",
        "gcloud compute addresses list --filter=name:exasol-*",
        "gcloud compute firewall-rules list --filter=name:exasol-*",
        "gcloud compute networks list --filter=name:exasol-*",
        "in the console: Compute Engine and VPC network, label 'deployment' or name: the id is exasol- and 8 hex digits",
    ],
    when_off: "the disks and the static addresses",
    always_overlay: true,
    ..Cloud::new(credentials, POWER)
};

const OPTIONS: &[OptionDef] = &[
    region_option("gcp-region", &["GOOGLE_REGION"], None, "Region [default: the zone's, or else europe-west4]"),
    OptionDef {
        env: &["GOOGLE_ZONE"],
        ..OptionDef::text("gcp-zone", "zone", "NAME", "Zone of the region [default: <region>-a]")
    },
    OptionDef {
        env: &["GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"],
        ..OptionDef::text("gcp-project", "project", "ID", "Project [default: the key file's]")
    },
    OptionDef {
        kind: OptionKind::PathOrUrl,
        ..OptionDef::text(
            "gcp-credentials-file",
            "credentials_file",
            "FILE",
            "Key file (JSON); overrides the environment [default: ~/.gcp_credentials.json, if it exists]",
        )
    },
    OptionDef::switch(
        "gcp-spot-instance",
        "spot_instance",
        "Use Spot VMs: cheaper, but Google stops them when it needs the capacity",
    ),
];

pub(super) static PROVIDER: Provider = Provider {
    options: OPTIONS,
    size: |spec, _| Ok(target(spec, &Options::new())?.listed.map(|t| t.size)),
    preflight,
    validate,
    tfvars,
    ..cloud::row("gcp", "Google Cloud", CLOUD, RESOURCES)
};

/// The smallest disk of the type pd-balanced, and the size of Ubuntu's image.
const DISK_MIN_GB: u32 = 10;

fn validate(spec: &Spec) -> Result<()> {
    let target = target(spec, &Options::new())?;
    zone(spec, &Options::new(), &target)?;
    if shares_cores(&target.instance_type) {
        let (flag, disks) = ("--data-volumes-per-node", spec.data_volumes_per_node);
        if disks > SHARED_CORE_DISKS_MAX {
            let problem = format!("must be {SHARED_CORE_DISKS_MAX} or fewer for {}", target.instance_type);
            return Err(Error::invalid(flag, disks.to_string(), problem));
        }
    }
    if let Some(project) = text(&spec.options, "project") {
        check_project(project)?;
    }
    cloud::at_least("--root-volume-size", spec.root_volume_size, DISK_MIN_GB)?;
    cloud::at_least("--data-volume-size", spec.data_volume_size, DISK_MIN_GB)
}

/// <https://docs.cloud.google.com/compute/docs/disks/persistent-disks#machine_type_limits>: 16, of which one has the
/// system; machines of other kinds take 128.
const SHARED_CORE_DISKS_MAX: u32 = 15;

fn shares_cores(instance_type: &str) -> bool {
    ["e2-micro", "e2-small", "e2-medium", "f1-micro", "g1-small"].contains(&instance_type)
}

fn preflight(input: &PreflightInput) -> Outcome {
    let spec = in_region_of_zone(input.spec);
    let mut outcome = cloud::preflight(&PreflightInput { spec: &spec, ..*input });
    if let Ok(zone) = target(&spec, &outcome.facts).and_then(|target| zone(&spec, &outcome.facts, &target)) {
        outcome.facts.insert("zone".into(), zone.into());
    }
    outcome.checks.push(match (project(&spec, &outcome.facts), input.facts) {
        (Some(project), _) => Check::ok("project", "project", project),
        (None, Some(_)) => Check::failed("project", "project", "none is named, and the credentials do not say which")
            .fix("--gcp-project ID, or export GOOGLE_PROJECT=ID  # gcloud projects list"),
        (None, None) => Check::skipped("project", "project", "no credentials"),
    });
    outcome
}

fn tfvars(input: &TfvarsInput) -> Result<Map<String, Value>> {
    let target = target(input.spec, input.facts)?;
    let project = project(input.spec, input.facts).ok_or_else(|| Error::Usage {
        message: "the project is not known".into(),
        hint: Some(format!("name it with {PROJECT}")),
    })?;
    let mut variables = cloud::tfvars(input, &target)?;
    variables.insert("project".into(), json!(project));
    variables.insert("zone".into(), json!(zone(input.spec, input.facts, &target)?));
    variables.insert("disk_type".into(), json!(disk_type(&target.instance_type)));
    variables.insert("power".into(), json!(if input.powered { "running" } else { "stopped" }));
    variables.insert(
        "spot".into(),
        json!(input.spec.options.get("spot_instance").and_then(Value::as_bool).unwrap_or(false)),
    );
    cloud::relabel_owner(&mut variables);
    Ok(variables)
}

fn text<'a>(options: &'a Options, key: &str) -> Option<&'a str> {
    options.get(key)?.as_str()
}

fn target(spec: &Spec, facts: &Options) -> Result<Target> {
    Target::of(&in_region_of_zone(spec), facts)
}

/// A zone says which region it is in.
fn in_region_of_zone(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    let region =
        text(&spec.options, "zone").and_then(|zone| zone.rsplit_once('-')).map(|(region, _)| region.to_owned());
    if let Some(region) = region {
        spec.options.entry("region".into()).or_insert_with(|| region.into());
    }
    spec
}

/// As asked for, as recorded, or the one that the catalogue names; -a exists nearly everywhere.
fn zone(spec: &Spec, facts: &Options, target: &Target) -> Result<String> {
    let region = &target.region;
    let inside = |zone: &str| zone.rsplit_once('-').is_some_and(|(r, z)| r == region && !z.is_empty());
    if let Some(zone) = text(&spec.options, "zone") {
        return inside(zone)
            .then(|| zone.to_owned())
            .ok_or_else(|| Error::invalid(ZONE, zone, format!("must be a zone of {region}, such as {region}-b")));
    }
    let listed = target.region_facts.and_then(|facts| facts.get("zone")?.as_str());
    let known = text(facts, "zone").filter(|zone| inside(zone)).or(listed);
    Ok(known.map_or_else(|| format!("{region}-a"), str::to_owned))
}

fn project(spec: &Spec, facts: &Options) -> Option<String> {
    text(&spec.options, "project").or_else(|| text(facts, "project")).map(str::to_owned)
}

/// `my-project-1`, or `example.com:my-project-1` in projects of old.
fn check_project(project: &str) -> Result<()> {
    let id = project.rsplit_once(':').map_or(project, |(_, id)| id);
    let good = (6..=30).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    good.then_some(()).ok_or_else(|| {
        Error::invalid(
            PROJECT,
            project,
            "must be a project's id, not its name or number: 6 to 30 lower-case letters, digits and '-'",
        )
    })
}

/// Newer machines take Hyperdisk only, older ones do not take it.
fn disk_type(instance_type: &str) -> &'static str {
    const HYPERDISK_ONLY: &[&str] = &["c4", "c4a", "c4d", "h4d", "m4", "n4", "n4a", "n4d", "x4"];
    match HYPERDISK_ONLY.contains(&instance_type.split('-').next().unwrap_or_default()) {
        true => "hyperdisk-balanced",
        false => "pd-balanced",
    }
}

const TOKEN: &str = "GOOGLE_OAUTH_ACCESS_TOKEN";
/// A path, or JSON. All that is found is handed on in the first.
const KEYS: &[&str] = &["GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON"];
const WAYS: [&str; 3] = [
    "--gcp-credentials-file FILE, or the file as ~/.gcp_credentials.json  # IAM: service accounts, keys",
    "export GOOGLE_CREDENTIALS=FILE  # or GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_OAUTH_ACCESS_TOKEN",
    "gcloud auth application-default login",
];

/// In the order of Google's Terraform provider, after what was typed.
fn credentials(input: &CredentialInput) -> Result<Credentials, Check> {
    if let Some(path) = input.option("credentials_file") {
        return key_file(input, path, KEY_FILE);
    }
    if let Some(token) = input.env_of(&[TOKEN]) {
        if !token.value.chars().all(|c| c.is_ascii_graphic()) {
            return Err(malformed(TOKEN, "a token has no spaces"));
        }
        return Ok(Credentials::from(TOKEN).set(TOKEN, token.value));
    }
    if let Some(found) = input.env_of(KEYS) {
        return match found.value.trim_start().starts_with('{') {
            true => key(&found.value, &found.source),
            false => key_file(input, &found.value, &found.source),
        };
    }
    if let Some(found) = input.env_of(&["GOOGLE_APPLICATION_CREDENTIALS"]) {
        return key_file(input, &found.value, &found.source);
    }
    let gcloud = input.env_of(&["CLOUDSDK_CONFIG"]).map_or_else(|| "~/.config/gcloud".to_owned(), |found| found.value);
    for path in ["~/.gcp_credentials.json".to_owned(), gcloud + "/application_default_credentials.json"] {
        if let Some(text) = input.read(&path)? {
            return key(&text, &path);
        }
    }
    // Whether the machine has an account is known to Google alone.
    let machine = input.read("/sys/class/dmi/id/product_name")?.unwrap_or_default();
    match machine.trim() {
        "Google Compute Engine" => Ok(Credentials::from("the service account of this machine")),
        _ => Err(missing("a key file or token for Google Cloud", &WAYS)),
    }
}

/// `named_by`: the flag or variable that says which file.
fn key_file(input: &CredentialInput, path: &str, named_by: &str) -> Result<Credentials, Check> {
    let source = format!("{path} ({named_by})");
    match input.read(path)? {
        Some(text) => key(&text, &source),
        None => Err(missing(&format!("the key file {source}"), &WAYS)),
    }
}

/// A key in JSON. What it is handed on as wins over the key variables, but not over a token.
fn key(text: &str, source: &str) -> Result<Credentials, Check> {
    if text.trim().is_empty() {
        return Err(missing(&format!("a key in {source}, which is empty"), &WAYS));
    }
    // The parser's own words could hold a piece of the key.
    let json: Value = serde_json::from_str(text)
        .map_err(|e| malformed(source, &format!("not JSON (line {}, column {})", e.line(), e.column())))?;
    let needed: &[&str] = match json["type"].as_str() {
        Some("service_account") => &["client_email", "private_key"],
        Some("authorized_user") => &["client_id", "client_secret", "refresh_token"],
        Some("external_account" | "external_account_authorized_user") => &["audience"],
        Some("impersonated_service_account") => &["service_account_impersonation_url", "source_credentials"],
        _ => {
            return Err(malformed(
                source,
                "not a key of Google Cloud: its \"type\" is none of service_account, authorized_user, \
                external_account, impersonated_service_account",
            ));
        }
    };
    let lacks = |name: &&&str| json[**name].is_null() || json[**name].as_str() == Some("");
    if let Some(name) = needed.iter().find(lacks) {
        return Err(malformed(source, &format!("\"{name}\" is missing")));
    }
    if json["private_key"].as_str().is_some_and(|key| !key.contains("PRIVATE KEY-----")) {
        return Err(malformed(source, "\"private_key\" is not a key in PEM form"));
    }
    let found = Credentials::from(source).set(KEYS[0], text).unset(&[TOKEN]);
    Ok(match json["project_id"].as_str() {
        Some(project) => found.fact("project", project),
        None => found,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::providers::cloud::testing::{self, Sources};

    fn key_of(account: &str) -> String {
        json!({
            "type": "service_account", "project_id": "of-the-key", "client_email": account,
            "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
        })
        .to_string()
    }

    #[test]
    fn variables() {
        insta::assert_json_snapshot!(testing::variables_of_an_owner(&PROVIDER, json!({"project": "my-project"})));
    }

    #[test]
    fn disks_follow_the_machine() {
        let options = json!({"project": "my-project", "zone": "us-central1-f", "spot_instance": true});
        let variables =
            testing::variables(&PROVIDER, options, |spec| spec.instance_type = Some("c4a-highmem-8".into()));
        assert_eq!(variables["disk_type"], "hyperdisk-balanced");
        assert_eq!(variables["architecture"], "aarch64");
        assert_eq!(variables["spot"], true);
        assert_eq!((&variables["region"], &variables["zone"]), (&json!("us-central1"), &json!("us-central1-f")));
        assert_eq!(disk_type("t2a-standard-4"), "pd-balanced");
    }

    #[test]
    fn a_machine_of_shared_cores_takes_fewer_disks() {
        let with = |name: &str, disks| {
            let spec = testing::spec(&PROVIDER, json!({}));
            validate(&Spec { instance_type: Some(name.into()), data_volumes_per_node: disks, ..spec })
        };
        let error = with("e2-medium", 16).unwrap_err().to_string();
        assert!(error.contains("must be 15 or fewer for e2-medium"), "{error}");
        with("e2-medium", 15).unwrap();
        with("e2-standard-2", 16).unwrap();
    }

    #[test]
    fn the_zone_is_in_the_region() {
        let zone_of = |options: Value, facts: &Options| {
            let spec = testing::spec(&PROVIDER, options);
            zone(&spec, facts, &target(&spec, facts)?)
        };
        let none = Options::new();
        assert_eq!(zone_of(json!({}), &none).unwrap(), "europe-west4-a");
        assert_eq!(zone_of(json!({"region": "us-east1"}), &none).unwrap(), "us-east1-b");
        assert_eq!(zone_of(json!({"zone": "us-west1-c"}), &none).unwrap(), "us-west1-c");
        let recorded: Options = serde_json::from_value(json!({"region": "us-west1", "zone": "us-west1-c"})).unwrap();
        assert_eq!(zone_of(json!({}), &recorded).unwrap(), "us-west1-c");
        assert_eq!(zone_of(json!({"region": "us-east1"}), &recorded).unwrap(), "us-east1-b");
        for wrong in ["us-west1-a", "europe-west4", "europe-west4-"] {
            let error = zone_of(json!({"region": "europe-west4", "zone": wrong}), &none).unwrap_err().to_string();
            assert!(error.starts_with("--gcp-zone") && error.contains("europe-west4-b"), "{error}");
        }
    }

    #[test]
    fn the_project_is_typed_or_the_keys() {
        let run = |options: Value, facts: Option<Value>| {
            let spec = testing::spec(&PROVIDER, options);
            let facts = facts.map(|facts| serde_json::from_value(facts).unwrap());
            let input = PreflightInput {
                spec: &spec,
                id: None,
                nodes: &[],
                facts: facts.as_ref(),
                stop: &AtomicBool::new(false),
            };
            preflight(&input).checks.pop().unwrap()
        };
        assert_eq!(run(json!({"project": "typed-one"}), Some(json!({"project": "of-the-key"}))).detail, "typed-one");
        assert_eq!(run(json!({}), Some(json!({"project": "of-the-key"}))).detail, "of-the-key");
        let missing = run(json!({}), Some(json!({})));
        assert!(missing.is_failed() && missing.exit_code == 4 && missing.fix.concat().contains("GOOGLE_PROJECT"));
        assert!(!run(json!({}), None).is_failed());
        for wrong in ["My Project", "123456789012", "abc", "ends-with-"] {
            let error = validate(&testing::spec(&PROVIDER, json!({"project": wrong}))).unwrap_err();
            assert!(error.to_string().starts_with("--gcp-project"), "{error}");
        }
        validate(&testing::spec(&PROVIDER, json!({"project": "example.com:my-project"}))).unwrap();
    }

    #[test]
    fn credentials_come_from_flag_environment_files_and_machine_in_this_order() {
        let source = |sources: &Sources| sources.find().unwrap().source;
        let machine = Sources::new(&PROVIDER).file("/sys/class/dmi/id/product_name", "Google Compute Engine\n");
        assert_eq!(source(&machine), "the service account of this machine");
        let gcloud = machine.file("~/.config/gcloud/application_default_credentials.json", &key_of("a"));
        assert!(source(&gcloud).ends_with("/application_default_credentials.json"));
        let usual = gcloud.file("~/.gcp_credentials.json", &key_of("b"));
        assert_eq!(source(&usual), "~/.gcp_credentials.json");
        let application = usual.file("/k", &key_of("c")).env("GOOGLE_APPLICATION_CREDENTIALS", "/k");
        assert_eq!(source(&application), "/k (GOOGLE_APPLICATION_CREDENTIALS)");
        let inline = application.env("GCLOUD_KEYFILE_JSON", &key_of("d"));
        assert_eq!(source(&inline), "GCLOUD_KEYFILE_JSON");
        let path = inline.env("GOOGLE_CREDENTIALS", "/k");
        assert_eq!(source(&path), "/k (GOOGLE_CREDENTIALS)");
        let token = path.env(TOKEN, "ya29.x");
        assert_eq!(source(&token), TOKEN);
        let typed = token.option("credentials_file", "/k").find().unwrap();
        assert_eq!(typed.source, "/k (--gcp-credentials-file)");
        assert_eq!(typed.value("GOOGLE_CREDENTIALS"), Some(key_of("c").as_str()));
        assert!(typed.env.contains(&(TOKEN, None)), "the token would win");
        assert_eq!(typed.facts["project"], "of-the-key");
    }

    #[test]
    fn nothing_is_exit_4() {
        let nothing = Sources::new(&PROVIDER).find().unwrap_err();
        assert_eq!(nothing.exit_code, 4);
        for word in [KEY_FILE, "~/.gcp_credentials.json", "GOOGLE_CREDENTIALS"] {
            assert!(nothing.fix.concat().contains(word), "{word}");
        }
        let gone = Sources::new(&PROVIDER).option("credentials_file", "/k").find().unwrap_err();
        assert!(gone.exit_code == 4 && gone.detail.contains("/k (--gcp-credentials-file)"));
        let empty = Sources::new(&PROVIDER).file("~/.gcp_credentials.json", "\n").find().unwrap_err();
        assert!(empty.exit_code == 4 && empty.detail.contains("~/.gcp_credentials.json"));
        assert_eq!(Sources::new(&PROVIDER).env("GOOGLE_CREDENTIALS", "").find().unwrap_err().exit_code, 4);
    }

    #[test]
    fn wrong_ones_are_exit_2_and_are_not_shown() {
        let service =
            |key: Value| json!({"type": "service_account", "client_email": "a", "private_key": key}).to_string();
        let user = json!({"type": "authorized_user", "client_id": "hunter2", "client_secret": "hunter2"}).to_string();
        for wrong in ["hunter2 {", "{\"hunter2\"", "{}", "{\"type\": \"hunter2\"}", &user, &service(json!("hunter2"))] {
            let check = Sources::new(&PROVIDER).file("~/.gcp_credentials.json", wrong).find().unwrap_err();
            assert_eq!(check.exit_code, 2, "{wrong}");
            assert!(check.detail.contains("~/.gcp_credentials.json") && !check.detail.contains("hunter2"), "{wrong}");
        }
        let token = Sources::new(&PROVIDER).env(TOKEN, "hunter 2").find().unwrap_err();
        assert!(token.exit_code == 2 && token.detail.contains(TOKEN) && !token.detail.contains("hunter"));
    }

    #[test]
    fn fuzz_credentials_gcp() {
        let seeds = [
            r#"{"type": "service_account", "project_id": "p", "client_email": "a@b", "private_key": "-----BEGIN PRIVATE KEY-----"}"#,
            r#"{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}"#,
        ];
        crate::fuzz::text_target("credentials-gcp", &seeds, |text| drop(key(text, "a.json")));
    }
}
