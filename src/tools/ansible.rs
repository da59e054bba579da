//! `ansible-playbook`: found, called, and read through our callback plugin.
//!
//! A run gets everything that depends on the place through its environment: the SSH configuration
//! with the nodes' names and keys, and a private temporary folder for Ansible's own files. It is asked for its
//! version in such an environment too: what is wrong with the user's own settings does not matter.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::ansible_events::{Failure, Line, own_error, parse};
use super::fetched::{Fetched, Lease};
use super::lines::Tail;
use super::process::{Tool, Waiting, find};
use super::scratch::Scratch;
use super::versions;
use crate::error::{Error, INSTALL_TOOLS, Result};
use crate::events::EventSink;
use crate::model::command_line;
use crate::signal::Interrupt;

/// Python starts slowly on a busy, emulated machine: 60 s were seen not to suffice.
const SHORT: Duration = Duration::from_secs(120);
/// (major, minor) of ansible-core.
const MINIMUM: (u32, u32) = (2, 14);
/// More at once than this does not make a workstation faster.
const MAX_FORKS: usize = 25;
/// Of one run's failures, and of what it printed beside events; everything is in its log.
const MAX_KEPT: usize = 1000;
const MAX_KEPT_CHARS: usize = 10_000;
const PLAYBOOK: &str = "ansible-playbook";
/// Tells the callback plugin to wait for a line before the playbook begins.
const WAITS: &str = "EXASOL_ANSIBLE_WAITS";
const INSTALL: &str = "pipx install ansible-core   # or your distribution's package ansible-core";

/// A usable Ansible on this machine.
#[derive(Debug, Clone)]
pub struct Ansible {
    pub program: PathBuf,
    /// Of ansible-core: `2.19.14`.
    pub version: String,
    /// Version and path of the Python that runs it, as it says them.
    pub python: Option<String>,
    /// Set where it is not the user's own, but was fetched by us.
    pub lease: Option<Lease>,
}

/// One run of a playbook.
pub struct PlaybookRun {
    /// The deployment directory: `ansible/ansible.cfg` and `ssh/config` are in it.
    pub directory: PathBuf,
    /// Relative to the directory's `ansible/`, as the other files.
    pub playbook: PathBuf,
    pub inventory: PathBuf,
    /// Environment for lookups in the playbook.
    pub env: Vec<(String, String)>,
    /// Texts that must not appear in events, should a program on a node print them.
    pub secrets: Vec<String>,
    /// How many nodes there are.
    pub nodes: usize,
    /// Lines of ssh's configuration that are in force instead of those in `ssh/config`; with those of
    /// [`super::ssh_connections::Connections`], or each task would log in.
    pub ssh_lines: Vec<String>,
    /// Whether the way to the nodes may need what is secret in our environment.
    pub keep_secrets: bool,
    /// The file to which the events are appended.
    pub log: PathBuf,
    held: Vec<OwnedFd>,
}

impl PlaybookRun {
    pub fn new(directory: impl Into<PathBuf>, playbook: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            playbook: playbook.into(),
            inventory: "inventory.json".into(),
            env: Vec::new(),
            secrets: Vec::new(),
            nodes: 1,
            ssh_lines: Vec::new(),
            keep_secrets: false,
            log: log.into(),
            held: Vec::new(),
        }
    }

    /// Lets the run inherit a lock (the deployment's, for one), so that it lasts as long as Ansible does.
    pub fn holding(mut self, lock: &impl AsFd) -> Result<Self> {
        self.held.push(lock.as_fd().try_clone_to_owned().map_err(Error::io("cannot duplicate the lock"))?);
        Ok(self)
    }
}

impl Ansible {
    /// The `ansible-playbook` on PATH, else the one that was fetched. Takes about a second: Python has to start.
    /// Error: [`Error::ToolMissing`] with what was found instead.
    pub async fn find(fetched: &Fetched) -> Result<Ansible> {
        let own = match find(PLAYBOOK) {
            Some(program) => Ansible::at(program, None).await,
            None => Err(missing(None)),
        };
        match (own, fetched.find(PLAYBOOK)) {
            (Err(own), Some(found)) => Ansible::at(found.path, Some(found.lease)).await.map_err(|_| own),
            (own, _) => own,
        }
    }

    /// The one at this path.
    ///
    /// # Errors
    /// [`Error::ToolMissing`] where it is too old; [`Error::ToolUnusable`].
    pub async fn at(program: PathBuf, lease: Option<Lease>) -> Result<Ansible> {
        let private = PrivateDir::make()?;
        let settings = private.path("ansible.cfg");
        std::fs::write(&settings, "").map_err(Error::io(format!("cannot write {}", settings.display())))?;
        let tool = private.surround(Tool::new(&program).arg("--version").without_secrets(), &settings)?;
        let output = tool.output(SHORT).await?;
        let said = output.stdout_text();
        let python = said.lines().find_map(|line| line.trim().strip_prefix("python version = ")).map(str::to_owned);
        match said.lines().find_map(version).filter(|_| output.success()) {
            Some((number, version)) if number >= MINIMUM => Ok(Ansible { program, version, python, lease }),
            Some((_, version)) => Err(missing(Some(format!("{} is of version {version}", program.display())))),
            None => Err(versions::unusable(&program, &output, format!("or run {INSTALL_TOOLS}, or {INSTALL}"))),
        }
    }

    /// Runs a playbook and emits an event for every start and result of a task.
    ///
    /// Errors: those of [`StartedPlaybook::begin`].
    pub async fn run_playbook(&self, run: PlaybookRun, sink: &EventSink, interrupt: &Interrupt) -> Result<()> {
        self.start(run)?.begin(sink, interrupt).await
    }

    /// Starts Ansible, which takes seconds, with a playbook that may not begin yet: our callback plugin waits for a line
    /// on its input. Without that plugin it would begin at once.
    pub fn start(&self, run: PlaybookRun) -> Result<StartedPlaybook> {
        let private = PrivateDir::make()?;
        let waiting = self.tool(&run, &private)?.start_waiting()?;
        Ok(StartedPlaybook { waiting, secrets: run.secrets, _private: private })
    }

    fn tool(&self, run: &PlaybookRun, private: &PrivateDir) -> Result<Tool> {
        let ansible = run.directory.join("ansible");
        let tool = Tool::new(&self.program)
            .cwd(&ansible)
            .args(["--forks", &run.nodes.clamp(1, MAX_FORKS).to_string()])
            .arg("-i")
            .arg(&run.inventory)
            .arg(&run.playbook)
            .log(&run.log)
            .private_files()
            // On a busy machine Ansible 2.19 was seen to swallow a SIGINT in the moment in which it forks.
            .insistent();
        let tool = if run.keep_secrets { tool } else { tool.without_secrets() };
        let mut tool = private
            .surround(tool, &ansible.join("ansible.cfg"))?
            .env(WAITS, "yes")
            .env("ANSIBLE_SSH_ARGS", ssh_args(&run.directory.join("ssh/config"), &run.ssh_lines));
        if !run.secrets.is_empty() {
            let list = serde_json::to_vec(&run.secrets).context("the secrets")?;
            tool = tool.secret_file("EXASOL_ANSIBLE_SECRETS", &list)?;
        }
        for (name, value) in &run.env {
            tool = tool.env(name, value);
        }
        for lock in &run.held {
            tool = tool.inherit_fd(lock)?;
        }
        if let Some(lease) = &self.lease {
            tool = lease.lend(tool)?;
        }
        Ok(tool)
    }
}

/// A playbook that has done nothing yet. Dropped, it never will.
pub struct StartedPlaybook {
    waiting: Waiting,
    secrets: Vec<String>,
    _private: PrivateDir,
}

impl StartedPlaybook {
    /// Lets it begin, and emits an event for every start and result of a task.
    ///
    /// Errors: [`Error::Tool`] whose diagnostics are `node: task: cause` for each failure that
    /// nothing caught, in the order in which they came; [`Error::Interrupted`].
    pub async fn begin(self, sink: &EventSink, interrupt: &Interrupt) -> Result<()> {
        let mut story = Story { secrets: self.secrets, ..Story::default() };
        let mut finished = self.waiting.begin(interrupt, &mut |line| story.read(line, sink)).await?;
        if finished.success() {
            return Ok(());
        }
        let (diagnostics, tail) = story.end();
        finished.tail = tail;
        Err(finished.into_error(diagnostics))
    }
}

fn missing(found: Option<String>) -> Error {
    Error::ToolMissing {
        tool: format!("ansible-playbook of ansible-core {}.{} or newer", MINIMUM.0, MINIMUM.1),
        needed: found,
        install: INSTALL.into(),
        fetched: true,
    }
}

/// `ansible-playbook [core 2.19.14]`, and `ansible-playbook 2.9.27` before 2.11.
fn version(line: &str) -> Option<((u32, u32), String)> {
    let rest = line.strip_prefix("ansible-playbook ")?;
    let version = rest.trim_start_matches("[core ").trim_end_matches(']').trim();
    Some((versions::number(version)?, version.to_owned()))
}

/// What nodes and modules print has no end by itself.
fn keep(kept: &mut Vec<String>, text: &str) {
    if kept.len() < MAX_KEPT {
        kept.push(text.chars().take(MAX_KEPT_CHARS).collect());
    }
}

/// A run's events, as far as its error needs them.
#[derive(Default)]
struct Story {
    secrets: Vec<String>,
    failures: Vec<String>,
    /// What failed tasks printed.
    output: Tail,
    /// What Ansible printed beside events, to begin with.
    text: Vec<String>,
}

impl Story {
    fn read(&mut self, line: &str, sink: &EventSink) {
        match parse(line) {
            Line::Task(event) => sink.emit(event.into()),
            Line::Failure(event, Failure { text, output }) => {
                sink.emit(event.into());
                keep(&mut self.failures, &text);
                output.iter().for_each(|line| self.output.push(line));
            }
            Line::Warning(message) => sink.warn(message),
            Line::Other => (),
            Line::Text(text) => {
                let text = self.hide(text);
                self.output.push(&text);
                keep(&mut self.text, &text);
            }
        }
    }

    fn end(mut self) -> (Vec<String>, Vec<String>) {
        if self.failures.is_empty() {
            self.failures.extend(own_error(&self.text));
        }
        (self.failures, self.output.into_vec())
    }

    fn hide(&self, text: String) -> String {
        let secrets = self.secrets.iter().filter(|secret| !secret.is_empty());
        secrets.fold(text, |text, secret| text.replace(secret.as_str(), "********"))
    }
}

/// A run's temporary folder, for this user only.
struct PrivateDir(Scratch);

impl PrivateDir {
    fn make() -> Result<PrivateDir> {
        Ok(PrivateDir(Scratch::make()?))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The environment in which every run has its own settings and folders.
    fn surround(&self, tool: Tool, settings: &Path) -> Result<Tool> {
        let tool = tool
            // The user's own settings are for the user's own machines.
            .without_env("ANSIBLE_")
            .env("ANSIBLE_CONFIG", settings)
            .env("ANSIBLE_HOME", self.path("home"))
            .env("ANSIBLE_LOCAL_TEMP", self.path("tmp"))
            .env("ANSIBLE_NOCOLOR", "1")
            // Ansible refuses to start in a locale that is not UTF-8 or not installed.
            .env("LC_ALL", "C.UTF-8")
            // No __pycache__ in the deployment directory.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        self.0.lend(tool)
    }
}

/// Ansible splits the value as a shell would.
fn ssh_args(config: &Path, lines: &[String]) -> String {
    let config = config.to_string_lossy();
    let options = ["BatchMode=yes"].into_iter().chain(lines.iter().map(String::as_str));
    command_line(["-F", &config].into_iter().chain(options.flat_map(|option| ["-o", option])))
}

#[cfg(test)]
#[path = "ansible_tests.rs"]
mod tests;
