//! Oracle Cloud Infrastructure: the row, what it refuses, and the variables of its Terraform files.

mod credentials;
mod profile;
mod shape;

use serde_json::{Map, Value, json};

use self::credentials::credentials;
use self::shape::Shape;
use super::cloud::{self, Cloud, PowerControl, Target, region_option};
use super::{Provider, Resources, TfvarsInput};
use crate::error::{Error, Result};
use crate::model::{OptionDef, OptionKind, Options, Spec};

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
    OptionDef { env, ..OptionDef::text(flag, key, value_name, help) }
}

const POWER: PowerControl = PowerControl::by_terraform(("oci_core_instance", "state"), ("RUNNING", "STOPPED"));

const RESOURCES: Resources =
    Resources { frozen: FROZEN, ..Resources::new(&["oci_core_instance"], &["oci_core_volume"]) };

const CLOUD: Cloud = Cloud {
    find: &[
        "oci search resource structured-search --query-text \
         \"query all resources where freeformTags.key = 'deployment'\"",
        "in the console: Governance, Tag Explorer or Search, free-form tag 'deployment': its value is the id, exasol- and 8 hex digits",
    ],
    when_off: "volumes; Oracle does not bill stopped machines of the standard shapes",
    ..Cloud::new(credentials, POWER)
};

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

/// Another image would be put under a running machine.
const FROZEN: &[(&str, &[&str])] = &[("oci_core_instance", &["source_details", "source_id"])];

pub(super) static PROVIDER: Provider =
    Provider { options: OPTIONS, validate, tfvars, ..cloud::row("oci", "Oracle Cloud", CLOUD, RESOURCES) };

fn validate(spec: &Spec) -> Result<()> {
    Shape::of(&Target::of(spec, &Options::new())?)?;
    for (flag, key, kinds) in [
        ("--oci-compartment-ocid", "compartment", &["compartment", "tenancy"][..]),
        ("--oci-tenancy-ocid", "tenancy", &["tenancy"]),
        ("--oci-user-ocid", "user", &["user"]),
    ] {
        if let Some(ocid) = option(spec, key).filter(|ocid| !is_ocid(ocid, kinds)) {
            return Err(Error::invalid(flag, ocid, format!("must be an OCID such as ocid1.{}.oc1..aaaa…", kinds[0])));
        }
    }
    if let Some(fingerprint) = option(spec, "fingerprint").filter(|f| !is_fingerprint(f)) {
        return Err(Error::invalid(
            "--oci-fingerprint",
            fingerprint,
            "must be 16 pairs of hex digits with colons between",
        ));
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
    Err(Error::invalid(
        "--allowed-cidr",
        &count,
        format!("must be fewer networks: they need {rules} rules, a group has {RULES_MAX}"),
    ))
}

fn option<'a>(spec: &'a Spec, key: &str) -> Option<&'a str> {
    spec.options.get(key).and_then(Value::as_str)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeploymentId, NodePlan};
    use crate::providers::cloud::testing;

    const TENANCY: &str = "ocid1.tenancy.oc1..aaaatenancy";
    const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaacompartment";

    fn refused(options: Value, edit: impl FnOnce(&mut Spec)) -> String {
        testing::refused(&PROVIDER, options, edit)
    }

    #[test]
    fn variables() {
        insta::assert_json_snapshot!(testing::variables_of_an_owner(&PROVIDER, json!({"compartment": COMPARTMENT})));
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
}
