//! Files that are there completely or not at all: written beside their place under another name,
//! flushed to the disk, then renamed. A full disk, a kill or a power cut leaves the old content.
//!
//! Temporary names are fixed (`.NAME.new`), so a killed process leaves at most one such file
//! beside each target and the next write takes its place. That needs a single writer: callers
//! hold the deployment's lock, or `init`'s.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::model::RenderedFile;

/// Writes one file with exactly `mode`, whatever the umask.
pub(super) fn write(target: &Path, content: &[u8], mode: u32) -> Result<()> {
    write_after(target, content, mode, || Ok(()))
}

/// As [`write`], and does something else between: when the content is on the disk, and before it takes its place.
pub(super) fn write_after(
    target: &Path,
    content: &[u8],
    mode: u32,
    make_room: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let staged = stage(target, content, mode)?;
    make_room()?;
    staged.commit()?;
    sync_parents([target])
}

/// Writes files below `root`. Nothing is put in its place before the content of all of them is on
/// the disk. Missing folders are made with mode 0700.
pub(super) fn write_all<'a>(root: &Path, files: impl IntoIterator<Item = &'a RenderedFile>) -> Result<()> {
    let mut staged = Vec::new();
    for file in files {
        make_parents(root, &file.path)?;
        staged.push(stage(&root.join(&file.path), &file.content, file.mode)?);
    }
    let targets: Vec<PathBuf> = staged.iter().map(|s| s.target.clone()).collect();
    for file in staged {
        file.commit()?;
    }
    sync_parents(targets.iter().map(PathBuf::as_path))
}

/// Where a file waits until it is complete.
pub(super) fn temporary(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".new");
    target.with_file_name(name)
}

/// Refuses a path that leads out of the deployment directory or is no file's name.
pub(super) fn check_relative(path: &Path) -> Result<()> {
    let inside = path.components().all(|c| matches!(c, Component::Normal(_)));
    if inside && path.file_name().is_some() && path.to_str().is_some() {
        Ok(())
    } else {
        Err(Error::other(format!("'{}' is not a file of a deployment directory", path.display())))
    }
}

/// Makes a folder with mode 0700 exactly; an existing one keeps its mode. True if it was made.
pub(super) fn make_private_dir(path: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            fs::set_permissions(path, Permissions::from_mode(0o700))?;
            Ok(true)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes a file; one that is not there is as good as removed.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(format!("cannot remove {}", path.display()))(e)),
        _ => Ok(()),
    }
}

/// Reads a file; None if it is not there, and cannot be.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    const NOWHERE: [Errno; 4] = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG];
    // Reading a pipe would wait for somebody to write.
    let content =
        fs::metadata(path).and_then(|there| if there.is_file() { fs::read(path).map(Some) } else { Ok(None) });
    match content {
        Ok(Some(content)) => Ok(Some(content)),
        Ok(None) => Err(Error::BrokenState { file: path.to_path_buf(), why: "is not a file".into(), repair: None }),
        Err(e) if Errno::from_io_error(&e).is_some_and(|number| NOWHERE.contains(&number)) => Ok(None),
        Err(e) => Err(Error::io(format!("cannot read {}", path.display()))(e)),
    }
}

/// Whether an existing file's permission bits are exactly `mode`.
pub(super) fn has_mode(path: &Path, mode: u32) -> Result<bool> {
    let metadata = fs::metadata(path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    Ok(metadata.permissions().mode() & 0o7777 == mode)
}

/// Makes the folder that a file is in, if it is not there.
pub(super) fn make_private_parent(file: &Path) -> Result<()> {
    let folder = file.parent().unwrap_or(file);
    make_private_dir(folder).map(drop).map_err(Error::io(format!("cannot make {}", folder.display())))
}

fn make_parents(root: &Path, relative: &Path) -> Result<()> {
    let mut folder = root.to_path_buf();
    for part in relative.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        make_private_dir(&folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
    }
    Ok(())
}

/// A complete file that waits beside its place; removed if it never gets there.
struct Staged {
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

fn stage(target: &Path, content: &[u8], mode: u32) -> Result<Staged> {
    let temporary = temporary(target);
    remove_file(&temporary)?;
    let staged = Staged { temporary, target: target.to_path_buf(), committed: false };
    fill(&staged.temporary, content, mode).map_err(Error::io(format!("cannot write {}", target.display())))?;
    Ok(staged)
}

fn fill(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // Private until it is complete; then the mode is set, so that the umask has no say.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

impl Staged {
    fn commit(mut self) -> Result<()> {
        fs::rename(&self.temporary, &self.target)
            .map_err(Error::io(format!("cannot write {}", self.target.display())))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.committed {
            // The error that brought us here is the one to report.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes renames in these files' folders last.
fn sync_parents<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let folders: BTreeSet<&Path> = files.into_iter().filter_map(Path::parent).collect();
    for folder in folders {
        match File::open(folder).and_then(|f| f.sync_all()) {
            // Some network and FUSE file systems cannot flush a folder: nothing more can be done there.
            Err(e) if !matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
                return Err(Error::io(format!("cannot flush {}", folder.display()))(e));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_write_replaces_content_and_mode_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        write(&file, b"one", 0o600).unwrap();
        assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"one".to_vec(), 0o600));
        write(&file, b"two", 0o644).unwrap();
        assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"two".to_vec(), 0o644));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_writer_left_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(temporary(&file), b"half").unwrap();
        write(&file, b"whole", 0o600).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"whole");
        assert!(!temporary(&file).exists());
    }

    #[test]
    fn if_one_of_several_cannot_be_written_none_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), b"old").unwrap();
        // A folder in the way of the second one's temporary file.
        fs::create_dir(temporary(&dir.path().join("b"))).unwrap();
        let files = [RenderedFile::new("a", "new"), RenderedFile::new("b", "new")];
        assert!(matches!(write_all(dir.path(), &files), Err(Error::Io { .. })));
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"old");
        assert!(!temporary(&dir.path().join("a")).exists());
    }

    #[test]
    fn paths_stay_inside() {
        for good in ["README.md", "terraform/main.tf", "a/b/c"] {
            assert!(check_relative(Path::new(good)).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "./a"] {
            assert!(check_relative(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
