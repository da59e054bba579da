//! The environment of people's own: folders for temporary files, settings of Terraform and Ansible,
//! debug variables, wrappers. What the programs that we start see of it, and what an error tells.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::World;

/// A Terraform as [`World::complete`] has it, that first writes down what it sees.
fn world() -> World {
    let world = World::complete();
    let usual = std::fs::read_to_string(world.path("bin").join("terraform")).unwrap();
    let look = "export -p > \"$HOME/seen-$1\"\n[ ! -d \"$TMPDIR\" ] || ls -ld \"$TMPDIR\" > \"$HOME/tmp-$1\"\n";
    world.fake("terraform", &format!("{look}{usual}"));
    world
}

/// What the program saw that was called with this word.
fn seen(world: &World, verb: &str) -> String {
    std::fs::read_to_string(world.path("home").join(format!("seen-{verb}"))).unwrap()
}

/// The value that `export -p` of any shell shows.
fn variable(seen: &str, name: &str) -> Option<String> {
    let line = seen.lines().find_map(|line| line.split_once(&format!(" {name}="))).map(|(_, value)| value)?;
    Some(line.trim_matches(['\'', '"']).to_owned())
}

/// A folder that only its owner may enter.
fn private_folder(world: &World, name: &str) -> PathBuf {
    let folder = world.path(name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    folder
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn terraforms_temporary_files_have_a_short_plain_path_wherever_tmpdir_is() {
    let long = "a-folder-whose-name-is-long/".repeat(4);
    for name in [long.trim_end_matches('/'), "a blank", "100%C", "it's\"quoted"] {
        let world = world().with_a_machine();
        let usual = world.path(name);
        std::fs::create_dir_all(&usual).unwrap();
        world.exasol("deploy --plan").env("TMPDIR", &usual).run().code(0);
        let folder = variable(&seen(&world, "plan"), "TMPDIR").unwrap();
        assert!(folder.len() <= 46, "{folder}");
        assert!(folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte)), "{folder}");
        assert!(!Path::new(&folder).exists(), "{folder} is left");
        assert!(entries(&usual).is_empty());
    }
}

#[test]
fn temporary_files_are_in_the_users_own_runtime_folder_if_only_the_user_gets_in() {
    let world = world().with_a_machine();
    let runtime = private_folder(&world, "run");
    world.exasol("deploy --plan").env("XDG_RUNTIME_DIR", &runtime).run().code(0);
    let folder = variable(&seen(&world, "plan"), "TMPDIR").unwrap();
    assert!(folder.starts_with(runtime.to_str().unwrap()), "{folder}");
    let mode = std::fs::read_to_string(world.path("home").join("tmp-plan")).unwrap();
    assert!(mode.starts_with("drwx------"), "{mode}");
    assert!(entries(&runtime).is_empty(), "nothing is left");

    std::fs::set_permissions(&runtime, PermissionsExt::from_mode(0o755)).unwrap();
    world.exasol("deploy --plan").env("XDG_RUNTIME_DIR", &runtime).run().code(0);
    assert!(variable(&seen(&world, "plan"), "TMPDIR").unwrap().starts_with("/tmp/"));
}

#[test]
fn what_a_killed_plan_left_is_removed_by_the_next_operation() {
    let world = world().with_a_machine();
    let runtime = private_folder(&world, "run");
    std::fs::write(world.path("home").join("terraform-hangs"), "plan").unwrap();
    let mut child = world.exasol("deploy --plan").env("XDG_RUNTIME_DIR", &runtime).start();
    let running = world.path("home").join("terraform-is-running");
    let end = Instant::now() + Duration::from_secs(60);
    while !running.exists() {
        assert!(Instant::now() < end, "the plan never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let has_the_copy =
        || entries(&runtime).iter().any(|folder| folder.join("terraform/secrets.auto.tfvars.json").exists());
    assert!(has_the_copy());

    // The Terraform that outlived it still has its files.
    std::fs::remove_file(world.path("home").join("terraform-hangs")).unwrap();
    world.exasol("deploy --plan").env("XDG_RUNTIME_DIR", &runtime).run().code(0);
    assert!(has_the_copy());

    let pid = std::fs::read_to_string(running).unwrap();
    let pid: i32 = pid.trim().parse().unwrap();
    // SAFETY: kill has no memory effects; the process is the fake that this test started.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    while !entries(&runtime).is_empty() {
        assert!(Instant::now() < end, "what was left is still there: {:?}", entries(&runtime));
        world.exasol("deploy --plan").env("XDG_RUNTIME_DIR", &runtime).run().code(0);
    }
}

#[test]
fn debug_output_of_terraform_does_not_reach_the_logs_and_that_is_said_once() {
    let world = world().with_a_machine();
    std::fs::write(world.path("home").join("terraform-fails"), "apply").unwrap();
    let plan = r#"{"format_version":"1.2","resource_changes":[{"address":"libvirt_domain.node[\"n11\"]","mode":"managed",
        "type":"libvirt_domain","name":"node","index":"n11","change":{"actions":["update"],"before":{},"after":{}}}]}"#;
    std::fs::write(world.path("home").join("terraform-plan"), plan).unwrap();
    let call = world.exasol("deploy").env("TF_LOG", "DEBUG").env("TF_LOG_PATH", "/tmp/x").env("TF_LOG_CORE", "TRACE");
    let answer = call.run().code(1).says("TF_LOG, TF_LOG_CORE, TF_LOG_PATH: not passed on to terraform");
    let told = format!("{}{}", answer.stdout, answer.stderr).matches("not passed on").count();
    assert_eq!(told, 1);
    for verb in ["init", "plan", "apply"] {
        assert!(!seen(&world, verb).contains("TF_LOG"), "{verb}");
    }
    world.exasol("deploy --plan").env("TF_LOG", "off").run().code(0).never_says("TF_LOG");
}

#[test]
fn our_own_variables_with_passwords_reach_no_program() {
    let world = world().with_a_machine();
    world.exasol("deploy --plan").env("EXASOL_DB_PASSWORD", "tiger").env("EXASOL_LOG_LEVEL", "warn").run().code(0);
    for verb in ["version", "init", "plan", "show"] {
        let seen = seen(&world, verb);
        assert!(!seen.contains("tiger") && !seen.contains("EXASOL_"), "{verb}: {seen}");
    }
}

#[test]
fn ansible_is_asked_for_its_version_without_the_users_own_settings() {
    let world = World::complete();
    // As Ansible does: it makes folders in ANSIBLE_HOME, by default below HOME, and reads what ANSIBLE_CONFIG names.
    world.fake(
        "ansible-playbook",
        "[ -z \"$ANSIBLE_STDOUT_CALLBACK\" ] || { echo 'ERROR! unknown callback' >&2; exit 5; }\n\
         [ -f \"$ANSIBLE_CONFIG\" ] || { echo 'ERROR! ~/.ansible.cfg is broken' >&2; exit 5; }\n\
         mkdir -p \"${ANSIBLE_HOME:-/proc/none}\" \"${ANSIBLE_LOCAL_TEMP:-/proc/none}\" || exit 5\n\
         echo 'ansible-playbook [core 2.19.0]'",
    );
    let call = world.exasol("doctor --cloud-provider libvirt --libvirt-uri test:///default --json");
    let call = call.env("ANSIBLE_STDOUT_CALLBACK", "none").env("ANSIBLE_CONFIG", "/proc/none");
    let json = call.run().json();
    let check = json["checks"].as_array().unwrap().iter().find(|check| check["id"] == "ansible").unwrap();
    assert_eq!(check["status"], "ok", "{check}");
}

#[test]
fn a_program_that_is_there_and_broken_is_not_called_missing_and_its_words_are_shown() {
    for (program, body, words) in [
        ("ansible-playbook", "echo 'ModuleNotFoundError: No module named ansible' >&2; exit 1", "ModuleNotFoundError"),
        ("ansible-playbook", "echo 'please choose a version'", "please choose a version"),
        ("terraform", "echo 'tfenv: no version is installed' >&2; exit 1", "tfenv: no version is installed"),
        ("terraform", "echo 'pick one: 1.9 or 1.11'", "pick one: 1.9 or 1.11"),
    ] {
        let world = World::complete();
        world.fake(program, body);
        world
            .exasol("doctor --cloud-provider libvirt --libvirt-uri test:///default")
            .run()
            .code(4)
            .says(words)
            .says("was found, but does not work")
            .never_says("was not found on PATH");
    }
}

#[test]
fn a_wrapper_may_print_before_the_answer() {
    let world = World::complete();
    for program in ["terraform", "ansible-playbook"] {
        let usual = std::fs::read_to_string(world.path("bin").join(program)).unwrap();
        world.fake(program, &format!("echo '[INFO] version manager 1.2'\n{usual}"));
    }
    let world = world.with_a_machine();
    world.exasol("deploy --plan").run().code(0);
}

#[test]
fn terraforms_own_broken_configuration_comes_before_what_follows_from_it() {
    let world = World::complete().with_a_machine();
    let usual = std::fs::read_to_string(world.path("bin").join("terraform")).unwrap();
    let complain = "[ \"$1\" = version ] || printf '%s\\n' \
        'There are some problems with the CLI configuration:' '╷' \
        '│ Error: Error parsing /home/u/.terraformrc: At 3:12: expected comment' '│' '╵' '' \
        'As a result of the above problems, Terraform may not behave as intended.' >&2\n";
    world.fake("terraform", &format!("{complain}{usual}"));
    std::fs::write(world.path("home").join("terraform-fails"), "init").unwrap();
    let answer = world.exasol("deploy").run().code(1);
    let all = format!("{}{}", answer.stdout, answer.stderr);
    assert!(all.contains("terraform failed (exit status 1): Error parsing /home/u/.terraformrc: At 3:12"), "{all}");
    answer.says("no such thing").never_says("{\"@level\"");

    std::fs::remove_file(world.path("home").join("terraform-fails")).unwrap();
    world.exasol("deploy --plan").run().code(0).says(".terraformrc: At 3:12").says("goes on without that file");
}

#[test]
fn a_directory_or_cache_that_others_can_change_is_not_used() {
    let world = World::complete().initialized();
    let open = world.path("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::rename(world.deployment(), open.join("demo")).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let fix = format!("chmod o-w {}", open.canonicalize().unwrap().display());
    let there = format!("-d {}", open.join("demo").display());
    for command in ["status", "deploy", "destroy --yes", "init --update --cluster-size 2"] {
        world.exasol(&format!("{command} {there}")).run().code(3).says("every user can change").says(&fix);
    }
    world.exasol(&format!("init -d {}", open.join("new").display())).run().code(3).says(&fix);
    assert!(!open.join("new").exists());
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o755)).unwrap();
    world.exasol(&format!("status {there}")).run().code(0);
    // Terraform's plugins and fetched tools in the cache are run.
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o1777)).unwrap();
    let cache = open.join("cache");
    std::fs::create_dir_all(cache.join("exasol")).unwrap();
    std::fs::set_permissions(cache.join("exasol"), PermissionsExt::from_mode(0o777)).unwrap();
    let deploy = format!("deploy {there}");
    world
        .exasol(&deploy)
        .env("XDG_CACHE_HOME", &cache)
        .run()
        .code(3)
        .says("every user can change")
        .says("cache/exasol");
}

#[test]
fn no_tool_leaves_a_core() {
    let world = World::complete();
    let usual = std::fs::read_to_string(world.path("bin/terraform")).unwrap();
    world.fake("terraform", &format!("ulimit -c >>\"$HOME/cores\"\n{usual}"));
    let world = world.with_a_machine();
    world.exasol("deploy --plan").run().code(0);
    let cores = std::fs::read_to_string(world.path("home/cores")).unwrap();
    assert!(!cores.is_empty() && cores.lines().all(|limit| limit == "0"), "{cores}");
}

#[test]
fn the_first_plugin_must_be_the_published_one() {
    let world = World::complete().initialized();
    world.exasol("deploy --plan").run().code(0).never_says("checksum");
    let (empty, broken) = (world.path("empty.toml"), world.path("broken.toml"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&broken, "[[provider]]\nsource = 1\n").unwrap();
    let planned = |file: &Path| world.exasol("deploy --plan").env("EXASOL_PROVIDER_CHECKSUMS", file).run();
    planned(&empty)
        .code(0)
        .says("no published checksum is known for dmacvicar/libvirt 0.8.3 from registry.terraform.io");
    planned(&broken).code(2).says("EXASOL_PROVIDER_CHECKSUMS").says("line 2");
    // Written before Terraform is asked, and Terraform's own from then on.
    let world = World::complete().with_a_machine();
    let lock = world.deployment().join("terraform/.terraform.lock.hcl");
    assert!(!lock.exists());
    world.exasol("deploy").run();
    let text = std::fs::read_to_string(&lock).unwrap();
    assert!(
        text.starts_with("provider \"registry.terraform.io/dmacvicar/libvirt\" {\n") && text.contains("\"zh:"),
        "{text}"
    );
    // The list is of no account then, and a broken one stops nothing.
    world.exasol("deploy --plan").env("EXASOL_PROVIDER_CHECKSUMS", &broken).run().code(0);
}
