//! Public halves of the keys that a deployment has.

use std::collections::BTreeMap;

use ssh_key::{PrivateKey, PublicKey};

use crate::deployment::Secrets;
use crate::error::{Error, Result};

/// `ssh-ed25519 AAAA…`, without a comment: one line of authorized_keys, or of known_hosts after a name.
pub fn public_half(private: &str, whose: &str) -> Result<String> {
    let broken = |e: ssh_key::Error| Error::other(format!("the SSH key of {whose} cannot be read: {e}"));
    let key = PrivateKey::from_openssh(private).map_err(broken)?;
    PublicKey::new(key.public_key().key_data().clone(), "").to_openssh().map_err(broken)
}

impl Secrets {
    /// A node's private host key.
    pub fn host_key(&self, node: &str) -> Result<&str> {
        self.host_keys.get(node).map(|key| &**key).ok_or_else(|| Error::other(format!("no host key for {node}")))
    }

    pub fn public_host_key(&self, node: &str) -> Result<String> {
        public_half(self.host_key(node)?, node)
    }

    /// Those of all nodes, by node.
    pub fn public_host_keys(&self) -> Result<BTreeMap<String, String>> {
        self.host_keys.keys().map(|node| Ok((node.clone(), self.public_host_key(node)?))).collect()
    }

    pub fn public_ssh_key(&self) -> Result<String> {
        public_half(&self.ssh_key, "the deployer")
    }

    /// Empty before it is made: nothing that is rendered until then has it inside.
    pub fn cluster_key(&self) -> &str {
        self.cluster_key.as_deref().unwrap_or_default()
    }

    pub fn public_cluster_key(&self) -> Result<String> {
        public_half(self.cluster_key(), "the cluster")
    }
}
