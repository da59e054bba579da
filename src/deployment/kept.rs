//! The files that nothing else can bring back, and what makes each of them readable.

use super::dir::{SECRETS_FILE, STATE_FILE};
use super::migrate::SCHEMA;
use super::{Secrets, State, state};
use crate::model::TerraformState;

/// A file of which earlier copies are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    State,
    Secrets,
    Terraform,
}

/// What such a file says.
pub enum Content {
    State(Box<State>),
    Secrets(Secrets),
    Terraform(TerraformState),
}

/// Why a file says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// A clause about the file: "is cut off at line 1 column 7". It quotes no secret.
    pub why: String,
    /// A later version of this program has written it: for that version it is sound.
    pub newer: bool,
}

impl Kept {
    pub const ALL: [Kept; 3] = [Kept::State, Kept::Secrets, Kept::Terraform];

    /// Relative to the deployment's directory.
    pub fn path(self) -> &'static str {
        match self {
            Kept::State => STATE_FILE,
            Kept::Secrets => SECRETS_FILE,
            Kept::Terraform => "terraform/terraform.tfstate",
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// Whether two texts of such a file say the same, apart from when they were written.
    pub(super) fn is_same(self, one: &[u8], other: &[u8]) -> bool {
        let timeless = |text: &[u8]| {
            let mut state: serde_json::Value = serde_json::from_slice(text).ok()?;
            state.as_object_mut()?.remove("updated_at");
            Some(state)
        };
        one == other || (self == Kept::State && timeless(one).is_some_and(|one| Some(one) == timeless(other)))
    }

    /// What the text of such a file says.
    pub(super) fn read(self, text: &[u8]) -> Result<Content, Unreadable> {
        let broken = |why| Unreadable { why, newer: false };
        match self {
            Kept::State => {
                let newer = state::schema_of(text).is_some_and(|schema| schema > SCHEMA);
                let parsed = state::parse(text).map_err(|why| Unreadable { why, newer });
                parsed.map(|state| Content::State(Box::new(state)))
            }
            Kept::Secrets => Secrets::parse(text).map(Content::Secrets).map_err(broken),
            Kept::Terraform => TerraformState::parse(text)
                .map(Content::Terraform)
                .ok_or_else(|| broken("is not a state of Terraform".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_kept_files() {
        let seeds = [
            &include_bytes!("../../tests/fixtures/frozen/schema-1/terraform/terraform.tfstate")[..],
            include_bytes!("../../tests/fixtures/frozen/schema-1/deployment.json"),
        ];
        crate::fuzz::target("terraform-state", &seeds, |bytes| {
            for kept in Kept::ALL {
                kept.is_same(bytes, b"{\"updated_at\": 1}");
                match kept.read(bytes) {
                    Ok(Content::Terraform(state)) => {
                        state.addresses();
                        let instances = state.resources.into_iter().flat_map(|resource| resource.instances);
                        instances.for_each(|instance| drop(instance.into_name()));
                    }
                    Ok(_) => {}
                    Err(unreadable) => assert!(unreadable.why.len() < 2000, "{}", unreadable.why),
                }
            }
        });
    }
}
