//! The deployment directory's `ansible/`: playbooks as they are in this repository, inventory, and
//! what is laid down on the nodes.

use std::net::IpAddr;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::bundle::Bundle;
use super::guest_file::{GuestFile, Owner};
use super::{
    Proxies, USER, bundle, c4_config, cluster_ssh, disks, firewall, hosts, inventory, node_conf, overlay, proxy, units,
    updates,
};
use crate::deployment::Secrets;
use crate::error::{Error, Result};
use crate::model::{ConfigKeys, DeploymentId, Node, RenderedFile, Spec};

static ANSIBLE: Dir = include_dir!("$CARGO_MANIFEST_DIR/ansible");

/// Scripts that run on the nodes; they travel within the bundles.
const NODE_SCRIPTS: &str = "node";

/// Where the bundle lays them down.
const LIB_DIR: &str = "/usr/local/lib/exasol-deployer";

/// What every node gets of them.
const NODE_LIBRARY: &[&str] = &[
    "c4.sh",
    "certificate.sh",
    "check-services.sh",
    "confd.sh",
    "database.sh",
    "databases.sh",
    "disks.sh",
    "firewall.sh",
    "health.sh",
    "install-cluster.sh",
    "packages.sh",
    "programs.sh",
    "stuck.sh",
    "system.sh",
];

/// c4, the archive and c4's configuration, on n11.
pub const RELEASE_DIR: &str = "/home/exasol/exasol-release";

pub struct AnsibleInput<'a> {
    pub id: &'a DeploymentId,
    pub spec: &'a Spec,
    /// In the order of their numbers, n11 first.
    pub nodes: &'a [Node],
    pub secrets: &'a Secrets,
    /// This workstation's addresses as nodes see them, or the jump host's: always let in.
    pub deployer_addresses: &'a [IpAddr],
    pub release: Release<'a>,
    /// The database's installation has succeeded once.
    pub installed: bool,
    /// The machines are a cloud's: it has a metadata service, and nobody asks for names by multicast.
    pub on_a_cloud: bool,
    /// Nodes may ask the network for packages that are only welcome.
    pub welcome_packages: bool,
    pub proxies: &'a Proxies,
}

/// The database version to install. The files themselves are not rendered: ansible-playbook gets
/// their places in the environment, as `EXASOL_C4_FILE` and `EXASOL_ARCHIVE_FILE`.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// c4's name for it: `@exasol-2025.1.8`.
    pub working_copy: &'a str,
    /// Which keys c4's configuration may have.
    pub config_keys: ConfigKeys,
    /// The archive's name on n11: `exasol-2025.1.8.tar.gz`.
    pub archive_file: &'a str,
    /// Lower-case hex.
    pub archive_sha256: &'a str,
    pub c4_sha256: &'a str,
    pub rehearsal: bool,
}

/// Everything below `ansible/`. Once the nodes' addresses are known.
pub fn ansible_files(input: &AnsibleInput) -> Result<Vec<RenderedFile>> {
    let mut files = playbook_files(input.nodes.iter().map(|node| node.plan.name.as_str()))?;
    for node in input.nodes {
        let prepare = node_script("prepare-node.sh")?;
        let node_files = node_files(node, input)?;
        let links = links(node);
        let bundle = Bundle { directories: DIRECTORIES, files: &node_files, links: &links };
        let script = bundle::script(prepare, &bundle)?;
        files.push(RenderedFile::secret(format!("ansible/files/{}-prepare.sh", node.plan.name), script));
    }
    Ok(files)
}

/// Those of them that do not depend on addresses: with them Ansible can be started.
pub fn playbook_files<'a>(nodes: impl Iterator<Item = &'a str>) -> Result<Vec<RenderedFile>> {
    let mut files = playbooks();
    files.push(RenderedFile::new("ansible/inventory.json", inventory::inventory(nodes)?));
    Ok(files)
}

/// As they are: never through a template.
fn playbooks() -> Vec<RenderedFile> {
    let mut files = Vec::new();
    collect(&ANSIBLE, &mut files);
    files
}

fn collect(dir: &Dir, files: &mut Vec<RenderedFile>) {
    for file in dir.files().filter(|f| !f.path().ends_with("README.md")) {
        files.push(RenderedFile::new(Path::new("ansible").join(file.path()), file.contents()));
    }
    let for_ansible = |dir: &&Dir| dir.path() != Path::new(NODE_SCRIPTS) && !dir.path().ends_with("__pycache__");
    for dir in dir.dirs().filter(for_ansible) {
        collect(dir, files);
    }
}

/// A script for a node, as it is in this repository.
pub fn node_script(name: &str) -> Result<&'static str> {
    let file = ANSIBLE.get_file(format!("{NODE_SCRIPTS}/{name}")).and_then(|f| f.contents_utf8());
    file.ok_or_else(|| Error::other(format!("ansible/{NODE_SCRIPTS}/{name} is not part of this binary")))
}

/// Folders that must be there before the files, with their owners.
const DIRECTORIES: &[(&str, Owner, u32)] = &[
    (LIB_DIR, Owner::Root, 0o755),
    ("/etc/exasol-deployer", Owner::Root, 0o755),
    ("/etc/exasol-deployer/open", Owner::Root, 0o755),
    ("/etc/systemd/system/c4_cloud_command.service.d", Owner::Root, 0o755),
    ("/etc/systemd/system/nftables.service.d", Owner::Root, 0o755),
    ("/home/exasol/.ssh", Owner::User, 0o700),
    (RELEASE_DIR, Owner::User, 0o755),
];

/// Units that are enabled.
fn links(node: &Node) -> Vec<(&'static str, &'static str)> {
    let overlay = node.overlay_ip.map(|_| units::OVERLAY_ENABLED);
    [units::FIREWALL_ENABLED].into_iter().chain(overlay).collect()
}

/// What the bundle lays down on a node. The disk rules and the drop-in are in the user-data as
/// well; here they follow a changed specification.
fn node_files(node: &Node, input: &AnsibleInput) -> Result<Vec<GuestFile>> {
    let mut files = vec![
        node_conf::node_conf(node, input),
        hosts::hosts(input.id, input.nodes),
        disks::udev_rules(&node.plan, &node.disk_links),
        units::c4_ordering(&node.plan),
        units::firewall(),
        units::nftables(),
        firewall::table(input.nodes, input.deployer_addresses, &input.spec.allowed_cidrs, input.on_a_cloud),
        firewall::never_penalized(input.nodes, input.deployer_addresses),
        proxy::file(input.proxies),
    ];
    files.extend(updates::files());
    for name in NODE_LIBRARY {
        files.push(GuestFile::root(format!("{LIB_DIR}/{name}"), node_script(name)?).mode(0o755));
    }
    if let Some(conf) = overlay::overlay_conf(node, input.nodes) {
        files.extend([conf, units::overlay()]);
        files.push(GuestFile::root(format!("{LIB_DIR}/overlay.sh"), node_script("overlay.sh")?).mode(0o755));
    }
    let password = format!("{USER}:{}\n", &*input.secrets.host_password_hash);
    files.push(GuestFile::root("/etc/exasol-deployer/password", password).mode(0o600));
    files.extend(cluster_ssh::files(input.id, node, input.nodes, input.secrets, input.release.rehearsal)?);
    if node.plan.index == 0 {
        let release = &input.release;
        let archive = format!("{RELEASE_DIR}/{}", release.archive_file);
        let config =
            c4_config::c4_config(input.nodes, input.secrets, release.working_copy, release.config_keys, &archive)?;
        files.push(GuestFile::user(format!("{RELEASE_DIR}/config"), config));
        let checksum = format!("{}  {}\n", release.archive_sha256, release.archive_file);
        files.push(GuestFile::user(format!("{archive}.sha256"), checksum).mode(0o644));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{self, Fixture};

    const RELEASE: Release = Release {
        working_copy: "@exasol-2025.1.8",
        config_keys: ConfigKeys::V2025_1,
        archive_file: "exasol-2025.1.8.tar.gz",
        archive_sha256: "aa",
        c4_sha256: "bb",
        rehearsal: false,
    };

    fn rendered() -> Vec<RenderedFile> {
        let fixture = Fixture::two_nodes();
        ansible_files(&AnsibleInput {
            id: &fixture.id,
            spec: &fixture.spec,
            nodes: &fixture.nodes(),
            secrets: &fixture.secrets(),
            deployer_addresses: &["192.168.122.1".parse().unwrap()],
            release: RELEASE,
            installed: false,
            on_a_cloud: false,
            welcome_packages: true,
            proxies: &Proxies::default(),
        })
        .unwrap()
    }

    fn text(files: &[RenderedFile], path: &str) -> String {
        let file = files.iter().find(|f| f.path == Path::new(path)).unwrap();
        String::from_utf8(file.content.clone()).unwrap()
    }

    #[test]
    fn the_directory_gets_playbooks_inventory_and_one_closed_script_a_node() {
        let files = rendered();
        let mut listed: Vec<_> = files.iter().map(|f| format!("{:04o} {}", f.mode, f.path.display())).collect();
        listed.sort();
        insta::assert_snapshot!(listed.join("\n"));
        insta::assert_snapshot!("inventory", text(&files, "ansible/inventory.json"));
        assert_eq!(files, rendered());
    }

    #[test]
    fn a_node_s_script_ends_before_its_files_and_finds_them() {
        let script = text(&rendered(), "ansible/files/n12-prepare.sh");
        let (program, _) = script.split_once(&format!("\n{}\n", bundle::MARK)).unwrap();
        assert!(program.ends_with("\nexit"));
        assert!(program.contains(&format!("/^{}$/d", bundle::MARK)));
    }

    #[test]
    fn welcome_is_what_the_place_and_the_release_have_a_use_for() {
        let fixture = Fixture::two_nodes();
        let (nodes, secrets, proxies) = (fixture.nodes(), fixture.secrets(), Proxies::default());
        let words = |rehearsal: bool, on_a_cloud: bool, welcome_packages: bool| {
            let input = AnsibleInput {
                id: &fixture.id,
                spec: &fixture.spec,
                nodes: &nodes,
                secrets: &secrets,
                deployer_addresses: &[],
                release: Release { rehearsal, ..RELEASE },
                installed: false,
                on_a_cloud,
                welcome_packages,
                proxies: &proxies,
            };
            let files = node_files(&nodes[0], &input).unwrap();
            let content = |path: &str| files.iter().find(|f| f.path == path).unwrap().content.clone();
            // What hands out user-data is closed where there is such a thing.
            let metadata = content("/etc/exasol-deployer/firewall.wanted").contains("169.254.169.254");
            assert_eq!(metadata, on_a_cloud);
            let conf = content("/etc/exasol-deployer/node.conf");
            let lines = conf.lines().filter(|line| line.starts_with("MDNS=") || line.starts_with("PODMAN="));
            lines.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(false, false, true), "MDNS=yes PODMAN=yes");
        assert_eq!(words(true, false, true), "MDNS=yes PODMAN=no");
        assert_eq!(words(false, true, true), "MDNS=no PODMAN=yes");
        assert_eq!(words(false, false, false), "MDNS=no PODMAN=no");
    }

    #[test]
    fn what_a_node_gets() {
        let fixture = Fixture::two_nodes();
        let (nodes, secrets) = (fixture.nodes(), fixture.secrets());
        let deployer_addresses = &["192.168.122.1".parse().unwrap()];
        let input = AnsibleInput {
            id: &fixture.id,
            spec: &fixture.spec,
            nodes: &nodes,
            secrets: &secrets,
            deployer_addresses,
            release: RELEASE,
            installed: false,
            on_a_cloud: false,
            welcome_packages: true,
            proxies: &Proxies {
                variables: vec![("https_proxy", "http://me:proxy's password@proxy.example:3128".into())],
                withheld: vec!["http_proxy is of no use".into()],
            },
        };
        let first = node_files(&nodes[0], &input).unwrap();
        let list: Vec<_> = first.iter().map(|f| format!("{:04o} {} {}", f.mode, f.owner.name(), f.path)).collect();
        insta::assert_snapshot!(list.join("\n"));
        let content = |path: &str| first.iter().find(|f| f.path == path).unwrap().content.clone();
        insta::assert_snapshot!("node_conf", content("/etc/exasol-deployer/node.conf"));
        insta::assert_snapshot!("hosts", content("/etc/exasol-deployer/hosts"));

        // A proxy's password is for root alone.
        let with_password = first.iter().filter(|f| f.content.contains("proxy's password"));
        let places: Vec<_> = with_password.map(|f| (f.path.as_str(), f.mode, f.owner)).collect();
        assert_eq!(places, [("/etc/exasol-deployer/proxy", 0o600, Owner::Root)]);
        insta::assert_snapshot!("proxy", content("/etc/exasol-deployer/proxy"));

        // Passwords go to the first node only, and nobody but the login can read them.
        let second = node_files(&nodes[1], &input).unwrap();
        for file in first.iter().chain(&second).filter(|f| f.content.contains(&*secrets.db_password)) {
            assert_eq!((file.path.as_str(), file.mode), ("/home/exasol/exasol-release/config", 0o600));
        }
        assert!(!second.iter().any(|f| f.path.ends_with("/config") && f.path.contains("release")));
    }

    fn rendered_with(value: &str) -> Vec<RenderedFile> {
        let fixture = Fixture::two_nodes();
        let [db_password, adminui_password, host_password, host_password_hash] = [(); 4].map(|()| value.into());
        let secrets = Secrets { db_password, adminui_password, host_password, host_password_hash, ..fixture.secrets() };
        ansible_files(&AnsibleInput {
            id: &fixture.id,
            spec: &Spec { owner: Some(value.into()), ..fixture.spec.clone() },
            nodes: &fixture.nodes(),
            secrets: &secrets,
            deployer_addresses: &["192.168.122.1".parse().unwrap()],
            release: RELEASE,
            installed: false,
            on_a_cloud: false,
            welcome_packages: true,
            proxies: &Proxies { variables: vec![("https_proxy", value.into())], withheld: Vec::new() },
        })
        .unwrap()
    }

    /// Ansible evaluates what it reads, and it never reads what people chose: that is packed in the nodes' scripts.
    #[test]
    fn no_hostile_value_is_in_what_ansible_reads_and_shells_read_the_scripts() {
        let folder = tempfile::tempdir().unwrap();
        let is_packed = |file: &&RenderedFile| file.path.to_string_lossy().ends_with("-prepare.sh");
        let read_by_ansible =
            |files: &[RenderedFile]| files.iter().filter(|file| !is_packed(file)).cloned().collect::<Vec<_>>();
        let plain = read_by_ansible(&rendered_with("plain"));
        for (number, value) in testing::HOSTILE.iter().enumerate() {
            let files = rendered_with(value);
            assert_eq!(read_by_ansible(&files), plain, "{value}");
            for (node, script) in files.iter().filter(is_packed).enumerate() {
                std::fs::write(folder.path().join(format!("{number}-{node}.sh")), &script.content).unwrap();
            }
        }
        let place = folder.path().display();
        testing::sh(&format!("for script in {place}/*.sh; do sh -n \"$script\" || exit; done"));
        std::fs::write(folder.path().join("inventory.json"), text(&plain, "ansible/inventory.json")).unwrap();
        if testing::is_installed("ansible-inventory") {
            let list = testing::sh(&format!("ansible-inventory -i {place}/inventory.json --list </dev/null"));
            let list: serde_json::Value = serde_json::from_str(&list).unwrap();
            assert_eq!(list["nodes"]["hosts"], serde_json::json!(["n11", "n12"]));
        }
    }
}
