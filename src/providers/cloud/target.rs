//! Region, machine type and network: what was asked for, held against the catalogue.

use ipnet::Ipv4Net;
use toml::Table;

use super::super::addresses::{FIRST_HOST, host_address};
use super::options::{ALLOW_UNLISTED, NETWORK_CIDR};
use crate::catalog::{self, InstanceType};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, InvalidValue, OptionDef, OptionKind, Options, Spec};

/// The option's key on every cloud; its flag is the cloud's own word for it.
const REGION: &str = "region";

/// Where and on what the nodes run.
#[derive(Debug, Clone)]
pub(in crate::providers) struct Target {
    pub region: String,
    /// What the catalogue says of the region beside its name; None for an unlisted one.
    pub region_facts: Option<&'static Table>,
    pub instance_type: String,
    /// None for an unlisted one.
    pub listed: Option<&'static InstanceType>,
    /// As `uname -m` says it.
    pub arch: &'static str,
}

/// A cloud's option for its region.
pub(in crate::providers) const fn region_option(
    flag: &'static str,
    env: &'static [&'static str],
    default: Option<&'static str>,
    help: &'static str,
) -> OptionDef {
    OptionDef { flag, key: REGION, env, value_name: "NAME", kind: OptionKind::Text, default, help }
}

impl Target {
    /// `facts`: what credentials or an earlier `init` told; the region in there counts where none was asked for.
    ///
    /// # Errors
    /// Of exit code 2: a region or type that the catalogue does not list (unless `--allow-unlisted`), a machine of
    /// another architecture than the database's, a network that is too small or not private.
    pub fn of(spec: &Spec, facts: &Options) -> Result<Target> {
        let unlisted = spec.options.get(ALLOW_UNLISTED).and_then(|v| v.as_bool()).unwrap_or(false);
        let provider = spec.provider.as_str();
        let word = |options: &Options| options.get(REGION).and_then(|v| v.as_str()).map(str::to_owned);
        let region = word(&spec.options).or_else(|| word(facts));
        let region = region.unwrap_or_else(|| catalog::default_region(provider).to_owned());
        let region_facts = catalog::region(provider, &region);
        if region_facts.is_none() && !unlisted {
            let flag = super::super::find(provider)?.flag(REGION).unwrap_or_default();
            return Err(not_listed(
                &flag,
                &region,
                &catalog::regions(provider),
                &format!("--cloud-provider {provider} --list-regions"),
            ));
        }
        let wanted = arch_of_database(spec)?;
        let instance_type = match &spec.instance_type {
            Some(name) => name.clone(),
            None => default_type(provider, &region, wanted.unwrap_or("x86_64"))?,
        };
        let listed = catalog::instance_type(provider, &instance_type);
        if listed.is_none() && !unlisted {
            return Err(not_listed(
                "--instance-type",
                &instance_type,
                &catalog::instance_types(provider),
                &format!("--cloud-provider {provider} --list-types"),
            ));
        }
        let arch = listed.map(|t| t.arch.as_str()).or(wanted).unwrap_or("x86_64");
        if wanted.is_some_and(|wanted| wanted != arch) {
            return Err(Error::InvalidValue {
                flag: "--instance-type".into(),
                value: instance_type,
                problem: format!("is {arch}, but {} runs on {}", spec.db_version, wanted.unwrap_or_default()),
                suggestion: wanted.and_then(|wanted| default_type(provider, &region, wanted).ok()),
            });
        }
        network_option(spec)?;
        reachable_by_ipv4(spec)?;
        Ok(Target { region, region_facts, instance_type, listed, arch })
    }

    /// Not part of [`Target::of`]: what a region has may change while machines of an older type run there.
    ///
    /// # Errors
    /// Exit code 2 for a machine type that the region does not have.
    pub fn region_has_its_type(&self, spec: &Spec) -> Result<()> {
        let unlisted = spec.options.get(ALLOW_UNLISTED).and_then(|v| v.as_bool()).unwrap_or(false);
        let Some(regions) = self.listed.and_then(InstanceType::regions).filter(|_| !unlisted) else { return Ok(()) };
        if regions.contains(&self.region.as_str()) {
            return Ok(());
        }
        Err(Error::InvalidValue {
            flag: "--instance-type".into(),
            value: self.instance_type.clone(),
            problem: format!(
                "does not exist in {}, only in {}; --allow-unlisted accepts it",
                self.region,
                regions.join(", ")
            ),
            suggestion: default_type(&spec.provider, &self.region, self.arch).ok(),
        })
    }
}

/// The nodes' private network: as asked for, or one that follows from the deployment's id.
pub(super) fn network(id: &DeploymentId, spec: &Spec) -> Result<Ipv4Net> {
    if let Some(range) = network_option(spec)? {
        return Ok(range);
    }
    let [a, b] = id.network_bytes("private");
    // Below are most networks that people or clouds have made, above some that DigitalOcean keeps for itself.
    let address = std::net::Ipv4Addr::new(10, 50 + a % 179, b, 0);
    Ipv4Net::new(address, 24).map_err(|e| Error::other(e.to_string()))
}

fn network_option(spec: &Spec) -> Result<Option<Ipv4Net>> {
    let Some(text) = spec.options.get(NETWORK_CIDR).and_then(|v| v.as_str()) else { return Ok(None) };
    let last = spec.cluster_size.saturating_sub(1);
    let range = text.parse::<Ipv4Net>().ok().filter(|range| {
        range.trunc() == *range
            && range.network().is_private()
            && (16..=28).contains(&range.prefix_len())
            && host_address(*range, last).is_some()
    });
    range.map(Some).ok_or_else(|| {
        Error::invalid(
            "--network-cidr",
            text,
            format!(
                "must be a private IPv4 network of /16 to /28 with room for {} nodes from its address .{FIRST_HOST} on, e.g. \
            10.77.0.0/24",
                spec.cluster_size
            ),
        )
    })
}

/// The deployer dials IPv4, and Exasol knows nothing else.
fn reachable_by_ipv4(spec: &Spec) -> Result<()> {
    if spec.allowed_cidrs.is_empty() || spec.allowed_cidrs.iter().any(|net| net.addr().is_ipv4()) {
        return Ok(());
    }
    Err(Error::invalid(
        "--allowed-cidr",
        spec.allowed_cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        "must have at least one IPv4 network: nodes are reached by IPv4, also by this deployer",
    ))
}

/// None: the database runs on any.
fn arch_of_database(spec: &Spec) -> Result<Option<&'static str>> {
    let version = catalog::of_spec(spec)?;
    Ok(["x86_64", "aarch64"].into_iter().find(|arch| version.arch == *arch))
}

fn default_type(provider: &str, region: &str, arch: &str) -> Result<String> {
    catalog::default_instance_type(provider, region, arch).map(str::to_owned).ok_or_else(|| Error::Usage {
        message: format!("{provider} has no machines of {arch} in {region}, as far as the catalogue knows"),
        hint: Some("choose another region, another database version (--db-version), or another provider".into()),
    })
}

/// More names than these are a list of their own.
const NAMED: usize = 12;

fn not_listed(flag: &str, value: &str, listed: &[String], lister: &str) -> Error {
    let error = InvalidValue::none_of(flag, value, listed);
    if listed.len() <= NAMED {
        return error.also("; --allow-unlisted accepts others").into();
    }
    let shown_by = format!("is none of those that exasol init {lister} shows; --allow-unlisted accepts others");
    InvalidValue { problem: shown_by, ..error }.into()
}

/// # Errors
/// Exit code 2 for a size below the cloud's least one.
pub(in crate::providers) fn at_least(flag: &str, size_gb: u32, least_gb: u32) -> Result<()> {
    if size_gb >= least_gb {
        return Ok(());
    }
    Err(Error::invalid(flag, size_gb.to_string(), format!("must be {least_gb} GB or more on this cloud")))
}

/// # Errors
/// Exit code 2 for more than the cloud takes; `of` says of what: "GB".
pub(in crate::providers) fn at_most(flag: &str, number: u32, most: u32, of: &str) -> Result<()> {
    if number <= most {
        return Ok(());
    }
    Err(Error::invalid(flag, number.to_string(), format!("must be {most} {of} or fewer on this cloud")))
}

/// # Errors
/// Exit code 2 for an owner who is longer than a tag's value may be.
pub(in crate::providers) fn owner_within(spec: &Spec, characters: usize) -> Result<()> {
    match &spec.owner {
        Some(owner) if owner.chars().count() > characters => Err(Error::invalid(
            "--owner",
            owner.clone(),
            format!("is too long: at most {characters} characters, because it becomes a tag"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_not_repeated_in_an_error() {
        let long: Vec<_> = (1..=70).map(|n| format!("m5.{n}xlarge")).collect();
        let told = not_listed("--instance-type", "m5.12xlrge", &long, "--cloud-provider x --list-types").to_string();
        assert_eq!(
            told,
            "--instance-type: 'm5.12xlrge' is none of those that exasol init --cloud-provider x --list-types shows; \
             --allow-unlisted accepts others. Did you mean m5.12xlarge?"
        );
        let short = not_listed("--region", "nowhere", &long[..2], "--list-regions").to_string();
        assert!(short.contains("must be one of m5.1xlarge, m5.2xlarge"), "{short}");
    }

    #[test]
    fn what_is_paid_for_and_where_is_named() {
        let provider = super::super::super::ALL.iter().find(|provider| provider.is_cloud()).unwrap();
        let spec = super::super::testing::spec(provider, serde_json::json!({}));
        let told = super::super::type_and_place(&spec, &Options::new()).unwrap();
        assert!(told.starts_with("machine type ") && told.contains(" in "), "{told}");
    }
}
