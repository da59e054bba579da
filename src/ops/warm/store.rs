//! The warm bases in the cache: an image named by its content, and a JSON file named by the key, which is written last.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::user_dirs::{CacheDirs, place};
use crate::error::{Error, Result};
use crate::model::{WarmBase, is_sha256, sha256_hex};
use crate::tools::lock_file;

/// One that is older lacks security updates that nodes would have got.
pub(in crate::ops) const OLD_DAYS: i64 = 30;
/// What is being written ends so. Its writer holds a lock on it: one that nobody holds was left by a kill.
const PART: &str = "part";
const RECORD: &str = "json";
/// Digits of a hash that name a file.
const SHORT: usize = 16;

/// What a warm base of that image is called if it is made by that recipe.
pub(super) fn key(recipe: &str, base_sha256: &str) -> String {
    sha256_hex(format!("{recipe}\n{base_sha256}\n"))
}

/// Days since then, 0 or more; None for a time that cannot be read.
pub(in crate::ops) fn days_since(made_at: &str, now: Timestamp) -> Option<i64> {
    let made: Timestamp = made_at.parse().ok()?;
    Some((now.as_second() - made.as_second()).max(0) / 86_400)
}

/// "made 3 days ago"
pub(in crate::ops) fn age(made_at: &str) -> String {
    match days_since(made_at, Timestamp::now()) {
        None => format!("made at {made_at}"),
        Some(0) => "made today".to_owned(),
        Some(1) => "made yesterday".to_owned(),
        Some(days) => format!("made {days} days ago"),
    }
}

pub(in crate::ops) fn is_old(base: &WarmBase) -> bool {
    days_since(&base.made_at, Timestamp::now()).is_none_or(|days| days > OLD_DAYS)
}

pub(in crate::ops) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    pub(in crate::ops) fn of(dirs: &CacheDirs) -> Self {
        Self { dir: dirs.warm() }
    }

    /// The one with that key. What cannot be read is as good as none: it can be made again.
    pub(super) fn find(&self, key: &str) -> Option<WarmBase> {
        read(&self.record(key)).filter(|base| base.key == key)
    }

    pub(in crate::ops) fn all(&self) -> Vec<WarmBase> {
        let Ok(listing) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        let mut all: Vec<_> = listing.flatten().filter_map(|entry| read(&entry.path())).collect();
        all.sort_by(|a, b| b.made_at.cmp(&a.made_at));
        all
    }

    pub(in crate::ops) fn image(&self, base: &WarmBase) -> PathBuf {
        self.dir.join(format!("{}.qcow2", short(&base.image_sha256)))
    }

    pub(in crate::ops) fn record(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{}.{RECORD}", short(key)))
    }

    /// Removes what killed runs have left, and begins a file that this one fills.
    pub(super) fn begin(&self) -> Result<Part> {
        let failed = || Error::io(format!("cannot write in {}", self.dir.display()));
        std::fs::create_dir_all(&self.dir).map_err(failed())?;
        for entry in std::fs::read_dir(&self.dir).map_err(failed())?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == PART) && is_abandoned(&path) {
                std::fs::remove_file(&path).map_err(failed())?;
            }
        }
        let path = self.dir.join(format!("{}.{PART}", std::process::id()));
        let file = File::options().read(true).append(true).create_new(true).open(&path).map_err(failed())?;
        if !lock_file::is_taken(file.try_lock(), &path)? {
            return Err(failed()(ErrorKind::AlreadyExists.into()));
        }
        Ok(Part { path: Some(path), file })
    }

    /// From now on it is there. The one that had its key before is not any more.
    pub(super) fn keep(&self, mut part: Part, base: &WarmBase) -> Result<()> {
        let failed = || Error::io(format!("cannot keep {}", self.image(base).display()));
        part.file.sync_all().map_err(failed())?;
        let former = self.find(&base.key).map(|former| self.image(&former));
        std::fs::rename(part.path(), self.image(base)).map_err(failed())?;
        part.path = None;
        let text = serde_json::to_vec_pretty(base).map_err(|error| Error::other(error.to_string()))?;
        place(&self.record(&base.key), &text)?;
        let is_used = |path: &Path| self.all().iter().any(|other| self.image(other) == path);
        match former.filter(|path| !is_used(path)).map(std::fs::remove_file) {
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(failed()(error)),
            _ => Ok(()),
        }
    }
}

fn short(hash: &str) -> &str {
    hash.get(..SHORT).unwrap_or(hash)
}

/// Its names become names of files.
fn read(path: &Path) -> Option<WarmBase> {
    if path.extension().is_none_or(|ending| ending != RECORD) {
        return None;
    }
    parse(&std::fs::read(path).ok()?)
}

fn parse(text: &[u8]) -> Option<WarmBase> {
    let base: WarmBase = serde_json::from_slice(text).ok()?;
    (is_sha256(&base.key) && is_sha256(&base.image_sha256)).then_some(base)
}

fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// A file that goes with this, unless it was kept.
pub(super) struct Part {
    path: Option<PathBuf>,
    file: File,
}

impl Part {
    pub(super) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// To write to its end.
    pub(super) fn writer(&self) -> Result<File> {
        self.file.try_clone().map_err(Error::io(self.path().display().to_string()))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // The next one removes it.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn base(recipe: &str, content: &str) -> WarmBase {
        let base_sha256 = sha256_hex("image");
        WarmBase {
            key: key(recipe, &base_sha256),
            base_sha256,
            recipe: recipe.into(),
            image_sha256: sha256_hex(content),
            bytes: content.len() as u64,
            disk_gb: 5,
            system: "Debian".into(),
            packages: vec!["curl 8".into()],
            without: vec![],
            made_at: "2026-11-01T00:00:00Z".into(),
            made_by: "0.1.0".into(),
        }
    }

    fn keep(shelf: &Shelf, base: &WarmBase, content: &str) {
        let part = shelf.begin().unwrap();
        part.writer().unwrap().write_all(content.as_bytes()).unwrap();
        shelf.keep(part, base).unwrap();
    }

    fn names(shelf: &Shelf) -> usize {
        std::fs::read_dir(&shelf.dir).unwrap().count()
    }

    #[test]
    fn another_recipe_or_image_is_another_key() {
        let keys = [key("a", "1"), key("b", "1"), key("a", "2")];
        assert!(keys.iter().all(|key| is_sha256(key)));
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2]);
    }

    #[test]
    fn it_is_found_by_its_key_and_replaced_by_a_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf { dir: folder.path().join("warm") };
        let (first, second, other) = (base("a", "one"), base("a", "two"), base("b", "one"));
        assert_eq!((shelf.find(&first.key), shelf.all()), (None, vec![]));
        keep(&shelf, &first, "one");
        assert_eq!(shelf.find(&first.key), Some(first.clone()));
        assert_eq!(shelf.find(&other.key), None, "another recipe");
        keep(&shelf, &other, "one");
        keep(&shelf, &second, "two");
        assert_eq!(shelf.find(&first.key), Some(second.clone()));
        assert_eq!(std::fs::read_to_string(shelf.image(&other)).unwrap(), "one", "another one needs it");
        assert_eq!(std::fs::read_to_string(shelf.image(&second)).unwrap(), "two");
        assert_eq!(names(&shelf), 4);
    }

    #[test]
    fn what_a_killed_run_left_goes_and_what_one_writes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf { dir: folder.path().to_owned() };
        std::fs::write(folder.path().join("1.part"), "left").unwrap();
        let writing = folder.path().join("2.part");
        let lock = File::create(&writing).unwrap();
        lock.try_lock().unwrap();
        let part = shelf.begin().unwrap();
        assert!(writing.exists() && !folder.path().join("1.part").exists());
        drop(part);
        assert_eq!(names(&shelf), 1, "given up");
    }

    #[test]
    fn an_age_is_in_days_and_an_unreadable_one_is_old() {
        let now: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        assert_eq!(days_since("2026-12-01T00:00:00Z", now), Some(0));
        assert_eq!(days_since("2026-10-31T12:00:00Z", now), Some(31));
        assert_eq!(days_since("2027-01-01T00:00:00Z", now), Some(0), "a clock that was wrong");
        assert!(is_old(&WarmBase { made_at: "?".into(), ..base("a", "x") }));
    }

    #[test]
    fn fuzz_warm_bases() {
        let seed = serde_json::to_vec(&base("a", "x")).unwrap();
        crate::fuzz::target("warm-base", &[&seed], |bytes| {
            let Some(base) = parse(bytes) else { return };
            assert!(short(&base.key).len() == SHORT && short(&base.image_sha256).len() == SHORT);
            age(&base.made_at);
        });
    }

    #[test]
    fn a_record_that_names_other_files_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf { dir: folder.path().to_owned() };
        let wrong = WarmBase { image_sha256: "../../x".into(), ..base("a", "x") };
        std::fs::write(shelf.record(&wrong.key), serde_json::to_vec(&wrong).unwrap()).unwrap();
        assert_eq!(shelf.find(&wrong.key), None);
    }
}
