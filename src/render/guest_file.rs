//! A file on a node: cloud-init writes some at first boot, Ansible's bundle the rest.

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestFile {
    /// Absolute.
    pub path: String,
    pub content: String,
    pub mode: u32,
    pub owner: Owner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Root,
    /// [`super::USER`] and the group of the same name.
    User,
}

impl Owner {
    pub fn name(self) -> &'static str {
        match self {
            Owner::Root => "root",
            Owner::User => super::USER,
        }
    }
}

impl GuestFile {
    pub fn root(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), content: content.into(), mode: 0o644, owner: Owner::Root }
    }

    /// Owned by the login and closed to everybody else.
    pub fn user(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), content: content.into(), mode: 0o600, owner: Owner::User }
    }

    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// An item of cloud-init's `write_files`.
    pub fn cloud_init(&self) -> Value {
        json!({
            "path": self.path,
            "owner": format!("{0}:{0}", self.owner.name()),
            "permissions": format!("{:04o}", self.mode),
            "content": self.content,
        })
    }
}
