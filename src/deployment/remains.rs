//! A deployment directory of which any file may be missing or damaged: what is there, one file at a time.
//!
//! [`DeploymentDir`] needs a state that can be read; this does not. It reads, and never writes.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::create::MARKER_FILE;
use super::dir::{self, BASH_FILE, LOCK_FILE, SECRETS_FILE, STATE_FILE};
use super::kept::{Content, Kept, Unreadable};
use super::lock::{self, LockStatus};
use super::{Copied, DeploymentDir, atomic, edits, previous};
use crate::error::{Error, Result};

/// What there is of a file.
pub enum Reading {
    /// Also an empty state of Terraform, which empties the file before it writes it for the first time.
    Missing,
    Unreadable(Unreadable),
    Content(Content),
}

/// A file or folder whose permission bits are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loose {
    /// Relative to the directory; empty: the directory itself.
    pub path: PathBuf,
    pub mode: u32,
    pub wanted: u32,
}

/// A deployment directory, in whatever state it is.
#[derive(Debug, Clone)]
pub struct Remains {
    pub(super) root: PathBuf,
    /// As it was typed.
    named: PathBuf,
}

impl Remains {
    /// # Errors
    /// [`Error::NotADeployment`] where neither a state nor a copy of one is, and no secrets; [`Error::BashDeployment`].
    pub fn at(path: &Path) -> Result<Remains> {
        let root = dir::absolute(path)?;
        let there = |name: &str| root.join(name).symlink_metadata().is_ok();
        // What a killed `init` has left is no deployment; the next `init` clears it.
        let has_secrets = there(SECRETS_FILE) && there(LOCK_FILE) && !there(MARKER_FILE);
        let is_deployment = there(STATE_FILE) || has_secrets || previous::has_readable(&root, Kept::State);
        match is_deployment {
            true => Ok(Remains { root, named: path.to_owned() }),
            false if there(BASH_FILE) => Err(Error::BashDeployment { dir: root }),
            false => Err(Error::NotADeployment { dir: root, similar: None, known: Vec::new() }),
        }
    }

    /// The directory itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// As it was typed: for commands that people copy.
    pub fn named(&self) -> &Path {
        &self.named
    }

    pub fn open(&self) -> Result<DeploymentDir> {
        DeploymentDir::open(&self.named)
    }

    /// What the file says now.
    pub fn read(&self, kept: Kept) -> Reading {
        let unreadable = |why: String| Reading::Unreadable(Unreadable { why, newer: false });
        match atomic::read(&self.root.join(kept.path())) {
            Ok(None) => Reading::Missing,
            Ok(Some(text)) if kept == Kept::Terraform && text.trim_ascii().is_empty() => Reading::Missing,
            Ok(Some(text)) => kept.read(&text).map_or_else(Reading::Unreadable, Reading::Content),
            Err(Error::BrokenState { why, .. }) => unreadable(why),
            Err(Error::Io { source, .. }) => unreadable(format!("cannot be read: {source}")),
            Err(other) => unreadable(format!("cannot be read: {other}")),
        }
    }

    /// When the file was last written; RFC 3339, UTC, seconds.
    pub fn changed_at(&self, kept: Kept) -> Option<String> {
        previous::changed_at(&self.root.join(kept.path()))
    }

    /// Its earlier copies, the newest first.
    pub fn copies(&self, kept: Kept) -> Vec<Copied> {
        previous::copies(&self.root, kept)
    }

    /// Whether a copy has what the file has now.
    pub fn is_as(&self, kept: Kept, copy: &Copied) -> bool {
        atomic::read(&self.root.join(kept.path())).is_ok_and(|text| text.as_ref() == Some(&copy.text))
    }

    /// Why no copies are kept: what is in their folder's place is not ours.
    pub fn strange_folder(&self) -> Option<(PathBuf, &'static str)> {
        previous::strange(&self.root).map(|why| (previous::FOLDER.into(), why))
    }

    /// Asks the kernel, never takes the lock.
    pub fn lock_status(&self) -> Result<LockStatus> {
        lock::status(&self.root.join(LOCK_FILE))
    }

    /// Everything that others could read or change, or that its owner cannot use; the directory itself first. What a
    /// symbolic link leads to is somebody else's.
    pub fn loose(&self) -> Vec<Loose> {
        let folders = ["", "terraform", "ansible", "ssh", "logs", previous::FOLDER].map(|name| (name.into(), 0o700));
        let files = self.private_files().into_iter().map(|name| (name, 0o600));
        folders.into_iter().chain(files).filter_map(|(path, wanted)| self.loose_at(path, wanted)).collect()
    }

    fn loose_at(&self, path: PathBuf, wanted: u32) -> Option<Loose> {
        let place = self.root.join(&path);
        let found = if path.as_os_str().is_empty() { place.metadata() } else { place.symlink_metadata() };
        let found = found.ok().filter(|found| found.is_dir() == (wanted == 0o700) && !found.is_symlink())?;
        let mode = found.permissions().mode() & 0o777;
        (mode != wanted).then_some(Loose { path, mode, wanted })
    }

    fn private_files(&self) -> BTreeSet<PathBuf> {
        let terraform = ["terraform.tfstate", "terraform.tfstate.backup", "errored.tfstate"];
        let mut files: BTreeSet<PathBuf> = [STATE_FILE, SECRETS_FILE, LOCK_FILE].map(PathBuf::from).into();
        files.extend(terraform.map(|name| Path::new("terraform").join(name)));
        files.extend(["terraform/secrets.auto.tfvars.json", "ssh/id_ed25519"].map(PathBuf::from));
        files.extend(previous::files(&self.root));
        if let Reading::Content(Content::State(state)) = self.read(Kept::State) {
            files.extend(edits::secret_files(&state));
        }
        files
    }
}

/// Gives a file or folder the permission bits that it should have.
pub(super) fn tighten(root: &Path, loose: &Loose) -> Result<()> {
    let place = root.join(&loose.path);
    let failed = || Error::io(format!("cannot change the permissions of {}", place.display()));
    let is_link = place.symlink_metadata().map_err(failed())?.is_symlink();
    if is_link && !loose.path.as_os_str().is_empty() {
        return Err(failed()(io::Error::other("it is a symbolic link")));
    }
    std::fs::set_permissions(&place, PermissionsExt::from_mode(loose.wanted)).map_err(failed())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;
    use crate::deployment::testing;

    fn remains(root: &Path) -> Remains {
        Remains::at(root).unwrap()
    }

    #[test]
    fn a_directory_is_a_deployment_as_long_as_anything_tells_it() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root();
        previous::keep(root, &[Kept::State]);
        for lost in [STATE_FILE, SECRETS_FILE] {
            fs::remove_file(root.join(lost)).unwrap();
            assert!(matches!(remains(root).read(Kept::State), Reading::Missing));
        }
        fs::remove_dir_all(root.join(previous::FOLDER)).unwrap();
        assert!(matches!(Remains::at(root), Err(Error::NotADeployment { .. })));
        fs::write(root.join(BASH_FILE), "{}").unwrap();
        assert!(matches!(Remains::at(root), Err(Error::BashDeployment { .. })));
    }

    #[test]
    fn each_kind_of_damage_is_told_apart() {
        let (_dir, deployment) = testing::deployment();
        let file = deployment.root().join(STATE_FILE);
        let found = |text: &str| {
            fs::write(&file, text).unwrap();
            match remains(deployment.root()).read(Kept::State) {
                Reading::Unreadable(unreadable) => (unreadable.newer, unreadable.why),
                _ => panic!("{text} can be read"),
            }
        };
        for text in ["", "{", "\0\0\0", r#"{"schema": 1}"#, r#"{"schema": 0}"#] {
            assert!(!found(text).0, "{text}");
        }
        let (newer, why) = found(r#"{"schema": 2, "other": 1}"#);
        assert!(newer && why.contains("use a newer one"), "{why}");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(matches!(remains(deployment.root()).read(Kept::State), Reading::Unreadable(_)));
    }

    #[test]
    fn what_others_can_read_is_found_and_links_are_not_followed() {
        let (dir, deployment) = testing::deployment();
        let root = deployment.root();
        assert_eq!(remains(root).loose(), []);
        let outside = dir.path().join("outside");
        fs::write(&outside, "somebody's").unwrap();
        fs::set_permissions(&outside, Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("terraform/errored.tfstate")).unwrap();
        for (name, mode) in [("", 0o755), ("ssh", 0o750), ("secrets.json", 0o640), ("ssh/id_ed25519", 0o400)] {
            fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
        }
        let loose = remains(root).loose();
        let paths: Vec<_> = loose.iter().map(|loose| loose.path.to_str().unwrap()).collect();
        assert_eq!(paths, ["", "ssh", "secrets.json", "ssh/id_ed25519"]);
        loose.iter().for_each(|loose| tighten(root, loose).unwrap());
        assert_eq!(remains(root).loose(), []);
        let link = Loose { path: "terraform/errored.tfstate".into(), mode: 0o644, wanted: 0o600 };
        assert!(tighten(root, &link).is_err());
        assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
