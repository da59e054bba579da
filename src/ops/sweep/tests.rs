use std::path::PathBuf;

use super::*;
use crate::model::{SweptThing, ThingKind};
use crate::providers::{Leftover, LeftoverKind};

fn id(last: u8) -> DeploymentId {
    DeploymentId::from_random([0, 0, 0, last])
}

fn marked(doubt: Option<&str>) -> Marked {
    let thing = Leftover { kind: LeftoverKind::Domain, name: id(1).named("n11"), pool: None };
    let doubt = doubt.map(str::to_owned);
    Marked { deployment: id(1), thing, power: Some(Power::Running), bytes: None, changed: None, doubt }
}

fn found(owner: Ownership, doubt: Option<&str>) -> SweptDeployment {
    let thing = SweptThing {
        kind: ThingKind::Domain,
        name: id(1).named("n11"),
        pool: None,
        state: Some(Power::Running),
        bytes: None,
        changed: None,
        doubt: doubt.map(str::to_owned),
    };
    let directory = (owner != Ownership::Unknown).then(|| PathBuf::from("/srv/it's"));
    SweptDeployment { deployment: id(1).to_string(), owner, directory, phase: None, things: vec![thing] }
}

#[test]
fn only_what_nobody_can_destroy_is_removed() {
    for (owner, doubt, refusal) in [
        (Ownership::Known, None, Some("belongs to /srv/it's")),
        (Ownership::Unreadable, None, Some("may belong to /srv/it's")),
        (Ownership::Destroyed, None, None),
        (Ownership::Gone, None, None),
        (Ownership::Unknown, None, None),
        (Ownership::Unknown, Some("is somebody's"), Some("domain exasol-00000001-n11: is somebody's")),
    ] {
        let all = [found(owner, doubt)];
        let refused = refuse(&all, &[marked(doubt)], &BTreeSet::from([id(1)]));
        let told = refused.err().map(|error| format!("{error} {}", error.hint().unwrap_or_default()));
        assert_eq!(told.is_some(), refusal.is_some(), "{owner}: {told:?}");
        assert!(refusal.is_none_or(|text| told.as_ref().unwrap().contains(text)), "{told:?}");
        if owner == Ownership::Known {
            assert!(told.unwrap().contains(r"exasol destroy -d '/srv/it'\''s'"));
        }
        let other = refuse(&all, &[], &BTreeSet::from([id(2)]));
        assert!(other.is_ok(), "another deployment is not asked for");
    }
}

#[test]
fn what_leads_on_names_only_what_would_be_done() {
    assert_eq!(next(&[found(Ownership::Known, None)], ""), [r"exasol status -d '/srv/it'\''s'"]);
    let ways = ["exasol adopt -d DIR exasol-00000001 --u x", "exasol sweep --remove exasol-00000001 --u x"];
    assert_eq!(next(&[found(Ownership::Gone, None)], " --u x"), ways);
    assert_eq!(next(&[found(Ownership::Unknown, Some("odd"))], ""), Vec::<String>::new());
}

#[test]
fn what_is_left_is_an_error_with_the_command_that_removes_it() {
    let left = MarkedThings { things: vec![marked(None)], unseen: Vec::new() };
    let error = prove(left.clone(), &BTreeSet::from([id(1)]), "").unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("left_behind", 1));
    assert!(error.to_string().contains("domain exasol-00000001-n11"), "{error}");
    assert!(prove(left, &BTreeSet::from([id(2)]), "").is_ok());
}

#[test]
fn every_cloud_says_how_to_look_into_it() {
    let spec = |name: &str| Spec { provider: name.into(), ..Spec::sample("") };
    for provider in providers::ALL.iter().filter(|provider| provider.is_cloud()) {
        let nobody = SweepRequest { spec: spec(provider.name), remove: BTreeSet::new(), confirm: None };
        let report = of_cloud(provider, &nobody).unwrap();
        assert!(!report.asked && report.steps.len() > 1, "{}", provider.name);
        assert!(report.steps.last().unwrap().contains("exasol-"), "{}", provider.name);
        let one = SweepRequest { remove: BTreeSet::from([id(1)]), ..nobody };
        assert_eq!(of_cloud(provider, &one).unwrap_err().exit_code(), 2);
    }
}
