//! `support`: what is in the archive, what is not, and in which states a deployment may be.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use crate::support::World;

/// Files by their names below the archive's folder.
fn unpacked(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = std::fs::File::open(archive).unwrap();
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().mode().unwrap(), 0o600);
        let path = entry.path().unwrap().into_owned();
        let mut parts = path.iter();
        assert!(parts.next().unwrap().to_str().unwrap().starts_with("exasol-support-"), "{path:?}");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(parts.collect::<std::path::PathBuf>().display().to_string(), content);
    }
    files
}

fn collected(world: &World, words: &str) -> (Value, BTreeMap<String, Vec<u8>>) {
    let file = world.path("report.tar.gz");
    let _ = std::fs::remove_file(&file);
    let json = world.exasol(&format!("support --file {} {words} --json", file.display())).run().code(0).json();
    (json, unpacked(&file))
}

fn missing<'a>(json: &'a Value, what: &str) -> &'a str {
    let all = json["missing"].as_array().unwrap();
    let found = all.iter().find(|missing| missing["what"].as_str().unwrap().starts_with(what));
    found.unwrap_or_else(|| panic!("{what}: {json}"))["why"].as_str().unwrap()
}

fn nodes() -> Value {
    let node = |index: u32| {
        let (name, address) = (format!("n{}", 11 + index), format!("127.0.0.{}", 9 + index));
        json!({"name": name, "index": index, "machine": format!("x-{name}"), "mac": format!("52:54:00:00:00:0{index}"),
               "disks": [], "private_ip": address, "public_ip": address})
    };
    json!([node(0), node(1)])
}

/// Two nodes: n11 answers with what is in `answer`, n12 is not reached.
fn with_nodes() -> World {
    let world = World::complete().with_a_machine();
    world.edit_state(|state| {
        state["spec"]["cluster_size"] = 2.into();
        state["phase"] = "deployment_failed".into();
        state["nodes"] = nodes();
    });
    std::fs::write(world.path("answer"), "stage c\n").unwrap();
    let script = format!(
        "case \"$*\" in *n12*) echo 'ssh: connect to host 127.0.0.10 port 22: No route to host' >&2; exit 255 ;; esac\n\
         [ \"$1\" != -V ] || exit 0\n\
         IFS= read -r line; mark=${{line#mark=}}; cat >/dev/null\n\
         answer() {{ echo \"$mark begin $1 $2\"; cat {answer}; echo; echo \"$mark end $3\"; }}\n\
         echo 'Welcome to this node'\n\
         answer play.log 'sudo -n tail play.log' 0; answer c4-ps.txt 'c4 ps' 124; answer journal.txt journalctl 0\n\
         echo \"$mark begin diag.log cat\"; echo; echo \"$mark end absent\"",
        answer = world.path("answer").display()
    );
    world.fake("ssh", &script);
    world
}

fn log(world: &World, name: &str) -> std::path::PathBuf {
    let folder = world.deployment().join("logs").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn everything_that_tells_something_is_in_it_and_nothing_is_changed() {
    let world = with_nodes();
    let folder = log(&world, "20260102T030000Z-deploy");
    for name in ["events.jsonl", "terraform.jsonl", "ansible.jsonl", "console-n11.log"] {
        std::fs::write(folder.join(name), format!("a line of {name}\n")).unwrap();
    }
    std::fs::write(folder.join("plan.bin"), [0u8; 300]).unwrap();
    let before = world.files();
    let (json, files) = collected(&world, "");
    assert_eq!(world.files(), before);
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap_or_else(|_| panic!("{name}"));
    assert!(text("logs/20260102T030000Z-deploy/console-n11.log").contains("a line of console-n11.log"));
    assert!(text("deployment.json").contains("deployment_failed"));
    assert!(text("version.json").contains("\"kernel\""));
    assert!(text("directory.txt").contains("secrets.json"));
    assert_eq!(text("nodes/n11/play.log"), "stage c\n");
    assert_eq!(missing(&json, "nodes/n12"), "ssh: connect to host 127.0.0.10 port 22: No route to host");
    assert_eq!(missing(&json, "nodes/n11/diag.log"), "it is not there");
    assert!(missing(&json, "nodes/n11/c4-ps.txt").contains("did not end in time"));
    assert!(missing(&json, "logs/20260102T030000Z-deploy/plan.bin").contains("no text"));
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    assert_eq!(index["missing"], json["missing"]);
    assert_eq!(index["about"]["phase"], "deployment_failed");
    for name in files.keys().filter(|name| !["README.txt", "index.json"].contains(&name.as_str())) {
        assert!(index["files"].as_array().unwrap().iter().any(|file| file["file"] == name.as_str()), "{name}");
    }
    assert!(text("README.txt").contains("nodes/n12: ssh: connect"));
    let mode = std::fs::metadata(json["archive"].as_str().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert!(!files.keys().any(|name| name.contains("secrets.json") || name.contains("tfstate")));
}

#[test]
fn it_works_in_every_state_of_a_directory() {
    let world = World::complete().initialized();
    let (json, _) = collected(&world, "");
    assert!(missing(&json, "nodes").contains("none"), "{json}");
    world.remove("ssh");
    let (json, _) = collected(&world, "");
    assert!(missing(&json, "nodes").contains("ssh"), "{json}");
    let (json, _) = collected(&with_nodes(), "--no-nodes");
    assert_eq!(missing(&json, "nodes"), "they were not asked: --no-nodes");

    // A broken state: the nodes are still found, by ssh's configuration.
    let world = with_nodes();
    std::fs::create_dir_all(world.deployment().join("ssh")).unwrap();
    std::fs::write(world.deployment().join("ssh/config"), "Host n11\n  HostName 127.0.0.9\nHost n11-cos\nHost n*\n")
        .unwrap();
    std::fs::write(world.deployment().join("deployment.json"), "{\"schema\": 1, \"pha").unwrap();
    std::fs::write(world.deployment().join("secrets.json"), "{\"db_password\": \"hunter22\", \"x").unwrap();
    std::fs::write(world.path("answer"), "login with hunter22\n").unwrap();
    let (json, files) = collected(&world, "");
    assert!(json.get("deployment").is_none());
    assert!(json["warnings"][0].as_str().unwrap().contains("secrets.json"), "{json}");
    assert_eq!(files["deployment.json"], b"{\"schema\": 1, \"pha");
    assert_eq!(files["nodes/n11/play.log"], b"login with [masked: secret]\n");

    // Destroyed: secrets are gone, and so are the nodes.
    let world = with_nodes();
    std::fs::remove_file(world.deployment().join("secrets.json")).unwrap();
    world.edit_state(|state| state["phase"] = "destroyed".into());
    collected(&world, "");
    World::complete().exasol("support").run().code(3).says("not a deployment");
}

#[test]
fn a_running_operation_is_not_waited_for() {
    let world = World::complete().with_a_machine();
    std::fs::write(world.path("home").join("terraform-hangs"), "plan").unwrap();
    let deploy = world.exasol("deploy").start();
    while !world.path("home").join("terraform-is-running").exists() {
        std::thread::yield_now();
    }
    let (_, files) = collected(&world, "");
    assert!(String::from_utf8_lossy(&files["running-operation.json"]).contains("deploy"));
    let pid = rustix::process::Pid::from_raw(deploy.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!({ deploy }.wait().unwrap().code(), Some(130));
}

#[test]
fn nothing_is_overwritten_and_the_default_name_says_what_it_is() {
    let world = World::complete().initialized();
    let taken = world.path("taken");
    std::fs::write(&taken, "mine").unwrap();
    let refused = world.exasol("support --no-nodes --file taken").run().code(2);
    refused.says("--file: 'taken'").says("exists already");
    assert_eq!(std::fs::read(&taken).unwrap(), b"mine");
    world.exasol("support --no-nodes --file no/such/folder/x.tar.gz").run().code(2).says("--file");
    let json = world.exasol("support --no-nodes --json").run().code(0).json();
    let name = json["archive"].as_str().unwrap();
    let id = world.state()["id"].as_str().unwrap().to_owned();
    assert!(name.starts_with(&format!("exasol-support-{id}-")) && name.ends_with("Z.tar.gz"), "{name}");
    assert!(unpacked(&world.path(name)).contains_key("README.txt"));
    let left: Vec<_> = std::fs::read_dir(world.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".exasol-support")), "{left:?}");
    // Some of these fall into one second.
    for _ in 0..3 {
        world
            .exasol("support --no-nodes")
            .run()
            .code(0)
            .says("not collected:")
            .says("Read the archive before you send it");
    }
}

/// A secret in the forms of the programs whose output is collected; written here without the product's code.
pub fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let url: String = secret.bytes().fold(String::new(), |text, byte| match byte.is_ascii_alphanumeric() {
        true => text + &char::from(byte).to_string(),
        false => text + &format!("%{byte:02X}"),
    });
    let ascii: String = json.chars().fold(String::new(), |text, c| match c.is_ascii() {
        true => text + &c.to_string(),
        false => text + &format!("\\u{:04x}", c as u32),
    });
    vec![
        secret.to_owned(),
        json.clone(),
        ascii,
        serde_json::to_string(&json).unwrap(),
        json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
        url.clone(),
        url.replace("%20", "+"),
        secret.replace('\'', r"'\''"),
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
        STANDARD.encode(secret),
        STANDARD.encode(format!("sys:{secret}")),
        URL_SAFE.encode(format!("ab{secret}\nand more")),
        format!("https://sys:{url}@host/path"),
        format!("CCC_PLAY_DB_PASSWORD='{}'", secret.replace('\'', r"'\''")),
    ]
}

#[test]
fn no_secret_of_a_deployment_is_in_it_whatever_stands_where() {
    let world = with_nodes();
    let file = world.deployment().join("secrets.json");
    let mut secrets: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for (name, value) in [
        ("db_password", r#"it's "Q7x" <&> \é 1"#),
        ("adminui_password", "Plain24Alphanumerics0000"),
        ("host_password", "sh rt$`x`%41"),
        ("next_db_password", "next:one@home/2"),
    ] {
        secrets[name] = value.into();
    }
    secrets["cloud"] = json!({"hetzner-token": "tok3n0123456789abcdefghij"});
    secrets["cluster_key"] = secrets["ssh_key"].as_str().unwrap().replace('A', "B").into();
    std::fs::write(&file, serde_json::to_vec(&secrets).unwrap()).unwrap();
    let mut all: Vec<String> = Vec::new();
    for value in secrets.as_object().unwrap().values() {
        match value {
            Value::Object(inner) => all.extend(inner.values().map(|v| v.as_str().unwrap().to_owned())),
            value => all.push(value.as_str().unwrap().to_owned()),
        }
    }
    all.extend(["env-s3cret-value".to_owned(), "hcloud0token0from0env".to_owned()]);
    let keys: Vec<String> = all.iter().filter(|secret| secret.contains('\n')).cloned().collect();
    let lines = keys.iter().flat_map(|key| key.lines()).filter(|line| line.len() > 30 && !line.contains("-----"));
    let lines: Vec<String> = lines.map(str::to_owned).collect();

    let mut planted: Vec<String> = all.iter().flat_map(|secret| forms(secret)).collect();
    planted.extend(lines.iter().cloned());
    let mut text: String = planted.iter().map(|form| format!("2026-01-02 INFO value {form} was used\n")).collect();
    for key in &keys {
        // Broken over lines as a console or a mail does it.
        let encoded = STANDARD.encode(key);
        encoded.as_bytes().chunks(76).for_each(|part| text += &format!("  {}\n", String::from_utf8_lossy(part)));
    }
    text += "the end\n";

    let folder = log(&world, "20260102T030000Z-deploy");
    for name in ["events.jsonl", "terraform.jsonl", "ansible.jsonl", "console-n11.log", "anything.txt"] {
        std::fs::write(folder.join(name), &text).unwrap();
    }
    // Longer than the limit, so that it is cut somewhere.
    std::fs::write(folder.join("long.log"), text.repeat(1 + (3 << 20) / text.len())).unwrap();
    std::fs::write(world.deployment().join("logs/health.jsonl"), &text).unwrap();
    std::fs::write(world.path("answer"), &text).unwrap();
    world.edit_state(|state| {
        state["last_error"] =
            json!({"operation": "deploy", "code": "failed", "message": text, "at": "2026-01-02T03:00:00Z"});
    });
    std::fs::create_dir_all(world.deployment().join("ssh")).unwrap();
    std::fs::write(world.deployment().join("ssh").join(all[2].replace('/', "")), "x").unwrap();

    let archive = world.path("report.tar.gz");
    let call = world.exasol(&format!("support --file {} --json", archive.display()));
    let answer = call
        .env("HCLOUD_TOKEN", "hcloud0token0from0env")
        .env("AWS_SECRET_ACCESS_KEY", "env-s3cret-value")
        .run()
        .code(0);
    let mut files = unpacked(&archive);
    files.insert("the screen".into(), format!("{}{}", answer.stdout, answer.stderr).into_bytes());
    let sources =
        ["deployment.json", "logs/health.jsonl", "nodes/n11/play.log", "nodes/n11/c4-ps.txt", "nodes/n11/journal.txt"];
    for name in sources
        .into_iter()
        .chain(["logs/20260102T030000Z-deploy/long.log", "logs/20260102T030000Z-deploy/anything.txt"])
    {
        assert!(String::from_utf8_lossy(&files[name]).contains("[masked"), "{name} was not there or not cleaned");
    }
    for (name, content) in &files {
        let content = String::from_utf8_lossy(content);
        for form in planted.iter().filter(|form| form.len() > 3) {
            assert!(!content.contains(form.as_str()), "{name} has {form}");
        }
        for key in &keys {
            for part in STANDARD.encode(key).as_bytes().chunks(76).filter(|part| part.len() > 20) {
                assert!(!content.contains(&*String::from_utf8_lossy(part)), "{name} has a part of a key");
            }
        }
        // What is left of one that was only half taken out.
        for rest in ["Q7x", "Alphanumerics", "tok3n", "next:one", "s3cret-value", "hcloud0token"] {
            assert!(!content.contains(rest), "{name} has {rest}");
        }
    }
}
