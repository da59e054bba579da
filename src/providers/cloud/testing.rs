//! What the tests of all clouds need: a spec, its variables, and places where credentials lie.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use serde_json::{Map, Value};

use super::{CredentialInput, Credentials};
use crate::model::{Check, DeploymentId, NodePlan, Options, Spec};
use crate::providers::{PreflightInput, Provider, TfvarsInput};

/// Two nodes with two disks for the rehearsal, with these options of the provider beside their defaults.
pub(in crate::providers) fn spec(provider: &Provider, options: Value) -> Spec {
    let mut all = Options::new();
    for def in provider.options {
        all.extend(def.default.map(|default| (def.key.to_owned(), default.into())));
    }
    all.extend(serde_json::from_value::<Options>(options).unwrap());
    Spec { options: all, ..Spec::sample(provider.name) }
}

/// Terraform's variables, after the preflight.
pub(in crate::providers) fn variables(
    provider: &Provider,
    options: Value,
    edit: impl FnOnce(&mut Spec),
) -> Map<String, Value> {
    let mut spec = spec(provider, options);
    edit(&mut spec);
    (provider.validate)(&spec).unwrap();
    let id = DeploymentId::from_random([1, 2, 3, 4]);
    let nodes = NodePlan::all(&id, &spec);
    let input = PreflightInput { spec: &spec, id: None, nodes: &nodes, facts: None, stop: &AtomicBool::new(false) };
    let facts = (provider.preflight)(&input).facts;
    (provider.tfvars)(&TfvarsInput {
        id: &id,
        spec: &spec,
        facts: &facts,
        nodes: &nodes,
        base_volume: "",
        ssh_public_key: "ssh-ed25519 AAAA exasol-01020304",
        powered: true,
    })
    .unwrap()
}

/// Those of an owner whose name has to be quoted somewhere.
pub(in crate::providers) fn variables_of_an_owner(provider: &Provider, options: Value) -> Map<String, Value> {
    variables(provider, options, |spec| spec.owner = Some("O'Neil & <co>".into()))
}

/// What `validate` says of a spec with these options that `edit` has made wrong.
pub(in crate::providers) fn refused(provider: &Provider, options: Value, edit: impl FnOnce(&mut Spec)) -> String {
    let mut spec = spec(provider, options);
    edit(&mut spec);
    let error = (provider.validate)(&spec).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

/// Places of credentials, in the order in which they were named.
#[derive(Clone)]
pub(in crate::providers) struct Sources {
    provider: &'static Provider,
    spec: Spec,
    places: Vec<(Place, String)>,
}

#[derive(Clone)]
enum Place {
    Typed(String),
    Env(String),
    File(String),
}

impl Sources {
    pub fn new(provider: &'static Provider) -> Self {
        Self { provider, spec: spec(provider, Value::Object(Map::new())), places: Vec::new() }
    }

    /// With an option of the provider's own.
    pub fn option(mut self, key: &str, value: &str) -> Self {
        self.spec.options.insert(key.into(), value.into());
        self
    }

    pub fn typed(self, flag: &str, value: &str) -> Self {
        self.with(Place::Typed(flag.into()), value)
    }

    pub fn env(self, name: &str, value: &str) -> Self {
        self.with(Place::Env(name.into()), value)
    }

    /// `path` as the provider names it: `~/.config/…`.
    pub fn file(self, path: &str, text: &str) -> Self {
        self.with(Place::File(path.into()), text)
    }

    fn with(mut self, place: Place, value: &str) -> Self {
        self.places.push((place, value.to_owned()));
        self
    }

    pub fn find(&self) -> Result<Credentials, Check> {
        let of = |wanted: fn(&Place) -> Option<&String>| -> BTreeMap<String, String> {
            self.places.iter().filter_map(|(place, value)| Some((wanted(place)?.clone(), value.clone()))).collect()
        };
        let given = of(|place| if let Place::Typed(flag) = place { Some(flag) } else { None });
        let env = of(|place| if let Place::Env(name) = place { Some(name) } else { None });
        let files = of(|place| if let Place::File(path) = place { Some(path) } else { None });
        let cloud = self.provider.cloud().unwrap();
        (cloud.credentials)(&CredentialInput {
            spec: &self.spec,
            given: &given.into_iter().map(|(flag, value)| (flag, value.into())).collect(),
            env: &|name| env.get(name).cloned(),
            file: &|path| Ok(files.get(path).cloned()),
        })
    }

    /// The source that is used, then the one that is used when that is gone, and so on.
    pub fn each_source(&self) -> Vec<String> {
        let mut left = self.clone();
        let mut order = Vec::new();
        while !left.places.is_empty() {
            order.push(left.find().unwrap().source);
            left.places.remove(0);
        }
        order
    }
}
