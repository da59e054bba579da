//! What is to be deployed, from command line, environment, configuration file and defaults.

use std::path::PathBuf;

use clap::ArgMatches;
use serde_json::Value;

use super::config_file::{ConfigFile, Section};
use super::options::{self, Sources, invalid};
use super::{credentials, environment, passwords};
use crate::catalog;
use crate::error::{Error, Result};
use crate::model::{OptionDef, Options, Spec, SpecChange, check_name, env_name};
use crate::ops::{Given, ReleaseRequest};
use crate::providers::{self, Provider};

/// A spec, or changes of one, together with what the operation needs beside it.
pub(super) struct Wanted<S> {
    /// Its release is resolved by the operation.
    pub spec: S,
    pub release: ReleaseRequest,
    /// `--allowed-cidr me`: this machine's address is one of those that are allowed.
    pub me: bool,
    /// Credentials that were typed.
    pub credentials: Given,
    /// Warnings about the command line itself.
    pub warnings: Vec<String>,
    pub file: Option<ConfigFile>,
}

/// The spec as `init` and `doctor` get it.
pub(super) fn wanted(matches: &ArgMatches) -> Result<Wanted<Spec>> {
    let mut file = any_config_file(matches)?;
    let provider = provider(matches, file.as_ref())?;
    let strange = file.as_mut().map(ConfigFile::wrong).unwrap_or_default();
    let file = file.map(|file| file.of(provider.name));
    let mut warnings = Vec::new();
    let sources = Sources { matches, env: &env, file: file.as_ref() };
    let spec = checked(&sources, provider, strange, true)?;
    let release = release(&sources, &|_| true)?;
    let credentials = credentials::read(matches, file.as_ref(), provider, &mut warnings)?;
    let me = asks_for_me(&sources)?;
    Ok(Wanted { spec, release, me, credentials, warnings, file })
}

/// What stands for this machine's address, which is found out later.
const ME: &str = "me";

fn asks_for_me(sources: &Sources) -> Result<bool> {
    let Some(def) = options::find("allowed-cidr") else { return Ok(false) };
    let value = sources.get(def)?;
    Ok(value.as_ref().and_then(Value::as_array).into_iter().flatten().any(|text| text == ME))
}

/// What the options say about the release beside its version; only options that `counts` accepts are read.
fn release(sources: &Sources, counts: &dyn Fn(&OptionDef) -> bool) -> Result<ReleaseRequest> {
    let text = |flag: &str| -> Result<Option<String>> {
        let Some(def) = options::find(flag).filter(|def| counts(def)) else { return Ok(None) };
        Ok(sources.get(def)?.and_then(|value| value.as_str().map(str::to_owned)))
    };
    let path = |flag: &str| -> Result<Option<PathBuf>> { Ok(text(flag)?.map(PathBuf::from)) };
    Ok(ReleaseRequest {
        c4_version: text("c4-version")?,
        db_archive: path("db-archive")?,
        c4: path("c4")?,
        db_archive_sha256: text("db-archive-sha256")?,
        c4_sha256: text("c4-sha256")?,
        catalog: path("catalog")?,
        server: env(catalog::RELEASE_SERVER)?,
    })
}

/// What the options say about releases, for commands that list them.
pub(super) fn of_releases(matches: &ArgMatches) -> Result<ReleaseRequest> {
    release(&Sources { matches, env: &env, file: config_file(matches)?.as_ref() }, &|_| true)
}

/// The spec of a command that has only some of the options.
pub(super) fn of_options(matches: &ArgMatches) -> Result<Spec> {
    let provider = provider(matches, None)?;
    let (spec, errors) = spec(&Sources { matches, env: &env, file: None }, provider);
    Error::several(errors).map_or(Ok(spec), Err)
}

/// The provider that was named, or the default one.
pub(super) fn provider(matches: &ArgMatches, file: Option<&ConfigFile>) -> Result<&'static Provider> {
    let name = word(matches, file, "cloud-provider")?;
    providers::find(name.as_deref().unwrap_or(providers::DEFAULT))
}

/// What the deployment shall be called; None: as its directory.
pub(super) fn name(matches: &ArgMatches, file: Option<&ConfigFile>) -> Result<Option<String>> {
    let name = word(matches, file, "name")?;
    name.as_deref().map(check_name).transpose()?;
    Ok(name)
}

/// The same, for a command that reads nothing else of the file.
pub(super) fn name_of(matches: &ArgMatches) -> Result<Option<String>> {
    name(matches, config_file(matches)?.as_ref())
}

/// A word that is no option of the table: command line, environment, file.
fn word(matches: &ArgMatches, file: Option<&ConfigFile>, flag: &str) -> Result<Option<String>> {
    if let Some(typed) = matches.try_get_one::<String>(flag).ok().flatten() {
        return Ok(Some(typed.clone()));
    }
    match env(&env_name(flag))? {
        Some(value) => Ok(Some(value)),
        None => Ok(file.map(|f| f.text(flag)).transpose()?.flatten()),
    }
}

/// The same for a command that reads nothing else of the file.
pub(super) fn provider_of(matches: &ArgMatches) -> Result<&'static Provider> {
    provider(matches, config_file(matches)?.as_ref())
}

fn config_file(matches: &ArgMatches) -> Result<Option<ConfigFile>> {
    any_config_file(matches)?.map(ConfigFile::sound).transpose()
}

/// The file, also if some of its keys are wrong.
fn any_config_file(matches: &ArgMatches) -> Result<Option<ConfigFile>> {
    let path = matches.try_get_one::<PathBuf>("config").ok().flatten();
    let names = options::keys().map(str::to_owned).chain(passwords::keys()).chain(credentials::keys());
    let Some(path) = path else { return Ok(None) };
    let keys_of = |provider: &Provider| {
        let options = options::keys_of(provider).map(str::to_owned);
        options.chain(passwords::keys()).chain(credentials::keys_of(provider)).collect()
    };
    let sections: Vec<_> =
        providers::ALL.iter().map(|provider| Section { provider: provider.name, keys: keys_of(provider) }).collect();
    ConfigFile::read(path, names.chain(["cloud-provider", "name"].map(str::to_owned)), &sections).map(Some)
}

fn env(name: &str) -> Result<Option<String>> {
    Ok(environment::text(name)?.filter(|v| !v.is_empty()))
}

/// The spec, or everything that is wrong about what was asked for. `errors`: what is known to be wrong already.
/// `whole`: it is no change of another spec, which might make it right.
fn checked(sources: &Sources, provider: &Provider, mut errors: Vec<Error>, whole: bool) -> Result<Spec> {
    let (spec, wrong) = spec(sources, provider);
    errors.extend(sources.foreign(provider));
    errors.extend(wrong);
    // In a tag, a label, a description: no cloud takes them, and most say so when the first machines are made.
    if spec.owner.as_deref().is_some_and(|owner| owner.chars().any(char::is_control)) {
        errors.push(Error::invalid("--owner", "…", "must be text without control characters"));
    }
    // What only the provider knows to be wrong is told along; alone it is told by whoever asks for the spec, who does
    // not know that a value came from elsewhere than the command line.
    let of_provider = (provider.validate)(&spec).err();
    let alone = errors.is_empty();
    errors.extend(of_provider.filter(|error| !alone || (whole && sources.is_from_elsewhere(error))));
    let errors = errors.into_iter().map(|error| sources.blamed(error)).collect();
    Error::several(errors).map_or(Ok(spec), Err)
}

/// The spec, and what is wrong; an option with a wrong value has its default.
fn spec(sources: &Sources, provider: &Provider) -> (Spec, Vec<Error>) {
    let small = implied(sources, provider);
    let mut errors = Vec::new();
    let mut read = |def: &OptionDef| {
        let value = sources.get_or(def, small(def)).unwrap_or_else(|error| {
            errors.push(error);
            options::default(def)
        });
        value.map(|value| (def.key.to_owned(), value))
    };
    let common: Options = options::COMMON.iter().filter_map(&mut read).collect();
    let own: Options = options::of(provider).filter_map(&mut read).collect();
    let (allowed_cidrs, wrong) = cidrs(common.get("allowed-cidr"));
    errors.extend(wrong);
    let number =
        |key: &str| common.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let text = |key: &str| common.get(key).and_then(Value::as_str).map(str::to_owned);
    let spec = Spec {
        provider: provider.name.into(),
        cluster_size: number("cluster-size"),
        db_version: text("db-version").unwrap_or_default(),
        release: None,
        data_volume_size: number("data-volume-size"),
        data_volumes_per_node: number("data-volumes-per-node"),
        root_volume_size: number("root-volume-size"),
        instance_type: text("instance-type"),
        owner: text("owner"),
        allowed_cidrs,
        multicast_overlay: common.get("enable-multicast-overlay").and_then(Value::as_bool).unwrap_or(false),
        engine: text("engine").filter(|engine| engine != options::ANY_ENGINE),
        options: own,
    };
    (spec, errors)
}

/// The networks, and what is wrong about the others.
fn cidrs(value: Option<&Value>) -> (Vec<ipnet::IpNet>, Vec<Error>) {
    let texts =
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).filter(|text| *text != ME);
    let (good, wrong): (Vec<_>, Vec<_>) = texts.map(cidr).partition(Result::is_ok);
    (good.into_iter().filter_map(Result::ok).collect(), wrong.into_iter().filter_map(Result::err).collect())
}

/// What a rehearsal implies: small nodes. A machine type that was asked for says itself how big a node is.
fn implied(sources: &Sources, provider: &Provider) -> impl Fn(&OptionDef) -> Option<String> + use<> {
    let value = |flag: &str| options::find(flag).and_then(|def| sources.get(def).ok().flatten());
    let version = value("db-version");
    let is_rehearsal = version.as_ref().and_then(Value::as_str).is_some_and(catalog::is_rehearsal);
    let has_type = value("instance-type").is_some();
    let (name, own) = (provider.name, provider.options);
    let region = own.iter().find(|def| def.key == "region").and_then(|def| sources.get(def).ok().flatten());
    let region = region.as_ref().and_then(Value::as_str).unwrap_or_else(|| catalog::default_region(name)).to_owned();
    move |def: &OptionDef| {
        let is_size_of_type = has_type && own.iter().any(|own| own.flag == def.flag);
        (is_rehearsal && !is_size_of_type).then(|| catalog::rehearsal_default(name, &region, def.flag)).flatten()
    }
}

/// A bare address means a network that has only this address.
fn cidr(text: &str) -> Result<ipnet::IpNet> {
    let net = text.parse::<ipnet::IpNet>().ok();
    let net = net.or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from));
    let problem = "must be a network such as 192.0.2.0/24 or 2001:db8::/32, or 'me'";
    let net = net.ok_or_else(|| invalid("--allowed-cidr", text, problem.into(), None))?;
    if net.trunc() == net {
        return Ok(net);
    }
    let suggestion = Some(net.trunc().to_string());
    Err(invalid("--allowed-cidr", text, "must be a network without host bits".into(), suggestion))
}

/// What somebody asked to change in a deployment on that provider: `init --update`.
pub(super) fn changes(matches: &ArgMatches, provider: &Provider) -> Result<Wanted<Vec<SpecChange>>> {
    let mut file = any_config_file(matches)?;
    if let Some(named) = matches.try_get_one::<String>("cloud-provider").ok().flatten().filter(|n| **n != provider.name)
    {
        return Err(Error::Usage {
            message: format!("--cloud-provider: the deployment is on {}, and cannot move to {named}", provider.name),
            hint: Some("make another deployment with exasol init -d NEW_DIR".into()),
        });
    }
    let strange = file.as_mut().map(ConfigFile::wrong).unwrap_or_default();
    let file = file.map(|file| file.of(provider.name));
    let mut warnings = Vec::new();
    let sources = Sources { matches, env: &env, file: file.as_ref() };
    let mut asked = checked(&sources, provider, strange, false)?;
    let given = |flag: &str| options::COMMON.iter().any(|def| def.flag == flag && sources.is_given(def));
    let mut changes: Vec<SpecChange> = [
        ("cluster-size", SpecChange::ClusterSize(asked.cluster_size)),
        ("db-version", SpecChange::DbVersion(asked.db_version)),
        ("data-volume-size", SpecChange::DataVolumeSize(asked.data_volume_size)),
        ("data-volumes-per-node", SpecChange::DataVolumesPerNode(asked.data_volumes_per_node)),
        ("root-volume-size", SpecChange::RootVolumeSize(asked.root_volume_size)),
        ("instance-type", SpecChange::InstanceType(asked.instance_type)),
        ("owner", SpecChange::Owner(asked.owner)),
        ("allowed-cidr", SpecChange::AllowedCidrs(asked.allowed_cidrs)),
        ("enable-multicast-overlay", SpecChange::MulticastOverlay(asked.multicast_overlay)),
    ]
    .into_iter()
    .filter_map(|(flag, change)| given(flag).then_some(change))
    .collect();
    // A variable does not change the engine: it may be meant for others, and there is no way back from OpenTofu.
    if options::COMMON.iter().any(|def| def.flag == "engine" && sources.is_asked_for(def)) {
        changes.push(SpecChange::Engine(asked.engine));
    }
    for def in options::of(provider).filter(|def| sources.is_given(def)) {
        let value = asked.options.remove(def.key);
        changes.extend(value.map(|value| SpecChange::Option(def.key.to_owned(), value)));
    }
    // A variable does not change the release either: it may be meant for other deployments.
    let release = release(&sources, &|def| sources.is_asked_for(def))?;
    let credentials = credentials::read(matches, file.as_ref(), provider, &mut warnings)?;
    let me = asks_for_me(&sources)?;
    Ok(Wanted { spec: changes, release, me, credentials, warnings, file })
}

#[cfg(test)]
mod tests {
    use super::super::flags::{config_arg, provider_arg};
    use super::*;

    fn spec_of(line: &str) -> Spec {
        let command = clap::Command::new("init").arg(provider_arg()).arg(config_arg());
        let matches = options::add(command).get_matches_from(format!("init {line}").split(' '));
        let nothing = |_: &str| Ok(None);
        let sources = Sources { matches: &matches, env: &nothing, file: None };
        spec(&sources, provider(&matches, None).unwrap()).0
    }

    #[test]
    fn a_rehearsal_gets_the_least_that_each_provider_takes() {
        for provider in providers::ALL {
            let spec = spec_of(&format!("--cloud-provider {} --db-version rehearsal", provider.name));
            (provider.validate)(&spec).unwrap();
            let disk = spec.data_volume_size;
            let less = Spec { data_volume_size: disk - 1, ..spec.clone() };
            assert!(disk <= 2 || (provider.validate)(&less).is_err(), "{}: {disk} GB", provider.name);
            let less = Spec { root_volume_size: spec.root_volume_size - 1, ..spec.clone() };
            let least = provider.has_fixed_root_disk() || spec.root_volume_size <= 5;
            assert!(least || (provider.validate)(&less).is_err(), "{}", provider.name);
            let size = (provider.size)(&spec, &Options::new()).unwrap().unwrap();
            let all = catalog::instance_types(provider.name);
            let sizes = all.iter().filter_map(|name| catalog::instance_type(provider.name, name));
            assert!(size.memory_mb <= sizes.map(|t| t.size.memory_mb).min().unwrap(), "{}", provider.name);
        }
    }

    #[test]
    fn what_is_given_wins_over_what_a_rehearsal_implies() {
        let small = spec_of("--db-version rehearsal");
        assert_eq!((small.root_volume_size, small.data_volume_size), (5, 2));
        assert_eq!((small.options["memory"].as_u64(), small.options["vcpus"].as_u64()), (Some(1), Some(1)));
        let own = spec_of("--db-version rehearsal --libvirt-memory 3 --data-volume-size 7");
        assert_eq!((own.data_volume_size, own.options["memory"].as_u64()), (7, Some(3)));
        let typed = spec_of("--db-version rehearsal --instance-type medium");
        assert!(!typed.options.contains_key("memory") && !typed.options.contains_key("vcpus"));
        let real = spec_of("--db-version default");
        assert_eq!((real.root_volume_size, real.data_volume_size), (50, 100));
    }
}
