//! A whole cluster of fakes: one machine of a cloud whose Terraform provider switches machines. A fake
//! `terraform` keeps its state and whether the machine is on, a fake `ssh` lets in while it is, and
//! sshd's and the database's ports are on a loopback address of its own.

use std::io::Write;
use std::net::TcpListener;

use deployer::model::Phase;
use serde_json::json;

use crate::database::{Database, PASSWORD};
use crate::support::{Call, World};

/// sshd's port is for root alone on most machines.
const SSH_PORT: u16 = 22;

pub struct Cluster {
    pub world: World,
    // Answers until the test ends.
    database: Database,
}

impl Cluster {
    /// As `init` leaves it, with everything that `deploy` will need. None where this user may not
    /// listen on port 22; CI has to.
    pub fn initialized() -> Option<Self> {
        Self::with(Database::usual())
    }

    pub fn with(database: Database) -> Option<Self> {
        let cluster = Self::around(World::complete(), database)?;
        let init = "init --cloud-provider exoscale --db-version rehearsal --allowed-cidr 192.0.2.0/24";
        cluster.exasol(init).env("EXASOL_DB_PASSWORD", PASSWORD).run().code(0);
        Some(cluster)
    }

    /// Everything that a cluster needs, in a world without a deployment.
    pub fn around(world: World, database: Database) -> Option<Self> {
        let address = &database.endpoint.host;
        let sshd = match TcpListener::bind((address.as_str(), SSH_PORT)) {
            Ok(listener) => listener,
            // Seen with `--nocapture`.
            Err(error) if std::env::var_os("CI").is_none() => {
                let skipped = format!("SKIPPED: this test listens on port 22 of a loopback address: {error}\n");
                std::io::stderr().write_all(skipped.as_bytes()).unwrap();
                return None;
            }
            Err(error) => panic!("port 22 of {address}: {error}"),
        };
        std::thread::spawn(move || {
            for session in sshd.incoming() {
                let _ = session.and_then(|mut session| session.write_all(b"SSH-2.0-fake\r\n"));
            }
        });
        let home = world.path("home");
        let write = |name: &str, content: &str| std::fs::write(home.join(name), content).unwrap();
        write("power", "none");
        write("fingerprint", database.endpoint.fingerprint.as_deref().unwrap());
        let output = |value| json!({ "sensitive": false, "type": "dynamic", "value": { "n11": value } });
        let outputs = json!({
            "private_ips": output(json!(address)), "public_ips": output(json!(address)),
            "machine_ids": output(json!("42")), "data_disks": output(json!(["/dev/disk/by-id/virtio-1"])),
        });
        write("outputs", &outputs.to_string());
        world.fake("terraform", TERRAFORM);
        world.fake("ssh", SSH);
        world.fake("ansible-playbook", ANSIBLE);
        Some(Self { world, database })
    }

    /// With the account, and with the password that a destroyed deployment is deployed anew with.
    pub fn exasol(&self, words: &str) -> Call<'_> {
        self.account(self.world.exasol(words)).env("EXASOL_DB_PASSWORD", PASSWORD)
    }

    pub fn account<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.env("EXOSCALE_API_KEY", "EXO0123456789abcdef01234567")
            .env("EXOSCALE_API_SECRET", "exoSecretOfTheTests0123456789abcdefghijklmn")
    }

    pub fn address(&self) -> &str {
        &self.database.endpoint.host
    }

    pub fn fingerprint(&self) -> &str {
        self.database.endpoint.fingerprint.as_deref().unwrap()
    }

    pub fn deployed() -> Option<Self> {
        let cluster = Self::initialized()?;
        cluster.world.give_cluster_key();
        cluster.exasol("deploy").run().code(0);
        cluster.keep("deployment", "deployment-as-deployed");
        Some(cluster)
    }

    fn keep(&self, from: &str, to: &str) {
        let status = std::process::Command::new("cp")
            .arg("-a")
            .args([self.world.path(from), self.world.path(to)])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// A deployed cluster's directory again, in a phase, with its machine as that phase has it.
    pub fn put(&self, phase: Phase) {
        std::fs::remove_dir_all(self.world.deployment()).unwrap();
        self.keep("deployment-as-deployed", "deployment");
        self.world.edit_state(|state| state["phase"] = phase.as_str().into());
        let stopped = matches!(phase, Phase::Stopped | Phase::StartInProgress);
        self.tell("power", if stopped { "stopped" } else { "running" });
    }

    /// `fails`: `terraform`, `ssh` or `ansible-playbook`, or nothing.
    pub fn tell(&self, what: &str, value: &str) {
        std::fs::write(self.world.path("home").join(what), value).unwrap();
    }

    pub fn phase(&self) -> Phase {
        serde_json::from_value(self.world.state()["phase"].clone()).unwrap()
    }

    /// What `status` says can be done, without the directory.
    pub fn next(&self) -> Vec<String> {
        let json = self.exasol("status --json --probe-timeout 1").run().code(0).json();
        let words = |next: &serde_json::Value| next.as_str().unwrap().split(" -d ").next().unwrap().to_owned();
        json["next"].as_array().unwrap().iter().map(words).collect()
    }

    /// A command that `status` has named, with what scripts have to add.
    pub fn run_next(&self, command: &str) -> crate::support::Answer {
        let words = command.strip_prefix("exasol ").unwrap();
        let yes = if words == "destroy" { " --yes" } else { "" };
        self.exasol(&format!("{words}{yes}")).run()
    }
}

/// Its plan file has one word: what the apply will do.
const TERRAFORM: &str = r#"
verb=$1
fails() { [ "$(cat "$HOME/fails" 2>/dev/null)" = terraform ]; }
machines() { echo '{"version":4,"resources":['"$1"']}' > terraform.tfstate; }
NODE='{"mode":"managed","type":"exoscale_compute_instance","name":"node","instances":[{"index_key":"n11","attributes":{"name":"x"}}]}'
change() {
  echo '{"format_version":"1.2","resource_changes":[{"address":"exoscale_compute_instance.node[\"n11\"]","mode":"managed",
    "type":"exoscale_compute_instance","name":"node","index":"n11","change":{"actions":['"$1"'],"before":{},"after":{}}}]}'
}
case "$verb" in
  version) echo '{"terraform_version":"1.11.4"}' ;;
  validate) echo '{"valid":true,"diagnostics":[]}' ;;
  output) cat "$HOME/outputs" ;;
  plan)
    case "$(cat terraform.tfvars.json)" in *'"power": "stopped"'*) wanted=stopped ;; *) wanted=running ;; esac
    now=$(cat "$HOME/power")
    case "$*" in *-destroy*) wanted=none ;; *-refresh-only*) wanted="look" ;; esac
    if [ "$now" = "$wanted" ] && [ -e terraform.tfstate ]; then wanted=nothing; fi
    echo "$wanted" > tfplan.word
    for word in "$@"; do case "$word" in -out=*) echo "$wanted" > "${word#-out=}" ;; esac; done ;;
  show)
    case "$(cat tfplan.word)" in
      nothing) echo '{"format_version":"1.2","resource_changes":[]}' ;;
      look)
        echo '{"format_version":"1.2","prior_state":{"values":{"root_module":{"resources":[{"mode":"managed",
          "type":"exoscale_compute_instance","name":"node","index":"n11","values":{"state":"'"$(cat "$HOME/power")"'"}}]}}}}' ;;
      none) change '"delete"' ;;
      *) if [ "$(cat "$HOME/power")" = none ]; then change '"create"'; else change '"update"'; fi ;;
    esac ;;
  apply)
    if fails; then
      echo '{"@level":"error","@message":"Error: no","type":"diagnostic","diagnostic":{"severity":"error","summary":"no","detail":"told so"}}'
      exit 1
    fi
    wanted=$(cat tfplan.word)
    case "$wanted" in
      nothing) ;;
      none) machines ''; echo none > "$HOME/power" ;;
      *) machines "$NODE"; echo "$wanted" > "$HOME/power" ;;
    esac
    # The state is written there before it takes the old one's place.
    if [ -e "$HOME/state-is-stuck" ]; then mkdir ../.deployment.json.new; fi ;;
esac
"#;

/// The scripts of the nodes by what they are called with, or begin with.
const SSH: &str = r#"
case "$*" in *"sh -s"*) asked=$(cat) ;; *) asked=$* ;; esac
if [ "$(cat "$HOME/power")" != running ]; then
  echo 'ssh: connect to host n11 port 22: No route to host' >&2
  exit 255
fi
# What a tool that fails leaves to the tests that it is told by: the nodes' own scripts.
case "$asked" in
  *database.sh* | *certificate.sh*)
    if [ "$(cat "$HOME/fails" 2>/dev/null)" = ssh ]; then echo 'told so' >&2; exit 1; fi ;;
esac
case "$asked" in
  *'exasol: session'*) echo 'exasol: session' ;;
  *certificate.sh*) cat "$HOME/fingerprint" ;;
  *'database.sh up'*)
    if [ "$(cat "$HOME/session" 2>/dev/null)" = lost ]; then
      echo 'client_loop: send disconnect: Broken pipe' >&2
      : > "$HOME/session"
      exit 255
    fi
    if [ "$(cat "$HOME/session" 2>/dev/null)" = differs ]; then
      echo 'warning: confd says that the database runs and accepts connections, but c4 ps shows: n11=a1'
      echo 'ready: n11=a1'
      exit 0
    fi
    if [ "$(cat "$HOME/session" 2>/dev/null)" = unable ]; then
      echo 'error: Exasol does not start (no memory): exasol ssh n11-cos -- confd_client db_configure' >&2
      exit 1
    fi
    echo 'ready: n11 at stage d' ;;
  *'check-services.sh admin-ui'*) cat "$HOME/admin-ui" 2>/dev/null ;;
esac
exit 0
"#;

const ANSIBLE: &str = r#"
case "$*" in *--version*) echo 'ansible-playbook [core 2.19.0]'; exit 0 ;; esac
[ "$(cat "$HOME/fails" 2>/dev/null)" != ansible-playbook ] || { echo 'ERROR! told so'; exit 1; }
"#;
