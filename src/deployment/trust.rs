//! Whether somebody else could change what a folder holds. `exasol` runs what is in it: Terraform's files, the
//! configuration of ssh, fetched programs. Whoever can write there acts as this user.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::quote;

/// Who is at work: his files, and those of root, are trusted.
#[derive(Debug, Clone, Copy)]
struct User {
    id: u32,
    /// Who became root by `sudo`: he could do it anyway.
    before_sudo: Option<u32>,
}

/// What matters of a folder.
#[derive(Debug, Clone, Copy)]
struct Folder {
    owner: u32,
    mode: u32,
}

/// Refuses a folder that other users can write to or exchange. One that is missing is judged by where it would be.
///
/// # Errors
/// [`Error::OpenToOthers`].
pub fn check(folder: &Path) -> Result<()> {
    let id = rustix::process::geteuid().as_raw();
    let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let user = User { id, before_sudo: sudo.filter(|_| id == 0) };
    let Some(nearest) = folder.ancestors().find(|path| path.exists()) else { return Ok(()) };
    let is_there = nearest == folder;
    // What cannot be looked at cannot be used either: whoever uses it says why.
    let Ok(real) = nearest.canonicalize() else { return Ok(()) };
    for (above, path) in real.ancestors().enumerate() {
        let Ok(found) = path.metadata() else { continue };
        let found = Folder { owner: found.uid(), mode: found.mode() };
        let why = if above == 0 && is_there { of_itself(found, user) } else { of_parent(found) };
        if let Some(why) = why {
            let path = path.to_owned();
            let can_mend = id == 0 || found.owner == id;
            let fix = if found.mode & 0o1000 == 0 && can_mend { why.fix(&path) } else { ELSEWHERE.to_owned() };
            return Err(Error::OpenToOthers { folder: folder.to_owned(), why: why.text(&path), fix });
        }
    }
    Ok(())
}

/// A folder for everybody, such as /tmp, is as it should be, and only its owner can change one.
const ELSEWHERE: &str = "use a folder of your own, for example one below your home directory";

#[derive(Debug, PartialEq, Eq)]
enum Why {
    /// Everybody may write in it.
    Writable,
    Owner(u32),
}

impl Why {
    fn text(&self, path: &Path) -> String {
        match self {
            Why::Writable => format!("every user can change {}", path.display()),
            Why::Owner(id) => format!("{} belongs to another user (uid {id})", path.display()),
        }
    }

    fn fix(&self, path: &Path) -> String {
        let path = quote(&path.to_string_lossy());
        match self {
            Why::Writable => format!("chmod o-w {path}"),
            Why::Owner(_) => format!("if you trust what is in it: chown -R \"$(id -u)\" {path}"),
        }
    }
}

fn of_itself(folder: Folder, user: User) -> Option<Why> {
    let trusted = [Some(0), Some(user.id), user.before_sudo].contains(&Some(folder.owner));
    match folder.mode & 0o002 {
        _ if !trusted => Some(Why::Owner(folder.owner)),
        0 => None,
        _ => Some(Why::Writable),
    }
}

/// In a folder with the sticky bit, such as /tmp, nobody can move what belongs to others. Its owner is trusted: it
/// may be a group's folder, or a mounted one.
fn of_parent(folder: Folder) -> Option<Why> {
    (folder.mode & 0o002 != 0 && folder.mode & 0o1000 == 0).then_some(Why::Writable)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ME: User = User { id: 1000, before_sudo: None };

    fn folder(owner: u32, mode: u32) -> Folder {
        Folder { owner, mode }
    }

    #[test]
    fn only_this_user_and_root_are_trusted() {
        assert_eq!(of_itself(folder(1000, 0o755), ME), None);
        assert_eq!(of_itself(folder(0, 0o775), ME), None);
        assert_eq!(of_itself(folder(1001, 0o700), ME), Some(Why::Owner(1001)));
        assert_eq!(of_itself(folder(1000, 0o1777), ME), Some(Why::Writable));
        let root = User { id: 0, before_sudo: None };
        assert_eq!(of_itself(folder(1000, 0o700), root), Some(Why::Owner(1000)));
        assert_eq!(of_itself(folder(1000, 0o700), User { before_sudo: Some(1000), ..root }), None);
    }

    #[test]
    fn parents_may_be_shared_but_not_open() {
        assert_eq!(of_parent(folder(0, 0o1777)), None);
        assert_eq!(of_parent(folder(1001, 0o2775)), None);
        assert_eq!(of_parent(folder(0, 0o777)), Some(Why::Writable));
    }

    #[test]
    fn the_real_folders_are_looked_at() {
        let temp = tempfile::tempdir().unwrap();
        let open = temp.path().join("open");
        fs::create_dir_all(open.join("here")).unwrap();
        check(&open.join("here")).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(open.join("here"), temp.path().join("link")).unwrap();
        for path in ["open/here", "open/new/deep", "link", "open"] {
            let error = check(&temp.path().join(path)).unwrap_err();
            assert!(error.to_string().contains("every user can change"), "{path}: {error}");
            assert_eq!(error.hint().unwrap(), format!("chmod o-w {}", open.canonicalize().unwrap().display()));
        }
    }
}
