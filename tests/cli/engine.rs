//! `--engine`: which of Terraform and OpenTofu a deployment uses, and what it says when that one is
//! not there.

use crate::support::World;

/// A world with both engines; each writes its name when it is called.
fn world() -> World {
    let world = World::complete();
    for (name, version) in [("terraform", "1.11.4"), ("tofu", "1.9.0")] {
        world.fake(
            name,
            &format!(
                "echo \"{name} $1\" >> \"$HOME/engine-calls\"\n\
                 [ \"$1\" = version ] && echo '{{\"terraform_version\":\"{version}\"}}'\n\
                 [ \"$1\" = show ] && echo '{{\"format_version\":\"1.2\",\"resource_changes\":[]}}'\n\
                 [ \"$1\" != plan ] || exit 1"
            ),
        );
    }
    world
}

fn calls(world: &World) -> String {
    let file = world.path("home").join("engine-calls");
    let calls = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(file);
    calls
}

/// Terraform's state file with a machine in it, as the engine of that registry writes it.
fn make_a_machine(world: &World, registry: &str) {
    let state = format!(
        r#"{{"version":4,"resources":[{{"mode":"managed","type":"libvirt_domain","name":"node",
            "provider":"provider[\"{registry}/dmacvicar/libvirt\"]",
            "instances":[{{"index_key":"n11","attributes":{{"name":"x"}}}}]}}]}}"#
    );
    std::fs::write(world.deployment().join("terraform/terraform.tfstate"), state).unwrap();
}

#[test]
fn flag_environment_and_file_choose_and_the_choice_is_recorded() {
    for (flag, env, file, recorded) in [
        ("--engine tofu", "", "", "tofu"),
        ("", "tofu", "", "tofu"),
        ("--config c.toml", "", "engine = 'tofu'", "tofu"),
        ("--engine terraform", "tofu", "", "terraform"),
    ] {
        let world = world();
        std::fs::write(world.path("c.toml"), file).unwrap();
        world.init(flag).env("EXASOL_ENGINE", env).run().code(0);
        assert_eq!(world.state()["spec"]["engine"], recorded, "{flag} {env} {file}");
    }
    let world = world();
    world.init("--engine auto").run().code(0);
    assert_eq!(world.state()["spec"].get("engine"), None);
    world.exasol("doctor --engine pulumi").run().code(2).says("--engine").says("one of auto, terraform, tofu");
}

#[test]
fn later_commands_use_the_recorded_engine() {
    let world = world();
    world.init("--engine tofu").run().code(0);
    make_a_machine(&world, "registry.opentofu.org");
    calls(&world);
    for words in ["deploy", "deploy --plan"] {
        world.exasol(words).run().code(1);
        let calls = calls(&world);
        assert!(calls.contains("tofu plan") && !calls.contains("terraform"), "{words}: {calls}");
    }
    assert!(world.state()["engine"].is_null(), "nothing was applied");
}

#[test]
fn what_exists_decides_where_nobody_has_chosen() {
    let world = world().initialized();
    // As an older version wrote it: no choice, but an apply with OpenTofu.
    make_a_machine(&world, "registry.opentofu.org");
    world.edit_state(|state| state["engine"] = "tofu".into());
    calls(&world);
    world.exasol("deploy").run().code(1);
    assert!(!calls(&world).contains("terraform"));
}

#[test]
fn a_recorded_engine_that_is_missing_is_said_with_the_ways_out() {
    let world = world();
    world.init("--engine terraform").run().code(0);
    make_a_machine(&world, "registry.terraform.io");
    world.remove("terraform");
    for words in ["deploy --plan", "deploy"] {
        let answer = world.exasol(words).run().code(4);
        answer
            .says("terraform 1.5 or newer")
            .says("exasol init --update --engine tofu")
            .says("developer.hashicorp.com");
    }
    world.exasol("doctor --engine terraform").run().code(4).says("developer.hashicorp.com").never_says("opentofu.org");
}

#[test]
fn an_engine_that_is_too_old_is_not_taken() {
    let world = world();
    world.fake("tofu", "echo '{\"terraform_version\":\"1.5.9\"}'");
    world.init("--engine tofu").run().code(4).says("tofu 1.6 or newer").says("1.5.9");
    assert!(!world.deployment().exists());
}

#[test]
fn update_goes_from_terraform_to_opentofu_but_not_back() {
    let world = world().initialized();
    make_a_machine(&world, "registry.terraform.io");
    world.edit_state(|state| state["engine"] = "terraform".into());
    world.exasol("init --update --engine tofu").run().code(0).says("no way back");
    calls(&world);
    world.exasol("deploy --plan").run().code(1);
    assert!(calls(&world).contains("tofu plan"));

    make_a_machine(&world, "registry.opentofu.org");
    world.exasol("init --update --engine terraform").run().code(2).says("no way back to Terraform");
    assert_eq!(world.state()["spec"]["engine"], "tofu");
}

#[test]
fn while_nothing_exists_the_engine_is_free() {
    let world = world();
    world.init("--engine tofu").run().code(0);
    world.edit_state(|state| state["engine"] = "tofu".into());
    world.exasol("init --update --engine terraform").run().code(0).never_says("no way back");
    let state = world.state();
    assert_eq!((state["spec"]["engine"].as_str(), state.get("engine")), (Some("terraform"), None));
    world.exasol("init --update --engine auto").run().code(0);
    assert_eq!(world.state()["spec"].get("engine"), None);
}
