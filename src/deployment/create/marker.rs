//! The marker file: it keeps a second `init` out, and lists what the first one is going to write.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::deployment::dir::STATE_FILE;
use crate::deployment::{atomic, lock};
use crate::error::Result;
use crate::model::Holder;

pub(in crate::deployment) const MARKER_FILE: &str = ".init-in-progress";

#[derive(Serialize, Deserialize)]
pub(super) struct Marker {
    #[serde(flatten)]
    pub holder: Holder,
    /// Relative paths, the marker and the state file not among them.
    pub files: Vec<PathBuf>,
}

impl Marker {
    pub fn of_this_process(files: Vec<PathBuf>) -> Marker {
        Marker { holder: lock::this_process("init"), files }
    }

    pub fn to_json(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(self).context("the marker of init as JSON")?)
    }
}

/// What a killed `init` was going to write. Empty without a marker, or with one that was not finished:
/// nothing else is written before it is.
pub(super) fn planned_by_killed_init(root: &Path) -> Result<Vec<PathBuf>> {
    let Some(text) = atomic::read(&root.join(MARKER_FILE))? else { return Ok(Vec::new()) };
    let Ok(Marker { mut files, .. }) = serde_json::from_slice(&text) else { return Ok(Vec::new()) };
    files.retain(|file| atomic::check_relative(file).is_ok());
    files.push(STATE_FILE.into());
    Ok(files)
}

/// Whether the directory's entry `name` is `file`, its temporary name, or the folder that it is in.
pub(super) fn belongs_to(name: &str, file: &Path) -> bool {
    file.starts_with(name) || atomic::temporary(file) == Path::new(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_init_marker() {
        let marker = Marker::of_this_process(vec!["README.md".into(), "terraform/main.tf".into()]).to_json().unwrap();
        let dir = tempfile::tempdir().unwrap();
        crate::fuzz::target("init-marker", &[&marker], move |bytes| {
            std::fs::write(dir.path().join(MARKER_FILE), bytes).unwrap();
            for file in planned_by_killed_init(dir.path()).unwrap() {
                assert!(file.is_relative() && !file.starts_with(".."), "{}", file.display());
                belongs_to("README.md", &file);
            }
        });
    }
}
