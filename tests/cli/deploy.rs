//! `deploy` with a Terraform that was told to fail or to hang: what is recorded, and what is said.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use deployer::model::NodePlan;

use crate::support::World;

fn tell(world: &World, what: &str, verb: &str) {
    std::fs::write(world.path("home").join(what), verb).unwrap();
}

pub fn wait_for(world: &World, file: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while !world.path("home").join(file).exists() {
        assert!(Instant::now() < end, "{file} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn send(child: &std::process::Child, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn deploy_needs_a_deployment() {
    let world = World::complete();
    for words in ["deploy", "deploy --plan", "status", "destroy --yes", "info", "ssh", "sql -c X"] {
        world.exasol(words).run().code(3).says("not a deployment").says("exasol init");
    }
}

#[test]
fn a_failing_tool_is_named_with_its_own_words_what_exists_and_what_is_next() {
    let world = World::complete().with_a_machine();
    let fails_at = |verb: &str, phase: &str| {
        tell(&world, "terraform-fails", verb);
        world
            .exasol("deploy")
            .run()
            .code(1)
            .says("no such thing")
            .says("the fake was told so")
            .says("the machine of n11")
            .says("exasol deploy");
        let state = world.state();
        assert_eq!(state["phase"], phase);
        assert_eq!(state["last_error"]["code"], "tool_failed");
    };
    // Before anything was changed the phase is what it was.
    fails_at("plan", "initialized");
    let plan = r#"{"format_version":"1.2","resource_changes":[{"address":"libvirt_domain.node[\"n11\"]","mode":"managed",
        "type":"libvirt_domain","name":"node","index":"n11","change":{"actions":["update"],"before":{},"after":{}}}]}"#;
    std::fs::write(world.path("home").join("terraform-plan"), plan).unwrap();
    fails_at("apply", "deployment_failed");
    let json = world.exasol("status --json").run().code(0).json();
    assert_eq!(json["status"], "deployment_failed");
    assert!(json["next"][0].as_str().unwrap().starts_with("exasol deploy"));
}

#[test]
fn a_plan_that_would_remove_a_data_disk_is_refused() {
    let world = World::complete().with_a_machine();
    let plan = r#"{"format_version":"1.2","resource_changes":[{"address":"libvirt_volume.data[\"n11-1\"]","mode":"managed",
        "type":"libvirt_volume","name":"data","index":"n11-1","change":{"actions":["delete","create"],"before":{},"after":{}}}]}"#;
    std::fs::write(world.path("home").join("terraform-plan"), plan).unwrap();
    world.exasol("deploy").run().code(1).says("libvirt_volume.data").says("refused");
    let calls = std::fs::read_to_string(world.path("home").join("terraform-calls")).unwrap();
    assert!(!calls.contains("apply"), "{calls}");
}

#[test]
fn deploy_plan_changes_nothing() {
    let world = World::complete().initialized();
    let before = world.files();
    let json = world.exasol("deploy --plan --json").run().code(0).json();
    assert_eq!(json["create"], 0);
    assert_eq!(world.files(), before);
}

#[test]
fn a_signal_ends_the_tool_in_order_and_the_next_deploy_is_offered() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130), ("-HUP", 129)] {
        let world = World::complete().with_a_machine();
        tell(&world, "terraform-hangs", "plan");
        let mut child = world.exasol("deploy").start();
        wait_for(&world, "terraform-is-running");
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(world.path("home").join("terraform-was-interrupted").exists());
        let json = world.exasol("status --json").run().code(0).json();
        assert_eq!(json["status"], "interrupted");
        assert!(json["next"][0].as_str().unwrap().starts_with("exasol deploy"), "{json}");
    }
}

/// What Terraform says of its version is part of every preflight.
const ENDLESS_TERRAFORM: &str = r#"touch "$HOME/terraform-is-running"; while :; do sleep 0.05; done"#;

#[test]
fn a_signal_ends_a_preflight_that_waits_and_is_recorded() {
    let world = World::complete().with_a_machine();
    world.fake("terraform", ENDLESS_TERRAFORM);
    let mut child = world.exasol("deploy").start();
    wait_for(&world, "terraform-is-running");
    send(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(world.state()["last_error"]["code"], "interrupted");
}

#[test]
fn a_signal_ends_a_command_that_only_looks_and_leaves_no_directory() {
    for words in ["doctor", "init"] {
        let world = World::complete();
        world.fake("terraform", ENDLESS_TERRAFORM);
        let mut child = match words {
            "init" => world.init("").start(),
            _ => world.exasol("doctor --cloud-provider libvirt --libvirt-uri test:///default").start(),
        };
        wait_for(&world, "terraform-is-running");
        send(&child, "-INT");
        assert_eq!(child.wait().unwrap().code(), Some(130), "{words}");
        assert!(!world.deployment().exists(), "{words}");
    }
}

/// A daemon that takes calls and answers none, as a stopped one does.
fn hung_daemon(world: &World, name: &str) -> (UnixListener, String) {
    let socket = world.path(name);
    let uri = format!("qemu+unix:///system?socket={}", socket.display());
    (UnixListener::bind(socket).unwrap(), uri)
}

#[test]
fn a_hypervisor_that_hangs_keeps_nobody_who_gets_a_signal() {
    let world = World::complete().initialized();
    for (at, words) in ["doctor", "destroy --dry-run", "deploy", "destroy --yes"].into_iter().enumerate() {
        let (daemon, uri) = hung_daemon(&world, &format!("daemon-{at}"));
        world.edit_state(|state| state["spec"]["options"]["uri"] = uri.clone().into());
        let mut child = match words {
            "doctor" => world.exasol(&format!("doctor --cloud-provider libvirt --libvirt-uri {uri}")).start(),
            words => world.exasol(words).start(),
        };
        let (_call, _) = daemon.accept().unwrap();
        send(&child, "-TERM");
        assert_eq!(child.wait().unwrap().code(), Some(143), "{words}");
    }
}

#[test]
fn signals_that_were_ignored_from_the_beginning_stay_ignored_and_tools_still_end_in_order() {
    let world = World::complete().with_a_machine();
    tell(&world, "terraform-hangs", "plan");
    let mut child = world.exasol("deploy").ignoring(libc::SIGHUP).ignoring(libc::SIGINT).start();
    wait_for(&world, "terraform-is-running");
    send(&child, "-HUP");
    send(&child, "-INT");
    send(&child, "-TERM");
    // The first signal that counts decides the exit code.
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(world.path("home").join("terraform-was-interrupted").exists());
}

#[test]
fn the_lock_outlives_a_killed_deploy_for_as_long_as_its_terraform_runs() {
    let world = World::complete().with_a_machine();
    tell(&world, "terraform-hangs", "plan");
    let mut child = world.exasol("deploy").start();
    wait_for(&world, "terraform-is-running");
    child.kill().unwrap();
    child.wait().unwrap();
    let json = world.exasol("status --json").run().code(0).json();
    assert_eq!(json["status"], "deploy_in_progress");
    assert_eq!(json["operation"]["operation"], "deploy");
    world.exasol("destroy --yes").run().code(75).says("deploy");
    // The test started this Terraform: it ends it, by its own id.
    let pid = terraform_pid(&world);
    let status = std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(status.success());
    wait_for(&world, "terraform-was-interrupted");
    let end = Instant::now() + Duration::from_secs(60);
    while world.exasol("status --json").run().code(0).json()["status"] != "interrupted" {
        assert!(Instant::now() < end);
    }
}

fn terraform_pid(world: &World) -> String {
    std::fs::read_to_string(world.path("home").join("terraform-is-running")).unwrap().trim().to_owned()
}

#[test]
fn two_operations_at_once_are_refused() {
    let world = World::complete().with_a_machine();
    tell(&world, "terraform-hangs", "plan");
    let mut child = world.exasol("deploy").start();
    wait_for(&world, "terraform-is-running");
    let json = world.exasol("deploy --json").run().code(75).json();
    assert_eq!(json["error"]["code"], "locked");
    send(&child, "-INT");
    child.wait().unwrap();
}

#[test]
fn edits_by_hand_are_noticed_and_never_overwritten_silently() {
    let world = World::complete().with_a_machine();
    let main = world.deployment().join("terraform/main.tf");
    let edited = std::fs::read_to_string(&main).unwrap() + "\n# mine\n";
    std::fs::write(&main, &edited).unwrap();
    tell(&world, "terraform-fails", "plan");
    world.exasol("deploy").run().code(3).says("main.tf").says("--keep-edits").says("--overwrite-edits");
    assert_eq!(std::fs::read_to_string(&main).unwrap(), edited);
    world.exasol("deploy --keep-edits").run().code(1);
    assert_eq!(std::fs::read_to_string(&main).unwrap(), edited);
    world.exasol("deploy --overwrite-edits").run().code(1);
    assert_ne!(std::fs::read_to_string(&main).unwrap(), edited);
}

/// libvirt's mock hypervisor as a file has it: a domain of the deployment's that is off, and its volumes.
fn hypervisor(world: &World, volumes: &[&str]) {
    let id = world.state()["id"].as_str().unwrap().to_owned();
    let NodePlan { disks, mac, .. } = first_node(&world.state());
    let wwn = &disks[0].wwn;
    let volume = |name: &&str| format!("<volume><name>{id}-{name}</name><capacity>1</capacity></volume>");
    let xml = format!(
        "<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
           <name>{id}-n11</name><memory>1048576</memory><vcpu>1</vcpu><os><type>hvm</type></os>
           <devices><disk type='file' device='disk'><source file='/data'/><target dev='sda' bus='scsi'/><wwn>{wwn}</wwn></disk>
             <interface type='network'><mac address='{mac}'/><source network='default'/></interface></devices>
           <test:runstate>5</test:runstate></domain>
         <network><name>default</name><bridge name='virbr0'/><ip address='192.168.122.1' netmask='255.255.255.0'>
           <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>
         <pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target>{}</pool></node>",
        volumes.iter().map(volume).collect::<String>()
    );
    std::fs::write(world.path("node.xml"), xml).unwrap();
    let uri = format!("test://{}", world.path("node.xml").display());
    world.edit_state(|state| state["spec"]["options"]["uri"] = uri.into());
}

fn first_node(state: &serde_json::Value) -> NodePlan {
    let id = serde_json::from_value(state["id"].clone()).unwrap();
    let spec = serde_json::from_value(state["spec"].clone()).unwrap();
    NodePlan::all(&id, &spec).swap_remove(0)
}

/// Terraform's state with a machine of that name, and a root disk.
fn knows(world: &World, name: &str) {
    let resource = |kind, name| {
        serde_json::json!({"mode": "managed", "type": kind, "name": "node",
            "instances": [{"index_key": "n11", "attributes": {"name": name}}]})
    };
    let resources = [resource("libvirt_domain", name.to_owned()), resource("libvirt_volume", format!("{name}-root"))];
    let state = serde_json::json!({"version": 4, "resources": resources});
    std::fs::write(world.deployment().join("terraform/terraform.tfstate"), state.to_string()).unwrap();
}

#[test]
fn a_machine_that_is_off_before_its_address_was_known_is_switched_on() {
    let world = World::complete().with_a_machine();
    hypervisor(&world, &[]);
    knows(&world, &format!("{}-n11", world.state()["id"].as_str().unwrap()));
    // Nobody answers on the mock's machine: it is on, and there is no certificate to be read.
    let answer = world.exasol("deploy --json").run().code(1);
    let step = answer.stdout.lines().find(|l| l.contains("step_finished") && l.contains("power_on"));
    assert!(step.is_some_and(|l| l.contains("n11")), "{answer:?}");
    // A mock of its own for each connection: later questions hear of it because they go through the same one.
    assert!(answer.stdout.contains("n11 has the address"), "{answer:?}");
}

#[test]
fn another_size_before_there_is_a_database_is_another_machine_and_needs_a_word() {
    let world = World::complete().with_a_machine();
    hypervisor(&world, &[]);
    knows(&world, &format!("{}-n11", world.state()["id"].as_str().unwrap()));
    world.exasol("init --update --libvirt-memory 2 --data-volumes-per-node 2").run().code(0);
    let planned = world.exasol("deploy --plan --json").run().code(0).json();
    assert_eq!(
        (&planned["replace"], &planned["changes"][0]["address"]),
        (&1.into(), &"libvirt_domain.node[\"n11\"]".into())
    );
    assert!(planned["summary"].to_string().contains("memory 1024 MiB → 2048 MiB"), "{planned}");
    let refused = world.exasol("deploy").run().code(1);
    refused.says("memory 1024 MiB → 2048 MiB").says("data disks: 1 → 2").says("--allow-replace n11");
    let mistyped = world.exasol("deploy --allow-replace n111").run().code(2);
    mistyped.says("--allow-replace: 'n111' must be one of n11. Did you mean n11?").never_says("creating its machine");
    assert_eq!(world.state()["phase"], "initialized");
    world.exasol("deploy --allow-replace n11").run().says("creating its machine again");
}

#[test]
fn another_root_disk_before_there_is_a_database_needs_a_word_too() {
    let world = World::complete().with_a_machine();
    hypervisor(&world, &["n11-root"]);
    knows(&world, &format!("{}-n11", world.state()["id"].as_str().unwrap()));
    let size = world.state()["spec"]["root_volume_size"].as_u64().unwrap();
    world.exasol("deploy").run().code(1).says(&format!("root disk 0 GB → {size} GB")).says("--allow-replace n11");
}

#[test]
fn no_machine_is_removed_for_a_plan_that_is_refused() {
    let world = World::complete().with_a_machine();
    hypervisor(&world, &[]);
    knows(&world, &format!("{}-n11", world.state()["id"].as_str().unwrap()));
    world.exasol("init --update --libvirt-memory 2").run().code(0);
    let plan = r#"{"format_version":"1.2","resource_changes":[{"address":"libvirt_volume.root[\"n12\"]","mode":"managed",
        "type":"libvirt_volume","name":"root","index":"n12","change":{"actions":["delete","create"],"before":{},"after":{}}}]}"#;
    std::fs::write(world.path("home").join("terraform-plan"), plan).unwrap();
    let refused = world.exasol("deploy --allow-replace n11").run().code(1);
    refused.says("--allow-replace n12").never_says("creating its machine again");
}

#[test]
fn the_default_of_processors_is_the_one_that_was_recorded_with_the_machine() {
    let world = World::complete().with_a_machine();
    hypervisor(&world, &[]);
    knows(&world, &format!("{}-n11", world.state()["id"].as_str().unwrap()));
    let deploy = |default: Option<u32>| {
        world.edit_state(|state| {
            state["spec"]["options"].as_object_mut().unwrap().remove("vcpus");
            state["facts"]["default_vcpus"] = default.into();
        });
        world.exasol("deploy").run().code(1)
    };
    deploy(Some(1)).never_says("virtual processor");
    deploy(None).says("virtual processors: 1 → 2");
}

#[test]
fn what_the_state_does_not_know_of_an_installed_cluster_goes_only_if_the_killed_apply_was_making_it() {
    let world = World::complete().with_a_machine();
    let id = world.state()["id"].as_str().unwrap().to_owned();
    let creating = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| format!("{id}-{name}")).collect();
        world.edit_state(|state| {
            state["installed"] = true.into();
            state["creating"] = names.into();
        });
    };
    hypervisor(&world, &["n11-root", "n11-data-01"]);
    creating(&[]);
    let refused = || world.exasol("deploy").run().code(1).says("they may hold data");
    refused().says("from a backup").never_says("vol-delete").never_says("undefine");
    std::fs::write(world.deployment().join("terraform/terraform.tfstate"), "{}").unwrap();
    world.exasol("deploy").run().code(1).says("terraform.tfstate cannot be read");
    knows(&world, "x");

    hypervisor(&world, &["n11-root"]);
    refused().says(&format!("undefine {id}-n11 --nvram")).says(&format!("vol-delete {id}-n11-root --pool"));
    creating(&["n11"]);
    refused().says(&format!("removing what an interrupted run left: {id}-n11\n")).says(&format!("{id}-n11-root exist"));
    assert_eq!(world.state()["creating"], serde_json::json!([format!("{id}-n11")]));
    creating(&["n11", "n11-root"]);
    world.exasol("deploy").run().code(1).says("removing what").never_says("they may hold data");
    assert!(world.state().get("creating").is_none(), "nothing is to be made any more");
}

#[test]
fn what_an_apply_is_making_is_recorded_until_it_has_made_it() {
    let world = World::complete().with_a_machine();
    let plan = r#"{"format_version":"1.2","resource_changes":[{"address":"libvirt_domain.node[\"n12\"]","mode":"managed",
        "type":"libvirt_domain","name":"node","index":"n12","change":{"actions":["create"],"after":{"name":"x-n12"}}}]}"#;
    std::fs::write(world.path("home").join("terraform-plan"), plan).unwrap();
    tell(&world, "terraform-fails", "apply");
    world.exasol("deploy").run().code(1);
    assert_eq!(world.state()["creating"], serde_json::json!(["x-n12"]));
    tell(&world, "terraform-fails", "");
    world.exasol("deploy").run().code(1);
    assert!(world.state().get("creating").is_none());
}

#[test]
fn a_state_that_cannot_be_read_is_no_proof_for_destroy_either() {
    let world = World::complete().initialized();
    let file = world.deployment().join("terraform/terraform.tfstate");
    std::fs::write(&file, "{}").unwrap();
    world.exasol("destroy --yes").run().code(1).says("cannot be read").says("mv ");
    std::fs::remove_file(file).unwrap();
    world.exasol("destroy --yes").run().code(0);
}

#[test]
fn destroy_asks_and_without_a_terminal_refuses() {
    let world = World::complete().initialized();
    let before = world.files();
    world.exasol("destroy").run().code(2).says("--yes");
    assert_eq!(world.files(), before);
    world.exasol("destroy --dry-run").run().code(0);
    assert_eq!(world.files(), before);
}

#[test]
fn what_this_version_does_not_know_of_a_spec_keeps_nobody_from_its_removal() {
    let world = World::complete().initialized();
    world.edit_state(|state| {
        state["spec"]["instance_type"] = "gone".into();
        state["spec"]["options"]["of_a_newer_version"] = true.into();
    });
    world.exasol("deploy").run().code(2);
    for words in ["status", "destroy --dry-run"] {
        world.exasol(words).run().code(0);
    }
    world.exasol("destroy --yes").run().code(0);
    assert_eq!(world.state()["phase"], "destroyed");
}

#[test]
fn a_destroyed_directory_keeps_only_state_logs_and_readme() {
    let world = World::complete().initialized();
    world.exasol("destroy --yes").run().code(0);
    world.exasol("destroy --auto-approve").run().code(0);
    let names: Vec<_> = world.files().iter().map(|(p, _)| p.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["README.md", "deployment.json"]);
    // The directory is deployed anew, and not described anew.
    world.init("").run().code(3).says("exasol deploy -d");
}

#[test]
fn a_broken_or_newer_state_is_said_and_kept() {
    let world = World::complete().initialized();
    world.edit_state(|state| state["schema"] = 99.into());
    for words in ["status", "deploy", "destroy --yes"] {
        world.exasol(words).run().code(3).says("schema 99");
    }
    std::fs::write(world.deployment().join("deployment.json"), "{\"schema\":1,").unwrap();
    world.exasol("status").run().code(3).says("deployment.json");
}
