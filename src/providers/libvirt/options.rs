//! What a user can say about libvirt, and what is meant by it.

use std::path::PathBuf;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::super::addresses::{FIRST_HOST, host_address};
use super::default_image::default_image;
use super::facts::Facts;
use super::site::{Addresses, DEFAULT_POOL, DEFAULT_URI, Site, named};
use super::uri::{HEEDED, Uri};
use crate::catalog;
use crate::error::{Error, Result};
use crate::model::{
    BaseImage, ImageLocation, InvalidValue, NodeSize, OptionDef, OptionKind, Spec, count, is_sha256, shown_address,
};

pub(super) const PROVIDER: &str = "libvirt";
/// The bridge of libvirt's own network `default`.
pub(super) const DEFAULT_NETWORK: &str = "virbr0";
const DEFAULT_SIZE: NodeSize = NodeSize { memory_mb: 4096, vcpus: 2 };

/// The provider's own options. Memory and processors have no default here, so that an instance
/// type can be told from an explicit value, which wins.
pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef {
        flag: "libvirt-memory",
        key: "memory",
        env: &[],
        value_name: "GB",
        kind: OptionKind::Integer { min: 1, max: 16_384 },
        default: None,
        help: "Memory of each node in GB; a database needs at least 4, and should have 8 [default: 4, or the instance \
            type's]",
    },
    OptionDef {
        flag: "libvirt-vcpus",
        key: "vcpus",
        env: &[],
        value_name: "N",
        kind: OptionKind::Integer { min: 1, max: 255 },
        default: None,
        help: "Virtual processors of each node [default: 2, under emulation 1, or the instance type's]",
    },
    OptionDef {
        flag: "libvirt-network",
        key: "network",
        env: &[],
        value_name: "NAME|BRIDGE|new[:CIDR]",
        kind: OptionKind::Text,
        default: Some(DEFAULT_NETWORK),
        help: "libvirt network or host bridge; 'new' creates a NAT network for this deployment only",
    },
    OptionDef {
        flag: "libvirt-pool",
        key: "pool",
        env: &[],
        value_name: "NAME",
        kind: OptionKind::Text,
        default: Some(DEFAULT_POOL),
        help: "Storage pool for disks and the base image",
    },
    OptionDef {
        flag: "libvirt-uri",
        key: "uri",
        env: &["LIBVIRT_DEFAULT_URI"],
        value_name: "URI",
        kind: OptionKind::OneOrMore,
        default: Some(DEFAULT_URI),
        help: "Hypervisor: qemu:///system or qemu+ssh://[USER@]HOST[:PORT]/system; given several times, the nodes are \
            spread over all of them in turn",
    },
    OptionDef {
        flag: "libvirt-domain-type",
        key: "domain_type",
        env: &[],
        value_name: "TYPE",
        kind: OptionKind::Choice(&["auto", "kvm", "qemu"]),
        default: Some("auto"),
        help: "kvm, qemu (slow emulation), or auto: kvm where it works",
    },
    OptionDef {
        flag: "libvirt-image",
        key: "image",
        env: &[],
        value_name: "PATH|URL",
        kind: OptionKind::PathOrUrl,
        default: None,
        help: "Cloud image (qcow2 or raw) to boot [default: Ubuntu 24.04, a dated release]",
    },
    OptionDef {
        flag: "libvirt-image-sha256",
        key: "image_sha256",
        env: &[],
        value_name: "HEX",
        kind: OptionKind::Text,
        default: None,
        help: "SHA-256 that the image must have [default: of a URL, that of the first download]",
    },
];

/// As recorded in a spec: only what was said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    memory: Option<u64>,
    vcpus: Option<u32>,
    network: Option<String>,
    pool: Option<String>,
    uri: Option<Addresses>,
    domain_type: Option<WantedDomainType>,
    image: Option<String>,
    image_sha256: Option<String>,
}

/// What is meant: checked, and with defaults in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    /// Without a look at the hypervisor: see [`Options::size_with`].
    pub size: NodeSize,
    /// A flag or an instance type says how many processors.
    pub vcpus_chosen: bool,
    pub network: WantedNetwork,
    pub pool: String,
    pub uri: Uri,
    /// Those of further hypervisors: nodes are on all of them in turn.
    pub further: Vec<Uri>,
    pub domain_type: WantedDomainType,
    pub image: WantedImage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WantedImage {
    Named(BaseImage),
    /// That of the hypervisor's architecture; with another checksum, if one is given.
    Default {
        sha256: Option<String>,
    },
}

impl WantedImage {
    /// For a hypervisor of that architecture.
    pub fn on(&self, architecture: &str) -> Result<BaseImage> {
        match self {
            WantedImage::Named(image) => Ok(image.clone()),
            WantedImage::Default { sha256 } => {
                let image = default_image(architecture).ok_or_else(|| Error::Usage {
                    message: format!("there is no default image for {architecture}"),
                    hint: Some("name one: --libvirt-image PATH|URL".into()),
                })?;
                let sha256 = sha256.clone().unwrap_or_else(|| image.sha256.clone());
                Ok(BaseImage { location: ImageLocation::Url(image.url.clone()), sha256: Some(sha256) })
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WantedNetwork {
    /// A network's name, or a bridge's.
    Named(String),
    /// A NAT network of the deployment's own; the preflight chooses a free range where none is given.
    Own(Option<Ipv4Net>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WantedDomainType {
    #[default]
    Auto,
    Kvm,
    Qemu,
}

/// How a domain is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DomainType {
    Kvm,
    Qemu,
}

impl DomainType {
    /// Processors of a node for which nobody has said how many. QEMU emulates several on several threads (MTTCG), and
    /// kernels were seen to panic on that ("Oops: int3" while they patch themselves, 1 of 32 boots with QEMU 7.2).
    pub fn default_vcpus(self) -> Option<u32> {
        match self {
            DomainType::Kvm => None,
            DomainType::Qemu => Some(1),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            DomainType::Kvm => "kvm",
            DomainType::Qemu => "qemu",
        }
    }

    /// The processor that guests see: the host's own (the database needs SSSE3), or all that emulation can do.
    pub fn cpu_mode(self) -> &'static str {
        match self {
            DomainType::Kvm => "host-passthrough",
            DomainType::Qemu => "maximum",
        }
    }
}

impl Options {
    /// Every hypervisor.
    pub fn hypervisors(&self) -> impl Iterator<Item = &Uri> {
        std::iter::once(&self.uri).chain(&self.further)
    }

    /// What is refused to people, and bearable in a deployment of an earlier version.
    pub fn check_given(&self, nodes: u32) -> Result<()> {
        if let Some((uri, parameter)) = self.hypervisors().find_map(|uri| Some((uri, uri.unheeded()?))) {
            return Err(Error::Usage {
                message: format!(
                    "--libvirt-uri: '{uri}' cannot be used: exasol logs in with your own OpenSSH, which ignores \
                    '{parameter}'"
                ),
                hint: Some(format!(
                    "set it in ~/.ssh/config, or leave it out; these are supported: {}",
                    HEEDED.join(", ")
                )),
            });
        }
        if self.further.is_empty() { Ok(()) } else { self.check_several(nodes) }
    }

    /// What is wrong with several hypervisors, whatever they are.
    fn check_several(&self, nodes: u32) -> Result<()> {
        let all: Vec<_> = self.hypervisors().collect();
        let usage = |message: String, hint: &str| Err(Error::Usage { message, hint: Some(hint.to_owned()) });
        let twice = (1..all.len()).find(|at| all[..*at].iter().any(|earlier| earlier.is_same_daemon(all[*at])));
        if let Some(at) = twice {
            return usage(
                format!("--libvirt-uri: '{}' is the same hypervisor as one that is named before it", all[at]),
                "name each hypervisor once",
            );
        }
        if all.len() > usize::try_from(nodes).unwrap_or(usize::MAX) {
            return usage(
                format!(
                    "--libvirt-uri: {} hypervisors are named, but the cluster has {} only",
                    all.len(),
                    count(nodes as usize, "node")
                ),
                "name fewer hypervisors, or more nodes: --cluster-size N",
            );
        }
        if matches!(self.network, WantedNetwork::Own(_)) {
            return usage(
                "--libvirt-network new: it makes a NAT network inside one hypervisor, and nodes on another one cannot be \
                 reached through it"
                    .into(),
                "name a bridge that all hypervisors have: --libvirt-network BRIDGE",
            );
        }
        Ok(())
    }

    /// Every error is one of exit code 2: it does not depend on the hypervisor.
    pub fn from_spec(spec: &Spec) -> Result<Self> {
        let given: Given = serde_json::to_value(&spec.options)
            .and_then(serde_json::from_value)
            .map_err(|e| Error::Usage { message: format!("libvirt options: {e}"), hint: None })?;
        let sites = Site::each(given.uri.clone(), given.pool.as_deref())?;
        let pool = sites.first().map(|site| site.pool.clone()).unwrap_or_default();
        let mut uris = sites.into_iter().map(|site| site.uri);
        let Some(uri) = uris.next() else { return Err(Error::other("no hypervisor is named")) };
        let options = Self {
            size: size(spec, &given)?,
            vcpus_chosen: given.vcpus.is_some() || spec.instance_type.is_some(),
            network: network(given.network.as_deref().unwrap_or(DEFAULT_NETWORK))?,
            pool,
            uri,
            further: uris.collect(),
            domain_type: given.domain_type.unwrap_or_default(),
            image: image(given.image.as_deref(), given.image_sha256.as_deref())?,
        };
        if let WantedNetwork::Own(Some(range)) = options.network
            && host_address(range, spec.cluster_size.saturating_sub(1)).is_none()
        {
            return Err(Error::invalid(
                "--libvirt-network",
                format!("new:{range}"),
                format!(
                    "must be a range with room for {} nodes from its address .{FIRST_HOST} on, e.g. new:10.77.0.0/24",
                    spec.cluster_size
                ),
            ));
        }
        Ok(options)
    }
}

impl Options {
    /// What a node gets, by what preflight has found out.
    pub fn size_with(&self, facts: Option<&Facts>) -> NodeSize {
        let default = facts.and_then(|facts| facts.default_vcpus).filter(|_| !self.vcpus_chosen);
        NodeSize { vcpus: default.unwrap_or(self.size.vcpus), ..self.size }
    }
}

/// An explicit value wins over the instance type, which wins over the default.
fn size(spec: &Spec, given: &Given) -> Result<NodeSize> {
    let base = match spec.instance_type.as_deref() {
        None => DEFAULT_SIZE,
        Some(name) => catalog::instance_type(PROVIDER, name)
            .map(|t| t.size)
            .ok_or_else(|| InvalidValue::none_of("--instance-type", name, &catalog::instance_types(PROVIDER)))?,
    };
    Ok(NodeSize {
        memory_mb: given.memory.map_or(base.memory_mb, |gb| gb.saturating_mul(1024)),
        vcpus: given.vcpus.unwrap_or(base.vcpus),
    })
}

fn network(value: &str) -> Result<WantedNetwork> {
    let flag = "--libvirt-network";
    match value.strip_prefix("new") {
        Some("") => Ok(WantedNetwork::Own(None)),
        Some(rest) if rest.starts_with(':') => {
            let range: Option<Ipv4Net> = rest[1..].parse().ok();
            let range =
                range.filter(|r| r.trunc() == *r && (8..=28).contains(&r.prefix_len()) && r.network().is_private());
            range.map(|r| WantedNetwork::Own(Some(r))).ok_or_else(|| {
                Error::invalid(
                    flag,
                    value,
                    "must be new:CIDR with a private IPv4 network of /8 to /28, e.g. new:10.77.0.0/24",
                )
            })
        }
        _ => named(flag, value).map(WantedNetwork::Named),
    }
}

fn image(location: Option<&str>, sha256: Option<&str>) -> Result<WantedImage> {
    let sha256 = sha256.map(checksum).transpose()?;
    let Some(location) = location else { return Ok(WantedImage::Default { sha256 }) };
    let flag = "--libvirt-image";
    if location.is_empty() || location.chars().any(char::is_control) {
        return Err(Error::invalid(flag, shown_address(location), "must be a path or an https:// address"));
    }
    let location = match location.split_once("://") {
        None => ImageLocation::File(PathBuf::from(location)),
        Some(("file", path)) if path.starts_with('/') => ImageLocation::File(PathBuf::from(path)),
        Some(("https", rest)) if !rest.is_empty() => ImageLocation::Url(location.to_owned()),
        // Nothing protects the bytes on their way but a checksum.
        Some(("http", rest)) if !rest.is_empty() && sha256.is_some() => ImageLocation::Url(location.to_owned()),
        Some(("http", _)) => {
            return Err(Error::Usage {
                message: format!("{flag}: '{}' is not protected by TLS", shown_address(location)),
                hint: Some("use https://, or name the image's checksum with --libvirt-image-sha256".into()),
            });
        }
        Some(_) => {
            return Err(Error::invalid(
                flag,
                shown_address(location),
                "must be a path, an https:// or a file:/// address",
            ));
        }
    };
    // Images of others: an address without checksum is pinned at its first download.
    Ok(WantedImage::Named(BaseImage { location, sha256 }))
}

fn checksum(value: &str) -> Result<String> {
    let ok = is_sha256(value);
    if ok {
        Ok(value.to_ascii_lowercase())
    } else {
        Err(Error::invalid("--libvirt-image-sha256", value, "must be 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn spec(options: Value) -> Spec {
        serde_json::from_value(json!({
            "provider": "libvirt", "cluster_size": 2, "db_version": "rehearsal", "data_volume_size": 100,
            "data_volumes_per_node": 1, "root_volume_size": 50, "options": options,
        }))
        .unwrap()
    }

    fn options(given: Value) -> Result<Options> {
        Options::from_spec(&spec(given))
    }

    #[test]
    fn without_a_word_it_is_the_local_default() {
        let options = options(json!({})).unwrap();
        assert_eq!(options.size, NodeSize { memory_mb: 4096, vcpus: 2 });
        assert_eq!((options.pool.as_str(), options.uri.to_string().as_str()), ("default", "qemu:///system"));
        assert_eq!(options.network, WantedNetwork::Named("virbr0".into()));
        assert_eq!(options.domain_type, WantedDomainType::Auto);
        let image = options.image.on("aarch64").unwrap();
        assert!(matches!(&image.location, ImageLocation::Url(url) if url.ends_with("-arm64.img")), "{image:?}");
        assert_ne!(image.sha256, options.image.on("x86_64").unwrap().sha256);
        assert_eq!(options.image.on("s390x").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn explicit_values_win_over_the_instance_type() {
        let mut spec = spec(json!({"memory": 1}));
        spec.instance_type = Some("medium".into());
        assert_eq!(Options::from_spec(&spec).unwrap().size, NodeSize { memory_mb: 1024, vcpus: 4 });
        spec.instance_type = Some("mediun".into());
        let error = Options::from_spec(&spec).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("Did you mean medium?"), "{error}");
    }

    #[test]
    fn a_spec_that_this_version_does_not_know_still_tells_where_it_is() {
        let spec: Spec = serde_json::from_value(serde_json::json!({
            "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
            "data_volumes_per_node": 1, "root_volume_size": 2, "instance_type": "gone",
            "options": {"uri": "qemu+ssh://me@kvm/system", "pool": "fast", "of_a_newer_version": true},
        }))
        .unwrap();
        assert!(Options::from_spec(&spec).is_err());
        let site = Site::of(&spec).unwrap();
        assert_eq!((site.uri.to_string().as_str(), site.pool.as_str()), ("qemu+ssh://me@kvm/system", "fast"));
    }

    #[test]
    fn unknown_options_are_refused() {
        assert_eq!(options(json!({"memori": 4})).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn networks_are_names_bridges_or_new() {
        let network = |value: &str| options(json!({"network": value})).map(|o| o.network);
        assert_eq!(network("new").unwrap(), WantedNetwork::Own(None));
        assert_eq!(network("new:10.77.0.0/24").unwrap(), WantedNetwork::Own(Some("10.77.0.0/24".parse().unwrap())));
        assert_eq!(network("newnet").unwrap(), WantedNetwork::Named("newnet".into()));
        for wrong in ["new:", "new:10.77.0.1/24", "new:8.8.8.0/24", "new:10.0.0.0/30", "new:fd00::/64", "", "a/b", "-x"]
        {
            assert_eq!(network(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_network_of_its_own_must_hold_the_cluster() {
        let mut spec = spec(json!({"network": "new:10.77.0.0/28"}));
        spec.cluster_size = 4;
        assert!(Options::from_spec(&spec).is_ok());
        spec.cluster_size = 5;
        assert!(Options::from_spec(&spec).unwrap_err().to_string().contains("room for 5 nodes"));
    }

    #[test]
    fn images_are_files_or_protected_addresses() {
        let image = |location: &str, sha: Option<&str>| {
            options(json!({"image": location, "image_sha256": sha})).and_then(|o| o.image.on("x86_64"))
        };
        let sha = "A".repeat(64);
        assert_eq!(image("/a/b.qcow2", None).unwrap().location, ImageLocation::File("/a/b.qcow2".into()));
        assert_eq!(image("file:///a/b.qcow2", None).unwrap().location, ImageLocation::File("/a/b.qcow2".into()));
        let url = image("https://h/i.img", Some(&sha)).unwrap();
        assert_eq!(url.sha256, Some("a".repeat(64)));
        assert!(image("http://h/i.img", Some(&sha)).is_ok());
        assert!(image("http://h/i.img", None).unwrap_err().hint().unwrap().contains("sha256"));
        for (location, sha) in [("ftp://h/i", None), ("", None), ("/a", Some("abc")), ("https://", None)] {
            assert_eq!(image(location, sha).unwrap_err().exit_code(), 2, "{location}");
        }
    }

    #[test]
    fn the_session_daemon_is_refused_with_the_reason_and_the_way_out() {
        let error = options(json!({"uri": "qemu:///session"})).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("user-mode networking"), "{error}");
        assert_eq!(error.hint().as_deref(), Some("use the system daemon: qemu:///system"));
    }

    proptest! {
        #[test]
        fn hostile_values_are_errors_not_panics(value in ".{0,40}") {
            for key in ["network", "pool", "uri", "image", "image_sha256", "domain_type"] {
                if let Err(error) = options(json!({key: value})) {
                    prop_assert_eq!(error.exit_code(), 2);
                }
            }
        }
    }
}
