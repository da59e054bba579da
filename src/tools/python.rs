//! Python: which ones there are, their virtual environments, and pip.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::{Finished, Tool, find};
use crate::error::{Error, Result};
use crate::signal::Interrupt;

/// The usual one first, then those that a distribution may have beside it, the newest first.
const NAMES: [&str; 7] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"];
/// For a program that says what it has.
const SHORT: Duration = Duration::from_secs(60);
/// A virtual environment takes seconds, on a busy machine a minute.
const VENV_LIMIT: Duration = Duration::from_secs(300);
/// A slow line needs minutes for 10 MB; pip gives up a server that is silent by itself.
const PIP_LIMIT: Duration = Duration::from_secs(1800);
/// Prints `3.11`, then the modules out of two that are there. Debian has `ensurepip` in another package.
const QUESTION: &str = "import importlib.util, sys\n\
                        print('%d.%d' % sys.version_info[:2])\n\
                        print([m for m in ('venv', 'ensurepip') if importlib.util.find_spec(m)])";
/// Settings of the user's that would lead pip or Python out of the virtual environment.
const FOREIGN_ENV: [&str; 5] = ["PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"];

/// A Python on PATH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    pub program: PathBuf,
    /// `3.11`
    pub version: String,
    pub has_venv: bool,
    /// It can put pip into a virtual environment.
    pub has_pip: bool,
}

/// The Pythons that answer, the usual one first; one of each version.
pub async fn on_path() -> Vec<Python> {
    let mut all: Vec<Python> = Vec::new();
    let mut seen = HashSet::new();
    for program in NAMES.into_iter().filter_map(find) {
        // A version manager's link that stands for no Python fails.
        if let Some(python) = ask(program).await
            && seen.insert(python.version.clone())
        {
            all.push(python);
        }
    }
    all
}

async fn ask(program: PathBuf) -> Option<Python> {
    let output = surrounded(Tool::new(&program)).args(["-c", QUESTION]).output(SHORT).await.ok()?;
    let said = output.success().then(|| output.stdout_text())?;
    let mut lines = said.lines();
    let version = lines.next()?.trim().to_owned();
    let modules = lines.next().unwrap_or_default();
    let has = |module: &str| modules.contains(module);
    Some(Python { program, version, has_venv: has("'venv'"), has_pip: has("'ensurepip'") })
}

/// A virtual environment.
pub struct Venv<'a> {
    folder: &'a Path,
}

/// The pip that installs into a virtual environment.
pub enum Pip {
    /// That of the environment.
    Own,
    /// A wheel, which Python runs as it is.
    Wheel(PathBuf),
}

impl<'a> Venv<'a> {
    /// Makes one in an empty folder.
    ///
    /// # Errors
    /// [`Error::Tool`]; [`Error::Timeout`]; [`Error::Interrupted`].
    pub async fn make(python: &Python, pip: &Pip, folder: &'a Path, interrupt: &Interrupt) -> Result<Self> {
        let tool = surrounded(Tool::new(&python.program)).args(["-m", "venv"]);
        let tool = match pip {
            Pip::Own => tool,
            Pip::Wheel(_) => tool.arg("--without-pip"),
        };
        let finished = tool.arg(folder).limit(VENV_LIMIT).run(interrupt, &mut |_| ()).await?;
        match finished.success() {
            true => Ok(Self { folder }),
            false => Err(finished.into_error(Vec::new())),
        }
    }

    /// A program in it.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Installs what a requirements file names, and nothing else: every file must have a hash in it. Index, proxy and
    /// certificates are those of the user's pip.
    ///
    /// # Errors
    /// [`Error::Download`] with the cause as pip says it.
    pub async fn install(
        &self,
        pip: &Pip,
        requirements: &Path,
        interrupt: &Interrupt,
        on_line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        let tool = surrounded(Tool::new(self.program("python")));
        let tool = match pip {
            Pip::Own => tool.args(["-m", "pip"]),
            Pip::Wheel(wheel) => tool.arg(wheel.join("pip")),
        };
        let mut said = Said::default();
        let finished = tool
            .args(["install", "--no-input", "--disable-pip-version-check", "--require-hashes"])
            .args(["--only-binary", ":all:", "-r"])
            .arg(requirements)
            // "user = true" in pip's settings cannot be followed in a virtual environment.
            .env("PIP_USER", "0")
            .limit(PIP_LIMIT)
            .run(interrupt, &mut |line| {
                said.read(line);
                on_line(line);
            })
            .await?;
        if finished.success() { Ok(()) } else { Err(said.error(finished)) }
    }
}

fn surrounded(tool: Tool) -> Tool {
    FOREIGN_ENV.into_iter().fold(tool, Tool::without_env).env("LC_ALL", "C.UTF-8")
}

/// What pip said that tells why it failed.
#[derive(Default)]
struct Said {
    /// A connection that broke.
    network: Option<String>,
    errors: Vec<String>,
}

impl Said {
    fn read(&mut self, line: &str) {
        if let Some(cause) = broken_connection(line) {
            self.network.get_or_insert(cause);
        } else if let Some(error) = line.trim().strip_prefix("ERROR: ") {
            self.errors.push(error.to_owned());
        }
    }

    fn error(self, finished: Finished) -> Error {
        if finished.interrupted.is_some() {
            return finished.into_error(Vec::new());
        }
        let cause = match (self.network, self.errors.into_iter().next()) {
            (Some(cause), _) => format!("pip cannot reach its package index: {cause}"),
            (None, Some(error)) => format!("pip says: {error}"),
            (None, None) => return finished.into_error(Vec::new()),
        };
        Error::Download {
            url: "ansible-core and its packages".into(),
            cause,
            hint: Some(
                "pip uses HTTPS_PROXY, PIP_INDEX_URL and pip.conf: see `pip config list`; or install ansible-core yourself"
                    .into(),
            ),
        }
    }
}

/// `WARNING: Retrying (Retry(total=4, …)) after connection broken by 'NewConnectionError('…: Failed to …')': /simple/x/`
fn broken_connection(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("connection broken by '")?;
    let (cause, _) = rest.rsplit_once("':").unwrap_or((rest, ""));
    Some(cause.trim_matches(['\'', '"']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_broken_connection_is_told() {
        let line = "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
            connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))': \
            /simple/ansible-core/";
        let cause = broken_connection(line).unwrap();
        assert_eq!(cause, "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))");
        assert_eq!(broken_connection("Collecting ansible-core==2.19.14"), None);
    }

    #[test]
    fn fuzz_pip_output() {
        let seed =
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'ProxyError('x')': /simple/a/\nERROR: no\n";
        crate::fuzz::text_target("pip-output", &[seed], |text| {
            let mut said = Said::default();
            text.lines().for_each(|line| said.read(line));
        });
    }
}
