//! A cluster of two nodes with two data disks each, for tests.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ssh_key::private::{Ed25519Keypair, PrivateKey};

use crate::deployment::Secrets;
use crate::model::{DeploymentId, Node, NodePlan, Options, Secret, Spec};
use crate::providers::Provider;

/// Passwords that break carelessly written files.
pub const HOSTILE: &[&str] = &[
    "\"\\$'#{{}}%{ }${}",
    " leading and trailing ",
    "1234567890",
    "'",
    "''''",
    "\\",
    "-n",
    "$(reboot)`reboot`",
    "a'; reboot; '",
    "{{ lookup('file', '/etc/passwd') }}",
    "!vault",
    "ä€𝄞",
    "#comment",
    "*?[a-z]~",
];

pub struct Fixture {
    pub id: DeploymentId,
    pub spec: Spec,
    pub facts: Options,
    pub plans: Vec<NodePlan>,
    ssh_key: String,
    cluster_key: String,
    host_keys: BTreeMap<String, Secret>,
}

/// As the preflight of the workstation's libvirt finds them.
fn facts() -> Options {
    let facts = serde_json::json!({
        "domain_type": "kvm", "cpu_mode": "host-passthrough", "architecture": "x86_64", "uri": "qemu:///system",
        "own_network": false, "network_name": "default", "bridge": null, "network_cidr": null,
        "external_addresses": false,
    });
    serde_json::from_value(facts).unwrap()
}

impl Fixture {
    /// Made once: unoptimised key arithmetic is slow.
    pub fn two_nodes() -> &'static Self {
        static TWO_NODES: LazyLock<Fixture> = LazyLock::new(Fixture::make);
        &TWO_NODES
    }

    fn make() -> Self {
        let id = DeploymentId::from_random([0x1a, 0x2b, 0x3c, 0x4d]);
        let spec = Spec { db_version: "exasol-2025.1.8".into(), ..Spec::sample("libvirt") };
        let plans = NodePlan::all(&id, &spec);
        let host_keys =
            plans.iter().zip(11..).map(|(node, seed)| (node.name.clone(), private_key(seed).into())).collect();
        Self { id, spec, facts: facts(), plans, ssh_key: private_key(1), cluster_key: private_key(2), host_keys }
    }

    pub fn provider(&self) -> &'static Provider {
        crate::providers::find(&self.spec.provider).unwrap()
    }

    pub fn nodes(&self) -> Vec<Node> {
        let address = |index: u32| std::net::Ipv4Addr::from(0xc0a8_7a0b + index).into();
        let node = |plan: &NodePlan| Node {
            plan: plan.clone(),
            private_ip: address(plan.index),
            public_ip: address(plan.index),
            overlay_ip: None,
            machine_id: None,
            disk_links: plan.disks.iter().map(|d| format!("disk/by-id/wwn-0x{}", d.wwn)).collect(),
        };
        self.plans.iter().map(node).collect()
    }

    pub fn secrets(&self) -> Secrets {
        Secrets {
            db_password: "db password".into(),
            adminui_password: "admin's password".into(),
            host_password: "host password".into(),
            host_password_hash: "$6$salt$hash".into(),
            ssh_key: self.ssh_key.as_str().into(),
            cluster_key: Some(self.cluster_key.as_str().into()),
            host_keys: self.host_keys.clone(),
            next_db_password: None,
            cloud: BTreeMap::new(),
        }
    }
}

/// The same key for the same seed.
fn private_key(seed: u8) -> String {
    let pair = Ed25519Keypair::from_seed(&[seed; 32]);
    PrivateKey::from(pair).to_openssh(ssh_key::LineEnding::LF).unwrap().to_string()
}

/// What a real `sh` prints for this script.
#[allow(clippy::disallowed_methods, reason = "a test asks a real shell")]
pub fn sh(script: &str) -> String {
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a test can ask that program. CI has them all; elsewhere the test says what it leaves out.
#[allow(clippy::disallowed_macros, reason = "a test says it")]
pub fn is_installed(name: &str) -> bool {
    let found = which::which(name).is_ok();
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(found || !ci, "{name} is not installed, and with CI=true its part of this test must not be left out");
    if !found {
        eprintln!("LEFT OUT: {name} is not installed");
    }
    found
}

/// The value of a word in the form `'…'\''…'`, read by rule instead of by a shell; None if the word
/// has another form.
pub fn single_quoted(word: &str) -> Option<String> {
    let (mut value, mut rest) = (String::new(), word);
    loop {
        let (inside, after) = rest.strip_prefix('\'')?.split_once('\'')?;
        value.push_str(inside);
        match after.strip_prefix(r"\'") {
            Some(next) => {
                value.push('\'');
                rest = next;
            }
            None => return after.is_empty().then_some(value),
        }
    }
}
