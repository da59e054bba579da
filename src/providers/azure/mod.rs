//! Microsoft Azure: the row, what it refuses, and the variables of its Terraform files.

mod identity;
mod power;

use serde_json::{Map, Value, json};

use super::cloud::{self, Cloud, PowerControl, Target, region_option};
use super::{Provider, Resources, TfvarsInput};
use crate::error::{Error, Result};
use crate::model::{OptionDef, OptionKind, Options, Spec};

const SUBSCRIPTION: &str = "--azure-subscription";
/// Canonical's image has a disk of that size (unverified).
const ROOT_MIN_GB: u32 = 30;
const TAG_MAX: usize = 256;

const RESOURCES: Resources = Resources::new(&["azurerm_linux_virtual_machine"], &["azurerm_managed_disk"]);

const CLOUD: Cloud = Cloud {
    find: &[
        "az group list --tag deployment --output table",
        "in the portal: Resource groups, tag 'deployment': each deployment is one group with its id as the name, exasol- and 8 hex digits",
    ],
    when_off: "disks and public addresses; Azure does not bill deallocated machines",
    ..Cloud::new(identity::credentials, PowerControl::Api(power::POWER))
};

const OPTIONS: &[OptionDef] = &[
    region_option("azure-region", &[], Some("northeurope"), "Region: northeurope, westeurope, eastus2, …"),
    OptionDef {
        env: &["ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"],
        ..OptionDef::text(
            "azure-subscription",
            "subscription",
            "UUID",
            "Subscription that is billed [default: the credentials file's, or the one that az uses]",
        )
    },
    OptionDef {
        kind: OptionKind::PathOrUrl,
        ..OptionDef::text(
            "azure-credentials-file",
            "credentials_file",
            "FILE",
            "File with a service principal, as `az ad sp create-for-rbac` prints it [default: ~/.azure_credentials, \
            if it exists]",
        )
    },
    OptionDef::switch(
        "azure-spot-instance",
        "spot",
        "Use spot capacity: cheaper, but Azure switches the machines off when it needs the capacity",
    ),
];

pub(super) static PROVIDER: Provider =
    Provider { options: OPTIONS, validate, tfvars, ..cloud::row("azure", "Microsoft Azure", CLOUD, RESOURCES) };

fn validate(spec: &Spec) -> Result<()> {
    let target = Target::of(spec, &Options::new())?;
    if let Some(id) = spec.options.get("subscription").and_then(Value::as_str).filter(|id| !identity::is_uuid(id)) {
        return Err(Error::invalid(SUBSCRIPTION, id, "must be a UUID, as `az account list` shows them"));
    }
    if spot(spec) && fact(&target, "spot").and_then(toml::Value::as_bool) == Some(false) {
        return Err(Error::invalid(
            "--azure-spot-instance",
            &target.instance_type,
            "must be a size that is not burstable, for example --instance-type Standard_D2s_v5",
        ));
    }
    if let Some(most) = fact(&target, "max_data_disks").and_then(toml::Value::as_integer)
        && i64::from(spec.data_volumes_per_node) > most
    {
        let number = spec.data_volumes_per_node.to_string();
        let problem = format!("must be {most} or fewer with {}", target.instance_type);
        return Err(Error::invalid("--data-volumes-per-node", &number, &problem));
    }
    cloud::owner_within(spec, TAG_MAX)?;
    cloud::at_least("--root-volume-size", spec.root_volume_size, ROOT_MIN_GB)
}

/// What the catalogue says of the size.
fn fact(target: &Target, name: &str) -> Option<&'static toml::Value> {
    target.listed?.facts.get(name)
}

fn spot(spec: &Spec) -> bool {
    spec.options.get("spot").and_then(Value::as_bool).unwrap_or(false)
}

fn tfvars(input: &TfvarsInput) -> Result<Map<String, Value>> {
    let target = Target::of(input.spec, input.facts)?;
    let mut variables = cloud::tfvars(input, &target)?;
    variables.insert("spot".into(), json!(spot(input.spec)));
    let accelerated = fact(&target, "accelerated_networking").and_then(toml::Value::as_bool);
    variables.insert("accelerated_networking".into(), json!(accelerated));
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::cloud::testing;

    fn refused(options: Value, edit: impl FnOnce(&mut Spec)) -> String {
        testing::refused(&PROVIDER, options, edit)
    }

    #[test]
    fn variables() {
        insta::assert_json_snapshot!(testing::variables_of_an_owner(&PROVIDER, json!({})));
    }

    #[test]
    fn variables_of_everything_else() {
        let options =
            json!({"region": "westus9", "allow_unlisted": true, "spot": true, "network_cidr": "10.77.0.0/24"});
        let variables = testing::variables(&PROVIDER, options, |spec| {
            spec.instance_type = Some("Standard_X1s_v9".into());
            spec.allowed_cidrs = vec!["203.0.113.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        });
        assert_eq!((&variables["spot"], &variables["region"]), (&json!(true), &json!("westus9")));
        assert_eq!(variables["accelerated_networking"], Value::Null);
        assert_eq!(variables["allowed_ipv6"], json!(["2001:db8::/32"]));
    }

    #[test]
    fn what_azure_cannot_do_is_refused() {
        assert!(refused(json!({"subscription": "mine"}), |_| ()).contains("--azure-subscription"));
        assert!(refused(json!({"region": "nowhere"}), |_| ()).contains("--allow-unlisted"));
        let burstable = |spec: &mut Spec| spec.instance_type = Some("Standard_B2s_v2".into());
        assert!(refused(json!({"spot": true}), burstable).contains("not burstable"));
        assert!(refused(json!({}), |spec| spec.data_volumes_per_node = 5).contains("4 or fewer with Standard_D2s_v5"));
        assert!(refused(json!({}), |spec| spec.root_volume_size = 20).contains("30 GB or more"));
        assert!(refused(json!({}), |spec| spec.owner = Some("x".repeat(257))).contains("256"));
    }
}
