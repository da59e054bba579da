use serde::Serialize;

/// One preflight check's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// Stable name for programs: `libvirt_connect`, `pool_active`, …
    pub id: &'static str,
    /// What was checked, for people: "storage pool 'default' is active".
    pub title: String,
    pub status: CheckStatus,
    /// What was found: the cause of a failure, or the measured fact.
    pub detail: String,
    /// Commands that fix the failure on this machine, one per line; empty if none is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fix: Vec<String>,
    /// The exit code that a failure of this check alone leads to (4, or 2 for a wrong value).
    #[serde(skip)]
    pub exit_code: u8,
    /// Set if `init --create-missing` can create what is missing: a token for the provider's `create_missing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creatable: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Ok,
    Warning,
    Failed,
    /// Not checked, because another check failed first.
    Skipped,
}

impl Check {
    fn new(id: &'static str, title: impl Into<String>, status: CheckStatus, detail: impl Into<String>) -> Self {
        Self { id, title: title.into(), status, detail: detail.into(), fix: Vec::new(), exit_code: 4, creatable: None }
    }

    pub fn ok(id: &'static str, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(id, title, CheckStatus::Ok, detail)
    }

    pub fn warning(id: &'static str, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(id, title, CheckStatus::Warning, detail)
    }

    pub fn failed(id: &'static str, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(id, title, CheckStatus::Failed, detail)
    }

    pub fn skipped(id: &'static str, title: impl Into<String>, because: impl Into<String>) -> Self {
        Self::new(id, title, CheckStatus::Skipped, because)
    }

    /// Adds a command that fixes it (one a call, in the order in which they are to be run).
    pub fn fix(mut self, command: impl Into<String>) -> Self {
        self.fix.push(command.into());
        self
    }

    /// Says that `init --create-missing` can do it; `what` is handed to the provider.
    pub fn creatable(mut self, what: impl Into<String>) -> Self {
        self.creatable = Some(what.into());
        self
    }

    pub fn is_failed(&self) -> bool {
        self.status == CheckStatus::Failed
    }
}

/// All checks of a provider, and what they found out that rendering needs (`domain_type`, `bridge`, …).
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub checks: Vec<Check>,
    pub facts: super::Options,
}
