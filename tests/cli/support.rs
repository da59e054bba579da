//! Builds a command line with a world of its own around it: home, caches, and a PATH that has
//! only fakes and the few programs that shell scripts need. A test reads as a sentence.

use std::ffi::OsStr;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;

use crate::schema;

/// libvirt's own mock driver: a real connection without any machine.
pub const TEST_URI: &str = "test:///default";

static CLUSTER_KEY: LazyLock<String> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]).arg(&file).status();
    assert!(made.unwrap().success());
    std::fs::read_to_string(file).unwrap()
});

pub struct World {
    root: TempDir,
}

impl World {
    pub fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(root: TempDir) -> Self {
        for name in ["home", "bin", "cache", "state"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let world = Self { root };
        for tool in ["sh", "cat", "sleep", "mkdir", "mv", "touch", "rm", "cp", "ls", "true", "false", "kill", "date"] {
            world.link(tool);
        }
        world
    }

    /// A world in which everything that preflight looks for is there.
    pub fn complete() -> Self {
        Self::new().with_tools()
    }

    /// The same in a place whose name is always this: what is written there may be kept.
    pub fn complete_at(place: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(place).rand_bytes(0).tempdir_in("/tmp").unwrap();
        Self::on(folder).with_tools()
    }

    fn with_tools(self) -> Self {
        let world = self;
        world.fake("terraform", FAKE_TERRAFORM);
        world.fake("ansible-playbook", "echo 'ansible-playbook [core 2.19.0]'");
        world.fake("ssh", "exit 0");
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn deployment(&self) -> PathBuf {
        self.path("deployment")
    }

    /// A program on this world's PATH, as the body of a shell script.
    pub fn fake(&self, name: &str, body: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path("bin").join(name)).unwrap();
    }

    fn link(&self, name: &str) {
        if let Some(found) = installed(name) {
            std::os::unix::fs::symlink(found, self.path("bin").join(name)).unwrap();
        }
    }

    /// `exasol` with these words, separated by spaces.
    pub fn exasol(&self, words: &str) -> Call<'_> {
        self.exasol_with(words.split(' ').filter(|w| !w.is_empty()))
    }

    pub fn exasol_with<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Call<'_> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_exasol"));
        // Whoever started the tests may ignore signals, and the program would have to as well.
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            treats(&mut command, signal, libc::SIG_DFL);
        }
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("PATH", self.path("bin"))
            .env("EXASOL_DEPLOYMENT_DIR", self.deployment())
            .current_dir(self.root.path())
            .args(words)
            .stdin(Stdio::null());
        // Coverage tools follow their children by the environment. A file of profiles for each of a thousand processes
        // would be gigabytes: LLVM adds them up in four.
        for (name, value) in std::env::vars().filter(|(n, _)| n.starts_with("LLVM_") || n.starts_with("CARGO_")) {
            command.env(name, value.replace("_%m-%p.profraw", "_%4m.profraw"));
        }
        Call { world: self, command, input: None }
    }

    /// An initialized deployment on libvirt's mock driver, with a key of the cluster.
    pub fn initialized(self) -> Self {
        self.init("").run().code(0);
        self.give_cluster_key();
        self
    }

    /// `deploy` needs seconds to make one.
    pub fn give_cluster_key(&self) {
        let file = self.deployment().join("secrets.json");
        let mut secrets: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        secrets["cluster_key"] = CLUSTER_KEY.as_str().into();
        std::fs::write(file, secrets.to_string()).unwrap();
    }

    pub fn init(&self, more: &str) -> Call<'_> {
        self.init_on("default-pool", "default", more)
    }

    /// `init` on libvirt's mock driver with another image.
    pub fn init_with_image(&self, image: &str) -> Call<'_> {
        self.exasol(&format!(
            "init --cloud-provider libvirt --db-version rehearsal --libvirt-uri {TEST_URI} --libvirt-pool default-pool \
             --libvirt-network default --libvirt-image {image}"
        ))
    }

    /// As [`World::init_on`], on a mock hypervisor that has these networks beside a pool `default-pool`: definitions
    /// in libvirt's XML, all running.
    pub fn init_with_networks(&self, networks: &str, network: &str, more: &str) -> Call<'_> {
        let host = self.path("host.xml");
        let pool = "<pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target></pool>";
        std::fs::write(&host, format!("<node>{networks}{pool}</node>")).unwrap();
        self.init_on("default-pool", network, &format!("--libvirt-uri test://{} {more}", host.display()))
    }

    pub fn init_on(&self, pool: &str, network: &str, more: &str) -> Call<'_> {
        std::fs::write(self.path("image.qcow2"), fake_image()).unwrap();
        let words = format!(
            "init --cloud-provider libvirt --db-version rehearsal {} --libvirt-pool {pool} --libvirt-network {network} \
             --libvirt-domain-type qemu --libvirt-image {} {more}",
            if more.contains("--libvirt-uri") { String::new() } else { format!("--libvirt-uri {TEST_URI}") },
            self.path("image.qcow2").display()
        );
        self.exasol(&words)
    }

    /// As [`World::initialized`], with a machine in Terraform's state: the mock driver takes no
    /// image, and a deployment that has machines needs none.
    pub fn with_a_machine(self) -> Self {
        let world = self.initialized();
        let state = r#"{"version":4,"resources":[{"mode":"managed","type":"libvirt_domain","name":"node",
            "instances":[{"index_key":"n11","attributes":{"name":"x"}}]}]}"#;
        std::fs::write(world.deployment().join("terraform/terraform.tfstate"), state).unwrap();
        world
    }

    pub fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.deployment().join("deployment.json")).unwrap()).unwrap()
    }

    /// Rewrites `deployment.json` as a test wants it.
    pub fn edit_state(&self, edit: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        edit(&mut state);
        std::fs::write(self.deployment().join("deployment.json"), serde_json::to_vec(&state).unwrap()).unwrap();
    }

    /// Every file of the deployment, without its logs and lock.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.deployment()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                match path.is_dir() {
                    true if path.ends_with("logs") => {}
                    true => folders.push(path),
                    false if path.ends_with(".lock") => {}
                    false => found.push((path.clone(), std::fs::read(path).unwrap())),
                }
            }
        }
        found.sort();
        found
    }
}

/// An empty qcow2 image (version 3) of a disk of 1 GiB, 1 MiB long.
pub fn fake_image() -> Vec<u8> {
    let mut image = vec![0u8; 1 << 20];
    image[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    // Clusters of 64 KiB.
    image[23] = 16;
    // Virtual size, 8 bytes big-endian at 24: 1 GiB.
    image[24..32].copy_from_slice(&(1u64 << 30).to_be_bytes());
    // The table of the first level has two entries and is in the third cluster; that of references in the second.
    (image[39], image[45], image[53], image[59]) = (2, 2, 1, 1);
    image
}

/// A program of the system on which the tests run.
fn installed(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin"].iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists())
}

/// A terminal without a window: the window's end, and the programs' end. No program that is started inherits either.
fn pseudo_terminal() -> (OwnedFd, std::fs::File) {
    let window = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&window).unwrap();
    unlockpt(&window).unwrap();
    let name = ptsname(&window, Vec::new()).unwrap();
    let terminal =
        std::fs::File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(name.to_str().unwrap());
    (window, terminal.unwrap())
}

/// Starts with this treatment of a signal.
fn treats(command: &mut Command, signal: i32, treatment: libc::sighandler_t) {
    // SAFETY: signal is async-signal-safe, and nothing else happens between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::signal(signal, treatment);
            Ok(())
        })
    };
}

pub struct Call<'a> {
    world: &'a World,
    command: Command,
    input: Option<String>,
}

impl Call<'_> {
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn arg(mut self, word: &OsStr) -> Self {
        self.command.arg(word);
        self
    }

    pub fn stdin(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    pub fn run(mut self) -> Answer {
        let output = match self.input.take() {
            None => self.command.output().unwrap(),
            Some(text) => {
                let file = self.world.path("stdin");
                std::fs::write(&file, text).unwrap();
                self.command.stdin(std::fs::File::open(file).unwrap()).output().unwrap()
            }
        };
        let answer = Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        let words: Vec<_> = self.command.get_args().filter_map(|word| word.to_str()).collect();
        answer.fits_its_schema(&words);
        answer
    }

    /// Starts it on a terminal of its own.
    pub fn on_a_terminal(mut self) -> rexpect::session::PtySession {
        self.command.env("TERM", "xterm").stdin(Stdio::inherit());
        let options = rexpect::session::Options::new().timeout_ms(Some(30_000)).strip_ansi_escape_codes(true);
        rexpect::session::spawn_with_options(self.command, options).unwrap()
    }

    /// Types it at a login bash on a terminal of its own, which closes when its window's end is dropped.
    pub fn typed_in_bash(self) -> (OwnedFd, std::process::Child) {
        let (window, terminal) = pseudo_terminal();
        let mut line: Vec<_> = std::iter::once(self.command.get_program()).chain(self.command.get_args()).collect();
        line.push(OsStr::new("\n"));
        let line = line.join(OsStr::new(" "));
        let mut bash = Command::new(installed("bash").unwrap());
        bash.args(["--login", "--noprofile", "-i"]).env("TERM", "xterm");
        self.lend_its_world(&mut bash);
        bash.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).stderr(terminal);
        // SAFETY: these are two system calls, which are async-signal-safe; nothing else happens between fork and exec.
        unsafe {
            bash.pre_exec(|| {
                rustix::process::setsid()?;
                Ok(rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?)
            })
        };
        let child = bash.spawn().unwrap();
        std::fs::File::from(window.try_clone().unwrap()).write_all(line.as_encoded_bytes()).unwrap();
        (window, child)
    }

    /// Lets `timeout` start it, which gets these words first.
    pub fn under_timeout(mut self, words: &[&str]) -> Self {
        let mut timeout = Command::new(installed("timeout").unwrap());
        timeout.args(words).arg(self.command.get_program()).args(self.command.get_args());
        self.lend_its_world(&mut timeout);
        self.command = timeout;
        self
    }

    fn lend_its_world(&self, command: &mut Command) {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            treats(command, signal, libc::SIG_DFL);
        }
        command.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.world.root.path()).stdin(Stdio::null());
    }

    /// Starts with this signal ignored, as `nohup` and a shell's `&` do it.
    pub fn ignoring(mut self, signal: i32) -> Self {
        treats(&mut self.command, signal, libc::SIG_IGN);
        self
    }

    /// As [`Call::start`], with a standard output of the test's own.
    pub fn start_writing_to(mut self, stdout: impl Into<Stdio>) -> std::process::Child {
        self.command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// As [`Call::start`], with a standard error of the test's own.
    pub fn start_telling(mut self, stderr: impl Into<Stdio>) -> std::process::Child {
        self.command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap()
    }

    /// Starts it and lets it run.
    pub fn start(mut self) -> std::process::Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Whatever a test is about: every line of JSON that it sees is as the reference says.
    #[track_caller]
    fn fits_its_schema(&self, words: &[&str]) {
        let ours: Vec<_> = words.iter().copied().take_while(|word| *word != "--").collect();
        let json = ours.contains(&"--json") || ours.windows(2).any(|pair| pair == ["--output", "json"]);
        for line in self.stdout.lines().filter(|line| json && line.starts_with('{')) {
            // A line that is cut off is the test's own affair.
            let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
            if let Some(name) = schema::of_line(&ours, &value) {
                schema::assert_fits(name, &value);
            }
        }
    }

    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Everything that was printed contains this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert!(all.contains(text), "does not say {text:?}:\n{all}");
        self
    }

    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert!(!all.contains(text), "says {text:?}:\n{all}");
        self
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let line = self.stdout.lines().rfind(|l| !l.is_empty()).unwrap_or_else(|| panic!("no output; {}", self.stderr));
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }
}

/// A Terraform that makes nothing. `$HOME/terraform-fails` names a verb that fails,
/// `$HOME/terraform-hangs` one that does not end until it is told to.
const FAKE_TERRAFORM: &str = r#"
verb=$1
echo "$*" >> "$HOME/terraform-calls"
if [ "$verb" = version ]; then echo '{"terraform_version":"1.11.4"}'; exit 0; fi
if [ -e "$HOME/terraform-hangs" ] && [ "$(cat "$HOME/terraform-hangs")" = "$verb" ]; then
  echo $$ > "$HOME/terraform-is-running.part"
  mv "$HOME/terraform-is-running.part" "$HOME/terraform-is-running"
  trap 'touch "$HOME/terraform-was-interrupted"; exit 1' INT
  while :; do sleep 0.05; done
fi
if [ -e "$HOME/terraform-fails" ] && [ "$(cat "$HOME/terraform-fails")" = "$verb" ]; then
  echo '{"@level":"error","@message":"Error: no such thing","type":"diagnostic","diagnostic":{"severity":"error","summary":"no such thing","detail":"the fake was told so"}}'
  exit 1
fi
case "$verb" in
  show) cat "$HOME/terraform-plan" 2>/dev/null || echo '{"format_version":"1.2","resource_changes":[]}' ;;
  plan) for word in "$@"; do case "$word" in -out=*) touch "${word#-out=}" ;; esac; done ;;
esac
"#;
