//! Pure: what people chose, facts and secrets go in, [`RenderedFile`]s come out. The same input
//! gives the same bytes.
//!
//! Belongs here: everything about the *content* of generated files: Terraform, user-data, ssh,
//! Ansible, what Ansible lays down on the nodes, and the page that `report` writes. Does not belong here: reading or writing a
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
pub mod page;
mod proxy;
mod readme;
pub mod rehearsal;
mod shell;
mod ssh_files;
mod terraform;
mod units;
mod updates;
mod warm;

pub use ansible::{AnsibleInput, RELEASE_DIR, Release, ansible_files, node_script, playbook_files};
pub use cloud_init::user_data;
pub use commands::COS_HOST_KEYS;
pub use engine::{permissions, pinned_providers};
pub use proxy::Proxies;
pub use readme::{ReadmeInput, readme};
pub use ssh_files::{SshInput, ssh_files, ssh_place, ssh_proxy};
pub use terraform::{TerraformInput, terraform_files};
pub use warm::{warm_recipe, warm_script};

/// The login of the nodes; c4 wants the same one on all of them.
pub const USER: &str = "exasol";

#[cfg(test)]
mod testing;
