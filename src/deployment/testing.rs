//! Deployments for this module's tests.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::{DeploymentDir, NewDeployment, Secrets, State};
use crate::model::{DeploymentId, Options, RenderedFile, Spec};

pub(super) fn state() -> State {
    let spec = Spec {
        data_volumes_per_node: 1,
        owner: Some("somebody \"with\" quotes".into()),
        allowed_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        options: Options::from([("memory".into(), 4.into())]),
        ..Spec::sample("libvirt")
    };
    State::new(DeploymentId::from_random([1, 2, 3, 4]), spec, Options::new())
}

pub(super) fn secrets() -> Secrets {
    Secrets {
        db_password: "database word".into(),
        adminui_password: "admin word".into(),
        host_password: "host word".into(),
        host_password_hash: "$6$salt$hash".into(),
        ssh_key: "deployer's key".into(),
        host_keys: BTreeMap::from([("n11".into(), "key of n11".into())]),
        cluster_key: Some("cluster's key".into()),
        next_db_password: None,
        cloud: BTreeMap::new(),
    }
}

pub(super) fn files() -> Vec<RenderedFile> {
    vec![
        RenderedFile::new("README.md", "readme"),
        RenderedFile::new("terraform/main.tf", "main"),
        RenderedFile::secret("terraform/secrets.auto.tfvars.json", "{}"),
        RenderedFile::new("ansible/tasks/disks.yml", "tasks"),
        RenderedFile::executable("ansible/run", "#!/bin/sh\n"),
        RenderedFile::secret("ssh/id_ed25519", "key"),
    ]
}

pub(super) fn new() -> NewDeployment {
    NewDeployment { state: state(), secrets: secrets(), files: files() }
}

/// A deployment in `<temporary directory>/deployment`.
pub(super) fn deployment() -> (TempDir, DeploymentDir) {
    let dir = tempfile::tempdir().unwrap();
    let deployment = DeploymentDir::create(&dir.path().join("deployment"), new()).unwrap();
    (dir, deployment)
}
