//! Clouds with fakes for everything outside: what `init` refuses, what `--update` may change, and how
//! machines are switched by a cloud's API and by Terraform.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::{Call, World};

pub const TOKEN: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678901";

pub fn init<'a>(world: &'a World, more: &str) -> Call<'a> {
    world.exasol(&format!("init --cloud-provider hetzner --db-version rehearsal {more}"))
}

/// As after a deploy: two machines with ids, and a database.
fn ready(provider: &str) -> World {
    let world = World::complete();
    let words = format!("init --cloud-provider {provider} --db-version rehearsal");
    account(world.exasol(&words)).run().code(0);
    world.edit_state(|state| {
        state["phase"] = "database_ready".into();
        state["installed"] = true.into();
        state["nodes"] = serde_json::json!([{
            "name": "n11", "index": 0, "machine": "x-n11", "mac": "52:54:00:00:00:01", "disks": [],
            "private_ip": "127.0.0.9", "public_ip": "127.0.0.9", "machine_id": "42", "disk_links": [],
        }]);
    });
    let state = r#"{"version":4,"serial":1,"resources":[]}"#;
    std::fs::write(world.deployment().join("terraform/terraform.tfstate"), state).unwrap();
    world
}

fn account(call: Call<'_>) -> Call<'_> {
    call.env("HCLOUD_TOKEN", TOKEN)
        .env("EXOSCALE_API_KEY", "EXO0123456789abcdef01234567")
        .env("EXOSCALE_API_SECRET", "exoSecretOfTheTests0123456789abcdefghijklmn")
}

#[test]
fn a_missing_account_is_exit_4_a_wrong_one_2_and_nothing_is_written() {
    let world = World::complete();
    init(&world, "").run().code(4).says("HCLOUD_TOKEN").says("--hetzner-token-file");
    init(&world, "").env("HCLOUD_TOKEN", "").run().code(4);
    init(&world, "").env("HCLOUD_TOKEN", "hunter2").run().code(2).says("HCLOUD_TOKEN").never_says("hunter2");
    init(&world, "--hetzner-token-file nowhere").run().code(2).says("nowhere cannot be read");
    assert!(!world.deployment().exists());
    // A corrected retry in the same directory.
    init(&world, "").env("HCLOUD_TOKEN", TOKEN).run().code(0).never_says(TOKEN);
}

#[test]
fn a_typed_token_is_kept_where_nobody_reads_it_and_one_of_the_environment_is_not() {
    let world = World::complete();
    init(&world, "--hetzner-token-file -").stdin(&format!("{TOKEN}\n")).run().code(0);
    let holders: Vec<_> =
        world.files().into_iter().filter(|(_, c)| String::from_utf8_lossy(c).contains(TOKEN)).collect();
    assert_eq!(holders.len(), 1);
    assert!(holders[0].0.ends_with("secrets.json"));
    let other = World::complete();
    init(&other, "").env("HCLOUD_TOKEN", TOKEN).run().code(0);
    assert!(!other.files().iter().any(|(_, c)| String::from_utf8_lossy(c).contains(TOKEN)));
    init(&World::complete(), &format!("--hetzner-token {TOKEN}")).run().code(0).says("--hetzner-token-file");
}

#[test]
fn regions_and_machine_types_are_held_against_the_catalogue() {
    let world = World::complete();
    let call = |more: &str| init(&world, more).env("HCLOUD_TOKEN", TOKEN).run();
    call("--hetzner-location nbg2").code(2).says("Did you mean nbg1?").says("--allow-unlisted");
    call("--instance-type cpx33").code(2).says("--instance-type");
    call("--data-volume-size 9").code(2).says("10 GB or more");
    call("--root-volume-size 50").code(2).says("--instance-type");
    call("--network-cidr 10.0.0.0/30").code(2).says("--network-cidr");
    call("--allowed-cidr 2001:db8::/32").code(2).says("IPv4");
    assert!(!world.deployment().exists());
    call("--instance-type cpx99 --allow-unlisted").code(0).says("cpx99 is not in the catalogue");
}

#[test]
fn permissions_are_json_for_every_provider() {
    let world = World::new();
    let listed = world.exasol("init --list-providers --json").run().code(0).json();
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 8);
    for name in names {
        let shown = world.exasol(&format!("init --cloud-provider {name} --show-permissions")).run().code(0);
        serde_json::from_str::<serde_json::Value>(&shown.stdout).unwrap();
        shown.says("have not been tested");
    }
}

#[test]
fn an_update_changes_what_it_may_and_says_what_it_changed() {
    let world = World::complete().initialized();
    let update = |more: &str| world.exasol(&format!("init --update {more}"));
    let json = update("--cluster-size 3 --owner me --json").run().code(0).json();
    let changed: Vec<_> = json["changed"].as_array().unwrap().iter().map(|c| c["option"].as_str().unwrap()).collect();
    assert_eq!(changed, ["cluster_size", "owner"]);
    assert_eq!(world.state()["spec"]["cluster_size"], 3);
    update("--cluster-size 3").run().code(0).says("unchanged");
    world.exasol("status").run().code(0).says("the next deploy applies them");
    update("--cloud-provider hetzner").run().code(2).says("cannot move to hetzner");
    update("--cluster-size 0").run().code(2).says("--cluster-size");
    let names = || -> Vec<_> {
        let names = world.files().into_iter().map(|(path, _)| path);
        names.filter(|path| !path.starts_with(world.deployment().join("previous"))).collect()
    };
    let before = names();
    world.edit_state(|state| state["installed"] = true.into());
    update("--cluster-size 4").run().code(2).says("--cluster-size").says("cannot change any more");
    update("--libvirt-memory 9").run().code(2).says("--libvirt-memory");
    update("--adminui-password-file -").stdin("another").run().code(2).says("Admin UI");
    update("--allowed-cidr 192.0.2.0/24 --db-password-file -")
        .stdin("next \"word\"")
        .run()
        .code(0)
        .never_says("next \"word\"");
    let secrets: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.deployment().join("secrets.json")).unwrap()).unwrap();
    assert_eq!(secrets["next_db_password"], "next \"word\"");
    assert_eq!(secrets["db_password"].as_str().unwrap().len(), 24);
    assert_eq!(names(), before);
}

#[test]
fn sizes_of_a_cloud_s_cluster_change_while_it_is_stopped() {
    let world = ready("hetzner");
    let update = |more: &str| account(world.exasol(&format!("init --update {more}"))).run();
    update("--instance-type cpx42").code(2).says("exasol stop");
    world.edit_state(|state| state["phase"] = "stopped".into());
    update("--instance-type cpx42").code(0).says("cpx42").says("exasol start");
    update("--data-volume-size 200").code(0);
    update("--data-volume-size 50").code(2).says("only grows");
}

#[test]
fn sizes_of_a_libvirt_cluster_change_while_it_is_stopped() {
    let world = World::complete().initialized();
    world.edit_state(|state| {
        state["installed"] = true.into();
        state["phase"] = "database_ready".into();
    });
    let update = |more: &str| world.exasol(&format!("init --update {more}")).run();
    update("--libvirt-memory 2").code(2).says("--libvirt-memory").says("exasol stop");
    world.edit_state(|state| state["phase"] = "stopped".into());
    update("--libvirt-memory 2 --libvirt-vcpus 3").code(0).says("exasol start");
    update("--data-volume-size 1").code(2).says("--data-volume-size").says("only grows").says("2 GB or more");
    update("--root-volume-size 4").code(2).says("only grows");
    update("--data-volume-size 200 --root-volume-size 90").code(0);
    update("--data-volumes-per-node 2").code(2).says("cannot change any more");
    let spec = &world.state()["spec"];
    assert_eq!((&spec["options"]["memory"], &spec["options"]["vcpus"]), (&2.into(), &3.into()));
    assert_eq!((&spec["data_volume_size"], &spec["root_volume_size"]), (&200.into(), &90.into()));
}

/// A cloud's API on this machine: what was asked, and a machine that is switched.
pub struct Api {
    pub url: String,
    pub calls: Arc<Mutex<Vec<String>>>,
}

/// An API that gives every request line its answer: status line and body.
pub fn api(mut answer: impl FnMut(&str) -> (&'static str, String) + Send + 'static) -> Api {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let mut tcp = tcp.unwrap();
            let call = read_request(&tcp);
            seen.lock().unwrap().push(call.clone());
            let (status, body) = answer(&call);
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = tcp.write_all(format!("{head}{body}").as_bytes());
        }
    });
    Api { url, calls }
}

/// Reads a request to its end; its first line.
fn read_request(tcp: &TcpStream) -> String {
    let mut reader = BufReader::new(tcp);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    first.trim().to_owned()
}

/// A machine that runs until it is switched off, or has gone down by itself: it was asked to, two looks ago.
fn going_down() -> Api {
    let (mut looks, mut status) = (0, "running");
    api(move |call| {
        if looks == 3 || call.contains("/actions/poweroff") {
            status = "off";
        }
        looks += 1;
        ("200 OK", format!("{{\"server\":{{\"status\":\"{status}\"}}}}"))
    })
}

#[test]
fn a_cloud_s_api_is_asked_until_every_machine_is_off() {
    let world = ready("hetzner");
    let api = going_down();
    let stop = || account(world.exasol("stop --json")).env("HCLOUD_ENDPOINT", &api.url).run();
    let json = stop().code(0).json();
    assert_eq!(json["status"], "stopped");
    assert!(json["remark"].as_str().unwrap().contains("still paid for"));
    assert_eq!(world.state()["phase"], "stopped");
    assert!(api.calls.lock().unwrap().iter().all(|call| call.contains("/servers/42")));
    // Again: nothing to do. And deploy is not for a cluster that was stopped on purpose.
    stop().code(0);
    account(world.exasol("deploy")).run().code(3).says("exasol start");
    let refreshed =
        account(world.exasol("status --refresh --json")).env("HCLOUD_ENDPOINT", &api.url).run().code(0).json();
    assert_eq!((refreshed["status"].as_str(), refreshed["nodes"][0]["vm"].as_str()), (Some("stopped"), Some("off")));
}

#[test]
fn machines_that_nobody_knows_are_not_proven_to_be_off() {
    let world = ready("hetzner");
    world.edit_state(|state| state["nodes"] = serde_json::json!([]));
    let api = going_down();
    account(world.exasol("stop")).env("HCLOUD_ENDPOINT", &api.url).run().code(1).says("no machine of n11");
    assert_eq!(world.state()["phase"], "database_ready");
}

#[test]
fn a_machine_that_was_deleted_in_the_cloud_is_for_deploy_to_make_again() {
    let world = ready("hetzner");
    world.edit_state(|state| state["phase"] = "stopped".into());
    let api = api(|_| ("404 Not Found", "{}".into()));
    let told = account(world.exasol("start")).env("HCLOUD_ENDPOINT", &api.url).run().code(1);
    let told = told.says("does not exist any more").says("makes them again").stderr;
    assert_eq!(told.matches("machine of n11").count(), 1, "it does not exist now: {told}");
    assert_eq!(world.state()["phase"], "start_failed");
    let next = account(world.exasol("status --json")).run().code(0).json()["next"].to_string();
    assert!(next.contains("exasol deploy"), "{next}");
}

#[test]
fn a_token_that_was_lost_stops_stop_before_anything_happens() {
    let world = ready("hetzner");
    world.exasol("stop").run().code(4).says("HCLOUD_TOKEN");
    assert_eq!(world.state()["phase"], "database_ready");
}

#[test]
fn terraform_switches_where_it_can() {
    let world = ready("exoscale");
    let json = account(world.exasol("stop --json")).run().code(0).json();
    assert_eq!(json["status"], "stopped");
    let variables = std::fs::read_to_string(world.deployment().join("terraform/terraform.tfvars.json")).unwrap();
    assert!(variables.contains("\"power\": \"stopped\""), "{variables}");
    let refreshed = account(world.exasol("status --refresh --json")).run().code(0).json();
    assert_eq!(refreshed["nodes"][0]["vm"], "missing");
}

#[test]
fn nobody_is_asked_for_machines_that_were_not_made_or_were_removed() {
    let world = ready("exoscale");
    for phase in ["initialized", "destroyed"] {
        world.edit_state(|state| state["phase"] = phase.into());
        // No account, no secrets: there is nothing to ask about.
        let _ = std::fs::remove_file(world.deployment().join("secrets.json"));
        let json = world.exasol("status --refresh --json").run().code(0).json();
        assert_eq!((&json["status"], &json["nodes"][0]["vm"]), (&phase.into(), &"absent".into()));
    }
}

#[test]
fn a_database_that_nobody_reaches_is_not_switched_off() {
    let world = ready("exoscale");
    world.fake("ssh", "echo 'ssh: connect to host n11 port 22: No route to host' >&2; exit 255");
    account(world.exasol("stop")).run().code(1).says("No route to host").says("nothing was switched off");
    assert_eq!(world.state()["phase"], "database_ready");
}

#[test]
fn a_lost_state_is_no_proof_that_a_cloud_is_empty() {
    let world = ready("hetzner");
    let id = world.state()["id"].as_str().unwrap().to_owned();
    let file = |name: &str| world.deployment().join("terraform").join(name);
    let refused = |words: &str| {
        let answer = account(world.exasol(words)).run().code(1).says(&id).says("rm -r ");
        assert_eq!(world.state()["phase"], "database_ready");
        answer
    };
    std::fs::remove_file(file("terraform.tfstate")).unwrap();
    for words in ["destroy --yes", "destroy --dry-run"] {
        refused(words).says("is gone or empty").says("from a backup");
    }
    std::fs::write(file("terraform.tfstate"), r#"{"serial":3,"lineage":"x","encrypted_data":"eA=="}"#).unwrap();
    refused("destroy --yes").says("terraform.tfstate cannot be read");
    std::fs::remove_file(file("terraform.tfstate")).unwrap();
    std::fs::write(file("errored.tfstate"), r#"{"version":4,"serial":3,"resources":[]}"#).unwrap();
    refused("destroy --yes").says("state push errored.tfstate");
    // Terraform has taken it over.
    std::fs::copy(file("errored.tfstate"), file("terraform.tfstate")).unwrap();
    account(world.exasol("destroy --yes")).run().code(0);
}

#[test]
fn a_destroy_that_was_killed_while_it_cleaned_up_ends_at_the_second_attempt() {
    let world = ready("hetzner");
    world.edit_state(|state| state["phase"] = "destroy_in_progress".into());
    std::fs::remove_file(world.deployment().join("secrets.json")).unwrap();
    std::fs::remove_dir_all(world.deployment().join("terraform")).unwrap();
    world.exasol("destroy --yes").run().code(0);
    assert_eq!(world.state()["phase"], "destroyed");
    world.exasol("destroy --dry-run").run().code(0);
}

#[test]
fn status_waits_and_says_when_time_is_up() {
    let world = World::complete().initialized();
    world.exasol("status --wait initialized").run().code(0);
    let last = world.exasol("status --wait database_ready --timeout 0s").run().code(1).says("not deployed yet");
    assert!(last.stderr.contains("not ready after 0 s"), "{}", last.stderr);
    world.exasol("status --wait ready --timeout 0s").run().code(1).says("not ready after 0 s");
    world.exasol("status --wait nonsense").run().code(2).says("ready, stopped, destroyed");
    world.exasol("status --wait stopped --timeout soon").run().code(2).says("90s, 15m or 1h");
    world.exasol("status --refresh").run().code(2).says("leave it out");
}

#[test]
fn nothing_is_made_twice_while_the_state_does_not_tell_what_exists() {
    let world = ready("hetzner");
    world.edit_state(|state| {
        state["phase"] = "deployment_failed".into();
        state["installed"] = false.into();
    });
    let terraform = world.deployment().join("terraform");
    std::fs::write(terraform.join("errored.tfstate"), r#"{"version":4,"serial":9,"resources":[]}"#).unwrap();
    account(world.exasol("deploy --yes")).run().code(1).says("nothing was planned").says("state push errored.tfstate");
    std::fs::remove_file(terraform.join("errored.tfstate")).unwrap();
    std::fs::remove_file(terraform.join("terraform.tfstate")).unwrap();
    account(world.exasol("deploy --yes")).run().code(1).says("gone or empty").says("exasol state repair -d ");
    assert_eq!(world.state()["phase"], "deployment_failed");
}

#[test]
fn an_image_that_the_cloud_took_away_is_forgotten() {
    let world = ready("hetzner");
    world.give_cluster_key();
    world.edit_state(|state| {
        state["phase"] = "deployment_failed".into();
        state["installed"] = false.into();
        state["nodes"] = serde_json::json!([]);
        state["facts"]["image_id"] = "114690387".into();
    });
    let made = r#"{"version":4,"serial":1,"resources":[{"mode":"managed","type":"hcloud_server","name":"node",
        "instances":[{"index_key":"n11","attributes":{"name":"x"}}]}]}"#;
    std::fs::write(world.deployment().join("terraform/terraform.tfstate"), made).unwrap();
    let terraform = |detail: &str| {
        let diagnostic = serde_json::json!({
            "@level": "error", "@message": "Error", "type": "diagnostic",
            "diagnostic": {"severity": "error", "summary": "cannot create server", "detail": detail},
        });
        let plan = serde_json::json!({"format_version": "1.2", "resource_changes": [{
            "address": "hcloud_server.node[\"n12\"]", "mode": "managed", "type": "hcloud_server", "name": "node",
            "index": "n12", "change": {"actions": ["create"], "before": null, "after": {}},
        }]});
        world.fake(
            "terraform",
            &format!(
                "case \"$1\" in\n\
                 version) echo '{{\"terraform_version\":\"1.11.4\"}}' ;;\n\
                 show) echo '{plan}' ;;\n\
                 plan) for word in \"$@\"; do case \"$word\" in -out=*) touch \"${{word#-out=}}\" ;; esac; done ;;\n\
                 apply) echo '{diagnostic}'; exit 1 ;;\nesac"
            ),
        );
    };
    let deploy = || account(world.exasol("deploy --yes")).run().code(1);
    terraform("server limit exceeded (resource_limit_exceeded)");
    deploy().never_says("114690387");
    assert_eq!(world.state()["facts"]["image_id"], "114690387");
    terraform("image 114690387 not found (not_found)");
    deploy().says("the recorded image 114690387 does not exist any more");
    assert!(world.state()["facts"]["image_id"].is_null());
}
