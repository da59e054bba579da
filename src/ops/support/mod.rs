//! `support`: one archive for a bug report. It works in every phase, in a directory whose files are
//! broken, beside a running operation, with or without nodes; it takes no lock and changes nothing.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the story: where the archive goes, what is asked, what is told |
//! | `local` | what is on this machine |
//! | `nodes` | what the nodes say |
//! | `archive` | texts with limits, and their index |
//! | `secrets` | the secrets that this machine knows |
//! | `masks` | pure: known secrets are taken out of a text |
//! | `forms` | pure: the forms in which a secret may stand in a text |
//! | `patterns` | pure: what has a secret's form is taken out |

mod archive;
mod forms;
mod local;
mod masks;
mod nodes;
mod patterns;
mod secrets;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::NamedTempFile;

use super::Context;
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::SupportReport;

use archive::Archive;
use masks::Masks;

const ENDING: &str = ".tar.gz";
const FLAG: &str = "--file";

pub struct SupportRequest {
    pub dir: PathBuf,
    /// None: a name of its own in the current folder.
    pub file: Option<PathBuf>,
    pub ask_nodes: bool,
}

pub async fn run(context: &Context, request: SupportRequest) -> Result<SupportReport> {
    let root = std::path::absolute(&request.dir).map_err(Error::io("cannot find the deployment's directory"))?;
    let dir = DeploymentDir::open(&request.dir);
    // What is no deployment at all has nothing to tell.
    if let Err(error @ (Error::NotADeployment { .. } | Error::BashDeployment { .. } | Error::InvalidValue { .. })) = dir
    {
        return Err(error);
    }
    let now = jiff::Timestamp::now();
    let id = dir.as_ref().map_or_else(|_| "broken".to_owned(), |dir| dir.state().id.to_string());
    let name = format!("exasol-support-{id}-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    let target = request.file.clone().unwrap_or_else(|| free(&name));
    let file = beside(&target)?;

    let known = secrets::known(&root, dir.as_ref().ok());
    let mut archive = Archive::new(Masks::new(&known.secrets), archive::SOURCE_MAX, archive::TOTAL_MAX);
    context
        .interrupt
        .run(async {
            local::versions(&mut archive).await;
            local::state(&mut archive, &root, &dir);
            // First: nodes may have so much to say that the archive is full.
            local::logs(&mut archive, &root);
            match request.ask_nodes {
                true => nodes::ask(&mut archive, &root, &dir).await,
                false => archive.miss("nodes", "they were not asked: --no-nodes"),
            }
        })
        .await?;

    let about = json!({
        "made_at": format!("{now:.0}"),
        "exasol": env!("CARGO_PKG_VERSION"),
        "deployment": dir.as_ref().map_or_else(|error| error.to_string(), |dir| dir.state().id.to_string()),
        "phase": dir.as_ref().ok().map(|dir| dir.state().phase),
        "warning": known.warning,
    });
    archive.write(&name, about, file.as_file())?;
    place(file, &target)?;
    Ok(SupportReport {
        deployment: dir.ok().map(|dir| dir.state().id.to_string()),
        bytes: fs::metadata(&target).map(|found| found.len()).unwrap_or_default(),
        files: archive.len(),
        cut: archive.cut(),
        archive: target,
        missing: archive.missing,
        warnings: known.warning.into_iter().collect(),
    })
}

/// In the current folder; a second archive of the same second gets a number.
fn free(name: &str) -> PathBuf {
    let plain = PathBuf::from(format!("{name}{ENDING}"));
    let numbered = (2..=99).map(|number| PathBuf::from(format!("{name}-{number}{ENDING}")));
    std::iter::once(plain.clone()).chain(numbered).find(|path| path.symlink_metadata().is_err()).unwrap_or(plain)
}

/// A file of this user's alone, where the archive grows until it is whole.
fn beside(target: &Path) -> Result<NamedTempFile> {
    if target.symlink_metadata().is_ok() {
        return Err(exists(target));
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".exasol-support-").suffix(ENDING).tempfile_in(folder);
    made.map_err(|error| {
        Error::invalid(
            FLAG,
            target.display().to_string(),
            format!("a new file in a folder that can be written ({error})"),
        )
    })
}

fn place(file: NamedTempFile, target: &Path) -> Result<()> {
    file.as_file().sync_all().map_err(Error::io("cannot write the archive"))?;
    match file.persist_noclobber(target) {
        Ok(_) => Ok(()),
        Err(failed) if failed.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(target)),
        Err(failed) => Err(Error::io(format!("cannot write {}", target.display()))(failed.error)),
    }
}

fn exists(target: &Path) -> Error {
    Error::invalid(FLAG, target.display().to_string(), "it exists already, and nothing is overwritten: name a new file")
}
