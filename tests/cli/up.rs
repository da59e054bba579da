//! `up`, `init --like`, and deploying a destroyed directory anew.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::database::PASSWORD;
use crate::support::World;

const NEW: &str = "up --cloud-provider exoscale --db-version rehearsal --allowed-cidr 192.0.2.0/24";

fn password_file(cluster: &Cluster) -> String {
    let file = cluster.world.path("password");
    std::fs::write(&file, PASSWORD).unwrap();
    file.display().to_string()
}

#[test]
fn up_makes_deploys_and_goes_on() {
    let Some(cluster) = Cluster::initialized() else { return };
    std::fs::remove_dir_all(cluster.world.deployment()).unwrap();
    let words = format!("{NEW} --db-password-file {} --name trial", password_file(&cluster));
    cluster.tell("fails", "ansible-playbook");
    cluster.account(cluster.world.exasol(&words)).run().code(1);
    let id = cluster.world.state()["id"].clone();
    cluster.tell("fails", "");
    // The same words again, and then no more words than needed: it is the same deployment.
    let json = cluster.account(cluster.world.exasol(&format!("{words} --json"))).run().code(0).json();
    assert_eq!((&json["deployment"], &json["name"], &json["status"]), (&id, &"trial".into(), &"database_ready".into()));
    cluster.account(cluster.world.exasol("up")).run().code(0).says("already accepts logins");
    assert_eq!(cluster.world.state()["id"], id);
}

#[test]
fn up_does_not_change_what_a_deployment_was_asked_to_be() {
    let Some(cluster) = Cluster::initialized() else { return };
    let before = cluster.world.files();
    let other = "up --data-volume-size 77 --db-version rehearsal --owner me";
    let told = cluster.exasol(other).run().code(2).says("--data-volume-size is 10, asked for: 77").says("--owner");
    told.says("exasol init --update -d").never_says("db-version");
    assert_eq!(cluster.world.files(), before);
    cluster.exasol("up --cloud-provider hetzner").run().code(2).says("cannot move to hetzner");
}

#[test]
fn a_destroyed_directory_is_deployed_anew_with_new_keys_and_nobody_elses_password() {
    let Some(cluster) = Cluster::deployed() else { return };
    let old = cluster.world.state();
    let secrets = |name: &str| -> Value {
        let text = std::fs::read(cluster.world.deployment().join("secrets.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()[name].clone()
    };
    let (key, own) = (secrets("ssh_key"), secrets("db_password"));
    cluster.exasol("destroy --yes").run().code(0);
    assert_eq!(cluster.next(), ["exasol deploy"]);
    cluster.exasol("deploy --plan").run().code(3).says("destroyed");
    // The password was somebody's own: no other takes its place unsaid.
    let without = || cluster.account(cluster.world.exasol("deploy"));
    without().run().code(2).says("db password").says("--db-password-file").says("EXASOL_DB_PASSWORD");
    assert_eq!(cluster.world.state()["phase"], "destroyed");
    cluster.exasol("deploy").run().code(0).says("deployed anew");
    let new = cluster.world.state();
    assert_eq!((&new["phase"], &new["spec"]), (&"database_ready".into(), &old["spec"]));
    assert_ne!(new["id"], old["id"]);
    assert_ne!(secrets("ssh_key"), key);
    assert_eq!(secrets("db_password"), own);
    let list = cluster.world.exasol("list --json").run().code(0).json();
    assert_eq!(list["deployments"].as_array().unwrap().len(), 1);
    // A second time, by `up`, which takes passwords.
    cluster.exasol("destroy --yes").run().code(0);
    let up = format!("up --db-password-file {}", password_file(&cluster));
    cluster.account(cluster.world.exasol(&up)).run().code(0);
}

#[test]
fn init_like_takes_the_specification_and_nothing_secret() {
    let world = World::complete();
    world.init("--owner someone --data-volume-size 7 --name first").run().code(0);
    let first = world.state();
    let secrets = std::fs::read(world.deployment().join("secrets.json")).unwrap();
    let second = world.path("second");
    let like = "init --like first --data-volume-size 9 --libvirt-memory 2";
    world.exasol(like).env("EXASOL_DEPLOYMENT_DIR", &second).run().code(0);
    let state: Value = serde_json::from_slice(&std::fs::read(second.join("deployment.json")).unwrap()).unwrap();
    let mut expected = first["spec"].clone();
    expected["data_volume_size"] = 9.into();
    expected["options"]["memory"] = 2.into();
    assert_eq!(state["spec"], expected);
    assert_ne!(state["id"], first["id"]);
    assert_eq!(state["name"], Value::Null);
    assert_ne!(std::fs::read(second.join("secrets.json")).unwrap(), secrets);
    world.exasol("init --like nowhere -d third").run().code(3);
    world.exasol("init --like first --update").run().code(2).says("--like");
    assert!(!world.path("third").exists());
}
