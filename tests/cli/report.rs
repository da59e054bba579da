//! `report`: where the page goes, what is in it in which state, and what is not.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::bug_report::forms;
use crate::support::World;

fn written(world: &World, words: &str) -> (Value, String) {
    let file = world.path("report.html");
    let _ = std::fs::remove_file(&file);
    let json = world.exasol(&format!("report --output-file {} {words} --json", file.display())).run().code(0).json();
    (json, std::fs::read_to_string(file).unwrap())
}

fn node(index: u32) -> Value {
    let (name, address) = (format!("n{}", 11 + index), format!("127.0.0.{}", 9 + index));
    json!({"name": name, "index": index, "machine": format!("x-{name}"), "mac": format!("52:54:00:00:00:0{index}"),
           "disks": [], "private_ip": address, "public_ip": address})
}

/// Two nodes, whose machines are gone.
fn with_nodes(phase: &str) -> World {
    let world = World::complete().with_a_machine();
    world.edit_state(|state| {
        state["spec"]["cluster_size"] = 2.into();
        state["phase"] = phase.into();
        state["nodes"] = json!([node(0), node(1)]);
    });
    world
}

fn log(world: &World, name: &str, file: &str, text: &str) {
    let folder = world.deployment().join("logs").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), text).unwrap();
}

#[test]
fn a_page_has_its_name_is_private_and_overwrites_nothing() {
    let world = World::complete().initialized();
    let before = world.files();
    let json = world.exasol("report --offline --json").run().code(0).json();
    assert_eq!(world.files(), before, "nothing is changed");
    let (name, id) = (json["file"].as_str().unwrap(), world.state()["id"].as_str().unwrap().to_owned());
    assert!(name.starts_with(&format!("exasol-report-{id}-")) && name.ends_with("Z.html"), "{name}");
    let found = std::fs::metadata(world.path(name)).unwrap();
    assert_eq!((found.permissions().mode() & 0o7777, found.len()), (0o600, json["bytes"].as_u64().unwrap()));
    std::fs::write(world.path("taken"), "mine").unwrap();
    world.exasol("report --offline --output-file taken").run().code(2).says("--output-file").says("exists already");
    assert_eq!(std::fs::read(world.path("taken")).unwrap(), b"mine");
    world.exasol("report --offline --file no/such/folder/x.html").run().code(2).says("--output-file");
    world.exasol("report --offline --file other.html").run().code(0).says("written:").says("Read the page before");
    let left: Vec<_> = std::fs::read_dir(world.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".exasol-")), "{left:?}");
    World::complete().exasol("report").run().code(3).says("not a deployment");
}

#[test]
fn every_phase_has_a_page() {
    let (json, html) = written(&World::complete().initialized(), "");
    assert_eq!(json["missing"][0]["what"], "live health", "{json}");
    assert!(html.contains(">initialized<") && html.contains("not created") && html.contains("exasol deploy -d"));
    for (phase, shown) in [("stopped", "was off"), ("destroyed", "removed"), ("database_ready", "not asked")] {
        let (json, html) = written(&with_nodes(phase), "--offline");
        assert_eq!(json["missing"][0]["why"], "no machine was asked: --offline");
        assert!(html.contains(shown) && html.contains("127.0.0.10"), "{phase}");
    }
}

#[test]
fn machines_are_asked_and_their_trouble_is_shown() {
    let world = with_nodes("database_ready");
    // Only the first has a host key.
    world.edit_state(|state| {
        state["spec"]["cluster_size"] = 1.into();
        state["nodes"] = json!([node(0)]);
    });
    let before = world.files();
    let (json, html) = written(&world, "--probe-timeout 2");
    assert_eq!(world.files(), before, "nothing is changed");
    assert!(!world.deployment().join("logs/health.jsonl").exists(), "this look is not remembered");
    assert_eq!(json["missing"], json!([]), "{json}");
    assert!(
        html.contains("n11: missing;") && html.contains("machine_missing") && html.contains("asked now, in"),
        "{html}"
    );
    assert!(html.contains("Every layer of every node"));
}

#[test]
fn what_was_recorded_last_is_shown_where_nobody_is_asked() {
    let world = with_nodes("database_ready");
    let look = |at: &str, issues: &str| {
        format!("{{\"at\":\"{at}\",\"status\":\"x\",\"phase\":\"database_ready\",\"issues\":{issues}}}\n")
    };
    let issue = r#"[{"type":"clock_off","node":"n12","severity":"warning"}]"#;
    std::fs::create_dir_all(world.deployment().join("logs")).unwrap();
    let lines = look("2026-01-02T03:04:05Z", "[]") + &look("2026-01-02T04:05:06Z", issue);
    std::fs::write(world.deployment().join("logs/health.jsonl"), lines).unwrap();
    let (_, html) = written(&world, "--offline");
    assert!(
        html.contains("healthy, 1 warning") && html.contains("recorded by exasol health on 2 Jan 2026, 04:05:06 UTC")
    );
    assert!(html.contains("n11: was healthy") && html.contains("n12: had warnings") && html.contains("clock_off"));
}

#[test]
fn the_timeline_has_the_last_operations() {
    let world = with_nodes("database_ready");
    for day in 1..=8 {
        let events = format!(
            "{{\"at\":\"2026-01-0{day}T03:00:00Z\",\"event\":\"operation_started\",\"steps\":[{{\"id\":\"boot\",\"title\":\"wait for nodes\"}}]}}\n\
             {{\"at\":\"2026-01-0{day}T03:00:01Z\",\"event\":\"step_started\",\"step\":\"boot\"}}\n\
             {{\"at\":\"2026-01-0{day}T03:00:05Z\",\"event\":\"step_detail\",\"step\":\"boot\",\"message\":\"n12 has an address\"}}\nnonsense\n"
        );
        log(&world, &format!("2026010{day}T030000Z-deploy"), "events.jsonl", &events);
    }
    log(
        &world,
        "20260108T030000Z-deploy",
        "console-n11.log",
        "\u{1b}[32mone\u{1b}[0m\n[  12.5] Kernel <panic> & more\n",
    );
    let (json, html) = written(&world, "--offline");
    assert_eq!(json["operations"], 6);
    assert!(html.contains("2 earlier operations are not shown") && html.contains("interrupted after 5 s"), "{html}");
    assert!(html.contains("wait for nodes") && html.contains("n12: has an address"));
    assert!(html.contains("Kernel &lt;panic&gt; &amp; more") && !html.contains("[32m"), "{html}");
}

#[test]
fn no_secret_of_a_deployment_is_in_it_and_no_text_is_markup() {
    let world = with_nodes("deployment_failed");
    let file = world.deployment().join("secrets.json");
    let mut secrets: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    secrets["db_password"] = r#"it's "Q7x" <&> \é 1"#.into();
    secrets["adminui_password"] = "Plain24Alphanumerics0000".into();
    secrets["cloud"] = json!({"any-token": "tok3n0123456789abcdefghij"});
    std::fs::write(&file, serde_json::to_vec(&secrets).unwrap()).unwrap();
    let mut all: Vec<String> = Vec::new();
    for value in secrets.as_object().unwrap().values() {
        match value {
            Value::Object(inner) => all.extend(inner.values().map(|v| v.as_str().unwrap().to_owned())),
            value => all.push(value.as_str().unwrap().to_owned()),
        }
    }
    let markup = "</title><script>alert(1)</script>";
    let planted: Vec<String> = all.iter().flat_map(|secret| forms(secret)).collect();
    let text: String = planted.iter().map(|form| format!("{markup} value {form} was used\n")).collect();
    let mut events = String::new();
    for form in &planted {
        let event = |mut event: Value| {
            event["at"] = "2026-01-02T03:00:01Z".into();
            event.to_string() + "\n"
        };
        let said = format!("{markup} {form}");
        events += &event(json!({"event": "warning", "message": said, "api_token": "other0token"}));
        events += &event(json!({"event": "task", "name": said, "node": said, "state": "failed", "message": said}));
        events += &event(json!({"event": "step_started", "step": said}));
        events += &event(json!({"event": "step_finished", "step": said, "outcome": "done", "detail": said}));
    }
    log(&world, "20260102T030000Z-deploy", "events.jsonl", &events);
    log(&world, "20260102T030000Z-deploy", "console-n11.log", &text);
    world.edit_state(|state| {
        let error = json!({"operation": "deploy", "code": "failed", "message": text, "at": "2026-01-02T03:00:00Z"});
        state["last_error"] = error;
        state["spec"]["owner"] = format!("{markup} {}", all[0]).into();
        state["nodes"][0]["machine"] = markup.into();
        state["nodes"][1]["name"] = markup.into();
    });
    world.fake("terraform", &format!("echo '{{\"terraform_version\":\"1.11.4{}\"}}'", "</td><script>"));
    let answer = world.exasol("report --output-file page.html --json").run().code(0);
    let html = std::fs::read_to_string(world.path("page.html")).unwrap();
    assert!(html.contains("[masked: db_password]") && html.contains("&lt;script&gt;"));
    assert!(!html.contains("<script") && html.matches("</title>").count() == html.matches("<title").count());
    let html = html + &answer.stdout + &answer.stderr;
    // As they are, and as HTML writes them.
    let escaped = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;")
    };
    for form in planted.iter().filter(|form| form.len() > 3) {
        assert!(!html.contains(form.as_str()) && !html.contains(&escaped(form)), "{form}");
    }
    let lines = all.iter().flat_map(|secret| secret.lines()).filter(|line| line.len() > 30 && !line.contains("-----"));
    for line in lines {
        assert!(!html.contains(line), "{line}");
    }
    for rest in ["Q7x", "Alphanumerics", "tok3n", "other0token"] {
        assert!(!html.contains(rest), "{rest}");
    }
}
