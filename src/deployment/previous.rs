//! Earlier copies of the files that nothing else can bring back: `previous/deployment.json.1`, the newest, to `.10`, and
//! the same of `secrets.json` and `terraform.tfstate`.
//!
//! [`super::Locked`] has them made when an operation writes for the first time, and when it has ended. The second copy is
//! the one that counts after an accident: what was there before a deploy does not know what the deploy has made. It is
//! not made again when the next operation begins, because a copy that is the same as the newest one is not made. A state
//! that differs only in when it was written is the same: else operations with nothing to do would push the others out.
//!
//! A file that cannot be read is never copied, so it never pushes a good copy out.
//!
//! **A copy that cannot be made is not an error.** On a full disk or a read-only one the write that the copy is for fails
//! as well, and says so; if it does not fail, an operation that could do its work should do it. `debug.log` tells of it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::kept::{Content, Kept, Unreadable};
use super::{atomic, names};
use crate::error::{Error, Result};

pub(super) const FOLDER: &str = "previous";
/// How many copies of each file there are at most.
const COPIES: u32 = 10;
/// Between the name of a file that could not be read and the time at which it was put aside.
const BROKEN: &str = ".broken-";

/// An earlier copy of a file, as it was found.
pub struct Copied {
    /// Relative to the deployment's directory.
    pub path: PathBuf,
    /// RFC 3339, UTC, seconds; when the copy was made.
    pub made_at: Option<String>,
    pub text: Vec<u8>,
    pub content: Result<Content, Unreadable>,
}

/// Keeps copies of these files as they are now. Needs the deployment's lock.
pub(super) fn keep(root: &Path, files: &[Kept]) {
    for kept in files {
        if let Err(error) = keep_one(root, *kept) {
            tracing::warn!(file = kept.path(), %error, "no copy of it could be kept");
        }
    }
}

fn keep_one(root: &Path, kept: Kept) -> Result<()> {
    let Some(text) = atomic::read(&root.join(kept.path()))?.filter(|text| kept.read(text).is_ok()) else {
        return Ok(());
    };
    make_folder(root)?;
    let newest = places(root, kept).into_iter().next();
    if newest.is_some_and(|newest| fs::read(newest).is_ok_and(|newest| kept.is_same(&newest, &text))) {
        return Ok(());
    }
    atomic::write_after(&place(root, kept, 1), &text, 0o600, || make_room(root, kept))
}

fn make_folder(root: &Path) -> Result<()> {
    let folder = root.join(FOLDER);
    atomic::make_private_dir(&folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
    match strange(root) {
        Some(why) => Err(Error::other(format!("{} {why}", folder.display()))),
        None => Ok(()),
    }
}

/// Moves the copies up by one, so that the first place is free; the last one goes. A gap ends it: somebody was killed
/// here, or has removed a copy.
fn make_room(root: &Path, kept: Kept) -> Result<()> {
    let is_free = |number: &u32| place(root, kept, *number).symlink_metadata().is_err();
    let free = (1..COPIES).find(is_free).unwrap_or(COPIES);
    for number in (1..free).rev() {
        let (from, to) = (place(root, kept, number), place(root, kept, number + 1));
        fs::rename(&from, &to).map_err(Error::io(format!("cannot move {}", from.display())))?;
    }
    Ok(())
}

/// Why the folder is not used: what is there is not ours. None where there is none.
pub(super) fn strange(root: &Path) -> Option<&'static str> {
    let found = root.join(FOLDER).symlink_metadata().ok()?;
    let is_of = |owner: u32| found.uid() == owner;
    match found.file_type() {
        kind if kind.is_symlink() => Some("is a symbolic link, not a folder"),
        kind if !kind.is_dir() => Some("is not a folder"),
        _ if is_of(rustix::process::geteuid().as_raw()) || fs::metadata(root).is_ok_and(|root| is_of(root.uid())) => {
            None
        }
        _ => Some("belongs to another user"),
    }
}

/// The copies of a file, the newest first. None of a folder that is not ours.
pub fn copies(root: &Path, kept: Kept) -> Vec<Copied> {
    let copied = |path: PathBuf| {
        let text = fs::read(&path).ok()?;
        let content = kept.read(&text);
        let path = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        Some(Copied { made_at: changed_at(&root.join(&path)), path, text, content })
    };
    places(root, kept).into_iter().filter_map(copied).collect()
}

/// Whether one of them can be read.
pub(super) fn has_readable(root: &Path, kept: Kept) -> bool {
    copies(root, kept).iter().any(|copy| copy.content.is_ok())
}

/// The error, with the directory in which a copy can take the place of the file that it is about. A file of a later
/// version is sound: no copy may take its place.
pub(super) fn offer(error: Error, kept: Kept, root: &Path, named: &Path) -> Error {
    let Error::BrokenState { file, why, .. } = error else { return error };
    let text = || atomic::read(&file).ok().flatten();
    let is_newer = || text().is_some_and(|text| kept.read(&text).is_err_and(|unreadable| unreadable.newer));
    let repair = (!is_newer() && has_readable(root, kept)).then(|| named.to_path_buf());
    Error::BrokenState { file, why, repair }
}

/// When a file was last written; RFC 3339, UTC, seconds.
pub(super) fn changed_at(file: &Path) -> Option<String> {
    let seconds = file.symlink_metadata().ok()?.mtime();
    jiff::Timestamp::from_second(seconds).ok().map(|at| format!("{at:.0}"))
}

/// Where there is a copy, the newest first. What is not a file is none.
fn places(root: &Path, kept: Kept) -> Vec<PathBuf> {
    if strange(root).is_some() {
        return Vec::new();
    }
    let is_file = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.is_file());
    (1..=COPIES).map(|number| place(root, kept, number)).filter(is_file).collect()
}

fn place(root: &Path, kept: Kept, number: u32) -> PathBuf {
    root.join(FOLDER).join(format!("{}.{number}", kept.name()))
}

/// All files of the folder that are ours, relative to the directory.
pub(super) fn files(root: &Path) -> Vec<PathBuf> {
    if strange(root).is_some() {
        return Vec::new();
    }
    let names = names::names(&root.join(FOLDER)).unwrap_or_default();
    names.into_iter().filter(|name| is_ours(name)).map(|name| Path::new(FOLDER).join(name)).collect()
}

/// Where what is in that file's place can be put aside, relative to the directory. Makes the folder.
pub(super) fn free_aside(root: &Path, file: &Path) -> Result<PathBuf> {
    make_folder(root)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let begun = format!("{name}{BROKEN}{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    let names = std::iter::once(begun.clone()).chain((2..).map(|number| format!("{begun}-{number}")));
    let mut places = names.map(|name| Path::new(FOLDER).join(name));
    places
        .find(|place| root.join(place).symlink_metadata().is_err())
        .ok_or_else(|| Error::other(format!("{name} cannot be put aside")))
}

/// Removes all copies, and the folder if nothing of somebody else is in it. True if there was one.
pub(super) fn remove(root: &Path) -> Result<bool> {
    let folder = root.join(FOLDER);
    if strange(root).is_some() || folder.symlink_metadata().is_err() {
        return Ok(false);
    }
    for name in names::names(&folder)?.iter().filter(|name| is_ours(name)) {
        let place = folder.join(name);
        match place.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            // It was in the place of a file.
            true => remove_empty(&place)?,
            false => atomic::remove_file(&place)?,
        }
    }
    remove_empty(&folder)?;
    Ok(true)
}

/// What is in a folder that is not empty is somebody else's.
fn remove_empty(folder: &Path) -> Result<()> {
    match fs::remove_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(Error::io(format!("cannot remove {}", folder.display()))(e))
        }
        _ => Ok(()),
    }
}

/// A copy, what was put aside, or what a killed writer of a copy left.
fn is_ours(name: &str) -> bool {
    let unfinished = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new"));
    let name = unfinished.unwrap_or(name);
    let is_number = |end: &str| end.parse::<u32>().is_ok();
    Kept::ALL
        .iter()
        .any(|kept| name.strip_prefix(kept.name()).and_then(|end| end.strip_prefix('.')).is_some_and(is_number))
        || name.contains(BROKEN)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::deployment::testing;
    use crate::model::{Operation, Phase};

    fn numbers(root: &Path, kept: Kept) -> Vec<String> {
        let end = |path: PathBuf| path.extension().unwrap().to_string_lossy().into_owned();
        places(root, kept).into_iter().map(end).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn terraform(root: &Path, serial: u32) {
        let text = format!(r#"{{"version":4,"serial":{serial},"resources":[]}}"#);
        fs::write(root.join(Kept::Terraform.path()), text).unwrap();
    }

    #[test]
    fn the_newest_is_the_first_and_an_equal_one_is_not_made_again() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root();
        for serial in 1..=3 {
            terraform(root, serial);
            keep(root, &[Kept::Terraform]);
            keep(root, &[Kept::Terraform]);
        }
        assert_eq!(numbers(root, Kept::Terraform), ["1", "2", "3"]);
        assert!(String::from_utf8_lossy(&copies(root, Kept::Terraform)[0].text).contains("\"serial\":3"));
        assert_eq!(mode(&root.join(FOLDER)), 0o700);
        assert_eq!(mode(&root.join("previous/terraform.tfstate.1")), 0o600);
    }

    #[test]
    fn a_state_that_was_only_written_again_is_the_same() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root();
        let write = |change: &str, value: &str| {
            let text = fs::read(root.join("deployment.json")).unwrap();
            let mut state: serde_json::Value = serde_json::from_slice(&text).unwrap();
            state[change] = value.into();
            fs::write(root.join("deployment.json"), state.to_string()).unwrap();
            keep(root, &[Kept::State]);
        };
        write("updated_at", "2026-01-02T03:04:05Z");
        write("updated_at", "2026-01-02T03:04:06Z");
        assert_eq!(numbers(root, Kept::State), ["1"]);
        write("engine", "tofu");
        assert_eq!(numbers(root, Kept::State), ["1", "2"]);
    }

    #[test]
    fn ten_are_kept() {
        let (_dir, deployment) = testing::deployment();
        for serial in 1..=14 {
            terraform(deployment.root(), serial);
            keep(deployment.root(), &[Kept::Terraform]);
        }
        let copies = copies(deployment.root(), Kept::Terraform);
        assert_eq!(copies.len(), 10);
        assert!(String::from_utf8_lossy(&copies[9].text).contains("\"serial\":5"));
        assert_eq!(names::names(&deployment.root().join(FOLDER)).unwrap().len(), 10);
    }

    #[test]
    fn what_cannot_be_read_pushes_no_copy_out() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root();
        terraform(root, 1);
        keep(root, &Kept::ALL);
        for kept in Kept::ALL {
            for text in ["", "{", "{}", "\0\0\0\0", r#"{"schema": 99}"#] {
                fs::write(root.join(kept.path()), text).unwrap();
                keep(root, &[kept]);
                assert_eq!(numbers(root, kept), ["1"], "{text}");
                assert!(has_readable(root, kept));
            }
        }
    }

    #[test]
    fn a_gap_that_a_kill_left_is_filled_and_loses_nothing() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root();
        for serial in 1..=3 {
            terraform(root, serial);
            keep(root, &[Kept::Terraform]);
        }
        // Killed after it had made room, and before the new copy was in its place.
        make_room(root, Kept::Terraform).unwrap();
        assert_eq!(numbers(root, Kept::Terraform), ["2", "3", "4"]);
        terraform(root, 4);
        keep(root, &[Kept::Terraform]);
        assert_eq!(numbers(root, Kept::Terraform), ["1", "2", "3", "4"]);
    }

    #[test]
    fn a_folder_that_is_not_ours_is_left_alone() {
        let (dir, deployment) = testing::deployment();
        let elsewhere = dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, deployment.root().join(FOLDER)).unwrap();
        keep(deployment.root(), &Kept::ALL);
        fs::write(elsewhere.join("deployment.json.1"), fs::read(deployment.root().join("deployment.json")).unwrap())
            .unwrap();
        assert!(copies(deployment.root(), Kept::State).is_empty());
        assert!(!remove(deployment.root()).unwrap());
        assert_eq!(names::names(&elsewhere).unwrap(), ["deployment.json.1"]);
        assert_eq!(strange(deployment.root()), Some("is a symbolic link, not a folder"));
    }

    #[test]
    fn of_what_people_put_into_the_folder_nothing_is_removed() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root();
        keep(root, &Kept::ALL);
        fs::write(root.join("previous/.secrets.json.1.new"), "half").unwrap();
        fs::write(root.join("previous/secrets.json.broken-20260102T030405Z"), "{").unwrap();
        fs::create_dir(root.join("previous/secrets.json.broken-20260102T030406Z")).unwrap();
        fs::write(root.join("previous/notes.txt"), "mine").unwrap();
        assert!(remove(root).unwrap());
        assert_eq!(names::names(&root.join(FOLDER)).unwrap(), ["notes.txt"]);
        fs::remove_file(root.join("previous/notes.txt")).unwrap();
        assert!(remove(root).unwrap());
        assert!(!remove(root).unwrap());
    }

    #[test]
    fn an_operation_keeps_what_it_found_and_what_it_leaves() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root().to_path_buf();
        let mut locked = deployment.lock(Operation::Deploy).unwrap();
        assert!(!root.join(FOLDER).exists(), "nothing is written before there is something to write");
        locked.begun(Phase::DeployInProgress).unwrap();
        locked.install_begins().unwrap();
        terraform(&root, 1);
        locked.ended(Phase::DatabaseReady, crate::deployment::Trouble::Gone).unwrap();
        let phases = |root: &Path| -> Vec<Phase> {
            let phase = |copy: Copied| match copy.content {
                Ok(Content::State(state)) => state.phase,
                _ => panic!("{}", copy.path.display()),
            };
            copies(root, Kept::State).into_iter().map(phase).collect()
        };
        assert_eq!(phases(&root), [Phase::DatabaseReady, Phase::Initialized]);
        assert_eq!(
            (numbers(&root, Kept::Secrets), numbers(&root, Kept::Terraform)),
            (vec!["1".into()], vec!["1".into()])
        );
        locked.begun(Phase::DestroyInProgress).unwrap();
        locked.remove_after_destroy().unwrap();
        locked.ended(Phase::Destroyed, crate::deployment::Trouble::Gone).unwrap();
        assert!(!root.join(FOLDER).exists());
    }

    #[test]
    fn both_sides_of_a_change_of_the_secrets_are_kept() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root().to_path_buf();
        let mut locked = deployment.lock(Operation::Update).unwrap();
        let secrets = crate::deployment::Secrets { db_password: "another word".into(), ..testing::secrets() };
        locked.write_secrets(&secrets).unwrap();
        let passwords = copies(&root, Kept::Secrets).into_iter().map(|copy| match copy.content {
            Ok(Content::Secrets(secrets)) => secrets.db_password.to_string(),
            _ => panic!("{}", copy.path.display()),
        });
        assert_eq!(passwords.collect::<Vec<_>>(), ["another word", "database word"]);
    }

    #[test]
    fn a_copy_that_cannot_be_made_stops_no_operation() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root().to_path_buf();
        fs::write(root.join(FOLDER), "a file is in the way").unwrap();
        let mut locked = deployment.lock(Operation::Deploy).unwrap();
        locked.begun(Phase::DeployInProgress).unwrap();
        assert_eq!(fs::read_to_string(root.join(FOLDER)).unwrap(), "a file is in the way");
    }
}
