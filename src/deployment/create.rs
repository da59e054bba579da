//! How `init` makes a deployment directory: all of it, or nothing.
//!
//! A marker file comes first. It is locked while `init` works, which keeps a second `init` out, and
//! it lists what is going to be written, so that the next `init` can take away what a killed one
//! left, and nothing else. The state file comes last: with it the deployment exists.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dir::{self, BASH_FILE, LOCK_FILE, SECRETS_FILE, STATE_FILE};
use super::lock::{self, Lock, LockStatus};
use super::{DeploymentDir, Secrets, State, atomic, edits, names};
use crate::error::{Error, Result};
use crate::model::{Holder, RenderedFile};

pub(super) const MARKER_FILE: &str = ".init-in-progress";

/// Everything that `init` writes.
pub struct NewDeployment {
    pub state: State,
    pub secrets: Secrets,
    pub files: Vec<RenderedFile>,
}

#[derive(Serialize, Deserialize)]
struct Marker {
    #[serde(flatten)]
    holder: Holder,
    /// Relative paths, the marker and the state file not among them.
    files: Vec<PathBuf>,
}

impl DeploymentDir {
    /// Refuses what [`DeploymentDir::create`] would refuse, without writing anything.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialized`], [`Error::BashDeployment`], [`Error::DirectoryNotEmpty`],
    /// [`Error::BrokenState`], [`Error::Locked`] while another `init` works there,
    /// [`Error::InvalidValue`] if the path is no directory or has a name that ssh cannot use, [`Error::Io`] where writing is not permitted.
    pub fn check_target(path: &Path) -> Result<()> {
        let root = dir::absolute(path)?;
        dir::check_name(&root)?;
        check_contents(&root)?;
        check_writable(&root)
    }

    /// Makes the directory (mode 0700, missing parents too) or takes an empty one, and writes a
    /// deployment into it. If anything fails, the directory is afterwards as it was before.
    ///
    /// # Errors
    /// Those of [`DeploymentDir::check_target`], and [`Error::Io`].
    pub fn create(path: &Path, new: NewDeployment) -> Result<DeploymentDir> {
        let root = dir::absolute(path)?;
        dir::check_name(&root)?;
        check_contents(&root)?;
        let (files, state) = all_files(new)?;

        let mut folders = Folders::make(&root)?;
        let mut work = Work::begin(&root)?;
        check_contents_but_marker(&root)?;
        work.make_private()?;
        work.announce(&files)?;
        atomic::write_all(&root, &files)?;
        state.write(&root.join(STATE_FILE))?;
        work.done = true;
        folders.done = true;
        Ok(DeploymentDir { root, named: path.to_owned(), state })
    }
}

/// The rendered files, the secrets and the lock's file as one list, and the state that records them.
fn all_files(new: NewDeployment) -> Result<(Vec<RenderedFile>, State)> {
    let NewDeployment { mut state, secrets, mut files } = new;
    let hasher = edits::Hasher::new(&secrets);
    state.rendered.clear();
    for file in &files {
        let name = edits::name(&file.path)?;
        let hash = hasher.hash(&file.content, edits::is_secret(file.mode));
        if reserved(&file.path) || state.rendered.insert(name, hash).is_some() {
            return Err(Error::other(format!("{} was rendered twice", file.path.display())));
        }
    }
    files.push(RenderedFile::secret(SECRETS_FILE, secrets.to_json()?));
    files.push(RenderedFile::secret(LOCK_FILE, ""));
    Ok((files, state))
}

/// Names that are this module's own business.
pub(super) fn reserved(path: &Path) -> bool {
    [STATE_FILE, SECRETS_FILE, LOCK_FILE, MARKER_FILE, BASH_FILE].iter().any(|name| path == Path::new(name))
        || path.starts_with(dir::LOGS_DIR)
}

fn check_contents(root: &Path) -> Result<()> {
    match fs::metadata(root) {
        Ok(metadata) if !metadata.is_dir() => return Err(dir::not_a_directory(root)),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Err(dir::not_a_directory(root)),
        Err(e) => return Err(Error::io(format!("cannot read {}", root.display()))(e)),
    }
    if let Some(state) = State::read(&root.join(STATE_FILE))? {
        return Err(Error::AlreadyInitialized {
            dir: root.to_path_buf(),
            deployment: state.id.to_string(),
            phase: state.phase,
        });
    }
    if root.join(BASH_FILE).exists() {
        return Err(Error::BashDeployment { dir: root.to_path_buf() });
    }
    if let LockStatus::Held(holder) = lock::status(&root.join(MARKER_FILE))? {
        return Err(Error::Locked { holder });
    }
    let planned = planned_by_killed_init(root)?;
    let foreign: Vec<_> = names::names(root)?
        .into_iter()
        .filter(|name| name != MARKER_FILE && !planned.iter().any(|file| belongs_to(name, file)))
        .collect();
    let begun = || Ok::<_, Error>(lock::status(&root.join(MARKER_FILE))? != LockStatus::Free);
    if !foreign.is_empty() && (root.join(STATE_FILE).exists() || begun()?) {
        // What we found was written by another `init` that began meanwhile: that is the better answer.
        return check_contents(root);
    }
    refuse_foreign(root, &foreign)
}

/// With the marker locked by us: takes away what a killed `init` left, and looks again.
fn check_contents_but_marker(root: &Path) -> Result<()> {
    if let Some(state) = State::read(&root.join(STATE_FILE))? {
        // Another `init` was done between our first look and the lock.
        return Err(Error::AlreadyInitialized {
            dir: root.to_path_buf(),
            deployment: state.id.to_string(),
            phase: state.phase,
        });
    }
    remove_all(root, &planned_by_killed_init(root)?);
    let foreign: Vec<_> = names::names(root)?.into_iter().filter(|name| name != MARKER_FILE).collect();
    refuse_foreign(root, &foreign)
}

fn refuse_foreign(root: &Path, names: &[String]) -> Result<()> {
    const SHOWN: usize = 3;
    if names.is_empty() {
        return Ok(());
    }
    let mut found = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        found.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    Err(Error::DirectoryNotEmpty { dir: root.to_path_buf(), found })
}

/// What a killed `init` was going to write. Empty without a marker, or with one that was not finished:
/// nothing else is written before it is.
fn planned_by_killed_init(root: &Path) -> Result<Vec<PathBuf>> {
    let Some(text) = atomic::read(&root.join(MARKER_FILE))? else { return Ok(Vec::new()) };
    let Ok(Marker { mut files, .. }) = serde_json::from_slice(&text) else { return Ok(Vec::new()) };
    files.retain(|file| atomic::check_relative(file).is_ok());
    files.push(STATE_FILE.into());
    Ok(files)
}

/// Whether the directory's entry `name` is `file`, its temporary name, or the folder that it is in.
fn belongs_to(name: &str, file: &Path) -> bool {
    file.starts_with(name) || atomic::temporary(file) == Path::new(name)
}

/// Removes these files, their temporary names, and their folders once they are empty. What cannot be
/// removed stays: the caller looks, or has another error to report.
fn remove_all(root: &Path, files: &[PathBuf]) {
    for file in files {
        let _ = fs::remove_file(atomic::temporary(&root.join(file)));
        let _ = fs::remove_file(root.join(file));
    }
    let mut folders: Vec<&Path> = files.iter().flat_map(|f| f.ancestors().skip(1)).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    for folder in folders.into_iter().filter(|f| !f.as_os_str().is_empty()) {
        let _ = fs::remove_dir(root.join(folder));
    }
}

/// Looks for what would stop us from making `root` or writing in it.
fn check_writable(root: &Path) -> Result<()> {
    let Some(nearest) = root.ancestors().find(|a| a.symlink_metadata().is_ok()) else { return Ok(()) };
    if !nearest.is_dir() {
        return Err(dir::not_a_directory(nearest));
    }
    rustix::fs::access(nearest, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|e| Error::io(format!("cannot write in {}", nearest.display()))(e.into()))
}

/// The directory and its parents as far as they were missing: removed again, unless it is done.
struct Folders {
    /// The innermost last.
    made: Vec<PathBuf>,
    done: bool,
}

impl Folders {
    fn make(root: &Path) -> Result<Folders> {
        let mut folders = Folders { made: Vec::new(), done: false };
        let context = |path: &Path| Error::io(format!("cannot make {}", path.display()));
        let parents: Vec<&Path> = root.ancestors().skip(1).filter(|parent| !parent.exists()).collect();
        for parent in parents.into_iter().rev() {
            match fs::create_dir(parent) {
                Ok(()) => folders.made.push(parent.into()),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && parent.is_dir() => {}
                Err(e) => return Err(context(parent)(e)),
            }
        }
        if atomic::make_private_dir(root).map_err(context(root))? {
            folders.made.push(root.into());
        }
        Ok(folders)
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in self.made.iter().rev().filter(|_| !self.done) {
            // Not empty any more: another `init` has begun there.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// An `init` at work: holds the marker's lock, and takes back what was written unless it is done.
struct Work {
    root: PathBuf,
    /// Released after everything else.
    marker: Lock,
    files: Vec<PathBuf>,
    /// The mode of a directory that was there before, once it was changed.
    mode: Option<Permissions>,
    done: bool,
}

impl Work {
    fn begin(root: &Path) -> Result<Work> {
        let marker = Lock::take(&root.join(MARKER_FILE))?;
        Ok(Work { root: root.into(), marker, files: Vec::new(), mode: None, done: false })
    }

    /// Gives the directory mode 0700. Only under the lock: the mode that one `init` restores when it
    /// fails must not meet the success of another.
    fn make_private(&mut self) -> Result<()> {
        let failed = || Error::io(format!("cannot make {} private", self.root.display()));
        let before = fs::metadata(&self.root).map_err(failed())?.permissions();
        fs::set_permissions(&self.root, Permissions::from_mode(0o700)).map_err(failed())?;
        self.mode = Some(before);
        Ok(())
    }

    /// Writes down what is going to be written.
    fn announce(&mut self, files: &[RenderedFile]) -> Result<()> {
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        let text = Marker { holder: lock::this_process("init"), files: paths.clone() };
        self.marker.write(&serde_json::to_vec(&text).map_err(|e| Error::Other(e.into()))?)?;
        // Taken back state first: without it a half-removed directory is no deployment.
        self.files = std::iter::once(PathBuf::from(STATE_FILE)).chain(paths).collect();
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // The error that brought us here is the one to report. What cannot be removed now stays listed
        // in the marker, for the next `init`.
        let mut clean = true;
        if !self.done {
            remove_all(&self.root, &self.files);
            clean = !self.files.iter().any(|file| self.root.join(file).exists());
            if let Some(mode) = &self.mode {
                let _ = fs::set_permissions(&self.root, mode.clone());
            }
        }
        if clean {
            let _ = fs::remove_file(self.root.join(MARKER_FILE));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::deployment::testing;

    /// Every file below `root` with its mode, and every folder.
    fn tree(root: &Path) -> Vec<(PathBuf, u32)> {
        let mut found = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o7777;
            found.push((folder.strip_prefix(root).unwrap().into(), mode));
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
                    found.push((path.strip_prefix(root).unwrap().into(), mode));
                }
            }
        }
        found.sort();
        found
    }

    fn expected() -> Vec<(PathBuf, u32)> {
        let mut expected: Vec<(PathBuf, u32)> = [
            ("", 0o700),
            (".lock", 0o600),
            ("README.md", 0o644),
            ("ansible", 0o700),
            ("ansible/run", 0o755),
            ("ansible/tasks", 0o700),
            ("ansible/tasks/disks.yml", 0o644),
            ("deployment.json", 0o600),
            ("secrets.json", 0o600),
            ("ssh", 0o700),
            ("ssh/id_ed25519", 0o600),
            ("terraform", 0o700),
            ("terraform/main.tf", 0o644),
            ("terraform/secrets.auto.tfvars.json", 0o600),
        ]
        .map(|(path, mode)| (path.into(), mode))
        .into();
        expected.sort();
        expected
    }

    fn refusal(path: &Path) -> Error {
        let before = path.is_dir().then(|| tree(path));
        let checked = DeploymentDir::check_target(path).unwrap_err();
        let created = DeploymentDir::create(path, testing::new()).unwrap_err();
        assert_eq!(checked.to_string(), created.to_string());
        assert_eq!(path.is_dir().then(|| tree(path)), before);
        created
    }

    #[test]
    fn a_new_directory_holds_exactly_the_deployment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/deployment");
        DeploymentDir::check_target(&path).unwrap();
        assert!(!dir.path().join("a").exists());
        let made = DeploymentDir::create(&path, testing::new()).unwrap();
        assert_eq!(tree(&path), expected());
        let read = DeploymentDir::open(&path).unwrap();
        assert_eq!(read.state(), made.state());
        assert_eq!(read.secrets().unwrap(), testing::secrets());
        assert_eq!(read.edited_files().unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn an_empty_directory_is_taken_and_made_private() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        DeploymentDir::create(dir.path(), testing::new()).unwrap();
        assert_eq!(tree(dir.path()), expected());
    }

    #[test]
    fn modes_are_exact_whatever_the_umask() {
        // The umask is the whole process's: each one gets a process of its own, which runs this test.
        const TARGET: &str = "EXASOL_TEST_UMASK_TARGET";
        if let Some(target) = std::env::var_os(TARGET) {
            DeploymentDir::create(Path::new(&target), testing::new()).unwrap();
            return;
        }
        for umask in ["000", "022", "077", "377"] {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("deployment");
            #[allow(clippy::disallowed_types, clippy::disallowed_methods)]
            let status = std::process::Command::new("sh")
                .args(["-c", "umask $0; exec \"$@\"", umask])
                .arg(std::env::current_exe().unwrap())
                .args(["--exact", "deployment::create::tests::modes_are_exact_whatever_the_umask"])
                .env(TARGET, &target)
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap();
            assert!(status.success(), "umask {umask}");
            assert_eq!(tree(&target), expected(), "umask {umask}");
        }
    }

    #[test]
    fn what_is_there_is_refused_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();

        for name in ["c", "a", "e", ".hidden", "b"] {
            fs::write(path.join(name), "mine").unwrap();
        }
        assert!(refusal(&path).to_string().ends_with("is not empty (.hidden, a, b and 2 more)"));

        fs::write(path.join(BASH_FILE), "{}").unwrap();
        assert!(matches!(refusal(&path), Error::BashDeployment { .. }));

        fs::write(path.join(STATE_FILE), "{").unwrap();
        assert!(matches!(refusal(&path), Error::BrokenState { .. }));

        assert!(matches!(refusal(&path.join("a")), Error::InvalidValue { .. }));
        assert!(matches!(refusal(&path.join("a/b/c")), Error::InvalidValue { .. }));
        assert!(matches!(refusal(Path::new("")), Error::InvalidValue { .. }));
    }

    #[test]
    fn a_second_init_is_refused() {
        let (_dir, deployment) = testing::deployment();
        match refusal(deployment.root()) {
            Error::AlreadyInitialized { deployment, phase, .. } => {
                assert_eq!((deployment.as_str(), phase.as_str()), ("exasol-01020304", "initialized"));
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn an_init_that_works_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let marker = Lock::take(&dir.path().join(MARKER_FILE)).unwrap();
        let text = Marker { holder: lock::this_process("init"), files: vec![] };
        marker.write(&serde_json::to_vec(&text).unwrap()).unwrap();
        let error = refusal(dir.path());
        assert!(matches!(&error, Error::Locked { holder: Some(holder) } if holder.operation == "init"), "{error}");
    }

    #[test]
    fn when_it_fails_nothing_is_left() {
        // The last two cannot both be put in their places.
        let clash = || {
            let mut new = testing::new();
            new.files.push(RenderedFile::new("clash", "a file"));
            new.files.push(RenderedFile::new("clash/inside", "of itself"));
            new
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        assert!(matches!(DeploymentDir::create(&path, clash()), Err(Error::Io { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        fs::set_permissions(dir.path(), Permissions::from_mode(0o751)).unwrap();
        assert!(DeploymentDir::create(dir.path(), clash()).is_err());
        assert_eq!(tree(dir.path()), [(PathBuf::new(), 0o751)]);
    }

    #[test]
    fn files_that_are_not_the_deployments_are_a_mistake() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["../outside", "/etc/motd", "deployment.json", ".lock", "logs/x", "README.md"] {
            let mut new = testing::new();
            new.files.push(RenderedFile::new(path, "x"));
            assert!(DeploymentDir::create(dir.path(), new).is_err(), "{path}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{path}");
        }
    }

    /// Stops after `steps` of: the marker, then for each file its temporary name and its place, then the
    /// state's temporary name; as a kill would.
    fn killed_init(root: &Path, steps: usize) {
        let (files, state) = all_files(testing::new()).unwrap();
        let text = Marker { holder: lock::this_process("init"), files: files.iter().map(|f| f.path.clone()).collect() };
        let marker = serde_json::to_vec(&text).unwrap();
        let state = RenderedFile::secret(STATE_FILE, serde_json::to_vec(&state).unwrap());
        fs::write(root.join(MARKER_FILE), if steps == 0 { &marker[..marker.len() / 2] } else { &marker }).unwrap();
        for step in 1..steps {
            let file = files.get((step - 1) / 2).unwrap_or(&state);
            let place = root.join(&file.path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            match step % 2 {
                1 => fs::write(atomic::temporary(&place), &file.content[..file.content.len() / 2]).unwrap(),
                _ => fs::rename(atomic::temporary(&place), &place).unwrap(),
            }
        }
    }

    #[test]
    fn what_a_killed_init_left_is_cleared_wherever_it_was_killed() {
        let steps = 2 * (testing::files().len() + 2) + 1;
        for killed_after in 0..=steps {
            let dir = tempfile::tempdir().unwrap();
            killed_init(dir.path(), killed_after);
            assert!(matches!(DeploymentDir::open(dir.path()), Err(Error::NotADeployment { .. })));
            DeploymentDir::check_target(dir.path()).unwrap();
            DeploymentDir::create(dir.path(), testing::new()).unwrap();
            assert_eq!(tree(dir.path()), expected(), "killed after {killed_after}");
        }
    }

    #[test]
    fn of_what_lies_beside_a_killed_inits_files_nothing_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        killed_init(dir.path(), 9);
        fs::write(dir.path().join("mine"), "precious").unwrap();
        assert!(refusal(dir.path()).to_string().ends_with("is not empty (mine)"));
        fs::remove_file(dir.path().join("mine")).unwrap();

        // Within one of its folders it is found once the rest is gone.
        fs::write(dir.path().join("terraform/mine.tf"), "precious").unwrap();
        let error = DeploymentDir::create(dir.path(), testing::new()).unwrap_err();
        assert!(error.to_string().ends_with("is not empty (terraform)"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join("terraform/mine.tf")).unwrap(), "precious");
    }

    #[test]
    fn a_marker_cannot_lead_out_of_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "precious").unwrap();
        let root = dir.path().join("d");
        fs::create_dir(&root).unwrap();
        let text = Marker { holder: lock::this_process("init"), files: vec!["../outside".into(), outside.clone()] };
        fs::write(root.join(MARKER_FILE), serde_json::to_vec(&text).unwrap()).unwrap();
        DeploymentDir::create(&root, testing::new()).unwrap();
        assert!(outside.exists());
    }

    #[test]
    fn of_several_at_once_one_wins_and_is_whole() {
        const THREADS: usize = 4;
        for round in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("deployment");
            if round % 2 == 0 {
                fs::create_dir(&path).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            }
            let barrier = Barrier::new(THREADS);
            let results: Vec<_> = std::thread::scope(|scope| {
                let one = || {
                    barrier.wait();
                    DeploymentDir::create(&path, testing::new())
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
                threads.into_iter().map(|t| t.join().unwrap()).collect()
            });
            assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
            for error in results.iter().filter_map(|r| r.as_ref().err()) {
                let clear = matches!(error, Error::Locked { .. } | Error::AlreadyInitialized { .. });
                assert!(clear, "{error}");
            }
            assert_eq!(tree(&path), expected());
        }
    }
}
