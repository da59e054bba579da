//! The libvirt provider against a real libvirtd, in the lab:
//! `scripts/lab exec -- cargo test --test cli lab_libvirt -- --ignored --test-threads 1`.
//! They stop the lab's pool and network: they refuse to run elsewhere.

use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use deployer::model::{Check, DeploymentId, NodePlan, Options, Outcome, Power, Spec};
use deployer::providers::{self, ConsoleNews, Host, Hypervisor, PreflightInput, Provider};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ID: [u8; 4] = [0x1a, 0xb0, 0, 1];

fn libvirt() -> &'static Provider {
    assert!(std::env::var_os("EXASOL_LAB").is_some(), "run this inside the lab");
    providers::find("libvirt").unwrap()
}

fn hypervisor() -> &'static Hypervisor {
    libvirt().hypervisor().unwrap()
}

fn open(spec: &Spec) -> Box<dyn Host> {
    (hypervisor().open)(spec).unwrap()
}

fn spec(options: Value) -> Spec {
    serde_json::from_value(json!({
        "provider": "libvirt", "cluster_size": 1, "db_version": "rehearsal", "data_volume_size": 1,
        "data_volumes_per_node": 2, "root_volume_size": 10, "owner": "lab", "options": options,
    }))
    .unwrap()
}

fn look(spec: &Spec, facts: Option<&Options>) -> Outcome {
    let id = DeploymentId::from_random(ID);
    let nodes = NodePlan::all(&id, spec);
    (libvirt().preflight)(&PreflightInput { spec, id: Some(&id), nodes: &nodes, facts, stop: &AtomicBool::new(false) })
}

fn preflight(options: Value) -> Outcome {
    look(&spec(options), None)
}

fn failed<'o>(outcome: &'o Outcome, id: &str) -> &'o Check {
    let found = outcome.checks.iter().find(|c| c.id == id && c.is_failed());
    found.unwrap_or_else(|| panic!("{id} has not failed: {:#?}", outcome.checks))
}

fn assert_usable(outcome: &Outcome) {
    let failed: Vec<_> = outcome.checks.iter().filter(|c| c.is_failed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn virsh(arguments: &str) -> String {
    let output = std::process::Command::new("virsh").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "virsh {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "needs the lab"]
fn the_lab_is_found_usable_quickly_and_nothing_is_left_of_the_probe() {
    let begin = Instant::now();
    let outcome = preflight(json!({"memory": 1, "vcpus": 1}));
    let took = begin.elapsed();
    assert_usable(&outcome);
    assert_eq!(outcome.facts["network_name"], "default");
    assert_eq!(outcome.facts["domain_type"], "qemu");
    assert!(!virsh("list --all --name").contains("exasol-probe"));
    if let Some(report) = std::env::var_os("EXASOL_LAB_REPORT") {
        std::fs::write(report, format!("{took:?}\n{:#?}\n{:#?}\n", outcome.checks, outcome.facts)).unwrap();
    }
}

#[test]
#[ignore = "needs the lab"]
fn what_is_wrong_is_found_with_what_mends_it() {
    assert!(failed(&preflight(json!({"domain_type": "kvm"})), "kvm").fix.len() > 1);
    assert!(failed(&preflight(json!({"pool": "nosuch"})), "pool").fix[0].contains("pool-list"));
    assert!(failed(&preflight(json!({"network": "nosuch0"})), "network").fix[0].contains("net-list"));
    failed(&preflight(json!({"memory": 10000})), "host_memory");
    let overlap = preflight(json!({"network": "new:192.168.122.0/24"}));
    assert!(failed(&overlap, "network").fix[0].contains("new:10.77."));
    let gone = preflight(json!({"uri": "qemu+unix:///system?socket=/nowhere"}));
    failed(&gone, "libvirt_connect");
    assert!(gone.checks.iter().any(|c| c.id == "pool"), "the other checks are still listed");
}

#[test]
#[ignore = "needs the lab"]
fn a_network_of_its_own_keeps_the_range_that_was_chosen() {
    let spec = spec(json!({"network": "new", "memory": 1, "vcpus": 1}));
    let first = look(&spec, None);
    assert_usable(&first);
    let range = first.facts["network_cidr"].clone();
    virsh("net-list --all");
    let again = look(&spec, Some(&first.facts));
    assert_eq!(again.facts["network_cidr"], range);
    let addresses = open(&spec).deployer_addresses(&first.facts).unwrap();
    assert_eq!(addresses[0].to_string(), range.as_str().unwrap().replace(".0/24", ".1"));
}

#[test]
#[ignore = "needs the lab"]
fn a_missing_pool_and_network_are_made_on_request() {
    let spec = spec(json!({"memory": 1, "vcpus": 1}));
    let mend = || {
        let tokens: Vec<_> = look(&spec, None).checks.iter().filter_map(|c| c.creatable.clone()).collect();
        assert_eq!(tokens, ["pool:default", "network:default"]);
        tokens.iter().for_each(|token| drop(open(&spec).create_missing(token).unwrap()));
        assert_usable(&look(&spec, None));
        assert!(virsh("pool-info default").contains("Autostart:      yes"));
        assert!(virsh("net-info default").contains("Autostart:      yes"));
    };
    virsh("pool-destroy default");
    virsh("net-destroy default");
    mend();
    for command in ["pool-destroy", "pool-undefine", "net-destroy", "net-undefine"] {
        virsh(&format!("{command} default"));
    }
    mend();
}

struct Image {
    file: tempfile::NamedTempFile,
    content: Vec<u8>,
    sha256: String,
}

impl Image {
    /// Its content is no image's, and that of no run before.
    fn new() -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut content: Vec<u8> = (0..24 * 1024 * 1024u32).map(|i| (i % 251) as u8).collect();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        content[..16].copy_from_slice(&now.as_nanos().to_be_bytes());
        std::fs::write(file.path(), &content).unwrap();
        let sha256 = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { file, content, sha256 }
    }

    fn upload(&self, progress: &mut dyn FnMut(u64, u64) -> bool) -> deployer::error::Result<String> {
        open(&spec(json!({}))).upload_image(self.file.path(), &self.sha256, progress)
    }
}

#[test]
#[ignore = "needs the lab"]
fn an_image_is_uploaded_once_whatever_happens() {
    // As a file that was changed after its hash was taken.
    let changed = Image { sha256: "0".repeat(64), ..Image::new() };
    let refused = changed.upload(&mut |_, _| true).unwrap_err();
    assert_eq!(refused.code(), "checksum_mismatch");
    assert!(!virsh("vol-list default").contains("exasol-base-0000000000000000"));

    let image = Image::new();
    let given_up = image.upload(&mut |done, _| done < 4 << 20).unwrap_err();
    assert!(given_up.to_string().contains("given up"), "{given_up}");

    let barrier = Barrier::new(2);
    let both = || {
        barrier.wait();
        image.upload(&mut |_, _| true).unwrap()
    };
    let (one, other) = thread::scope(|scope| {
        let (one, other) = (scope.spawn(both), scope.spawn(both));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(one, other);
    let stored = std::fs::read(format!("/var/lib/libvirt/images/{one}")).unwrap();
    assert!(stored == image.content, "the volume differs from the image");
    image.upload(&mut |_, _| panic!("uploaded again")).unwrap();

    let spec = spec(json!({}));
    virsh(&format!(
        "vol-create-as default exasol-1ab00001-layer 50M --format qcow2 --backing-vol {one} --backing-vol-format raw"
    ));
    let cached = || open(&spec).cached_volumes().unwrap().into_iter().find(|v| v.name == one);
    assert_eq!(cached().unwrap().backs, ["exasol-1ab00001-layer"]);
    let refused = open(&spec).remove_cached_volume(&one).unwrap_err();
    assert!(refused.to_string().contains("exasol-1ab00001-layer"), "{refused}");

    let id = DeploymentId::from_random(ID);
    let left = open(&spec).leftovers(&id).unwrap();
    assert_eq!(left.len(), 1);
    open(&spec).remove(&id, &left[0]).unwrap();
    assert!(open(&spec).leftovers(&id).unwrap().is_empty());
    open(&spec).remove_cached_volume(&one).unwrap();
    assert!(cached().is_none());
    assert!(!virsh("vol-list default").contains(&one[..20]));
}

/// The folder and options of the rendered deployment that the next tests speak of.
fn rendered() -> (PathBuf, Spec) {
    let folder = PathBuf::from(std::env::var_os("EXASOL_LAB_RENDER").expect("EXASOL_LAB_RENDER names a folder"));
    let options = std::env::var("EXASOL_LAB_OPTIONS").unwrap_or("{}".into());
    let mut spec = spec(serde_json::from_str(&options).unwrap());
    spec.cluster_size = std::env::var("EXASOL_LAB_NODES").map_or(1, |n| n.parse().unwrap());
    (folder, spec)
}

/// Renders into $EXASOL_LAB_RENDER what `deploy` would, with the lab's image uploaded, so that Terraform can be run by hand.
#[test]
#[ignore = "a tool for trying templates in the lab"]
fn render() {
    let (folder, spec) = rendered();
    let id = DeploymentId::from_random(ID);
    let nodes = NodePlan::all(&id, &spec);
    let outcome = look(&spec, None);
    assert_usable(&outcome);
    let (image, sha256) =
        (std::env::var("EXASOL_LIBVIRT_IMAGE").unwrap(), std::env::var("EXASOL_LIBVIRT_IMAGE_SHA256").unwrap());
    let base_volume = open(&spec).upload_image(image.as_ref(), &sha256, &mut |_, _| true).unwrap();
    let key = |seed| {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
        ssh_key::PrivateKey::from(pair).to_openssh(ssh_key::LineEnding::LF).unwrap().to_string()
    };
    let host_keys = nodes.iter().map(|n| (n.name.clone(), key(9).into())).collect();
    let (ssh_key, cluster_key) = (key(1), key(2));
    let secrets = deployer::deployment::Secrets {
        db_password: "db password".into(),
        adminui_password: "admin password".into(),
        host_password: "host password".into(),
        host_password_hash: "*".into(),
        ssh_key: ssh_key.as_str().into(),
        cluster_key: Some(cluster_key.into()),
        host_keys,
        next_db_password: None,
        cloud: Default::default(),
    };
    let files = deployer::render::terraform_files(&deployer::render::TerraformInput {
        provider: libvirt(),
        id: &id,
        spec: &spec,
        facts: &outcome.facts,
        nodes: &nodes,
        base_volume: &base_volume,
        powered: true,
        secrets: &secrets,
    });
    std::fs::create_dir_all(folder.join("terraform")).unwrap();
    for file in files.unwrap() {
        std::fs::write(folder.join(file.path), file.content).unwrap();
    }
    std::fs::write(folder.join("key"), &ssh_key).unwrap();
    let login = (hypervisor().login)(&spec).unwrap();
    std::fs::write(folder.join("found.txt"), format!("{:#?}\n{:#?}\n{login:?}\n", outcome.checks, outcome.facts))
        .unwrap();
}

/// Follows the first machine's console until it has told its address, then asks for all of them.
#[test]
#[ignore = "after `render` and terraform apply"]
fn watch() {
    let (folder, spec) = rendered();
    let nodes = NodePlan::all(&DeploymentId::from_random(ID), &spec);
    let (begin, mut text, mut told, mut idle) = (Instant::now(), String::new(), None, 0);
    open(&spec)
        .follow_consoles(&nodes[..1], &mut |news| {
            match news {
                ConsoleNews::Printed(_, bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
                ConsoleNews::Nothing => idle += 1,
                ConsoleNews::Opened(_) | ConsoleNews::Refused(..) => {}
            }
            told = text.lines().filter_map(hypervisor().console_address).next_back();
            told.is_none() && begin.elapsed() < Duration::from_secs(240)
        })
        .unwrap();
    let took = begin.elapsed();
    let machines = open(&spec).machines(&nodes).unwrap();
    let left = open(&spec).leftovers(&DeploymentId::from_random(ID)).unwrap();
    let report = format!("{told:?} after {took:?}, {idle} idle calls\n{machines:#?}\n{left:#?}\n{text}\n");
    std::fs::write(folder.join("watched.txt"), report).unwrap();
    assert!(machines.iter().all(|m| m.power == Power::Running && !m.addresses.is_empty()), "{machines:?}");
    assert_eq!(told.unwrap().1, machines[0].addresses[0]);
}

/// Removes all that Terraform made, without it.
#[test]
#[ignore = "after `render` and terraform apply"]
fn remove() {
    let spec = spec(json!({}));
    let id = DeploymentId::from_random(ID);
    for leftover in open(&spec).leftovers(&id).unwrap() {
        open(&spec).remove(&id, &leftover).unwrap();
    }
    assert!(open(&spec).leftovers(&id).unwrap().is_empty());
}
