//! `deployment.json`: what is known of a deployment, without secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::migrate::{self, SCHEMA};
use super::{Adopted, atomic};
use crate::error::{Error, Result};
use crate::model::{DeploymentId, LastError, Node, Options, Phase, Spec, WarmUse, parse_error};

/// The fact that tells which of a cloud's images the machines were made from.
pub(super) const IMAGE_FACT: &str = "image_id";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub schema: u32,
    pub id: DeploymentId,
    /// As people call it, where `--name` gave one. None: its directory's name (see [`super::DeploymentDir::name`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub spec: Spec,
    pub phase: Phase,
    /// RFC 3339, UTC, seconds.
    pub created_at: String,
    /// RFC 3339, UTC, seconds; set by every write.
    pub updated_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// The nodes whose addresses are known.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// What preflight found out that rendering needs (`domain_type`, …).
    #[serde(default)]
    pub facts: Options,
    /// The base image's pinned checksum, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_sha256: Option<String>,
    /// The base image's volume in the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_volume: Option<String>,
    /// That volume is a warm base of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_base: Option<WarmUse>,
    /// SHA-256 over the DER form of the database's certificate, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_fingerprint: Option<String>,
    /// By node name: the public host keys of its COS container, `ssh-ed25519 AAAA…` each, read on the node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cos_host_keys: BTreeMap<String, Vec<String>>,
    /// The private addresses that the nodes were last told of each other, by node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told_addresses: BTreeMap<String, IpAddr>,
    /// From where the nodes saw the last deploy's or start's sessions come: their firewall lets that in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub seen_from: BTreeSet<IpAddr>,
    /// A hash of what the nodes were told when they last became ready, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes_form: Option<String>,
    /// The database's installation has succeeded once: its configuration stays what it was.
    #[serde(default)]
    pub installed: bool,
    /// It has begun at least once: there may be a database with the recorded passwords.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub install_begun: bool,
    /// `init --update` has changed something that no deploy has applied yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub update_pending: bool,
    /// The database has answered a login at least once.
    #[serde(default)]
    pub ever_ready: bool,
    /// `terraform` or `tofu`, whichever the last apply was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Terraform has recorded things in its state: one that is gone was lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_something: bool,
    /// Names of what the apply that runs now is making, without data disks; after a kill, what it may have
    /// made without a word in Terraform's state. None of it was there before, so none holds anything older.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub creating: BTreeSet<String>,
    /// The passwords that people gave, by their names in `secrets.json`; the others were made up.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub own_passwords: BTreeSet<String>,
    /// The directory was made by `adopt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
    /// What was rendered: relative path to the hash of what we wrote (see `edits`).
    #[serde(default)]
    pub rendered: BTreeMap<String, String>,
    /// What is being written right now, in the same form. Recorded before the first file is replaced,
    /// so that after a kill in between both old and new files are known as ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) rendering: BTreeMap<String, String>,
}

impl State {
    /// A new deployment's state.
    pub fn new(id: DeploymentId, spec: Spec, facts: Options) -> State {
        let now = now();
        State {
            schema: SCHEMA,
            id,
            name: None,
            spec,
            phase: Phase::Initialized,
            created_at: now.clone(),
            updated_at: now,
            last_error: None,
            nodes: Vec::new(),
            facts,
            image_sha256: None,
            base_volume: None,
            warm_base: None,
            certificate_fingerprint: None,
            cos_host_keys: BTreeMap::new(),
            told_addresses: BTreeMap::new(),
            seen_from: BTreeSet::new(),
            nodes_form: None,
            installed: false,
            install_begun: false,
            update_pending: false,
            ever_ready: false,
            engine: None,
            made_something: false,
            creating: BTreeSet::new(),
            own_passwords: BTreeSet::new(),
            adopted: None,
            rendered: BTreeMap::new(),
            rendering: BTreeMap::new(),
        }
    }

    /// What init found out about the target, without what a deploy has added.
    pub fn facts_of_init(&self) -> Options {
        let mut facts = self.facts.clone();
        facts.remove(IMAGE_FACT);
        facts
    }

    /// The image that a cloud has made the machines from.
    pub fn image_id(&self) -> Option<&serde_json::Value> {
        self.facts.get(IMAGE_FACT)
    }

    /// One that is ready has been ready once and for all.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.ever_ready |= phase == Phase::DatabaseReady;
    }

    /// Reads `file`; None if there is none.
    ///
    /// # Errors
    /// [`Error::BrokenState`] for another schema, or text that is not this form of JSON, with the
    /// position at which reading it failed.
    pub(super) fn read(file: &Path) -> Result<Option<State>> {
        let Some(text) = atomic::read(file)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|why| Error::BrokenState { file: file.to_path_buf(), why, repair: None })
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self).context("the state as JSON")?;
        text.push(b'\n');
        atomic::write(file, &text, 0o600)
    }
}

/// The number alone: another schema's other entries would be reported as mistakes.
#[derive(Deserialize)]
struct Versioned {
    schema: u32,
}

/// None where nothing can be read.
pub(super) fn schema_of(text: &[u8]) -> Option<u32> {
    serde_json::from_slice::<Versioned>(text).ok().map(|versioned| versioned.schema)
}

/// The state that a file says, also one of an earlier schema; else a clause about the file.
pub(super) fn parse(text: &[u8]) -> Result<State, String> {
    let unreadable = |e: serde_json::Error| format!("cannot be read: {}", parse_error(&e));
    let Versioned { schema } = serde_json::from_slice(text).map_err(unreadable)?;
    let state: State = match schema {
        // Read from the text, so that a mistake is told with its position.
        SCHEMA => serde_json::from_slice(text).map_err(unreadable)?,
        older if migrate::is_known(older) => {
            let document = serde_json::from_slice(text).map_err(unreadable)?;
            serde_json::from_value(migrate::migrate(older, document)).map_err(unreadable)?
        }
        other => {
            let which = if other > SCHEMA { "newer" } else { "older" };
            return Err(format!("has schema {other}; this version of exasol knows schema {SCHEMA}: use a {which} one"));
        }
    };
    state.spec.check_counts()?;
    Ok(state)
}

/// Now, as this directory's files write it: RFC 3339, UTC, seconds.
pub(super) fn now() -> String {
    format!("{:.0}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::deployment::testing;

    #[test]
    fn a_deployment_made_anew_knows_its_target_but_no_image() {
        let facts = serde_json::json!({"domain_type": "qemu", "image_id": "ami-1"});
        let state = State { facts: serde_json::from_value(facts).unwrap(), ..testing::state() };
        assert_eq!(serde_json::to_value(state.facts_of_init()).unwrap(), serde_json::json!({"domain_type": "qemu"}));
    }

    #[test]
    fn a_state_survives_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deployment.json");
        assert_eq!(State::read(&file).unwrap(), None);
        let mut state = testing::state();
        state.rendering.insert("a".into(), "b".into());
        state.write(&file).unwrap();
        assert_eq!(State::read(&file).unwrap(), Some(state));
    }

    #[test]
    fn a_newer_schema_is_named_with_ours() {
        let why = parse(br#"{"schema": 7, "something": "else"}"#).unwrap_err();
        assert_eq!(why, "has schema 7; this version of exasol knows schema 1: use a newer one");
    }

    #[test]
    fn garbage_is_reported_with_its_position() {
        for (text, position) in
            [("", "line 1 column 0"), ("{\"schema\": 1,\n x", "line 2 column 2"), ("\u{0}", "line 1 column 1")]
        {
            let why = parse(text.as_bytes()).unwrap_err();
            assert!(why.contains(position), "{why}");
        }
    }

    #[test]
    fn an_entry_of_the_first_release_may_be_missing_but_none_is_unknown() {
        let full = serde_json::to_value(testing::state()).unwrap();
        let mut least = full.clone();
        for optional in ["nodes", "facts", "ever_ready", "rendered"] {
            least.as_object_mut().unwrap().remove(optional);
        }
        assert!(parse(least.to_string().as_bytes()).is_ok());
        let mut more = full;
        more["surprise"] = 1.into();
        assert!(parse(more.to_string().as_bytes()).unwrap_err().contains("surprise"));
    }

    #[test]
    fn counts_that_nobody_can_have_asked_for_are_refused() {
        for (key, count) in [("cluster_size", 4_000_000_000u32), ("cluster_size", 0), ("data_volumes_per_node", 17)] {
            let mut state = serde_json::to_value(testing::state()).unwrap();
            state["spec"][key] = count.into();
            let why = parse(state.to_string().as_bytes()).unwrap_err();
            assert!(why.contains(key) && why.contains(&count.to_string()), "{why}");
        }
    }

    #[test]
    fn times_are_rfc_3339_in_seconds() {
        let text = now();
        assert_eq!(text.len(), "2026-11-23T03:12:00Z".len());
        assert!(text.parse::<jiff::Timestamp>().is_ok());
    }

    proptest! {
        #[test]
        fn a_cut_off_file_is_never_taken_for_a_whole_one(share in 0.0..1.0f64) {
            let text = serde_json::to_vec(&testing::state()).unwrap();
            let cut = (text.len() as f64 * share) as usize;
            prop_assert!(parse(&text[..cut]).is_err());
        }

        #[test]
        fn no_text_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&text);
        }
    }

    #[test]
    fn fuzz_deployment_json() {
        let frozen = include_bytes!("../../tests/fixtures/frozen/schema-1/deployment.json");
        crate::fuzz::target("deployment-json", &[frozen], |bytes| {
            schema_of(bytes);
            let Ok(state) = parse(bytes) else { return };
            let again = serde_json::to_vec(&state).unwrap();
            assert_eq!(serde_json::to_value(parse(&again).unwrap()).unwrap(), serde_json::to_value(&state).unwrap());
        });
    }
}
