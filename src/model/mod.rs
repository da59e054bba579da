//! The data types that every other module uses: deployment, spec, node, phase, report.
//!
//! Belongs here: plain data and its pure rules. Does not belong here: I/O, text for people
//! beyond a `Display`, and anything that knows a provider.

mod address;
mod adopt_report;
mod check;
mod count;
mod db_version;
mod file;
mod harmful;
mod health;
mod http_call;
mod id;
mod image;
mod input;
mod invalid;
mod log_line;
mod login;
mod machine;
mod name;
mod node;
mod options;
mod parse_error;
mod password;
mod phase;
mod plan_report;
mod probe;
mod quote;
mod report;
mod secret;
mod secret_name;
mod sha256;
mod shown_path;
mod spec;
mod ssh_path;
mod state_report;
mod status;
mod status_report;
mod sweep_report;
mod terraform_state;
mod version;
mod versions_report;
mod warm;
mod ways_report;
mod whose;
mod words;

pub use address::{address_file_name, shown_address};
pub use adopt_report::AdoptReport;
pub use check::{Check, CheckStatus, Outcome, advice};
pub use count::count;
pub use db_version::{Artifact, ConfigKeys, DbVersion, HashOrigin, Origin, RELEASE_TREE, Source};
pub use file::{RenderedFile, is_same_file};
pub use harmful::is_harmful;
pub use health::{HealthReport, HealthStatus, Issue, Layer, LayerState, NodeHealth, Severity};
pub use http_call::{Body, HttpCall, Method};
pub use id::{DeploymentId, PROBE_VOLUMES};
pub use image::{BaseImage, ImageLocation, UnfitImage};
pub use input::Input;
pub use invalid::InvalidValue;
pub use log_line::{LogContent, LogLine, LogList, LogSource, LoggedOperation, LoggedOutcome};
pub use login::{HostKeys, Login, NoWay};
pub use machine::{Machine, Power};
pub use name::check_name;
pub use node::{DataDisk, Node, NodePlan, host_suffix};
pub use options::{OptionDef, OptionKind, Options, SecretDef, env_name};
pub use parse_error::parse_error;
pub use password::PASSWORD_MAX_BYTES;
pub use phase::{Operation, Phase};
pub use plan_report::{ChangeAction, PlanReport, PlannedChange};
pub use probe::{Probe, ProbeState};
pub use quote::{command_line, in_dir, quote};
pub use report::*;
pub use secret::Secret;
pub use secret_name::names_a_secret;
pub use sha256::{hex, is_sha256, sha256_hex};
pub use spec::{DISKS_MAX, NODES_MAX, NodeSize, Spec, SpecChange};
pub use ssh_path::ssh_path;
pub use state_report::{RecordedFile, StateCheck, StateProblem, StateProblemKind, StateRepair, StateReport};
pub use status::Status;
pub use status_report::{NodeStatus, StatusReport, StepAt};
pub use sweep_report::{Ownership, SweepReport, SweptDeployment, SweptThing, ThingKind};
pub use terraform_state::{TerraformInstance, TerraformResource, TerraformState, is_namesake};
pub use version::{
    BuildInfo, CatalogInfo, Component, PinnedProvider, ScriptReport, SystemInfo, VersionReport, WrittenReport,
};
pub use versions_report::{ArtifactInfo, Checksums, KnownVersion, ReleaseInfo, VersionsReport};
pub use warm::{WarmBase, WarmReport, WarmUse};
pub use ways_report::{CleanReport, OpenReport, RunReport, TunnelReport};
pub use whose::Whose;

/// The candidate that somebody who typed `word` most likely meant, if one is near. No suggestion is better than a wrong
/// one, so a short word has to be nearly right.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    candidates
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .filter(|(distance, c)| *distance <= slips(word, c))
        .min()
        .map(|(_, c)| c.to_owned())
}

/// How many letters may be wrong in one of two words that are meant to be the same.
fn slips(word: &str, candidate: &str) -> usize {
    match word.chars().count().min(candidate.chars().count()) {
        0..=2 => 0,
        // Most words of three letters are one letter away from another word.
        3 => usize::from(word.chars().next() == candidate.chars().next()),
        4..=7 => 1,
        8..=12 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_word_is_suggested_only_where_it_was_probably_meant() {
        let near = |word: &str, candidates: &[&str]| closest(word, candidates.iter().copied());
        for (word, meant) in [
            ("stauts", "status"),
            ("clutser-size", "cluster-size"),
            ("libvrit", "libvirt"),
            ("rehersal", "rehearsal"),
            ("jsno", "json"),
            ("inf", "info"),
            ("hetzner-locaton", "hetzner-location"),
        ] {
            assert_eq!(near(word, &[meant]).as_deref(), Some(meant), "{word}");
        }
        for (word, other) in [
            ("test", "list"),
            ("top", "stop"),
            ("state", "start"),
            ("edit", "init"),
            ("config-file", "oci-config-file"),
            ("resume", "result"),
            ("x1", "l1"),
            ("foo", "boot"),
        ] {
            assert_eq!(near(word, &[other]), None, "{word}");
        }
    }
}
