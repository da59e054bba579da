//! `init` on libvirt's mock driver: everything or nothing, and nothing that others may read.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use crate::support::World;

#[test]
fn a_directory_holds_what_the_contract_names() {
    let world = World::complete();
    let json = world.init("--cluster-size 2 --json").run().code(0).json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["cluster_size"], 2);
    assert_eq!(json["rehearsal"], true);
    for name in ["deployment.json", "secrets.json", "README.md", "terraform/main.tf", "terraform/terraform.tfvars.json"]
    {
        assert!(world.deployment().join(name).is_file(), "{name}");
    }
    let state = world.state();
    assert_eq!(state["phase"], "initialized");
    assert_eq!(state["spec"]["cluster_size"], 2);
}

#[test]
fn nothing_is_for_others_to_read() {
    let world = World::complete().initialized();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.deployment()), 0o700);
    let secrets: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.deployment().join("secrets.json")).unwrap()).unwrap();
    let words: Vec<String> = ["db_password", "adminui_password", "host_password", "ssh_key"]
        .map(|name| serde_json::to_string(&secrets[name]).unwrap().trim_matches('"').to_owned())
        .to_vec();
    for (path, content) in world.files() {
        let text = String::from_utf8_lossy(&content);
        if words.iter().any(|word| text.contains(word.as_str())) || text.contains("PRIVATE KEY") {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

#[test]
fn generated_passwords_are_long_and_given_ones_are_kept() {
    let world = World::complete();
    std::fs::write(world.path("password"), "a \"b\" 'c' $d #{e}\n").unwrap();
    world.init("--db-password-file password").run().code(0).never_says("#{e}");
    let text = std::fs::read_to_string(world.deployment().join("secrets.json")).unwrap();
    let secrets: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(secrets["db_password"], "a \"b\" 'c' $d #{e}");
    assert_eq!(secrets["adminui_password"].as_str().unwrap().len(), 24);
}

#[test]
fn passwords_by_environment_and_stdin() {
    let world = World::complete();
    world.init("--host-password-file -").stdin("from stdin\n").env("EXASOL_DB_PASSWORD", "from env").run().code(0);
    let text = std::fs::read_to_string(world.deployment().join("secrets.json")).unwrap();
    assert!(text.contains("from stdin") && text.contains("from env"));
}

#[test]
fn a_password_on_the_command_line_works_and_is_warned_of() {
    let world = World::complete();
    world.init("--db-password visible1").run().code(0).says("--db-password-file").never_says("visible1");
}

#[test]
fn bad_passwords_are_refused_before_anything_is_written() {
    let world = World::complete();
    let long = "x".repeat(118);
    for wrong in ["two\nlines", "", long.as_str()] {
        std::fs::write(world.path("password"), format!("{wrong}\n")).unwrap();
        world.init("--db-password-file password").run().code(2).says("--db-password");
        assert!(!world.deployment().exists());
    }
    world.init("--db-password-file - --host-password-file -").run().code(2).says("standard input");
}

#[test]
fn the_file_the_environment_and_the_flags_are_merged() {
    let world = World::complete();
    std::fs::write(world.path("c.toml"), "cluster-size = 4\nowner = 'file'\ndata_volume_size = 7\n").unwrap();
    world.init("--config c.toml --cluster-size 2").env("EXASOL_OWNER", "env").run().code(0);
    let spec = world.state()["spec"].clone();
    assert_eq!(
        (&spec["cluster_size"], &spec["owner"], &spec["data_volume_size"]),
        (&2.into(), &"env".into(), &7.into())
    );
}

#[test]
fn a_second_init_changes_nothing() {
    let world = World::complete().initialized();
    let before = world.files();
    world.init("--cluster-size 3").run().code(3).says("already").says("exasol status");
    assert_eq!(world.files(), before);
}

#[test]
fn a_directory_with_other_things_is_refused() {
    let world = World::complete();
    std::fs::create_dir(world.deployment()).unwrap();
    std::fs::write(world.deployment().join("notes.txt"), "mine").unwrap();
    world.init("").run().code(3).says("notes.txt");
    assert_eq!(world.files().len(), 1);
}

#[test]
fn a_directory_of_the_bash_deployer_is_refused_and_kept() {
    let world = World::complete();
    std::fs::create_dir(world.deployment()).unwrap();
    std::fs::write(world.deployment().join(".exasol.json"), "{}").unwrap();
    for words in ["status", "deploy", "destroy --yes"] {
        world.exasol(words).run().code(3).says("Bash");
    }
    world.init("").run().code(3).says("Bash");
    assert_eq!(world.files().len(), 1);
}

#[test]
fn every_missing_tool_is_named_at_once_with_its_mending_command() {
    let world = World::complete();
    for tool in ["terraform", "ansible-playbook"] {
        world.remove(tool);
    }
    let answer = world.init("").run().code(4).says("terraform").says("ansible");
    assert!(answer.stderr.contains("install"), "{}", answer.stderr);
    assert!(!world.deployment().exists());
    let json = world.init("--json").run().code(4).json();
    assert_eq!(json["error"]["code"], "preflight_failed");
}

#[test]
fn a_missing_pool_or_network_is_named_with_its_mending_command() {
    let world = World::complete();
    world.init_on("absent", "default", "").run().code(4).says("absent").says("virsh");
    world.init_on("default-pool", "absent0", "").run().code(4).says("absent0");
    assert!(!world.deployment().exists());
}

#[test]
fn an_image_with_another_checksum_is_refused() {
    let world = World::complete();
    let zeros = "0".repeat(64);
    world.init(&format!("--libvirt-image-sha256 {zeros}")).run().code(4).says("000000");
    world.init("--libvirt-image-sha256 xyz").run().code(2).says("xyz");
}

#[test]
fn an_init_that_was_killed_does_not_block_the_next() {
    let world = World::complete();
    let mut child = world.init("").start();
    // Wherever it is: before, amid or after writing.
    while !world.deployment().exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
    match world.deployment().join("deployment.json").exists() {
        true => world.exasol("status").run().code(0),
        false => world.init("").run().code(0),
    };
}

#[test]
fn an_update_that_waits_for_a_password_keeps_what_another_one_changes_meanwhile() {
    let world = World::complete().initialized();
    let password = world.path("password");
    let name = std::ffi::CString::new(password.to_str().unwrap()).unwrap();
    // SAFETY: the name is a string with an end.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let update = format!("init --update --owner bob --db-password-file {}", password.display());
    let mut waiting = world.exasol(&update).start();
    // Opened for writing as soon as the other side reads.
    let mut password = std::fs::File::options().write(true).open(&password).unwrap();
    world.exasol("init --update --data-volume-size 200").run().code(0);
    password.write_all(b"Secret-1234\n").unwrap();
    drop(password);
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    let spec = &world.state()["spec"];
    assert_eq!((&spec["owner"], &spec["data_volume_size"]), (&"bob".into(), &200.into()));
}
