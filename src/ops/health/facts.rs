//! Pure: what `ansible/node/health.sh` printed, as values.

use std::collections::BTreeMap;

/// What a node told of itself; what it did not tell is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Facts {
    /// Seconds since 1970 by the node's clock.
    pub clock: Option<f64>,
    /// Deployment and node that it was told to be.
    pub identity: Option<(String, String)>,
    pub disks: Vec<Disk>,
    pub space: Vec<Space>,
    /// systemd's word by unit.
    pub units: Vec<(String, String)>,
    pub cos: Option<bool>,
    /// By node as c4 names it; only the first node is asked.
    pub stages: Option<BTreeMap<String, String>>,
    /// Whether confd says of every database that it runs and takes connections; only the first node is asked, and
    /// only where a stage is not the last one.
    pub databases_run: Option<bool>,
    /// None: its SQL port shows none.
    pub certificate: Option<String>,
    /// It came to its end.
    pub complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disk {
    /// `/dev/exadata_01`
    pub link: String,
    pub state: DiskState,
    pub bytes: u64,
    pub least: u64,
    pub most: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiskState {
    Ok,
    /// No disk has the identity that the link stands for.
    Missing,
    /// The link is missing, or leads to another disk.
    Other,
}

impl DiskState {
    fn parse(word: &str) -> Option<DiskState> {
        match word {
            "ok" => Some(DiskState::Ok),
            "missing" => Some(DiskState::Missing),
            "other" => Some(DiskState::Other),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Space {
    pub mount: String,
    pub kib: u64,
    pub free_kib: u64,
}

impl Facts {
    /// Lines that it does not know (a shell's greeting) are passed over.
    pub fn parse(text: &str) -> Facts {
        let mut facts = Facts::default();
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                ["clock", seconds] => facts.clock = seconds.parse().ok(),
                ["node", deployment, node] => facts.identity = Some((deployment.into(), node.into())),
                ["disk", link, state, bytes, least, most] => {
                    let number = |text: &str| text.parse().unwrap_or(0);
                    let (bytes, least, most) = (number(bytes), number(least), number(most));
                    let disk = |state| Disk { link: link.into(), state, bytes, least, most };
                    facts.disks.extend(DiskState::parse(state).map(disk));
                }
                ["space", mount, kib, free] => {
                    if let (Ok(kib), Ok(free_kib)) = (kib.parse(), free.parse()) {
                        facts.space.push(Space { mount: mount.into(), kib, free_kib });
                    }
                }
                ["unit", unit, state] => facts.units.push((unit.into(), state.into())),
                ["cos", state] => facts.cos = Some(state == "ok"),
                ["stages", ref stages @ ..] => {
                    let stage = |word: &&str| word.split_once('=').map(|(node, at)| (node.to_owned(), at.to_owned()));
                    facts.stages = Some(stages.iter().filter_map(stage).collect());
                }
                ["database", _, state, connectible] => {
                    let runs = state == "running" && matches!(connectible, "yes" | "true");
                    facts.databases_run = Some(runs && facts.databases_run != Some(false));
                }
                ["certificate", hex] => facts.certificate = Some(hex.into()),
                ["end"] => facts.complete = true,
                _ => {}
            }
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_of_the_lab_printed() {
        let facts = Facts::parse(include_str!("../../../tests/fixtures/health/n11.txt"));
        assert!(facts.complete);
        assert_eq!(facts.identity.unwrap().1, "n11");
        assert!(facts.clock.unwrap() > 1_790_000_000.0);
        assert_eq!(facts.disks.len(), 2);
        assert!(facts.disks.iter().all(|d| d.state == DiskState::Ok && d.bytes >= d.least && d.bytes <= d.most));
        assert_eq!(facts.space.len(), 1);
        assert!(facts.units.iter().all(|(_, state)| state == "active"), "{:?}", facts.units);
        assert_eq!(facts.cos, Some(true));
        assert_eq!(facts.stages.unwrap().into_values().collect::<Vec<_>>(), ["d", "d"]);
        assert_eq!(facts.certificate.unwrap().len(), 64);
    }

    #[test]
    fn a_database_runs_by_confd_s_word() {
        let runs = |text| Facts::parse(text).databases_run == Some(true);
        assert!(runs("database Exasol running yes\n"));
        assert!(runs("database A running yes\ndatabase B running true\n"));
        assert!(!runs("database A running yes\ndatabase B setup no\n"));
        assert!(!runs("database Exasol running no\n"));
        assert!(!runs("stages n11=d\n"));
    }

    #[test]
    fn half_an_answer_is_known_as_half() {
        let facts = Facts::parse("Welcome to Debian!\nclock 1.5\nnode e-1 n11\nstages\ncertificate\ndisk /dev/x");
        assert!(!facts.complete);
        assert_eq!(facts.clock, Some(1.5));
        assert_eq!(facts.stages, Some(BTreeMap::new()));
        assert_eq!(facts.certificate, None);
        assert!(facts.disks.is_empty() && facts.units.is_empty());
    }
}
