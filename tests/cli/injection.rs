//! Every option of `init` that takes a value gets values that a shell, Terraform, Ansible, YAML, ssh or a terminal would
//! understand as something else. `init` refuses a value and writes nothing, or the real Terraform reads it from
//! what was rendered exactly as it was typed. The options are those that `--help` lists, so a new one is among them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::support::{Answer, TEST_URI, World, fake_image};

/// What would show that a value was executed.
const CANARY: &str = "canary";

fn hostile() -> Vec<String> {
    let executes = format!(
        "x\"'`touch {CANARY}`$(touch {CANARY})${{file(\"/etc/passwd\")}}%{{ if true }}y%{{ endif }}\
         {{{{ lookup('pipe', 'touch {CANARY}') }}}}{{% raw %}}\\&<>;|*?~#!%h $$"
    );
    let lines = format!("x\r\n; touch {CANARY}\n- touch {CANARY}\n'\"\n");
    [
        executes.as_str(),
        &lines,
        "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}1m\u{1}\u{7f}\u{85}\t",
        &format!("-oProxyCommand=touch {CANARY}"),
        "--help",
        "ä€𝄞\u{202e}\u{feff}\u{200b}",
        &"x".repeat(100_000),
        "",
        " ",
        "!vault |",
        "0x10",
        "../../../etc/passwd",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// RSA, as PEM: a cloud's key has to look like one.
static PEM: LazyLock<String> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let words = ["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f"];
    assert!(Command::new("ssh-keygen").args(words).arg(&file).status().unwrap().success());
    std::fs::read_to_string(file).unwrap()
});

/// Accounts at all clouds, well formed. None opens anything.
fn accounts() -> Vec<(&'static str, String)> {
    let google = json!({"type": "service_account", "project_id": "test-project", "private_key": *PEM,
        "client_email": "test@test-project.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token"});
    vec![
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".into()),
        ("AWS_SECRET_ACCESS_KEY", "awsSecretK7MDENGbPxRfiCYEXAMPLEKEY012345".into()),
        ("ARM_CLIENT_ID", "11111111-2222-4333-8444-555555555555".into()),
        ("ARM_CLIENT_SECRET", "azr8Q~SecretOfTheTestsOnly.abcdefghijkl".into()),
        ("ARM_TENANT_ID", "22222222-3333-4444-8555-666666666666".into()),
        ("ARM_SUBSCRIPTION_ID", "33333333-4444-4555-8666-777777777777".into()),
        ("GOOGLE_CREDENTIALS", google.to_string()),
        ("HCLOUD_TOKEN", crate::clouds::TOKEN.into()),
        ("DIGITALOCEAN_TOKEN", format!("dop_v1_{}abcd", "5ec4e7".repeat(10))),
        ("EXOSCALE_API_KEY", "EXO0123456789abcdef01234567".into()),
        ("EXOSCALE_API_SECRET", "exoSecretOfTheTests0123456789abcdefghijklmn".into()),
        ("OCI_TENANCY_OCID", format!("ocid1.tenancy.oc1..aaaaaaaa{}", "t".repeat(52))),
        ("OCI_USER_OCID", format!("ocid1.user.oc1..aaaaaaaa{}", "u".repeat(52))),
        ("OCI_FINGERPRINT", ["a1"; 16].join(":")),
        ("OCI_PRIVATE_KEY", PEM.clone()),
    ]
}

/// `--flag VALUE` of every option of `init`.
fn options(world: &World) -> Vec<String> {
    let help = world.exasol("init --help all").run().code(0).stdout;
    let flag = |line: &str| {
        let mut words = line.trim_start().strip_prefix("--")?.split(' ');
        let (flag, value) = (words.next()?, words.next()?);
        (!value.is_empty() && value != "...").then(|| flag.to_owned())
    };
    let found: Vec<_> = help.lines().filter_map(flag).collect();
    for known in ["owner", "db-version", "allowed-cidr", "name", "libvirt-uri", "aws-profile", "db-password-file"] {
        assert!(found.iter().any(|flag| flag == known), "{known} is not among {found:?}");
    }
    found
}

/// The providers with which an option is tried: its own, or those that render it in their own way.
fn providers(flag: &str) -> Vec<&'static str> {
    let all = || deployer::providers::ALL.iter().map(|provider| provider.name);
    match all().find(|name| flag.starts_with(&format!("{name}-"))) {
        Some(own) => vec![own],
        None if flag == "owner" => all().collect(),
        None if flag == "network-cidr" => all().filter(|name| *name != "libvirt").collect(),
        None => vec!["libvirt", "hetzner"],
    }
}

/// `init` with what it needs, and with that option.
fn init(world: &World, provider: &str, flag: &str, value: &str) -> Answer {
    let image = world.path("image.qcow2");
    std::fs::write(&image, fake_image()).unwrap();
    let libvirt = [
        ("libvirt-uri", TEST_URI.to_owned()),
        ("libvirt-pool", "default-pool".into()),
        ("libvirt-network", "default".into()),
        ("libvirt-domain-type", "qemu".into()),
        ("libvirt-image", image.display().to_string()),
    ];
    let all = [("cloud-provider", provider.to_owned()), ("db-version", "rehearsal".into())];
    let needed = all.into_iter().chain(libvirt.into_iter().filter(|_| provider == "libvirt"));
    let options = needed.filter(|(name, _)| *name != flag).chain([(flag, value.to_owned())]);
    let words = options.map(|(name, value)| format!("--{name}={value}"));
    let call = words.fold(world.exasol("init"), |call, word| call.arg(word.as_ref()));
    accounts().into_iter().fold(call, |call, (name, value)| call.env(name, value)).run()
}

/// All strings in it, keys included.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(entries) => entries.iter().for_each(|(key, item)| {
            found.push(key.clone());
            strings(item, found);
        }),
        _ => {}
    }
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// The rendered `.tf` files of a deployment, by name.
fn templates(world: &World) -> BTreeMap<String, Vec<u8>> {
    let is_tf = |name: &str| name.ends_with(".tf");
    let entries = std::fs::read_dir(world.deployment().join("terraform")).unwrap().map(|entry| entry.unwrap());
    let files = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    files.filter(|(name, _)| is_tf(name)).map(|(name, path)| (name, std::fs::read(path).unwrap())).collect()
}

/// What was accepted: the variables that Terraform gets, by the case.
type Accepted = Map<String, Value>;

fn try_all(world: &World, flag: &str, accepted: &mut Accepted) {
    for provider in providers(flag) {
        for (number, value) in hostile().iter().enumerate() {
            let case = format!("{provider} --{flag} {number}");
            let answer = init(world, provider, flag, value);
            for (name, text) in [("stdout", &answer.stdout), ("stderr", &answer.stderr)] {
                let harmful = |c: &char| c.is_control() && *c != '\n' || *c == '\u{202e}';
                assert_eq!(text.chars().find(harmful), None, "{case}: {name} could steer a terminal: {text:?}");
            }
            assert!(!world.path(CANARY).exists() && !world.deployment().join(CANARY).exists(), "{case} was executed");
            match answer.code {
                // Refused as a value; or the directory, the file, the network, … of that name does not exist.
                Some(2..=4) => assert!(!world.deployment().exists(), "{case} was refused, and something is written"),
                Some(0) => {
                    let mut found = Vec::new();
                    strings(&world.state(), &mut found);
                    assert!(found.iter().any(|text| text == value), "{case} is not what was recorded");
                    let variables = read(&world.deployment().join("terraform/terraform.tfvars.json"));
                    accepted.insert(case.clone(), variables);
                    assert_eq!(templates(world), *PLAIN.get(provider).unwrap(), "{case} changes the templates");
                    std::fs::remove_dir_all(world.deployment()).unwrap();
                }
                other => panic!("{case}: exit code {other:?}\n{}{}", answer.stdout, answer.stderr),
            }
        }
    }
}

/// The templates of each provider for ordinary values.
static PLAIN: LazyLock<BTreeMap<&str, BTreeMap<String, Vec<u8>>>> = LazyLock::new(|| {
    let of = |provider: &'static str| {
        let world = World::complete();
        init(&world, provider, "owner", "somebody").code(0);
        (provider, templates(&world))
    };
    deployer::providers::ALL.iter().map(|provider| of(provider.name)).collect()
});

#[test]
fn every_option_refuses_a_hostile_value_or_terraform_gets_it_as_it_was_typed() {
    let flags = options(&World::complete());
    let accepted = std::thread::scope(|scope| {
        let share = |number: usize| {
            let flags: Vec<_> = flags.iter().skip(number).step_by(4).collect();
            scope.spawn(move || {
                let (world, mut accepted) = (World::complete(), Accepted::new());
                flags.into_iter().for_each(|flag| try_all(&world, flag, &mut accepted));
                accepted
            })
        };
        let running: Vec<_> = (0..4).map(share).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Accepted>()
    });
    let tried = |flag: &str| accepted.keys().any(|case| case.contains(&format!("--{flag} ")));
    assert!(tried("owner"), "{:?}", accepted.keys());
    terraform_reads(Value::Object(accepted));
}

/// The real Terraform gives back what it has read from a file of variables: all cases in one run.
fn terraform_reads(cases: Value) {
    let Some(terraform) = real("terraform").or_else(|| real("tofu")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    std::fs::write(
        place.join("main.tf"),
        "variable \"cases\" { type = any }\noutput \"cases\" { value = var.cases }\n",
    )
    .unwrap();
    std::fs::write(place.join("terraform.tfvars.json"), json!({ "cases": cases }).to_string()).unwrap();
    let run = |words: &[&str]| {
        let done = Command::new(&terraform).args(words).current_dir(place).env("CHECKPOINT_DISABLE", "1").output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    };
    run(&["apply", "-auto-approve", "-input=false", "-no-color"]);
    let back: Value = serde_json::from_slice(&run(&["output", "-json", "cases"])).unwrap();
    for (case, variables) in cases.as_object().unwrap() {
        assert_eq!(&back[case], variables, "{case}");
    }
    assert!(!place.join(CANARY).exists());
}

/// A program that tests ask what it makes of our files. CI has them all; elsewhere the test says what it leaves out.
#[allow(clippy::disallowed_macros, reason = "a test says what it leaves out")]
fn real(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    match (&found, std::env::var("CI").is_ok_and(|ci| ci == "true")) {
        (None, true) => panic!("{name} is not installed, and with CI=true its part of this test must not be left out"),
        (None, false) => eprintln!("LEFT OUT: {name} is not installed"),
        _ => {}
    }
    found
}

#[test]
fn a_hostile_password_is_refused_or_kept_as_it_is() {
    let world = World::complete();
    for password in hostile() {
        for name in ["db-password", "adminui-password", "host-password"] {
            std::fs::write(world.path("secret"), &password).unwrap();
            let answer = init(&world, "libvirt", &format!("{name}-file"), "secret");
            assert!(!world.path(CANARY).exists());
            match answer.code {
                Some(2) => assert!(!world.deployment().exists(), "{password:?}"),
                Some(0) => {
                    let secrets = read(&world.deployment().join("secrets.json"));
                    assert_eq!(secrets[name.replace('-', "_")], *password);
                    std::fs::remove_dir_all(world.deployment()).unwrap();
                }
                other => panic!("{name} {password:?}: exit code {other:?}: {}", answer.stderr),
            }
        }
    }
}

#[test]
fn a_hostile_directory_is_a_directory_like_every_other() {
    let world = World::complete();
    for name in hostile().iter().filter(|name| name.len() < 255 && !name.contains('/') && !name.trim().is_empty()) {
        let dir = world.path("place").join(name);
        let shown = dir.to_string_lossy().into_owned();
        let call = world.init("").arg("-d".as_ref()).arg(dir.as_os_str()).run();
        assert!(!world.path(CANARY).exists());
        match call.code {
            Some(0) => {
                let status = world.exasol_with(["status", "--json", "-d", &shown]).run().code(0).json();
                // What it says to run next is one word of a shell, whatever is in it.
                let next = status["next"][0].as_str().unwrap().replacen("exasol deploy -d ", "printf %s ", 1);
                let heard = Command::new("sh").args(["-c", &next]).current_dir(world.path("home")).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&heard.stdout), shown, "{next}");
                assert!(!world.path("home").join(CANARY).exists());
            }
            Some(2..=4) => assert!(!dir.exists(), "{name:?}"),
            other => panic!("{name:?}: exit code {other:?}: {}", call.stderr),
        }
    }
}
