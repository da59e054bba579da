//! Names: given with `--name`, else the directory's; in headlines, in the list, and instead of a directory after `-d`.

use std::path::PathBuf;

use crate::support::World;

/// Another deployment of the same world.
fn another(world: &World, directory: &str, more: &str) -> PathBuf {
    let dir = world.path(directory);
    world.init(more).env("EXASOL_DEPLOYMENT_DIR", &dir).run().code(0);
    dir
}

#[test]
fn a_name_is_recorded_shown_and_taken_instead_of_the_directory() {
    let world = World::complete();
    let dir = another(&world, "somewhere/else", "--name trial");
    another(&world, "plain", "");
    let made = world.exasol("status --json").env("EXASOL_DEPLOYMENT_DIR", &dir).run().code(0).json();
    assert_eq!(made["name"], "trial");
    let by_name = world.exasol("status --json -d trial").run().code(0).json();
    assert_eq!(by_name["deployment"], made["deployment"]);
    let by_id =
        world.exasol(&format!("status --json -d {}", made["deployment"].as_str().unwrap())).run().code(0).json();
    assert_eq!(by_id["name"], "trial");
    let list = world.exasol("list --json").run().code(0).json();
    let rows = list["deployments"].as_array().unwrap().iter();
    let mut names: Vec<_> = rows.map(|row| row["name"].as_str().unwrap()).collect();
    // Made in the same second, they have no order.
    names.sort_unstable();
    assert_eq!(names, ["plain", "trial"]);
    world.exasol("list").run().code(0).says("trial").says("plain");
    world.exasol("destroy --dry-run -d trial").run().code(0).says("trial; nothing was changed");
    world.exasol("init --update -d trial --name stage").run().code(0).says("name").says("stage");
    world.exasol("status -d stage").run().code(0).says("stage: not deployed yet");
}

#[test]
fn without_a_name_the_directory_has_it_also_after_a_move() {
    let world = World::complete();
    let dir = another(&world, "first", "");
    assert_eq!(world.exasol("status --json -d first").run().code(0).json()["name"], "first");
    assert!(std::fs::read_to_string(dir.join("deployment.json")).unwrap().find("\"name\": \"first\"").is_none());
    std::fs::rename(&dir, world.path("second")).unwrap();
    assert_eq!(world.exasol("status --json -d second").run().code(0).json()["name"], "second");
}

#[test]
fn a_directory_goes_before_a_name() {
    let world = World::complete();
    another(&world, "far/away", "--name demo");
    let here = another(&world, "demo", "");
    let status = world.exasol("status --json -d demo").run().code(0).json();
    assert_eq!(status["next"][0], format!("exasol deploy -d {}", "demo"), "{status}");
    assert!(here.exists());
    world.exasol("status -d ./stage").run().code(3).says("not a deployment directory");
}

#[test]
fn two_of_a_name_are_told_apart_by_their_directories() {
    let world = World::complete();
    let (one, two) = (another(&world, "a/demo", ""), another(&world, "b/demo", ""));
    let told = world.exasol("status -d demo").run().code(2).says("2 deployments are called 'demo'");
    told.says(&one.display().to_string()).says(&two.display().to_string());
    // What was destroyed has left its name to the other.
    world.exasol(&format!("destroy --yes -d {}", one.display())).run().code(0);
    let left = world.exasol("status --json -d demo").run().code(0).json();
    assert_eq!(left["status"], "initialized");
}

#[test]
fn a_name_that_nobody_has_gets_the_similar_one() {
    let world = World::complete();
    another(&world, "x/trial", "");
    world.exasol("status -d trail").run().code(3).says("did you mean -d trial?");
    let none = world.exasol("deploy -d production --json").run().code(3).json();
    assert_eq!(none["error"]["code"], "not_a_deployment");
    assert!(!world.path("production").exists());
}

#[test]
fn init_makes_a_directory_even_if_a_deployment_elsewhere_has_its_name() {
    let world = World::complete();
    another(&world, "x/demo", "");
    let dir = another(&world, "demo", "");
    assert!(dir.join("deployment.json").exists());
}

#[test]
fn a_wrong_name_is_refused_before_anything_is_made() {
    let world = World::complete();
    for wrong in ["a/b", "-x", "exasol-0123abcd", "ü"] {
        world.init("").arg("--name".as_ref()).arg(wrong.as_ref()).run().code(2).says("--name").says(wrong);
    }
    assert!(!world.deployment().exists());
    std::fs::write(world.path("c.toml"), "name = 'from-file'\n").unwrap();
    world.init("--config c.toml").run().code(0);
    assert_eq!(world.state()["name"], "from-file");
}

#[test]
fn outside_a_deployment_the_known_ones_are_named() {
    let world = World::complete();
    another(&world, "x/trial", "");
    another(&world, "y/prod", "");
    for words in ["status", "info", "logs", "deploy"] {
        let told = world.exasol(words).run().code(3);
        told.says("you have: ").says("trial").says("prod");
    }
    world.exasol("connect trial").run().code(2).says("did you mean exasol sql -d trial?");
}
