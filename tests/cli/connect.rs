//! `info`, `ssh`, `sql`, `status` and `deploy` of a cluster that was ready once, on addresses where nobody answers.

use crate::support::World;

const FINGERPRINT: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A deployment that deploy has left ready; its one node is at an address without listeners.
pub fn ready() -> World {
    let world = World::complete().with_a_machine();
    world.edit_state(|state| {
        state["phase"] = "database_ready".into();
        state["certificate_fingerprint"] = FINGERPRINT.into();
        state["nodes"] = serde_json::json!([{
            "name": "n11", "index": 0, "machine": "x-n11", "mac": "52:54:00:00:00:01", "disks": [],
            "private_ip": "127.0.0.9", "public_ip": "127.0.0.9",
        }]);
    });
    world
}

#[test]
fn info_has_what_drivers_want_and_the_password_only_when_asked() {
    let world = ready();
    let json = world.exasol("info --json").run().code(0).json();
    let upper = FINGERPRINT.to_uppercase();
    assert_eq!(json["dsn"], format!("127.0.0.9/{upper}:8563"));
    assert_eq!(json["jdbc"], format!("jdbc:exa:127.0.0.9/{upper}:8563;user=sys"));
    assert_eq!(json["rehearsal"], true);
    assert!(json.get("password").is_none());
    let shown = world.exasol("info --show-password --json").run().code(0).json();
    let password = shown["password"].as_str().unwrap().to_owned();
    assert_eq!(password.len(), 24);
    world.exasol("info").run().code(0).says("rehearsal: no database").never_says(&password);
    world.exasol("info --show-password").run().code(0).says(&password);
}

#[test]
fn a_client_gets_what_it_takes_and_a_shell_can_read_it() {
    let world = ready();
    let upper = FINGERPRINT.to_uppercase();
    let password =
        world.exasol("info --show-password --json").run().code(0).json()["password"].as_str().unwrap().to_owned();
    for client in ["pyexasol", "dbeaver", "exaplus", "jdbc", "odbc", "env"] {
        let hidden = world.exasol(&format!("info --for {client}")).run().code(0).never_says(&password);
        assert!(hidden.stdout.contains(&upper), "{client}: {}", hidden.stdout);
        let json = world.exasol(&format!("info --for {client} --json")).run().code(0).json();
        assert_eq!((json["client"].as_str(), json["text"].as_str()), (Some(client), Some(hidden.stdout.as_str())));
    }
    let env = world.exasol("info --for env --show-password").run().code(0).stdout;
    let script = format!(
        "{env}\nprintf '%s|' \"$EXASOL_DSN\" \"$EXASOL_HOST\" \"$EXASOL_PORT\" \"$EXASOL_USER\" \"$EXASOL_PASSWORD\""
    );
    let shell = std::process::Command::new("sh").args(["-euc", &script]).output().unwrap();
    let expected = format!("127.0.0.9/{upper}:8563|127.0.0.9|8563|sys|{password}|");
    assert_eq!(String::from_utf8(shell.stdout).unwrap(), expected);
    world.exasol("info --for sqlplus").run().code(2).says("pyexasol");
}

#[test]
fn a_cluster_that_does_not_answer_is_not_called_ready() {
    let world = ready();
    let json = world.exasol("status --json").run().code(0).json();
    assert_eq!(json["phase"], "database_ready");
    assert_ne!(json["status"], "database_ready");
    assert_eq!(json["nodes"][0]["vm"], "missing");
    assert!(json["reason"].as_str().unwrap().contains("n11"), "{json}");
    world.exasol("status").run().code(0).says("n11").says("missing");
}

#[test]
fn what_was_destroyed_is_no_place_to_connect_to() {
    let world = ready();
    world.edit_state(|state| state["phase"] = "destroyed".into());
    std::fs::remove_file(world.deployment().join("secrets.json")).unwrap();
    for words in ["info --json", "ssh n11 --json", "sql --json -c 1"] {
        let json = world.exasol(words).run().code(3).json();
        assert_eq!(json["error"]["code"], "not_yet", "{words}: {json}");
        assert!(json["error"]["hint"].as_str().unwrap().contains("exasol deploy -d"), "{words}: {json}");
    }
    let json = world.exasol("status --json").run().code(0).json();
    assert_eq!((&json["status"], &json["nodes"][0]["vm"]), (&"destroyed".into(), &"absent".into()));
}

#[test]
fn sql_names_the_host_that_does_not_answer() {
    let world = ready();
    let json = world.exasol_with(["sql", "-c", "SELECT 1", "--json"]).run().code(1).json();
    assert_eq!(json["error"]["code"], "sql_connection_failed");
    world.exasol_with(["sql", "-c", "SELECT 1", "--node", "n21"]).run().code(2).says("'n21'").says("one of n11");
}

#[test]
fn ssh_gets_our_configuration_the_node_and_the_command() {
    let world = ready();
    world.fake("ssh", r#"echo "$@""#);
    let config = world.deployment().join("ssh/config");
    let answer = world.exasol("ssh n11 -- ls /tmp").run().code(0).says(&config.display().to_string());
    assert!(answer.stdout.trim().ends_with("-- n11 ls /tmp"), "{}", answer.stdout);
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("StrictHostKeyChecking yes") && text.contains("127.0.0.9"), "{text}");
    let plain = world.exasol("ssh n11 ls /tmp").run().code(0);
    assert_eq!(plain.stdout, world.exasol("ssh n11 -- ls /tmp").run().code(0).stdout);
    let dashed = world.exasol("ssh n11 ls -l --json").run().code(0).says("-l");
    assert!(dashed.stdout.contains("--json"), "{}", dashed.stdout);
    world.exasol("ssh n13").run().code(2).says("'n13'").says("n11-cos");
    world.init("").env("EXASOL_DEPLOYMENT_DIR", world.path("trial")).run().code(0);
    world.exasol("ssh trial").run().code(2).says("Did you mean -d trial?");
    let jdbc = world.exasol("info --for JDBC").run().code(0).stdout;
    assert_eq!(jdbc, world.exasol("info --for jdbc").run().code(0).stdout);
}

#[test]
fn a_container_that_refuses_our_key_is_reached_through_its_node() {
    let world = ready();
    world.fake(
        "ssh",
        r#"case "$*" in
  *"-T -- n11-cos sh -s") cat >/dev/null; echo "root@127.0.0.9: $(cat "$HOME/said")" >&2; exit "$(cat "$HOME/code")" ;;
  *) for word in "$@"; do printf '<%s>' "$word"; done ;;
esac"#,
    );
    let told = |said: &str, code: &str| {
        std::fs::write(world.path("home").join("said"), said).unwrap();
        std::fs::write(world.path("home").join("code"), code).unwrap();
    };
    let ends = |words: &[&str], end: &str| {
        let answer = world.exasol_with(words.iter().copied()).run().code(0);
        assert!(answer.stdout.ends_with(end), "{words:?}: {}", answer.stdout);
    };
    told("Permission denied (publickey).", "255");
    ends(&["ssh", "n11-cos"], "<-t><--><n11><ssh -t cos>");
    ends(
        &["ssh", "n11-cos", "--", "confd_client db_list | wc -l"],
        "<--><n11><ssh cos 'confd_client db_list | wc -l'>",
    );
    let several = ["ssh", "n11-cos", "--", "confd_client", "db_configure", "mem_size:", "2048 MiB"];
    ends(&several, r"<--><n11><ssh cos 'confd_client db_configure mem_size: '\''2048 MiB'\'''>");
    ends(&["ssh", "n11"], "<--><n11>");
    // Only a refusal: what else goes wrong is ssh's to tell, of the container itself.
    told("Connection refused", "255");
    ends(&["ssh", "n11-cos"], "<--><n11-cos>");
    told("", "0");
    ends(&["ssh", "n11-cos", "--", "ls", "/tmp"], "<--><n11-cos><ls /tmp>");
}

#[test]
fn a_directory_that_was_moved_gets_its_ssh_configuration_written_anew() {
    let world = ready();
    world.fake("ssh", r#"echo "$@""#);
    world.exasol("ssh n11 -- true").run().code(0);
    let moved = world.path("moved");
    std::fs::rename(world.deployment(), &moved).unwrap();
    world.exasol("ssh n11 -- true").env("EXASOL_DEPLOYMENT_DIR", &moved).run().code(0);
    let text = std::fs::read_to_string(moved.join("ssh/config")).unwrap();
    assert!(text.contains(&moved.join("ssh/known_hosts").display().to_string()), "{text}");
}

#[test]
fn deploy_of_a_cluster_that_fell_silent_goes_on_deploying() {
    let world = ready();
    std::fs::write(world.path("home").join("terraform-fails"), "plan").unwrap();
    world.exasol("deploy").run().code(1).says("not ready any more").says("the fake was told so");
    // A plan changes nothing: the cluster is what it was.
    assert_eq!(world.state()["phase"], "database_ready");
}

#[test]
fn a_percent_sign_in_the_directory_s_name_is_no_reason_to_write_the_configuration_again() {
    let world = ready();
    world.fake("ssh", r#"echo "$@""#);
    let moved = world.path("50%");
    std::fs::rename(world.deployment(), &moved).unwrap();
    let ssh = || world.exasol("ssh n11 -- true").env("EXASOL_DEPLOYMENT_DIR", &moved).run();
    ssh().code(0);
    let config = moved.join("ssh/config");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("/50%%/ssh/known_hosts"), "{text}");
    std::fs::write(&config, format!("# mine\n{text}")).unwrap();
    ssh().code(0).never_says("UserKnownHostsFile");
    assert!(std::fs::read_to_string(&config).unwrap().starts_with("# mine"));
}

#[test]
fn ssh_into_a_moved_directory_works_while_another_operation_runs() {
    let world = ready();
    world.fake("ssh", r#"echo "$@""#);
    world.exasol("ssh n11 -- true").run().code(0);
    // The old place's path contains the new one's.
    let moved = world.path("d");
    std::fs::rename(world.deployment(), &moved).unwrap();
    let lock = std::fs::File::options().write(true).open(moved.join(".lock")).unwrap();
    rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let answer = world.exasol("ssh n11 -- true").env("EXASOL_DEPLOYMENT_DIR", &moved).run().code(0);
    let known_hosts = moved.join("ssh/known_hosts");
    answer.says(&format!("-o UserKnownHostsFile \"{}\"", known_hosts.display()));
}

#[test]
fn a_directory_that_was_moved_to_a_name_that_ssh_cannot_use_is_not_deployed() {
    let world = ready();
    let moved = world.path("my\"cluster");
    std::fs::rename(world.deployment(), &moved).unwrap();
    world.exasol("deploy").env("EXASOL_DEPLOYMENT_DIR", &moved).run().code(2).says("ssh cannot use");
    let calls = std::fs::read_to_string(world.path("home/terraform-calls")).unwrap_or_default();
    assert!(!calls.contains("init"), "{calls}");
    world.exasol("init --cloud-provider libvirt -d a${b}").run().code(2).says("ssh cannot use");
}

#[test]
fn a_plugin_cache_that_cannot_be_written_costs_the_cache_only() {
    let world = ready();
    std::fs::create_dir_all(world.path("cache/exasol")).unwrap();
    std::fs::write(world.path("cache/exasol/plugins"), "").unwrap();
    std::fs::write(world.path("home").join("terraform-fails"), "plan").unwrap();
    world.exasol("deploy").run().code(1).says("without the cache").says("the fake was told so");
}
