//! Against the real Terraform with its built-in resources, which need no plugin. Where it is not
//! installed these tests have nothing to say; the parsers' tests run everywhere.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::events::{Event, ItemState};
use crate::tools::fetched::Fetched;
use crate::tools::plan::Protected;

const CONFIG: &str = r#"
variable "password" {
  type      = string
  sensitive = true
}
variable "size" { default = 1 }
resource "terraform_data" "volume" {
  for_each         = toset(["n11-1", "n12-1"])
  triggers_replace = [var.size]
}
resource "terraform_data" "domain" {
  for_each = toset(["n11", "n12"])
  input    = { disk = terraform_data.volume["${each.key}-1"].id, user_data = var.password }
}
output "nodes" { value = keys(terraform_data.domain) }
"#;

const PROTECTED: Protected<'_> = Protected {
    machines: &["terraform_data.domain"],
    data_disks: &["terraform_data.volume"],
    frozen: &[],
    holds_data: false,
};

struct Bench {
    terraform: Terraform,
    dir: tempfile::TempDir,
    sink: EventSink,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Bench {
    async fn with(config: &str) -> Option<Bench> {
        let Ok(terraform) = Terraform::find(None, &Fetched::nowhere()).await else {
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("main.tf"), config).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let copy = events.clone();
        let sink = EventSink::silent().logged(move |stamped| copy.lock().unwrap().push(stamped.event.clone()));
        Some(Bench { terraform, dir, sink, events })
    }

    fn workdir(&self) -> Workdir {
        self.terraform
            .workdir(self.dir.path(), self.sink.clone(), Interrupt::never())
            .unwrap()
            .log(self.log())
            .plugin_cache(self.dir.path().join("cache/plugins"))
            .secret_env("TF_CLI_CONFIG_FILE", "/dev/null")
            .secret_env("TF_VAR_password", "tiger")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("terraform.jsonl")
    }

    fn set(&self, name: &str, value: &str) {
        std::fs::write(self.dir.path().join("x.auto.tfvars"), format!("{name} = {value}\n")).unwrap();
    }
}

#[tokio::test]
async fn from_nothing_to_resources_and_back() {
    let Some(bench) = Bench::with(CONFIG).await else { return };
    std::fs::create_dir(bench.dir.path().join("cache")).unwrap();
    let workdir = bench.workdir();
    assert!(workdir.state_resources().await.unwrap().is_empty());
    workdir.init().await.unwrap();
    workdir.validate().await.unwrap();
    assert!(workdir.outputs().await.unwrap().is_empty());

    let plan = workdir.plan().await.unwrap();
    assert_eq!(plan.report().create, 4);
    plan.guard(PROTECTED, &[]).unwrap();
    let saved = std::fs::metadata(bench.dir.path().join(PLAN_FILE)).unwrap().permissions().mode();
    assert_eq!(saved & 0o777, 0o600, "a saved plan holds secrets");
    workdir.apply().await.unwrap();
    assert!(!bench.dir.path().join(PLAN_FILE).exists());
    let resources = workdir.state_resources().await.unwrap();
    assert_eq!(resources.len(), 4);
    assert_eq!(resources[0], "terraform_data.domain[\"n11\"]");
    assert_eq!(workdir.outputs().await.unwrap()["nodes"], serde_json::json!(["n11", "n12"]));

    assert!(workdir.plan().await.unwrap().is_empty());
    bench.set("size", "2");
    let refused = workdir.plan().await.unwrap().guard(PROTECTED, &["n11".into(), "n12".into()]);
    assert!(matches!(refused, Err(Error::PlanRefused { .. })));

    assert_eq!(workdir.plan_destroy(true).await.unwrap().report().delete, 4);
    workdir.apply().await.unwrap();
    assert!(workdir.state_resources().await.unwrap().is_empty());

    let events = bench.events.lock().unwrap();
    let done = |wanted: &str| {
        let ends = events.iter().filter(
            |e| matches!(e, Event::Resource { action, state: ItemState::Done, .. } if action.as_str() == wanted),
        );
        ends.count()
    };
    assert_eq!((done("create"), done("delete")), (4, 4));
    assert!(!std::fs::read_to_string(bench.log()).unwrap().contains("tiger"));
}

#[tokio::test]
async fn a_plan_that_hangs_is_made_once_more_and_an_apply_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("terraform");
    let script = "#!/bin/sh
        case $1 in
            plan) [ -e hung ] || { touch hung; exec sleep 600; } ;;
            apply) exec sleep 600 ;;
            show) echo '{\"format_version\":\"1.2\",\"resource_changes\":[]}' ;;
        esac";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let terraform = Terraform { engine: Engine::Terraform, program, version: "1.11.4".into(), lease: None };
    let limits = Limits { plan: Duration::from_secs(1), apply: Duration::from_millis(100) };
    let workdir = terraform.workdir(dir.path(), EventSink::silent(), Interrupt::never()).unwrap().limits(limits);
    assert!(workdir.plan().await.unwrap().is_empty() && dir.path().join("hung").exists());
    assert!(matches!(workdir.apply().await, Err(Error::Timeout { .. })));
}

#[tokio::test]
async fn an_apply_that_gets_on_may_take_longer_than_one_resource() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("terraform");
    let script = "#!/bin/sh
        for each in 1 2 3 4 5 6 7 8; do
            sleep 0.3
            echo '{\"@message\":\"x\",\"type\":\"'$(cat kind)'\",\"hook\":{\"resource\":{\"addr\":\"a.b\"},\"action\":\"create\"}}'
        done";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let terraform = Terraform { engine: Engine::Terraform, program, version: "1.11.4".into(), lease: None };
    let limits = Limits { plan: Duration::from_secs(60), apply: Duration::from_secs(2) };
    let workdir = terraform.workdir(dir.path(), EventSink::silent(), Interrupt::never()).unwrap().limits(limits);
    std::fs::write(dir.path().join("kind"), "apply_complete").unwrap();
    workdir.apply().await.unwrap();
    // That it waits for its provider is said every 10 s.
    std::fs::write(dir.path().join("kind"), "apply_progress").unwrap();
    assert!(matches!(workdir.apply().await, Err(Error::Timeout { .. })));
}

#[tokio::test]
async fn a_failure_tells_terraforms_own_cause_first() {
    let config = r#"resource "terraform_data" "x" {
        provisioner "local-exec" { command = "echo the disk is full; exit 28" }
    }"#;
    let Some(bench) = Bench::with(config).await else { return };
    let workdir = bench.workdir();
    workdir.init().await.unwrap();
    workdir.plan().await.unwrap();
    let Err(Error::Tool(failure)) = workdir.apply().await else { panic!() };
    assert!(failure.diagnostics[0].starts_with("terraform_data.x: local-exec provisioner error:"), "{failure:?}");
    assert!(failure.diagnostics[0].contains("the disk is full"));
    assert_eq!((failure.status.as_str(), failure.log.clone()), ("exit status 1", Some(bench.log())));
}

#[tokio::test]
async fn a_wrong_configuration_fails_in_init_validate_and_plan() {
    let Some(bench) = Bench::with("output \"x\" { value = nobody.knows }").await else { return };
    let workdir = bench.workdir();
    workdir.init().await.unwrap();
    for error in [workdir.validate().await.unwrap_err(), workdir.plan().await.unwrap_err()] {
        let Error::Tool(failure) = error else { panic!("{error}") };
        assert!(failure.diagnostics[0].starts_with("Reference to undeclared resource"), "{failure:?}");
    }
    std::fs::write(bench.dir.path().join("main.tf"), "resource {").unwrap();
    let Err(Error::Tool(failure)) = workdir.init().await else { panic!() };
    assert!(failure.diagnostics[0].starts_with("Unclosed configuration block"), "{failure:?}");
}

#[tokio::test]
async fn an_interrupt_stops_an_apply_in_order_and_keeps_its_state() {
    let config = r#"
        resource "terraform_data" "first" {}
        resource "terraform_data" "slow" {
            input = terraform_data.first.id
            provisioner "local-exec" { command = "exec sleep 300" }
        }"#;
    let Some(bench) = Bench::with(config).await else { return };
    let (interrupt, keys) = Interrupt::manual();
    let sink = EventSink::silent().logged(move |stamped| {
        if matches!(&stamped.event, Event::Resource { address, .. } if address == "terraform_data.slow") {
            keys.press(15);
        }
    });
    let workdir = bench.terraform.workdir(bench.dir.path(), sink, interrupt).unwrap();
    workdir.init().await.unwrap();
    workdir.plan().await.unwrap();
    let error = workdir.apply().await.unwrap_err();
    assert!(matches!(error, Error::Interrupted { signal: 15 }), "{error}");
    let resources = bench.workdir().state_resources().await.unwrap();
    assert!(resources.contains(&"terraform_data.first".to_owned()), "{resources:?}");
}
