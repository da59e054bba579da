//! `support`: one archive for a bug report. It works in every phase, in a directory whose files are
//! broken, beside a running operation, with or without nodes; it takes no lock and changes nothing.
//!
//! | file | concept |
//! | --- | --- |
//! | `mod` | the story: where the archive goes, what is asked, what is told |
//! | `local` | what is on this machine |
//! | `nodes` | what the nodes say |
//! | `archive` | texts with limits, and their index |

mod archive;
mod local;
mod nodes;

use std::path::PathBuf;

use serde_json::json;

use super::Context;
use super::new_file::{self, NewFile};
use super::redaction::{self, Masks};
use crate::deployment::DeploymentDir;
use crate::error::{Error, Result};
use crate::model::SupportReport;

use archive::Archive;

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
    let target = request.file.clone().unwrap_or_else(|| new_file::free(&name, ENDING));
    let file = NewFile::at(target, FLAG)?;

    let known = redaction::known(&root, dir.as_ref().ok());
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
    archive.write(&name, about, file.file())?;
    let (target, bytes) = file.place()?;
    Ok(SupportReport {
        deployment: dir.ok().map(|dir| dir.state().id.to_string()),
        bytes,
        files: archive.len(),
        cut: archive.cut(),
        archive: target,
        missing: archive.missing,
        warnings: known.warning.into_iter().collect(),
    })
}
