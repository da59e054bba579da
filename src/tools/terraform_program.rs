//! Which of Terraform and OpenTofu is on this machine, whether it works, and what its answers say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fetched::{Fetched, Lease};
use super::process::{Tool, find};
use super::versions;
use crate::error::{Error, Result};
use crate::model::parse_error;

/// For a program that only says its version.
const SHORT: Duration = Duration::from_secs(120);

/// Variables of the user's that would change what our commands do, or what they print: debug output
/// has the machines' keys and passwords in it, and our logs are kept.
const FOREIGN_ENV: [&str; 6] =
    ["TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT", "TF_REATTACH_PROVIDERS", LOGGING];
/// `TF_LOG`, `TF_LOG_CORE`, `TF_LOG_PROVIDER`, `TF_LOG_PATH`.
const LOGGING: &str = "TF_LOG";

/// Which of the two programs: they take the same templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Terraform,
    Tofu,
}

/// (major, minor)
type Version = (u32, u32);

impl Engine {
    /// As in `--engine`.
    pub fn parse(name: &str) -> Option<Engine> {
        match name {
            "terraform" => Some(Engine::Terraform),
            "tofu" => Some(Engine::Tofu),
            _ => None,
        }
    }

    /// The program's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Terraform => "terraform",
            Engine::Tofu => "tofu",
        }
    }

    /// The host from which it takes plugins whose source names none.
    pub fn registry(self) -> &'static str {
        match self {
            Engine::Terraform => "registry.terraform.io",
            Engine::Tofu => "registry.opentofu.org",
        }
    }

    fn install_page(self) -> &'static str {
        match self {
            Engine::Terraform => "Terraform (https://developer.hashicorp.com/terraform/install)",
            Engine::Tofu => "OpenTofu (https://opentofu.org/docs/intro/install)",
        }
    }

    /// Oldest version that has what we use: `check` blocks, `optional()`, the JSON forms.
    pub(super) fn minimum(self) -> Version {
        match self {
            Engine::Terraform => (1, 5),
            Engine::Tofu => (1, 6),
        }
    }

    /// Since when `init` prints JSON too.
    pub(super) fn init_json_since(self) -> Version {
        match self {
            Engine::Terraform => (1, 9),
            Engine::Tofu => (1, 7),
        }
    }
}

/// A usable Terraform or OpenTofu on this machine.
#[derive(Debug, Clone)]
pub struct Terraform {
    pub engine: Engine,
    pub program: PathBuf,
    /// As it calls itself: `1.11.4`.
    pub version: String,
    /// Set where it is not the user's own, but was fetched by us.
    pub lease: Option<Lease>,
}

impl Terraform {
    /// The engine asked for, or the first one that is new enough: Terraform, then OpenTofu. The user's own come
    /// before one that was fetched.
    /// Error: [`Error::ToolMissing`] with what was found instead.
    pub async fn find(wanted: Option<Engine>, fetched: &Fetched) -> Result<Terraform> {
        let candidates = match wanted {
            Some(engine) => vec![engine],
            None => vec![Engine::Terraform, Engine::Tofu],
        };
        let (mut old, mut unusable) = (Vec::new(), None);
        let own = candidates.iter().filter_map(|engine| Some((*engine, find(engine.as_str())?, None)));
        let fetched = candidates.iter().filter_map(|engine| Some((*engine, fetched.find(engine.as_str())?)));
        let fetched = fetched.map(|(engine, found)| (engine, found.path, Some(found.lease)));
        for (engine, program, lease) in own.chain(fetched) {
            match Terraform::at(engine, program, lease).await {
                Ok(found) if versions::number(&found.version) >= Some(engine.minimum()) => return Ok(found),
                Ok(found) => old.push(format!("{} is version {}", found.program.display(), found.version)),
                Err(error) => unusable = unusable.or(Some(error)),
            }
        }
        Err(unusable.unwrap_or_else(|| Error::ToolMissing {
            tool: candidates.iter().map(|engine| minimum_text(*engine)).collect::<Vec<_>>().join(" or "),
            needed: (!old.is_empty()).then(|| old.join("; ")),
            install: format!(
                "install {}",
                candidates.iter().rev().map(|engine| engine.install_page()).collect::<Vec<_>>().join(" or ")
            ),
            fetched: candidates.contains(&Engine::Tofu),
        }))
    }

    /// The one at this path, however old it is.
    ///
    /// # Errors
    /// [`Error::ToolUnusable`].
    pub async fn at(engine: Engine, program: PathBuf, lease: Option<Lease>) -> Result<Terraform> {
        let version = version_of(&program, engine).await?;
        Ok(Terraform { engine, program, version, lease })
    }
}

fn minimum_text(engine: Engine) -> String {
    let (major, minor) = engine.minimum();
    format!("{} {major}.{minor} or newer", engine.as_str())
}

async fn version_of(program: &Path, engine: Engine) -> Result<String> {
    #[derive(Deserialize)]
    struct Version {
        terraform_version: String,
    }
    let output = base_tool(program).args(["version", "-json"]).output(SHORT).await?;
    let version = output.success().then(|| serde_json::from_slice::<Version>(json_in(&output.stdout)).ok()).flatten();
    let Some(Version { terraform_version }) = version else {
        return Err(versions::unusable(program, &output, format!("or install {}", engine.install_page())));
    };
    Ok(terraform_version)
}

pub(super) fn base_tool(program: &Path) -> Tool {
    let tool = Tool::new(program).env("TF_IN_AUTOMATION", "1").env("CHECKPOINT_DISABLE", "1").private_files();
    FOREIGN_ENV.into_iter().fold(tool, Tool::without_env)
}

/// The variables that would make Terraform log, as far as they say so.
pub(super) fn log_variables() -> Vec<String> {
    let set = std::env::vars_os().filter(|(name, value)| {
        let off = value.is_empty() || value.eq_ignore_ascii_case("off");
        name.to_string_lossy().starts_with(LOGGING) && !off
    });
    let mut names: Vec<_> = set.map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub(super) fn read_json<T: for<'de> Deserialize<'de>>(output: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(json_in(output))
        .map_err(|error| Error::other(format!("cannot read Terraform's answer to {what}: {}", parse_error(&error))))
}

/// The object in what a program printed: a wrapper, as of a version manager, prints lines before it, or behind.
pub(super) fn json_in(output: &[u8]) -> &[u8] {
    let begins = |at: &usize| output[*at] == b'{' && (*at == 0 || output[at - 1] == b'\n');
    let object = (0..output.len()).filter(begins).find_map(|from| {
        let mut values = serde_json::Deserializer::from_slice(&output[from..]).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        Some(&output[from..from + values.byte_offset()])
    });
    object.unwrap_or(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wrapper_prints_around_an_answer_is_left_out() {
        let answer = "{\n  \"terraform_version\": \"1.11.4\"\n}";
        for (before, after) in [("", ""), ("[INFO] using 1.11.4\n", ""), ("{set} to 1.11.4\n", "\nbye {}\n")] {
            let printed = format!("{before}{answer}{after}");
            assert_eq!(json_in(printed.as_bytes()), answer.as_bytes(), "{printed}");
        }
        for nothing in ["", "no such version", "{"] {
            assert_eq!(json_in(nothing.as_bytes()), nothing.as_bytes());
        }
    }

    #[test]
    fn fuzz_terraform_answers() {
        crate::fuzz::target(
            "terraform-answers",
            &[b"[INFO] using 1.11.4\n{\"a\": {\"value\": 1}}\n{bye}\n"],
            |bytes| {
                let found = json_in(bytes);
                assert!(found.len() <= bytes.len());
                let _ = read_json::<serde_json::Map<String, serde_json::Value>>(bytes, "output -json");
            },
        );
    }
}
