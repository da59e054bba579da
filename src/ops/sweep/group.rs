//! Pure: things to deployments, and to what is told of them.

use std::collections::BTreeMap;

use super::super::owners::Owner;
use crate::model::{DeploymentId, Ownership, SweptDeployment, SweptThing, ThingKind};
use crate::providers::{LeftoverKind, Marked};

/// In the order of their ids; what one has in the order in which it is removed.
pub(super) fn by_deployment(things: &[Marked], owners: &BTreeMap<DeploymentId, Owner>) -> Vec<SweptDeployment> {
    let mut groups: BTreeMap<&DeploymentId, Vec<&Marked>> = BTreeMap::new();
    for one in things {
        groups.entry(&one.deployment).or_default().push(one);
    }
    let deployment = |(id, mut things): (&DeploymentId, Vec<&Marked>)| {
        things.sort_by_key(|one| (one.thing.kind, &one.thing.pool, &one.thing.name));
        let owner = owners.get(id);
        SweptDeployment {
            deployment: id.to_string(),
            owner: owner.map_or(Ownership::Unknown, |owner| owner.state),
            directory: owner.map(|owner| owner.directory.clone()),
            phase: owner.and_then(|owner| owner.phase),
            things: things.into_iter().map(thing).collect(),
        }
    };
    groups.into_iter().map(deployment).collect()
}

fn thing(one: &Marked) -> SweptThing {
    SweptThing {
        kind: match one.thing.kind {
            LeftoverKind::Domain => ThingKind::Domain,
            LeftoverKind::Seed | LeftoverKind::Volume => ThingKind::Volume,
            LeftoverKind::Network => ThingKind::Network,
        },
        name: one.thing.name.clone(),
        pool: one.thing.pool.clone(),
        state: one.power,
        bytes: one.bytes,
        changed: one.changed.and_then(moment),
        doubt: one.doubt.clone(),
    }
}

/// Seconds since 1970 as RFC 3339; None for what no calendar has, and for 0, which a driver says that does not know.
fn moment(seconds: i64) -> Option<String> {
    let known = Some(seconds).filter(|seconds| *seconds > 0)?;
    jiff::Timestamp::from_second(known).ok().map(|moment| format!("{moment:.0}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::providers::Leftover;

    fn marked(id: u8, kind: LeftoverKind, name: &str) -> Marked {
        let thing = Leftover { kind, name: name.into(), pool: None };
        let deployment = DeploymentId::from_random([0, 0, 0, id]);
        Marked { deployment, thing, power: None, bytes: None, changed: None, doubt: None }
    }

    #[test]
    fn ages_are_moments_or_unknown() {
        assert_eq!(moment(1_763_868_412).as_deref(), Some("2025-11-23T03:26:52Z"));
        for odd in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(moment(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_changes_its_owner(all in proptest::collection::vec((0u8..4, "[a-z]{1,3}"), 0..20)) {
            let things: Vec<_> = all.iter().map(|(id, name)| marked(*id, LeftoverKind::Volume, name)).collect();
            let groups = by_deployment(&things, &BTreeMap::new());
            prop_assert_eq!(groups.iter().map(|group| group.things.len()).sum::<usize>(), things.len());
            for group in &groups {
                for thing in &group.things {
                    let is_it = |one: &Marked| one.thing.name == thing.name && one.deployment.as_str() == group.deployment;
                    prop_assert!(things.iter().any(is_it));
                }
            }
            prop_assert!(groups.is_sorted_by_key(|group| group.deployment.clone()));
        }
    }
}
