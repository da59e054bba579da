//! The guard that reads a plan before an apply: it refuses what would lose data, or a node that nobody gave up. Pure.

use std::collections::BTreeSet;

use super::{Change, Plan};
use crate::error::{Error, Result};
use crate::model::{ChangeAction, is_namesake};

/// Which resources the guard protects. Entries are a kind (`libvirt_domain`), or kind and name
/// where one kind has several uses (`libvirt_volume.data`).
#[derive(Debug, Clone, Copy)]
pub struct Protected<'a> {
    /// A node dies with one of these. Their index is the node's name, or begins with it and `-`.
    pub machines: &'a [&'a str],
    /// The database's data dies with one of these.
    pub data_disks: &'a [&'a str],
    /// Attributes (kind, names from the outside in) whose update destroys what a machine holds.
    pub frozen: &'a [(&'a str, &'a [&'a str])],
    /// The database is installed: a data disk that would be made now is one that was lost with its data.
    pub holds_data: bool,
}

impl Plan {
    /// The names of what would be made, without data disks.
    pub fn creates(&self, protected: Protected<'_>) -> BTreeSet<String> {
        let others = self.changes.iter().filter(|change| !change.is_one_of(protected.data_disks));
        others.filter_map(|change| change.new_name.clone()).collect()
    }

    /// The nodes whose machine would be made, or made anew.
    pub fn made_nodes(&self, protected: Protected<'_>) -> BTreeSet<String> {
        let made = |change: &&Change| matches!(change.action, ChangeAction::Create | ChangeAction::Replace);
        let made = self.changes.iter().filter(|change| change.is_one_of(protected.machines)).filter(made);
        made.filter_map(|change| change.node().map(str::to_owned)).collect()
    }

    /// Refuses a plan that deletes or replaces a data disk, puts an empty one in the place of one that was
    /// lost, or loses a node that is not in `allow_replace`. Error: [`Error::PlanRefused`] with the whole list.
    pub fn guard(&self, protected: Protected<'_>, allow_replace: &[String]) -> Result<()> {
        self.guard_lost_disks(protected)?;
        let harmful = || self.changes.iter().filter(|change| !change.is_harmless() || change.thaws(protected.frozen));
        let disks: Vec<_> = harmful().filter(|change| change.is_one_of(protected.data_disks)).collect();
        let nodes: Vec<_> = harmful()
            .filter(|change| change.is_one_of(protected.machines) && !change.is_of_a_node_in(allow_replace))
            .collect();
        let hint = match (disks.is_empty(), nodes.is_empty()) {
            (true, true) => return Ok(()),
            (false, _) => {
                "only exasol destroy deletes data disks: undo the change of options that asks for this".to_owned()
            }
            (true, false) => {
                // Changes come ordered by address: a node's are not beside each other.
                let names: BTreeSet<_> = nodes.iter().filter_map(|change| change.node()).collect();
                let flags: Vec<_> = names.iter().map(|name| format!("--allow-replace {name}")).collect();
                format!("if you accept to lose these nodes: exasol deploy {}", flags.join(" "))
            }
        };
        let changes = disks.iter().chain(&nodes).map(|change| format!("{} {}", change.action, change.address));
        Err(Error::PlanRefused { changes: changes.collect(), hint })
    }

    fn guard_lost_disks(&self, protected: Protected<'_>) -> Result<()> {
        let anew = |change: &&Change| change.action == ChangeAction::Create && change.is_one_of(protected.data_disks);
        let lost: Vec<_> = self.changes.iter().filter(anew).filter(|_| protected.holds_data).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let tell = |change: &&Change| {
            let node = change.node().unwrap_or("a node");
            format!("create {} again, empty (the data disk of {node} is gone with its data)", change.address)
        };
        let hint = "restore the volume under its old name; or run exasol destroy, and begin again".to_owned();
        Err(Error::PlanRefused { changes: lost.iter().map(tell).collect(), hint })
    }
}

impl Change {
    fn is_harmless(&self) -> bool {
        matches!(self.action, ChangeAction::Create | ChangeAction::Update)
    }

    /// Whether an update changes one of these attributes, or something in it.
    fn thaws(&self, frozen: &[(&str, &[&str])]) -> bool {
        let within = |path: &str, attribute: &str| {
            path.strip_prefix(attribute).is_some_and(|r| r.is_empty() || r.starts_with('.'))
        };
        frozen.iter().filter(|(kind, _)| self.kind == *kind).any(|(_, names)| {
            let attribute = names.join(".");
            self.changed.iter().any(|path| within(path, &attribute))
        })
    }

    fn is_one_of(&self, protected: &[&str]) -> bool {
        protected.iter().any(|entry| match entry.split_once('.') {
            Some((kind, name)) => self.kind == kind && is_namesake(&self.name, name),
            None => self.kind == *entry,
        })
    }

    /// The node to which the resource belongs, by its index: n11 for `n11` and `n11-1`.
    fn node(&self) -> Option<&str> {
        self.index.as_deref().map(|index| index.split_once('-').map_or(index, |(node, _)| node))
    }

    fn is_of_a_node_in(&self, nodes: &[String]) -> bool {
        self.node().is_some_and(|node| nodes.iter().any(|allowed| allowed == node))
    }
}
