//! What is on this machine: versions, the recorded state, the operations' logs.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::version;
use super::archive::{Archive, MARGIN, SOURCE_MAX};
use crate::deployment::{DeploymentDir, LockStatus};
use crate::error::Result;

/// So many operations, the newest: what is older has rarely to do with a question of today.
const OPERATIONS: usize = 8;
/// Deeper folders than these are not listed.
const DEPTH: usize = 3;
const STATE: &str = "deployment.json";

pub(super) async fn versions(archive: &mut Archive) {
    match version::verbose().await {
        Ok(report) => archive.add_json("version.json", "exasol version --verbose", &report),
        Err(error) => archive.miss("version.json", &error.to_string()),
    }
}

/// The state as it is on the disk: what cannot be parsed is what somebody wants to see.
pub(super) fn state(archive: &mut Archive, root: &Path, dir: &Result<DeploymentDir>) {
    file(archive, STATE, &root.join(STATE));
    if let Err(error) = dir {
        archive.miss("the deployment's state", &error.to_string());
    }
    archive.add("directory.txt", "the directory's files: mode, size, time of change", listing(root).as_bytes(), false);
    let lock = dir.as_ref().map(DeploymentDir::lock_status);
    match lock {
        Ok(Ok(LockStatus::Held(holder))) => archive.add_json("running-operation.json", "the lock's holder", &holder),
        Ok(Err(error)) => archive.miss("running-operation.json", &error.to_string()),
        Ok(Ok(LockStatus::Free)) | Err(_) => {}
    }
}

/// The newest operations first; everything in their folders that is a text.
pub(super) fn logs(archive: &mut Archive, root: &Path) {
    let logs = root.join("logs");
    let mut folders: Vec<_> = entries(&logs).into_iter().filter(|path| path.is_dir()).collect();
    folders.reverse();
    for folder in folders.iter().take(OPERATIONS) {
        for path in entries(folder) {
            file(archive, &relative(root, &path), &path);
        }
    }
    if let Some(older) = folders.get(OPERATIONS) {
        let count = folders.len() - OPERATIONS;
        archive
            .miss(&format!("the logs of {count} earlier operations, up to {}", relative(&logs, older)), "they are old");
    }
    for path in entries(&logs).into_iter().filter(|path| path.is_file()) {
        file(archive, &relative(root, &path), &path);
    }
}

fn file(archive: &mut Archive, name: &str, path: &Path) {
    match end_of(path) {
        Ok((text, cut)) => archive.add(name, &path.display().to_string(), &text, cut),
        Err(error) => archive.miss(name, &error.to_string()),
    }
}

/// Its last bytes, and whether there are more. Never of a pipe or a device, which might not end.
fn end_of(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut file = File::open(path)?;
    let most = (SOURCE_MAX + MARGIN) as u64;
    let start = file.metadata()?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    // It may grow meanwhile.
    file.take(most).read_to_end(&mut text)?;
    Ok((text, start > 0))
}

fn listing(root: &Path) -> String {
    let mut lines = String::new();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for path in entries(&folder) {
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            let time = jiff::Timestamp::from_second(found.mtime()).map(|at| format!("{at:.0}")).unwrap_or_default();
            lines += &format!("{:06o} {:>12} {time} {}\n", found.mode(), found.len(), relative(root, &path));
            if found.is_dir() && depth < DEPTH {
                folders.push((path, depth + 1));
            }
        }
    }
    lines
}

/// By name.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    all.sort();
    all
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
