//! Terraform and OpenTofu: found, called, and read through their JSON.
//!
//! A killed Terraform leaves no lock to break: with the local backend the state is locked by the
//! kernel (fcntl), so the lock dies with the process, and a stale `.terraform.tfstate.lock.info` is
//! ignored; `force-unlock` cannot do anything with it ("LocalState not locked"; both measured with
//! 1.11.4). "Error acquiring the state lock" therefore means that somebody runs Terraform in this
//! directory by hand, and is reported as it is.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, Once};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::alias::Alias;
use super::plan::{Plan, PriorState};
pub use super::plugin_cache::PluginLock;
use super::plugin_cache::{LOCK_FILE, Turn};
use super::process::{Output, Tool};
use super::scratch::Scratch;
use super::terraform_events::{Diagnostic, Line, Said, is_progress, parse};
pub use super::terraform_program::{Engine, Terraform};
use super::terraform_program::{base_tool, json_in, log_variables, read_json};
use crate::error::{Error, Result};
use crate::events::EventSink;
use crate::signal::Interrupt;

/// For commands that work on local files.
const SHORT: Duration = Duration::from_secs(120);
/// The saved plan's name in the Terraform folder. It holds secrets and is removed after use.
const PLAN_FILE: &str = "saved.tfplan";

/// Told once, however many folders Terraform works in.
static LOGGING_TOLD: Once = Once::new();

impl Terraform {
    /// A folder with a configuration in it, for the commands below.
    ///
    /// # Errors
    /// [`Error::Io`]: there is no place for temporary files.
    pub fn workdir(&self, dir: impl Into<PathBuf>, sink: EventSink, interrupt: Interrupt) -> Result<Workdir> {
        let logging = log_variables();
        if !logging.is_empty() {
            let (names, engine) = (logging.join(", "), self.engine.as_str());
            LOGGING_TOLD.call_once(|| {
                sink.warn(format!(
                    "{names}: not passed on to {engine}, because its debug output contains keys and passwords, which \
                    would stay in the deployment's logs"
                ));
            });
        }
        Ok(Workdir {
            terraform: self.clone(),
            dir: dir.into(),
            log: None,
            plugin_cache: None,
            plugins: PluginLock::default(),
            secret_env: Vec::new(),
            without_env: Vec::new(),
            limits: None,
            alias: None,
            held: Vec::new(),
            variables: Vec::new(),
            sink,
            interrupt,
            warned: Mutex::new(HashSet::new()),
            scratch: Scratch::make()?,
        })
    }
}

/// A plan that does not hang but is slow gets its time at the second attempt.
const PATIENCE: u32 = 10;

/// How long a run may take for one resource before its provider is thought to hang: from its beginning, or from the last
/// resource that began or was done.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub plan: Duration,
    pub apply: Duration,
}

/// Terraform in one folder (`<deployment>/terraform`), with everything that its runs share.
pub struct Workdir {
    terraform: Terraform,
    dir: PathBuf,
    log: Option<PathBuf>,
    plugin_cache: Option<PathBuf>,
    plugins: PluginLock,
    secret_env: Vec<(String, String)>,
    without_env: Vec<&'static str>,
    limits: Option<Limits>,
    alias: Option<Alias>,
    held: Vec<OwnedFd>,
    variables: Vec<(String, String)>,
    sink: EventSink,
    interrupt: Interrupt,
    warned: Mutex<HashSet<String>>,
    scratch: Scratch,
}

impl Workdir {
    /// The file to which every run's JSON lines are appended.
    pub fn log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    pub fn engine(&self) -> Engine {
        self.terraform.engine
    }

    /// Whether an `init` has recorded its plugins.
    pub fn has_plugin_lock(&self) -> bool {
        self.dir.join(LOCK_FILE).exists()
    }

    /// What plugins the first `init` may take.
    pub fn plugins_as(mut self, lock: PluginLock) -> Self {
        self.plugins = lock;
        self
    }

    /// The folder in which plugins are kept for all deployments; made if need be.
    pub fn plugin_cache(mut self, dir: impl Into<PathBuf>) -> Self {
        self.plugin_cache = Some(dir.into());
        self
    }

    /// For cloud credentials: the value appears in no text of ours.
    pub fn secret_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.secret_env.push((name.into(), value.into()));
        self
    }

    /// Takes a variable of ours away.
    pub fn without_env(mut self, name: &'static str) -> Self {
        self.without_env.push(name);
        self
    }

    /// For providers that sometimes hang: a plan that takes longer is ended and made once more; an
    /// apply ends with [`Error::Timeout`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Puts this program under that name first on PATH, for providers that call a program by that name.
    pub fn standing_in_for(mut self, name: &str) -> Result<Self> {
        self.alias = Some(Alias::new(self.scratch.folder("bin")?, name)?);
        Ok(self)
    }

    /// Lets every run inherit a descriptor (the deployment lock's, for one), so that what hangs on it lasts as
    /// long as Terraform does.
    pub fn holding(mut self, fd: &impl AsFd) -> Result<Self> {
        self.held.push(fd.as_fd().try_clone_to_owned().map_err(Error::io("cannot duplicate a descriptor"))?);
        Ok(self)
    }

    /// A variable's value for this process's runs, instead of the one in the rendered files.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// `init`, where it is needed: every operation begins with it.
    ///
    /// Terraform's own `init` asks the registry even when everything is in place, so without the
    /// registry nothing could be destroyed; `validate` tells from local files alone whether the
    /// plugins of the lock file are there and whole (both measured with 1.11.4).
    pub async fn init(&self) -> Result<()> {
        if self.has_plugin_lock() {
            return match self.validate().await {
                Ok(()) => Ok(()),
                Err(_) => self.fetch_plugins().await,
            };
        }
        let lock = self.dir.join(LOCK_FILE);
        self.plugins.begin(&lock, &self.sink)?;
        let fetched = self.fetch_plugins().await;
        if fetched.is_err() {
            // The next attempt begins with what is known then.
            let _ = std::fs::remove_file(&lock);
        }
        fetched
    }

    async fn fetch_plugins(&self) -> Result<()> {
        let mut tool = self.tool(&["init", "-input=false"])?;
        if super::versions::number(&self.terraform.version) >= Some(self.terraform.engine.init_json_since()) {
            tool = tool.arg("-json");
        }
        // No plugin runs that would make sockets, and plugins are downloaded, larger than fits into memory.
        let usual = std::env::temp_dir();
        if usual.is_dir() {
            tool = tool.env("TMPDIR", usual);
        }
        let Some(cache) = &self.plugin_cache else { return self.run(tool).await };
        let turn = match Turn::take(cache, &self.interrupt).await {
            Ok(turn) => turn,
            Err(error @ Error::Interrupted { .. }) => return Err(error),
            Err(error) => {
                self.sink.warn(format!("provider plugins are downloaded again, without the cache: {error}"));
                return self.run(tool).await;
            }
        };
        tool = tool.inherit_fd(&turn.lock)?.env("TF_PLUGIN_CACHE_DIR", cache);
        if turn.may_define_checksums(&self.dir) {
            tool = tool.env("TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "1");
        }
        self.run(tool).await?;
        turn.done()
    }

    /// `validate`, for tests and `doctor`: needs an [`Workdir::init`] before.
    pub async fn validate(&self) -> Result<()> {
        #[derive(Deserialize)]
        struct Answer {
            valid: bool,
            diagnostics: Vec<Diagnostic>,
        }
        let output = self.read(self.tool(&["validate", "-json"])?).await?;
        let answer: Answer = match read_json(&output.stdout, "validate -json") {
            Ok(answer) => answer,
            Err(_) => return Err(output.into_error(Vec::new())),
        };
        if answer.valid {
            return Ok(());
        }
        Err(output.into_error(answer.diagnostics.iter().filter(|d| d.is_error()).map(Diagnostic::text).collect()))
    }

    /// Plans and saves the plan for [`Workdir::apply`].
    pub async fn plan(&self) -> Result<Plan> {
        self.save_plan(&[]).await
    }

    /// As [`Workdir::plan`], for the end of everything. Without `refresh` the state is believed.
    pub async fn plan_destroy(&self, refresh: bool) -> Result<Plan> {
        let mode: &[&str] = if refresh { &["-destroy"] } else { &["-destroy", "-refresh=false"] };
        self.save_plan(mode).await
    }

    /// Asks the provider how everything is. The state file stays as it was.
    pub async fn refreshed(&self) -> Result<PriorState> {
        let out = format!("-out={PLAN_FILE}");
        let result =
            match self.run(self.planning(&["plan", "-refresh-only", "-input=false", "-json", out.as_str()])?).await {
                Ok(()) => self.ask(&["show", "-json", PLAN_FILE]).await,
                Err(error) => Err(error),
            };
        self.forget_plan();
        result
    }

    /// Applies the saved plan, then forgets it: a plan is good for one apply.
    pub async fn apply(&self) -> Result<()> {
        let tool = self.tool(&["apply", "-input=false", "-json", PLAN_FILE])?;
        let result = self.run(within(tool, self.limits.map(|limits| limits.apply))).await;
        self.forget_plan();
        result
    }

    /// Takes these addresses out of the state; what they stand for stays as it is.
    pub async fn forget(&self, addresses: &[String]) -> Result<()> {
        // It takes no -no-color, and would name its backup by the time of day.
        let tool = self.bare_tool()?.args(["state", "rm", "-backup=terraform.tfstate.backup"]).args(addresses);
        tool.output(SHORT).await?.ok().map(drop)
    }

    /// Removes the saved plan, if there is one: it holds secrets.
    pub fn forget_plan(&self) {
        if let Err(error) = std::fs::remove_file(self.dir.join(PLAN_FILE))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            self.sink.warn(format!("cannot remove {}: {error}", self.dir.join(PLAN_FILE).display()));
        }
    }

    /// Addresses of the managed resources in the state; none if there is no state yet. Needs no
    /// plugins, so it works before [`Workdir::init`].
    #[cfg(test)]
    pub async fn state_resources(&self) -> Result<Vec<String>> {
        if !self.dir.join("terraform.tfstate").exists() {
            return Ok(Vec::new());
        }
        // `state list` takes no -no-color, and prints one address a line.
        let output = self.bare_tool()?.args(["state", "list"]).output(SHORT).await?.ok()?;
        let text = output.stdout_text();
        let is_data = |address: &&str| address.starts_with("data.") || address.contains(".data.");
        Ok(text.lines().filter(|address| !is_data(address)).map(str::to_owned).collect())
    }

    /// The outputs' values by name; none if there is no state yet. Sensitive ones are included.
    pub async fn outputs(&self) -> Result<Map<String, Value>> {
        #[derive(Deserialize)]
        struct Typed {
            value: Value,
        }
        let outputs: Map<String, Value> = self.ask(&["output", "-json"]).await?;
        outputs
            .into_iter()
            .map(|(name, output)| {
                let output: Typed = serde_json::from_value(output)
                    .map_err(|_| Error::other(format!("cannot read Terraform's output '{name}'")))?;
                Ok((name, output.value))
            })
            .collect()
    }

    async fn save_plan(&self, mode: &[&str]) -> Result<Plan> {
        let out = format!("-out={PLAN_FILE}");
        let plan = async |limit| {
            let tool = self.planning(&["plan", "-input=false", "-json", out.as_str()])?.args(mode);
            self.run(within(tool, limit)).await
        };
        let limit = self.limits.map(|limits| limits.plan);
        let planned = match plan(limit).await {
            Err(Error::Timeout { limit_s, .. }) => {
                self.sink
                    .warn(format!("planning gave no result within {limit_s} s: trying once more, with a longer limit"));
                plan(limit.map(|limit| limit * PATIENCE)).await
            }
            result => result,
        };
        let result = match planned {
            Ok(()) => self.show(PLAN_FILE).await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            // A plan with errors is saved too.
            self.forget_plan();
        }
        result
    }

    async fn show(&self, plan_file: &str) -> Result<Plan> {
        let output = self.read(self.tool(&["show", "-json", plan_file])?).await?.ok()?;
        Plan::parse(json_in(&output.stdout))
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&self, args: &[&str]) -> Result<T> {
        let output = self.read(self.tool(args)?).await?.ok()?;
        read_json(&output.stdout, &args.join(" "))
    }

    /// For commands that only read local files: a signal ends them at once.
    async fn read(&self, tool: Tool) -> Result<Output> {
        self.interrupt.run(tool.output(SHORT)).await?
    }

    fn tool(&self, args: &[&str]) -> Result<Tool> {
        // Options end at the first argument that is none, so -no-color comes before the others.
        let (command, rest) = args.split_at(args.len().min(1));
        Ok(self.bare_tool()?.args(command).arg("-no-color").args(rest))
    }

    fn bare_tool(&self) -> Result<Tool> {
        let mut tool = self.scratch.lend(base_tool(&self.terraform.program).cwd(&self.dir))?;
        if let Some(lease) = &self.terraform.lease {
            tool = lease.lend(tool)?;
        }
        for name in &self.without_env {
            tool = tool.without_env(name);
        }
        for (name, value) in &self.secret_env {
            tool = tool.secret_env(name, value);
        }
        if let Some(alias) = &self.alias {
            tool = tool.env("PATH", alias.path()?);
        }
        for fd in &self.held {
            tool = tool.inherit_fd(fd)?;
        }
        Ok(tool)
    }

    /// For what makes a plan: an apply takes the values from that.
    fn planning(&self, args: &[&str]) -> Result<Tool> {
        let values = self.variables.iter().map(|(name, value)| format!("-var={name}={value}"));
        Ok(self.tool(args)?.args(values))
    }

    /// Runs, follows the JSON lines, and makes an error of a failure: its diagnostics come first.
    async fn run(&self, tool: Tool) -> Result<()> {
        let tool = match &self.log {
            Some(log) => tool.log(log),
            None => tool,
        };
        let mut said = Said::default();
        let mut finished = tool
            .run(&self.interrupt, &mut |line| match parse(line) {
                Line::Resource(change) => self.sink.emit(change.into()),
                Line::Error(diagnostic) => said.error(&diagnostic),
                Line::Warning(diagnostic) => self.warn_about(&diagnostic),
                Line::Message(text) => said.message(&text),
                Line::Text(text) => said.text(&text),
            })
            .await?;
        if finished.success() {
            if let Some(problem) = said.configuration() {
                self.warn_once(format!("{problem}; it goes on without that file"));
            }
            return Ok(());
        }
        let (diagnostics, tail) = said.end();
        finished.tail = tail;
        Err(finished.into_error(diagnostics))
    }

    fn warn_about(&self, diagnostic: &Diagnostic) {
        if diagnostic.summary.starts_with("Incomplete lock file information") {
            // Checksums for this platform alone: what plugin_cache.rs asks for.
            return;
        }
        self.warn_once(diagnostic.text());
    }

    /// Plan and apply repeat each other's warnings.
    fn warn_once(&self, text: String) {
        let mut warned = self.warned.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if warned.insert(text.clone()) {
            self.sink.warn(format!("{}: {text}", self.terraform.engine.as_str()));
        }
    }
}

fn within(tool: Tool, limit: Option<Duration>) -> Tool {
    limit.into_iter().fold(tool, Tool::limit).limit_from(is_progress)
}

#[cfg(test)]
#[path = "terraform_tests.rs"]
mod tests;
