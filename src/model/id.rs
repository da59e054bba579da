use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hex;

/// A deployment's identity: `exasol-` and eight hex digits, made once by `init`.
///
/// It is the prefix of every name that the deployment gives to anything outside its directory, and
/// the seed of its MAC addresses and disk identities, so that rendering twice gives the same result.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentId(String);

const PREFIX: &str = "exasol-";
const HEX_DIGITS: usize = 8;
/// What the names of the volumes of a preflight's probe end with, after its number.
pub const PROBE_VOLUMES: [&str; 2] = ["-base.img", "-disk.qcow2"];

impl DeploymentId {
    /// An id from 4 random bytes.
    pub fn from_random(bytes: [u8; HEX_DIGITS / 2]) -> Self {
        Self(format!("{PREFIX}{:08x}", u32::from_be_bytes(bytes)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of one of our things outside the directory: `exasol-1a2b3c4d-n11`.
    pub fn named(&self, what: &str) -> String {
        format!("{}-{what}", self.0)
    }

    /// Whether this deployment gives such a name to a machine, a volume or a network on a hypervisor, or the hypervisor
    /// to a snapshot of such a volume (`…-n11-root.before`), or its preflight to a volume of its probe
    /// (`…-probe-0123456789abcdef-base.img`). What somebody calls a copy of his own (`…-n11-clone`) begins like one of
    /// ours and is not.
    pub fn owns(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(&self.0) else { return false };
        let Some(what) = rest.strip_prefix('-') else { return rest.is_empty() };
        what == "net"
            || what.strip_prefix('n').is_some_and(is_of_machine)
            || what.strip_prefix("probe-").is_some_and(is_of_probe)
    }

    /// Whether a preflight's probe gives such a name to a volume: a deployment's, or one before there is a deployment.
    pub fn names_a_probe(name: &str) -> bool {
        let Some((whose, rest)) = name.split_once("-probe-") else { return false };
        is_of_probe(rest) && (format!("{whose}-") == PREFIX || Self::try_from(whose.to_owned()).is_ok())
    }

    /// The deployment that such a name is of, as [`DeploymentId::owns`] sees it; None for a name of another form.
    pub fn of_name(name: &str) -> Option<Self> {
        let id = name.get(..PREFIX.len() + HEX_DIGITS)?;
        Self::try_from(id.to_owned()).ok().filter(|id| id.owns(name))
    }

    /// A locally unique MAC address in QEMU's range (52:54:00), the same at every call.
    pub fn mac(&self, node: &str) -> String {
        let d = self.digest(&["mac", node]);
        format!("52:54:00:{:02x}:{:02x}:{:02x}", d[0], d[1], d[2])
    }

    /// A disk's world wide name: 16 hex digits, NAA type 5, the same at every call.
    pub fn wwn(&self, node: &str, disk: u32) -> String {
        let d = self.digest(&["wwn", node, &disk.to_string()]);
        let tail = hex(&d[..8]);
        format!("5{}", &tail[1..])
    }

    /// Two bytes for a network of the deployment's own, so that two deployments rarely choose the same one.
    pub fn network_bytes(&self, what: &str) -> [u8; 2] {
        let d = self.digest(&["network", what]);
        [d[0], d[1]]
    }

    fn digest(&self, parts: &[&str]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0.as_bytes());
        for part in parts {
            hash.update([0]);
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<DeploymentId> for String {
    fn from(id: DeploymentId) -> String {
        id.0
    }
}

impl TryFrom<String> for DeploymentId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let valid = text.strip_prefix(PREFIX).is_some_and(|hex| {
            hex.len() == HEX_DIGITS && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if valid { Ok(Self(text)) } else { Err(format!("'{text}' is not a deployment id (exasol- and 8 hex digits)")) }
    }
}

/// What follows the `n` of a machine's name: its number, and which of its volumes it is. Those of earlier versions have
/// no ending.
fn is_of_machine(rest: &str) -> bool {
    let volume = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_disk = || {
        let disk = volume.strip_prefix("-root").or_else(|| {
            let number = volume.strip_prefix("-data-")?;
            let after = number.trim_start_matches(|c: char| c.is_ascii_digit());
            (after.len() < number.len()).then_some(after)
        });
        disk.is_some_and(|disk| disk.is_empty() || disk.starts_with('.'))
    };
    volume.len() < rest.len() && (["", "-seed.img", "-cloudinit.iso"].contains(&volume) || is_disk())
}

/// What follows the word `probe`: its number, and which of its volumes it is.
fn is_of_probe(rest: &str) -> bool {
    let number = PROBE_VOLUMES.iter().find_map(|volume| rest.strip_suffix(volume));
    number.is_some_and(|number| number.len() == 16 && number.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_readable_and_checked() {
        let id = DeploymentId::from_random([0, 1, 0xab, 0xff]);
        assert_eq!(id.as_str(), "exasol-0001abff");
        assert!(DeploymentId::try_from("exasol-0001abff".to_owned()).is_ok());
        for wrong in ["", "exasol-", "exasol-0001ABFF", "other-0001abff", "exasol-0001abff0"] {
            assert!(DeploymentId::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn copies_that_somebody_made_are_not_ours() {
        let id = DeploymentId::from_random([0, 1, 0xab, 0xff]);
        for ours in ["n11", "n128", "n11-root.qcow2", "n11-data-01.qcow2", "n11-seed.img", "n11-cloudinit.iso", "net"] {
            assert!(id.owns(&id.named(ours)), "{ours}");
        }
        for earlier_version in ["n11-root", "n11-data-01"] {
            assert!(id.owns(&id.named(earlier_version)), "{earlier_version}");
        }
        for snapshot in ["n11-root.before", "n12-data-02.2026-01-02"] {
            assert!(id.owns(&id.named(snapshot)), "{snapshot}");
        }
        for probe in ["probe-0123456789abcdef-base.img", "probe-0123456789abcdef-disk.qcow2"] {
            assert!(id.owns(&id.named(probe)), "{probe}");
        }
        for copy in [
            "n11-clone",
            "n11-root-clone.qcow2",
            "n11-data-01-copy.qcow2",
            "n11-data-.qcow2",
            "backup.qcow2",
            "net2",
            "n",
            "nx",
            "n11x",
            "n11-seed.img.old",
            "probe-mine-base.img",
            "probe-0123456789abcdef-notes.txt",
            "",
        ] {
            assert!(!id.owns(&id.named(copy)), "{copy}");
        }
    }

    #[test]
    fn a_longer_id_with_the_same_beginning_is_not_ours() {
        let id = DeploymentId::from_random([0, 1, 0xab, 0xff]);
        assert!(id.owns("exasol-0001abff-n11"));
        assert!(id.owns("exasol-0001abff"));
        assert!(!id.owns("exasol-0001abff0-n11"));
        assert!(!id.owns("n11"));
    }

    proptest! {
        #[test]
        fn a_name_is_of_the_one_deployment_that_owns_it(hex in "[0-9a-fA-F]{7,9}", rest in "(-[ -~ä]{0,9}|[ -~ä]{0,3})") {
            let name = format!("exasol-{hex}{rest}");
            let owner = DeploymentId::try_from(name.chars().take(15).collect::<String>()).ok();
            prop_assert_eq!(DeploymentId::of_name(&name), owner.filter(|id| id.owns(&name)));
        }

        #[test]
        fn other_names_are_of_nobody(name in "(n1[1-9]|xasol|exasol-base-|exasol_|EXASOL-|)[0-9a-f]{0,8}[-.a-zä]{0,4}") {
            prop_assert_eq!(DeploymentId::of_name(&name), None);
        }
    }

    #[test]
    fn addresses_and_disk_names_are_stable_and_distinct() {
        let id = DeploymentId::from_random([1, 2, 3, 4]);
        assert_eq!(id.mac("n11"), id.mac("n11"));
        assert_ne!(id.mac("n11"), id.mac("n12"));
        assert_ne!(id.wwn("n11", 1), id.wwn("n11", 2));
        let wwn = id.wwn("n11", 1);
        assert_eq!(wwn.len(), 16);
        assert!(wwn.starts_with('5'));
    }
}
