//! Pure: what people chose, facts and secrets go in, [`RenderedFile`]s come out. The same input
//! gives the same bytes.
//!
//! Belongs here: everything about the *content* of generated files: Terraform, user-data, ssh,
//! Ansible, and what Ansible lays down on the nodes. Does not belong here: reading or writing a
//! file, making a key, asking a machine.
//!
//! Three moments, one function each:
//!
//! | when | function | files |
//! | --- | --- | --- |
//! | before `terraform apply` | [`terraform_files`] | `terraform/` |
//! | the nodes have addresses | [`ssh_files`] | `ssh/` |
//! | the artifacts are local | [`ansible_files`] | `ansible/` |
//!
//! Values that people choose (passwords, owner, names) never pass through a template: Terraform
//! gets them as JSON variables, nodes get them in files that are rendered here and copied as they are.

mod address_line;
mod ansible;
mod bundle;
mod c4_config;
mod cloud_init;
mod cluster_ssh;
mod commands;
mod disks;
mod engine;
mod firewall;
mod guest_file;
mod hosts;
mod inventory;
mod keys;
mod node_conf;
mod overlay;
mod proxy;
mod readme;
pub mod rehearsal;
mod shell;
mod ssh_files;
mod terraform;
mod units;
mod updates;

use std::collections::BTreeMap;

pub use ansible::{AnsibleInput, Release, ansible_files, node_script};
pub use cloud_init::user_data;
pub use commands::COS_HOST_KEYS;
pub use engine::pinned_providers;
pub use proxy::Proxies;
pub use readme::{ReadmeInput, readme};
pub use ssh_files::{SshInput, ssh_files, ssh_place, ssh_proxy};
pub use terraform::{TerraformInput, terraform_files};

/// The login of the nodes; c4 wants the same one on all of them.
pub const USER: &str = "exasol";

/// A deployment's secrets, borrowed. Keys are private keys in OpenSSH's PEM form.
pub struct Secrets<'a> {
    /// Of SQL user `sys`.
    pub db_password: &'a str,
    pub adminui_password: &'a str,
    /// Of the nodes' operating system user.
    pub host_password: &'a str,
    /// The same as crypt(3) has it, sha512: `$6$…`.
    pub host_password_hash: &'a str,
    /// The deployer's key, ed25519.
    pub ssh_key: &'a str,
    /// The key with which nodes log in to each other, RSA.
    pub cluster_key: &'a str,
    /// By node name: the node's host key, ed25519.
    pub host_keys: &'a BTreeMap<String, String>,
}

#[cfg(test)]
mod testing;
