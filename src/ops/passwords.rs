//! The passwords that somebody chose for a deployment.

use std::collections::BTreeSet;

use crate::model::Secret;

/// None: generated.
#[derive(Clone, Default)]
pub struct Passwords {
    pub db: Option<Secret>,
    pub adminui: Option<Secret>,
    pub host: Option<Secret>,
}

impl Passwords {
    /// With the names that they have in `secrets.json`.
    pub(super) fn named(&self) -> [(&'static str, &Option<Secret>); 3] {
        [("db_password", &self.db), ("adminui_password", &self.adminui), ("host_password", &self.host)]
    }

    /// Those that were given, by these names.
    pub(super) fn given(&self) -> BTreeSet<String> {
        self.named().into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name.to_owned()).collect()
    }
}
