//! A cluster's life from every phase, with fakes for everything outside: which command runs, what it
//! leads to, and that the command which `status` names really leads on.

use std::sync::atomic::{AtomicUsize, Ordering};

use deployer::deployment::transitions::{self, Cause};
use deployer::model::{Operation, Phase};

use crate::cluster::Cluster;
use crate::database::{Answer, Database, PASSWORD, refusal};

const OPERATIONS: [(Operation, &str); 6] = [
    (Operation::Deploy, "deploy"),
    (Operation::Stop, "stop"),
    (Operation::Start, "start"),
    (Operation::Destroy, "destroy --yes"),
    (Operation::Update, "init --update --allowed-cidr 198.51.100.0/24"),
    (Operation::Repair, "health --repair"),
];

#[test]
fn a_life_from_init_to_nothing() {
    let Some(cluster) = Cluster::initialized() else { return };
    assert_eq!(cluster.next(), ["exasol deploy"]);
    cluster.exasol("deploy").run().code(0);
    cluster.exasol("deploy").run().code(0).says("already accepts logins");
    cluster.exasol("stop").run().code(0);
    assert_eq!(cluster.phase(), Phase::Stopped);
    cluster.exasol("stop").run().code(0);
    cluster.exasol("start").run().code(0);
    assert_eq!(cluster.phase(), Phase::DatabaseReady);
    cluster.world.exasol_with(["sql", "-c", "SELECT 1"]).run().code(0);
    cluster.exasol("destroy --yes").run().code(0);
    assert_eq!(cluster.phase(), Phase::Destroyed);
    cluster.exasol("destroy --yes").run().code(0);
}

#[test]
fn a_ready_cluster_that_was_told_less_is_told_the_rest() {
    let Some(cluster) = Cluster::deployed() else { return };
    for told_before in [None, Some("0".repeat(64))] {
        cluster.world.edit_state(|state| state["nodes_form"] = told_before.into());
        cluster.exasol("deploy").run().code(0).says("lack settings of this version");
        cluster.exasol("deploy").run().code(0).never_says("lack settings");
    }
    // Whatever stops it, the cluster is as ready as before.
    cluster.world.edit_state(|state| state["nodes_form"] = serde_json::Value::Null);
    cluster.world.remove("ansible-playbook");
    cluster.exasol("deploy").run().code(4);
    assert_eq!(cluster.phase(), Phase::DatabaseReady);
}

#[test]
fn a_ready_cluster_that_does_not_answer_now_stays_ready_while_nothing_is_done_to_it() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.world.edit_state(|state| state["certificate_fingerprint"] = "0".repeat(64).into());
    cluster.world.remove("terraform");
    cluster.exasol("deploy").run().code(4).says("deploying again");
    assert_eq!(cluster.phase(), Phase::DatabaseReady);
}

#[test]
fn a_resumed_operation_that_fails_again_is_not_interrupted_any_more() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.world.remove("terraform");
    cluster.put(Phase::DeployInProgress);
    cluster.exasol("deploy").run().code(4);
    assert_eq!(cluster.phase(), Phase::DeploymentFailed);
}

#[test]
fn a_deployment_that_has_lost_its_secrets_can_only_be_destroyed() {
    let Some(cluster) = Cluster::initialized() else { return };
    let root = cluster.world.deployment();
    std::fs::write(root.join("ansible"), "no folder").unwrap();
    cluster.exasol("destroy --yes").run().code(1);
    assert_eq!(cluster.phase(), Phase::DestroyFailed);
    std::fs::remove_file(root.join("ansible")).unwrap();
    cluster.exasol("destroy --yes").run().code(0);
}

#[test]
fn every_command_from_every_phase_does_its_work_or_says_why_it_may_not() {
    let Some(cluster) = Cluster::deployed() else { return };
    for phase in Phase::ALL {
        for (operation, words) in OPERATIONS {
            cluster.put(phase);
            let before = cluster.world.files();
            let answer = cluster.exasol(words).run();
            let told = format!("{words} from {phase}: {answer:?}");
            if transitions::allowed(operation, phase).is_err() {
                assert_eq!(answer.code, Some(3), "{told}");
                assert_eq!(cluster.world.files(), before, "{told}");
                continue;
            }
            // What health finds on a fake node is not what this is about.
            if operation == Operation::Repair {
                assert!(matches!(answer.code, Some(0 | 1)), "{told}");
                continue;
            }
            assert_eq!(answer.code, Some(0), "{told}");
            assert_eq!(cluster.phase(), transitions::succeeded(operation).unwrap_or(phase), "{told}");
        }
    }
}

#[test]
fn commands_that_only_look_run_from_every_phase_and_change_nothing() {
    let Some(cluster) = Cluster::deployed() else { return };
    for phase in Phase::ALL {
        cluster.put(phase);
        let before = cluster.world.files();
        for words in ["status", "status --json", "info", "logs", "list", "destroy --dry-run"] {
            let answer = cluster.exasol(words).run();
            assert!(matches!(answer.code, Some(0 | 3)), "{words} from {phase}: {answer:?}");
        }
        assert_eq!(cluster.world.files(), before, "{phase}");
    }
}

#[test]
fn every_command_that_status_names_really_works_from_there() {
    let Some(cluster) = Cluster::deployed() else { return };
    for phase in Phase::ALL {
        cluster.put(phase);
        let next = cluster.next();
        assert!(!next.is_empty(), "{phase}");
        for command in next {
            cluster.put(phase);
            let answer = match command.as_str() {
                "exasol init" => cluster.exasol("init --cloud-provider exoscale -d another").run(),
                // A shell needs a terminal.
                "exasol sql" => cluster.exasol("sql -c 1").run(),
                command => cluster.run_next(command),
            };
            if command == "exasol sql" {
                assert!(!answer.stderr.contains("no statement"), "{answer:?}");
                continue;
            }
            assert_eq!(answer.code, Some(0), "{command} from {phase}: {answer:?}");
            // It only says what has happened.
            if command.starts_with("exasol logs") {
                continue;
            }
            let rests = [Phase::DatabaseReady, Phase::Stopped, Phase::Destroyed];
            assert!(rests.contains(&cluster.phase()), "{command} from {phase} led to {}", cluster.phase());
        }
    }
}

#[test]
fn after_any_failure_the_first_command_that_status_names_leads_on() {
    let Some(cluster) = Cluster::deployed() else { return };
    let from = [
        (Operation::Deploy, Phase::DeploymentFailed),
        (Operation::Stop, Phase::DatabaseReady),
        (Operation::Start, Phase::Stopped),
        (Operation::Destroy, Phase::DatabaseReady),
    ];
    for (operation, phase) in from {
        for tool in ["terraform", "ssh", "ansible-playbook"] {
            cluster.put(phase);
            cluster.tell("fails", tool);
            let words = OPERATIONS.iter().find(|(o, _)| *o == operation).unwrap().1;
            let answer = cluster.exasol(words).run();
            cluster.tell("fails", "");
            let told = format!("{words} from {phase} with a broken {tool}: {answer:?}");
            match answer.code {
                // It did not need that tool.
                Some(0) => assert_eq!(Some(cluster.phase()), transitions::succeeded(operation), "{told}"),
                // Nothing was changed yet: the same command leads on.
                Some(1) if cluster.phase() == phase => {
                    assert_eq!(cluster.exasol(words).run().code, Some(0), "again after {told}");
                    assert_eq!(Some(cluster.phase()), transitions::succeeded(operation), "{words} after {told}");
                }
                Some(1) => {
                    let causes = [Cause::Other, Cause::Connection].map(|c| transitions::failed(operation, c, true));
                    assert!(causes.contains(&Some(cluster.phase())), "{told}");
                    let next = cluster.next().swap_remove(0);
                    let again = cluster.run_next(&next);
                    assert_eq!(again.code, Some(0), "then {next}: {again:?}, after {told}");
                    assert_eq!(Some(cluster.phase()), transitions::succeeded(operation), "{next} after {told}");
                }
                _ => panic!("{told}"),
            }
        }
    }
}

#[test]
fn one_lost_session_does_not_end_the_wait_for_the_database() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.put(Phase::Stopped);
    cluster.tell("session", "lost");
    cluster.exasol("start").run().code(0).says("Broken pipe");
    assert_eq!(cluster.phase(), Phase::DatabaseReady);
}

#[test]
fn what_differs_from_a_running_database_is_a_warning() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.put(Phase::Stopped);
    cluster.tell("session", "differs");
    cluster.tell("admin-ui", "warning: the Admin UI does not run");
    let answer = cluster.exasol("start").run().code(0);
    answer.says("the database runs and accepts connections").says("n11: the Admin UI does not run");
    assert_eq!(cluster.phase(), Phase::DatabaseReady);
}

#[test]
fn a_database_that_cannot_start_is_told_with_commands_that_work_from_here() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.put(Phase::Stopped);
    cluster.tell("session", "unable");
    let command = format!("exasol ssh -d {} n11-cos -- confd_client", cluster.world.deployment().display());
    cluster.exasol("start").run().code(1).says("Exasol does not start (no memory)").says(&command);
}

#[test]
fn first_logins_that_fail_are_tried_again() {
    let failures = AtomicUsize::new(0);
    let database = Database::answering(move |request| {
        // The second half of a login has no command.
        if request.get("command").is_some() {
            return None;
        }
        match failures.fetch_add(1, Ordering::Relaxed) {
            0 => Some(Answer::Json(refusal("08004", "Connection exception - authentication failed."))),
            1 => Some(Answer::Json(refusal("R0001", "not yet"))),
            2 => Some(Answer::HangUp),
            _ => None,
        }
    });
    let Some(cluster) = Cluster::with(database) else { return };
    let answer = cluster.exasol("deploy").run().code(0);
    answer.says("no login yet").says("[08004]").says("[R0001] not yet");
    assert_eq!(cluster.phase(), Phase::DatabaseReady);
}

#[test]
fn a_result_that_cannot_be_recorded_is_no_success() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.tell("state-is-stuck", "");
    let answer = cluster.exasol("stop --json").run().code(1);
    let answer = answer.says("\"event\":\"operation_finished\"").says("\"ok\":false");
    let error = &answer.json()["error"];
    assert_eq!(error["operation"], "stop", "{error}");
    assert!(error["message"].as_str().unwrap().contains("deployment.json"), "{error}");
    assert!(error["now"].is_string(), "{error}");
    let next = error["next"][0].as_str().unwrap();
    assert!(next.starts_with("exasol stop "), "{error}");
}

#[test]
fn a_database_is_not_started_with_another_address_than_it_was_installed_with() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.put(Phase::Stopped);
    cluster.world.edit_state(|state| {
        state["spec"]["db_version"] = "default".into();
        state["told_addresses"]["n11"] = "192.0.2.7".into();
        state["cos_host_keys"]["n11"] = serde_json::json!(["ssh-ed25519 AAAA"]);
    });
    cluster
        .exasol("start")
        .run()
        .code(1)
        .says("n11 had 192.0.2.7, has 127.")
        .says("give the nodes their old addresses");
    assert_eq!(cluster.phase(), Phase::StartFailed);
    // The way out that was named: the old address is back.
    let address = cluster.world.state()["nodes"][0]["private_ip"].clone();
    cluster.world.edit_state(|state| state["told_addresses"]["n11"] = address);
    cluster.exasol("start").run().code(0).says("host keys of n11's COS could not be read");
    assert_eq!(cluster.world.state()["cos_host_keys"]["n11"], serde_json::json!(["ssh-ed25519 AAAA"]));
}

#[test]
fn the_password_is_changed_only_at_the_database_whose_certificate_the_node_shows() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.put(Phase::DatabaseConnectionFailed);
    cluster.exasol("init --update --db-password-file -").stdin("the next one").run().code(0);
    cluster.world.edit_state(|state| drop(state.as_object_mut().unwrap().remove("certificate_fingerprint")));
    let right = std::fs::read_to_string(cluster.world.path("home/fingerprint")).unwrap();
    cluster.tell("fingerprint", &"00".repeat(32));
    cluster.exasol("deploy").run().code(1).says("shows another certificate");
    let secrets = std::fs::read_to_string(cluster.world.deployment().join("secrets.json")).unwrap();
    assert!(secrets.contains("next_db_password"));
    cluster.tell("fingerprint", &right);
    // The fake goes on with the old one.
    cluster.exasol("deploy").run().code(1).says("the password of sys was changed");
}

#[test]
fn a_state_that_was_lost_after_a_failure_is_not_taken_for_nothing() {
    let Some(cluster) = Cluster::initialized() else { return };
    // Terraform has made a machine, and then its address was not to be had.
    let outputs = std::fs::read_to_string(cluster.world.path("home/outputs")).unwrap();
    cluster.tell("outputs", "{}");
    cluster.exasol("deploy").run().code(1);
    let state = cluster.world.deployment().join("terraform/terraform.tfstate");
    let kept = std::fs::read(&state).unwrap();
    std::fs::remove_file(&state).unwrap();
    let destroyed = cluster.exasol("destroy --yes").run().code(1);
    destroyed.says("gone or empty, although something was made");
    cluster.exasol("deploy").run().code(1).says("it might exist already");
    std::fs::write(&state, kept).unwrap();
    cluster.tell("outputs", &outputs);
    cluster.exasol("destroy --yes").run().code(0);
}

#[test]
fn a_password_that_a_half_installed_database_may_have_is_not_forgotten() {
    let Some(cluster) = Cluster::initialized() else { return };
    cluster.tell("fails", "ansible-playbook");
    cluster.exasol("deploy").run().code(1);
    assert_eq!(cluster.world.state()["install_begun"], true);
    cluster.exasol("init --update --db-password-file -").stdin("the next one").run().code(0);
    let secrets = std::fs::read(cluster.world.deployment().join("secrets.json")).unwrap();
    let secrets: serde_json::Value = serde_json::from_slice(&secrets).unwrap();
    assert_eq!((&secrets["db_password"], &secrets["next_db_password"]), (&PASSWORD.into(), &"the next one".into()));
}

#[test]
fn files_that_were_edited_stop_neither_stop_nor_start() {
    let Some(cluster) = Cluster::deployed() else { return };
    let edit = |name: &str| {
        let file = cluster.world.deployment().join(name);
        let text = std::fs::read_to_string(&file).unwrap() + "\n";
        std::fs::write(&file, &text).unwrap();
        text
    };
    let now = |name: &str| std::fs::read_to_string(cluster.world.deployment().join(name)).unwrap();
    let main = edit("terraform/main.tf");
    for words in ["stop", "start"] {
        let config = edit("ssh/config");
        cluster.exasol(words).run().code(0);
        assert_eq!(now("terraform/main.tf"), main);
        assert_ne!(now("ssh/config"), config);
    }
    // One in which the power is: kept, and so nothing was switched.
    edit("terraform/terraform.tfvars.json");
    cluster.exasol("stop").run().code(1).says("still on").says("terraform/terraform.tfvars.json");
    assert_eq!(cluster.phase(), Phase::StopFailed);
}

#[test]
fn stop_finds_the_nodes_from_a_directory_that_was_moved() {
    let Some(cluster) = Cluster::deployed() else { return };
    let moved = cluster.world.path("moved");
    std::fs::rename(cluster.world.deployment(), &moved).unwrap();
    cluster.exasol("stop").env("EXASOL_DEPLOYMENT_DIR", &moved).run().code(0);
    let config = std::fs::read_to_string(moved.join("ssh/config")).unwrap();
    assert!(config.contains(&*moved.join("ssh/known_hosts").to_string_lossy()), "{config}");
}

#[test]
fn what_is_missing_after_machines_were_switched_on_leaves_no_stopped_cluster() {
    let Some(cluster) = Cluster::deployed() else { return };
    cluster.put(Phase::Stopped);
    cluster.world.remove("ssh");
    cluster.exasol("start").run().code(4).says("ssh");
    assert_eq!(cluster.phase(), Phase::StartFailed);
    // Before anything was changed it does.
    cluster.put(Phase::Stopped);
    cluster.world.remove("terraform");
    cluster.exasol("start").run().code(4).says("terraform");
    assert_eq!(cluster.phase(), Phase::Stopped);
}
