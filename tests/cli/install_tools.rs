//! `doctor --install-tools`: what is missing is fetched, checked and used; half of it is never used.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::deploy::{send, wait_for};
use crate::support::{Answer, TEST_URI, World};

/// A server of files, which is a proxy as well: it gives what is asked for, whatever host is named.
struct Server {
    address: String,
    /// Request line and headers.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn of(files: BTreeMap<&'static str, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                answer(connection, &files, &seen);
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut connection: TcpStream, files: &BTreeMap<&str, Vec<u8>>, seen: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && connection.read(&mut byte).is_ok_and(|count| count == 1) {
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    let from = request.lines().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let from: Option<usize> = from.map(|range| range.trim_end_matches('-').parse().unwrap());
    seen.lock().unwrap().push(request);
    let (head, body) = match (files.get(path.as_str()), from) {
        (None, _) => ("404 Not Found".to_owned(), Vec::new()),
        (Some(file), None) => ("200 OK".to_owned(), file.clone()),
        (Some(file), Some(from)) => {
            let range = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
            (format!("206 Partial Content\r\nContent-Range: {range}"), file[from..].to_vec())
        }
    };
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = connection.write_all(&[head.as_bytes(), &body].concat());
}

fn tofu_archive() -> Vec<u8> {
    let program = b"#!/bin/sh\necho '{\"terraform_version\":\"1.12.6\"}'\n";
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    builder.append_data(&mut header, "tofu", program.as_slice()).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Python and, in its virtual environments, pip. `$HOME/pip-fails` has what a pip prints that fails; with
/// `$HOME/pip-hangs` it does not end.
const PYTHON: &str = r#"
case "$1 $2" in
  "-c "*) cat "$HOME/python-says" ;;
  "-m venv")
    echo "$*" >> "$HOME/venv-calls"
    for folder; do :; done
    mkdir -p "$folder/bin"
    cp "$HOME/venv-python" "$folder/bin/python"
    ;;
esac
"#;
const VENV_PYTHON: &str = r#"#!/bin/sh
echo "$*" >> "$HOME/pip-calls"
for requirements; do :; done
cp "$requirements" "$HOME/requirements"
if [ -e "$HOME/pip-fails" ]; then cat "$HOME/pip-fails"; exit 1; fi
if [ -e "$HOME/pip-hangs" ]; then touch "$HOME/pip-is-running"; exec sleep 600; fi
echo "  Downloading ansible_core-2.19.14-py3-none-any.whl (2.4 MB)"
cp "$HOME/venv-python" "${0%/*}/ansible-playbook"
echo '#!/bin/sh
echo "ansible-playbook [core 2.19.14]"' > "${0%/*}/ansible-playbook"
"#;

/// A machine on which both programs are missing, and a server that has them.
fn bare() -> (World, Server) {
    let world = World::complete();
    world.remove("terraform");
    world.remove("ansible-playbook");
    let server = serving(&world);
    (world, server)
}

fn serving(world: &World) -> Server {
    world.fake("python3", PYTHON);
    python_says(world, "3.11\n['venv', 'ensurepip']\n");
    let python = world.path("home/venv-python");
    std::fs::write(&python, VENV_PYTHON).unwrap();
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = Server::of(BTreeMap::from([("tofu.tar.gz", tofu_archive()), ("pip.whl", b"a wheel".to_vec())]));
    write_catalog(world, &format!("http://{}", server.address), &sha256(&tofu_archive()));
    server
}

fn python_says(world: &World, text: &str) {
    std::fs::write(world.path("home/python-says"), text).unwrap();
}

fn write_catalog(world: &World, base: &str, tofu: &str) {
    let file = |name: &str, sha256: &str| format!("url = \"{base}/{name}\"\nsha256 = \"{sha256}\"\nbytes = 1000\n");
    let hash = "ab".repeat(32);
    let text = format!(
        "[opentofu]\nversion = \"1.12.6\"\n\
         [opentofu.archive.x86_64]\n{tofu}[opentofu.archive.aarch64]\n{tofu}\
         [pip]\n{pip}\
         [[ansible]]\nversion = \"2.19.14\"\npythons = [\"3.11\"]\nbytes = 9_000_000\n\
         requirements = '''\nansible-core==2.19.14 --hash=sha256:{hash}\njinja2==3.1.6 --hash=sha256:{hash}\n'''\n",
        tofu = file("tofu.tar.gz", tofu),
        pip = file("pip.whl", &sha256(b"a wheel")),
    );
    std::fs::write(world.path("tools.toml"), text).unwrap();
}

/// `doctor` on libvirt's mock driver.
fn doctor<'a>(world: &'a World, words: &str) -> crate::support::Call<'a> {
    std::fs::write(world.path("image.qcow2"), crate::support::fake_image()).unwrap();
    let image = world.path("image.qcow2");
    let words = format!(
        "doctor --db-version rehearsal --libvirt-uri {TEST_URI} --libvirt-pool default-pool --libvirt-network default \
         --libvirt-domain-type qemu --libvirt-memory 1 --libvirt-vcpus 1 --libvirt-image {} {words}",
        image.display()
    );
    world.exasol(&words).env("EXASOL_TOOLS_CATALOG", world.path("tools.toml"))
}

fn install(world: &World) -> Answer {
    doctor(world, "--install-tools --yes --json").run()
}

fn tools(world: &World) -> PathBuf {
    world.path("cache/exasol/tools")
}

fn read(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path("home").join(name)).unwrap_or_default()
}

#[test]
fn what_is_missing_is_fetched_and_used() {
    let (world, server) = bare();
    let before = doctor(&world, "--json").run().code(4).json();
    for id in ["terraform", "ansible"] {
        let check = before["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap();
        assert_eq!(check["fix"][0], "exasol doctor --install-tools");
    }
    let answer = install(&world).code(0);
    answer.says("tofu 1.12.6, installed by exasol").says("ansible-core 2.19.14, installed by exasol");
    assert_eq!(server.requests().len(), 1);
    assert!(read(&world, "pip-calls").starts_with("-m pip install --no-input"), "{}", read(&world, "pip-calls"));
    assert!(read(&world, "pip-calls").contains("--require-hashes --only-binary :all: -r "));
    assert!(read(&world, "requirements").contains("ansible-core==2.19.14 --hash=sha256:abab"));
    assert!(!tools(&world).join("downloads").exists());
    // Everything uses them from now on, and says whose they are.
    world.init("").run().code(0);
    let report = world.exasol("version --verbose --json").run().code(0).json();
    for (name, program) in [("tofu", "tofu"), ("ansible-core", "ansible-playbook")] {
        let component = report["components"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap();
        assert_eq!(component["path"], tools(&world).join("bin").join(program).to_str().unwrap());
        assert_eq!(component["remark"], "installed by exasol");
    }
    // The second time there is nothing to do.
    doctor(&world, "--install-tools --yes").run().code(0).says("unchanged");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn they_are_listed_with_the_cache_and_go_with_it() {
    let (world, _server) = bare();
    install(&world).code(0);
    let cache = |action: &str| {
        let words = format!("cache {action} --libvirt-uri {TEST_URI} --libvirt-pool default-pool --json");
        world.exasol(&words).run().code(0).json()
    };
    let names = |list: &serde_json::Value| -> Vec<String> {
        let tools = list.as_array().unwrap().iter().filter(|entry| entry["kind"] == "tool");
        tools.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    let both = ["ansible-core-2.19.14-python3.11", "opentofu-1.12.6"];
    assert_eq!(names(&cache("list")["entries"]), both);
    let used = std::fs::File::open(world.path("cache/exasol/tools.used")).unwrap();
    used.lock_shared().unwrap();
    let kept = cache("prune");
    assert_eq!(names(&kept["entries"]), both);
    let tool = kept["entries"].as_array().unwrap().iter().find(|entry| entry["kind"] == "tool").unwrap();
    assert_eq!(tool["in_use_by"], "a program that runs");
    drop(used);
    assert_eq!(names(&cache("prune --dry-run")["removed"]), both);
    assert!(tools(&world).exists());
    assert_eq!(names(&cache("prune")["removed"]), both);
    assert!(!tools(&world).exists());
    doctor(&world, "").run().code(4).says("exasol doctor --install-tools");
}

#[test]
fn what_the_user_has_is_left_alone() {
    let world = World::complete();
    let server = serving(&world);
    install(&world).code(0).says("terraform 1.11.4").never_says("installed by exasol");
    assert!(server.requests().is_empty() && !tools(&world).exists() && read(&world, "venv-calls").is_empty());
    // Only what is too old.
    world.fake("terraform", "echo '{\"terraform_version\":\"1.4.0\"}'");
    install(&world).code(0).says("tofu 1.12.6, installed by exasol").says("ansible-core 2.19.0").never_says("2.19.14");
    assert!(read(&world, "venv-calls").is_empty());
    // As soon as it is there, the user's own is taken.
    world.fake("tofu", "echo '{\"terraform_version\":\"1.9.0\"}'");
    doctor(&world, "--json").run().code(0).says("tofu 1.9.0").never_says("installed by exasol");
}

#[test]
fn nothing_is_fetched_unasked() {
    let (world, server) = bare();
    let answer = doctor(&world, "--install-tools --json").run().code(2);
    answer.says("fetch this: OpenTofu 1.12.6, about 1 MB from 127.0.0.1; ansible-core").says("--install-tools --yes");
    world.exasol("doctor --yes").run().code(2).says("--install-tools");
    world.init("").run().code(4).says("exasol doctor --install-tools").never_says("Fetch");
    assert!(server.requests().is_empty() && !tools(&world).join("bin").exists());
}

#[test]
fn on_a_terminal_init_offers_them_and_a_no_changes_nothing() {
    let (world, server) = bare();
    for (typed, made) in [("n", false), ("y", true)] {
        let init = world.init("").env("EXASOL_TOOLS_CATALOG", world.path("tools.toml"));
        let mut terminal = init.on_a_terminal();
        terminal.exp_string("Terraform (or OpenTofu) and Ansible are missing or too old here.").unwrap();
        terminal.exp_string("ansible-core 2.19.14 with what it needs (2 packages), about 9 MB from PyPI").unwrap();
        terminal.exp_string("[y/N]").unwrap();
        terminal.send_line(typed).unwrap();
        terminal.exp_eof().unwrap();
        assert_eq!(world.deployment().exists(), made, "{typed}");
        assert_eq!(server.requests().len(), usize::from(made));
    }
}

#[test]
fn a_download_is_resumed_and_a_wrong_file_is_not_taken() {
    let (world, server) = bare();
    let downloads = tools(&world).join("downloads");
    std::fs::create_dir_all(&downloads).unwrap();
    std::fs::write(downloads.join("tofu.tar.gz.part"), &tofu_archive()[..40]).unwrap();
    install(&world).code(0);
    assert!(server.requests()[0].to_lowercase().contains("range: bytes=40-"), "{:?}", server.requests());

    let (world, server) = bare();
    write_catalog(&world, &format!("http://{}", server.address), &"cd".repeat(32));
    install(&world).code(1).says("has the SHA-256").says("expected cdcd");
    assert!(!tools(&world).join("bin/tofu").exists() && !tools(&world).join("opentofu-1.12.6").exists());
}

#[test]
fn without_a_network_it_says_what_could_not_be_reached() {
    let (world, _server) = bare();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    write_catalog(&world, &format!("http://{nobody}"), &sha256(&tofu_archive()));
    install(&world).code(1).says(&format!("http://{nobody}/tofu.tar.gz failed"));
    assert!(!tools(&world).join("bin").exists());

    let (world, _server) = bare();
    let retry = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Name or service not \
                 known')': /simple/ansible-core/";
    let lines = format!("{retry}\nERROR: No matching distribution found for ansible-core==2.19.14\n");
    std::fs::write(world.path("home/pip-fails"), lines).unwrap();
    let answer = install(&world).code(1);
    answer
        .says("pip cannot reach its package index: NewConnectionError('Name or service not known')")
        .says("PIP_INDEX_URL");
    assert!(!tools(&world).join("ansible-core-2.19.14-python3.11").exists());
    // OpenTofu has come before, and stays.
    assert!(tools(&world).join("bin/tofu").exists());
    std::fs::remove_file(world.path("home/pip-fails")).unwrap();
    install(&world).code(0);
}

#[test]
fn a_proxy_is_used() {
    let (world, server) = bare();
    write_catalog(&world, "http://mirror.invalid", &sha256(&tofu_archive()));
    let call = doctor(&world, "--install-tools --yes").env("HTTP_PROXY", format!("http://{}", server.address));
    call.run().code(0);
    assert!(server.requests()[0].starts_with("GET http://mirror.invalid/tofu.tar.gz "), "{:?}", server.requests());
}

#[test]
fn two_at_once_fetch_it_once() {
    let (world, server) = bare();
    let both = [(); 2].map(|()| doctor(&world, "--install-tools --yes").start());
    for started in both {
        let output = started.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(server.requests().len(), 1);
    assert_eq!(read(&world, "venv-calls").lines().count(), 1);
}

#[test]
fn an_interrupted_installation_leaves_nothing_that_is_used() {
    let (world, _server) = bare();
    std::fs::write(world.path("home/pip-hangs"), "").unwrap();
    let mut started = doctor(&world, "--install-tools --yes").start();
    wait_for(&world, "pip-is-running");
    send(&started, "-INT");
    assert_eq!(started.wait().unwrap().code(), Some(130));
    assert!(!tools(&world).join("bin/ansible-playbook").exists());
    std::fs::remove_file(world.path("home/pip-hangs")).unwrap();
    install(&world).code(0).says("ansible-core 2.19.14, installed by exasol");
}

#[test]
fn a_python_that_does_not_serve_is_said_with_the_fix() {
    let (world, server) = bare();
    python_says(&world, "3.6\n['venv', 'ensurepip']\n");
    install(&world).code(4).says("Python 3.11 with its module venv").says("is version 3.6").says("apt-get install");
    world.remove("python3");
    install(&world).code(4).says("was not found on PATH").says("apt-get install");
    assert!(server.requests().is_empty() && !tools(&world).join("bin").exists());
    // Another one beside it serves.
    world.fake("python3", "echo 3.6; echo \"['venv']\"");
    python_says(&world, "3.11\n['venv', 'ensurepip']\n");
    world.fake("python3.11", PYTHON);
    install(&world).code(0);
}

#[test]
fn where_python_has_no_pip_a_wheel_of_it_is_fetched() {
    let (world, server) = bare();
    python_says(&world, "3.11\n['venv']\n");
    install(&world).code(0);
    assert_eq!(server.requests().len(), 2);
    assert!(read(&world, "venv-calls").starts_with("-m venv --without-pip "));
    let calls = read(&world, "pip-calls");
    assert!(calls.split(' ').next().unwrap().ends_with("tools/downloads/pip.whl/pip"), "{calls}");
}

#[test]
fn a_catalogue_with_a_mistake_is_refused() {
    let (world, _server) = bare();
    std::fs::write(world.path("tools.toml"), "[opentofu]\nversion = 1\n").unwrap();
    install(&world).code(2).says("EXASOL_TOOLS_CATALOG").says("line 2");
}
