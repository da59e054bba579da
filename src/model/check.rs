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

/// Verbs with which a title begins to claim something.
const CLAIMS: [&str; 11] =
    [" is ", " are ", " answers", " runs ", " gives ", " starts ", " holds ", " opens ", " can be ", " has ", " must "];

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

    /// What was checked, without the claim: "storage pool 'default'" of "storage pool 'default' is active", which a
    /// failure disproves. A check that passed keeps its claim.
    pub fn subject(&self) -> &str {
        if self.status == CheckStatus::Ok {
            return &self.title;
        }
        // A name in quotes may have any words.
        let unquoted = |at: &usize| self.title[..*at].matches('\'').count().is_multiple_of(2);
        let claim =
            CLAIMS.iter().flat_map(|verb| self.title.match_indices(verb)).map(|(at, _)| at).filter(unquoted).min();
        claim.map_or(self.title.as_str(), |at| &self.title[..at])
    }

    /// What is true: "storage pool 'default': it exists, but is not running".
    pub fn finding(&self) -> String {
        format!("{}: {}", self.subject(), self.detail)
    }

    pub fn is_failed(&self) -> bool {
        self.status == CheckStatus::Failed
    }
}

/// A line of [`Check::fix`] and the word that stands before it for people: some lines are another way, and some only
/// look.
pub fn advice(line: &str) -> (&'static str, &str) {
    let bare = line.trim_start_matches("# ");
    let looks = bare.contains("virsh ") && bare.contains("-list ");
    match (bare.strip_prefix("or "), bare.strip_prefix("then ")) {
        (Some(other), _) => ("or:", other),
        (_, Some(rest)) => ("then:", rest),
        _ if looks => ("look:", line),
        _ => ("fix:", line),
    }
}

/// All checks of a provider, and what they found out that rendering needs (`domain_type`, `bridge`, …).
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub checks: Vec<Check>,
    pub facts: super::Options,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_named_for_what_it_is() {
        assert_eq!(advice("sudo modprobe kvm"), ("fix:", "sudo modprobe kvm"));
        assert_eq!(advice("# or pipx install x   # or y"), ("or:", "pipx install x   # or y"));
        assert_eq!(advice("or --hetzner-token-file FILE"), ("or:", "--hetzner-token-file FILE"));
        assert_eq!(advice("then --libvirt-pool exasol"), ("then:", "--libvirt-pool exasol"));
        let list = "virsh --connect qemu:///system pool-list --all   # see the pools";
        assert_eq!(advice(list), ("look:", list));
    }

    #[test]
    fn a_failure_does_not_say_the_opposite_first() {
        let failed = |title: &str| Check::failed("x", title, "no").finding();
        assert_eq!(failed("storage pool 'default' is active"), "storage pool 'default': no");
        assert_eq!(failed("hypervisor qemu:///system answers"), "hypervisor qemu:///system: no");
        assert_eq!(failed("KVM runs guests"), "KVM: no");
        assert_eq!(failed("storage pool 'what is it' has room"), "storage pool 'what is it': no");
        assert_eq!(failed("Terraform or OpenTofu"), "Terraform or OpenTofu: no");
        assert_eq!(Check::ok("x", "KVM runs guests", "a probe ran").finding(), "KVM runs guests: a probe ran");
    }
}
