//! A deployment directory with its lock held: the only way to write in it.

use std::fs;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::path::Path;

use anyhow::Context as _;

use super::create::{self, MARKER_FILE};
use super::dir::{LOCK_FILE, README_FILE, SECRETS_FILE, STATE_FILE};
use super::edits::{self, Hasher};
use super::lock::{self, Lock};
use super::{DeploymentDir, Kept, OpLog, Secrets, State, atomic, debug_log, previous, state, transitions};
use crate::error::{Error, Result};
use crate::model::{Operation, RenderedFile};

/// What becomes of rendered files that were edited by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EditPolicy {
    /// Nothing is written, and the error lists them.
    #[default]
    Refuse,
    /// They are rendered anew.
    Overwrite,
    /// They stay as they are.
    Keep,
}

/// A [`DeploymentDir`] that nobody else can write while this value, or a child that inherited the
/// lock's descriptor, lives.
#[derive(Debug)]
pub struct Locked {
    dir: DeploymentDir,
    lock: Lock,
    /// Copies of what this operation found are among the previous ones.
    kept: bool,
}

impl Deref for Locked {
    type Target = DeploymentDir;

    fn deref(&self) -> &DeploymentDir {
        &self.dir
    }
}

impl DeploymentDir {
    /// Takes the lock, writes down who holds it, and reads the state again: what was read before the
    /// lock was taken may have changed since.
    ///
    /// # Errors
    /// [`Error::Locked`] at once if another operation holds it, and those of [`DeploymentDir::open`].
    pub fn lock(self, operation: Operation) -> Result<Locked> {
        // A directory that was removed meanwhile must not come back as a lone lock file.
        let dir = self.again()?;
        let lock = Lock::take(&dir.root.join(LOCK_FILE))?;
        let holder =
            serde_json::to_vec(&lock::this_process(operation.as_str())).context("the holder of the lock as JSON")?;
        lock.write(&holder)?;
        let mut locked = Locked::holding(dir, lock);
        locked.reload()?;
        // Left by an `init` that was killed in its very last moment.
        atomic::remove_file(&locked.root.join(MARKER_FILE))?;
        Ok(locked)
    }

    /// The same directory as it is now, wherever the process is.
    fn again(&self) -> Result<DeploymentDir> {
        Ok(DeploymentDir { named: self.named.clone(), ..DeploymentDir::open(&self.root)? })
    }

    /// # Errors
    /// [`Error::WrongPhase`] if `operation` may not run from the recorded phase, with the commands
    /// that may, for this directory; [`Error::NotYet`] if an adopted deployment cannot do it.
    pub fn check_allowed(&self, operation: Operation) -> Result<()> {
        self.refuse_if_adopted(operation)?;
        let phase = self.state.phase;
        transitions::allowed(operation, phase).map_err(|_| {
            let next = transitions::next_commands(phase, false).iter().map(|n| n.at(&self.named)).collect();
            Error::WrongPhase { operation, phase, next }
        })
    }
}

impl Locked {
    /// A deployment whose lock is held already.
    pub(super) fn holding(dir: DeploymentDir, lock: Lock) -> Locked {
        Locked { dir, lock, kept: false }
    }

    /// The lock's descriptor, for tools to inherit: the deployment then stays locked for as long as
    /// they run, even if we are killed.
    pub fn lock_fd(&self) -> BorrowedFd<'_> {
        self.lock.fd()
    }

    /// Reads the state again.
    pub fn reload(&mut self) -> Result<()> {
        self.dir = self.dir.again()?;
        Ok(())
    }

    /// Changes the state, in the file and here, or, on an error, in neither.
    pub(super) fn update(&mut self, change: impl FnOnce(&mut State)) -> Result<()> {
        self.keep_what_was_found();
        let mut new = self.dir.state.clone();
        change(&mut new);
        new.updated_at = state::now();
        new.write(&self.dir.root.join(STATE_FILE))?;
        tracing::debug!(phase = %new.phase, "state written");
        self.dir.state = new;
        Ok(())
    }

    /// Copies of both the former and the new ones are kept.
    pub fn write_secrets(&mut self, secrets: &Secrets) -> Result<()> {
        self.keep_what_was_found();
        self.keep(&[Kept::Secrets]);
        secrets.write(&self.dir.root.join(SECRETS_FILE))?;
        self.keep(&[Kept::Secrets]);
        Ok(())
    }

    /// Before the first write, and only then: an operation that is refused writes nothing.
    fn keep_what_was_found(&mut self) {
        if !std::mem::replace(&mut self.kept, true) {
            self.keep(&Kept::ALL);
        }
    }

    /// Keeps copies of these files as they are now.
    pub(super) fn keep(&self, files: &[Kept]) {
        previous::keep(&self.dir.root, files);
    }

    /// Makes the folders of these files (`terraform`, `ssh`, …) hold exactly what was rendered: writes
    /// what is new or changed, removes what is no longer rendered there, and records the hashes. Files
    /// that are right already, and other folders, are not touched.
    ///
    /// # Errors
    /// [`Error::EditedFiles`] with [`EditPolicy::Refuse`], before anything is written; [`Error::Io`].
    pub fn write_files(&mut self, files: &[RenderedFile], policy: EditPolicy) -> Result<()> {
        if let Some(file) = files.iter().find(|file| create::reserved(&file.path)) {
            return Err(Error::other(format!("{} is not rendered", file.path.display())));
        }
        let hasher = self.hasher(files)?;
        let mut changes = edits::compare(&self.dir.root, &self.dir.state, files, &hasher)?;
        let edited = std::mem::take(&mut changes.edited);
        match policy {
            EditPolicy::Refuse if !edited.is_empty() => return Err(Error::EditedFiles { files: edited }),
            EditPolicy::Refuse => {}
            EditPolicy::Overwrite => changes.include(files, edited),
            EditPolicy::Keep => changes.exclude(&self.dir.state, &edited),
        }
        if !changes.write.is_empty() || !changes.remove.is_empty() {
            self.update(|state| changes.announce(state))?;
            atomic::write_all(&self.dir.root, changes.write.iter().copied())?;
            for path in &changes.remove {
                atomic::remove_file(&self.dir.root.join(path))?;
            }
        }
        if changes.is_settled(&self.dir.state) { Ok(()) } else { self.update(|state| changes.settle(state)) }
    }

    /// A hasher that knows the key if anything rendered now or earlier has secrets.
    fn hasher(&self, files: &[RenderedFile]) -> Result<Hasher> {
        if files.iter().any(|file| edits::is_secret(file.mode)) {
            return Ok(Hasher::new(&self.secrets()?));
        }
        Hasher::for_record(&self.dir.state, || self.secrets())
    }

    /// Begins this operation's log folder; the oldest folders beyond a limit are removed.
    pub fn start_log(&self, operation: Operation) -> Result<OpLog> {
        let log = OpLog::start(&self.logs_dir(), operation)?;
        debug_log::begin(&log);
        Ok(log)
    }

    /// Removes what a destroyed deployment no longer needs, secrets and keys first, also those of the previous copies; keeps
    /// `deployment.json`, the logs, `README.md` and whatever people put there themselves.
    ///
    /// Returns what was removed, relative to the directory. A second call finds nothing.
    pub fn remove_after_destroy(&mut self) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        // From here on there is nothing that a copy would be of use for.
        self.kept = true;
        if previous::remove(&self.dir.root)? {
            removed.push(previous::FOLDER.to_owned());
        }
        for file in [SECRETS_FILE.into(), atomic::temporary(Path::new(SECRETS_FILE))] {
            if self.dir.root.join(&file).symlink_metadata().is_ok() {
                atomic::remove_file(&self.dir.root.join(&file))?;
                removed.push(file.display().to_string());
            }
        }
        for folder in [self.ssh_dir(), self.ansible_dir(), self.terraform_dir()] {
            if folder.symlink_metadata().is_ok() {
                fs::remove_dir_all(&folder).map_err(Error::io(format!("cannot remove {}", folder.display())))?;
                removed.push(folder.strip_prefix(&self.dir.root).unwrap_or(&folder).display().to_string());
            }
        }
        if self.dir.state.rendered.keys().any(|name| name != README_FILE) {
            self.update(|state| {
                state.rendered.retain(|name, _| name == README_FILE);
                state.rendering.clear();
            })?;
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::deployment::{LockStatus, testing};
    use crate::model::Phase;

    fn locked() -> (tempfile::TempDir, Locked) {
        let (dir, deployment) = testing::deployment();
        (dir, deployment.lock(Operation::Deploy).unwrap())
    }

    fn text(locked: &Locked, file: &str) -> String {
        fs::read_to_string(locked.root().join(file)).unwrap()
    }

    #[test]
    fn the_lock_excludes_others_and_names_its_holder() {
        let (_dir, locked) = locked();
        let other = DeploymentDir::open(locked.root()).unwrap();
        let holder = match other.lock_status().unwrap() {
            LockStatus::Held(Some(holder)) => holder,
            status => panic!("{status:?}"),
        };
        assert_eq!((holder.operation.as_str(), holder.pid), ("deploy", std::process::id()));
        let error = other.clone().lock(Operation::Destroy).unwrap_err();
        assert_eq!(error.exit_code(), 75);
        drop(locked);
        assert_eq!(other.lock_status().unwrap(), LockStatus::Free);
        other.lock(Operation::Destroy).unwrap();
    }

    #[test]
    fn the_state_is_read_again_under_the_lock() {
        let (_dir, mut first) = locked();
        let early = DeploymentDir::open(first.root()).unwrap();
        first.begun(Phase::DatabaseReady).unwrap();
        drop(first);
        assert_eq!(early.state().phase, Phase::Initialized);
        let late = early.lock(Operation::Destroy).unwrap();
        assert_eq!(late.state().phase, Phase::DatabaseReady);
        assert!(late.state().ever_ready);
    }

    #[test]
    fn a_directory_that_is_gone_does_not_come_back_as_a_lock_file() {
        let (_dir, deployment) = testing::deployment();
        let root = deployment.root().to_path_buf();
        fs::remove_dir_all(&root).unwrap();
        assert!(matches!(deployment.clone().lock(Operation::Deploy), Err(Error::NotADeployment { .. })));
        fs::create_dir(&root).unwrap();
        assert!(matches!(deployment.lock(Operation::Deploy), Err(Error::NotADeployment { .. })));
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn an_update_that_cannot_be_written_changes_nothing() {
        let (_dir, mut locked) = locked();
        let before = (locked.state().clone(), text(&locked, STATE_FILE));
        fs::create_dir(atomic::temporary(&locked.root().join(STATE_FILE))).unwrap();
        assert!(locked.begun(Phase::Destroyed).is_err());
        assert_eq!((locked.state().clone(), text(&locked, STATE_FILE)), before);
    }

    #[test]
    fn the_right_phase_is_asked_for_with_commands_for_this_directory() {
        let (_dir, mut locked) = locked();
        locked.check_allowed(Operation::Deploy).unwrap();
        locked.begun(Phase::Destroyed).unwrap();
        locked.check_allowed(Operation::Destroy).unwrap();
        locked.check_allowed(Operation::Deploy).unwrap();
        let hint = locked.check_allowed(Operation::Start).unwrap_err().hint().unwrap();
        assert!(hint.starts_with("next: exasol deploy -d /"), "{hint}");
        locked.begun(Phase::DestroyFailed).unwrap();
        let hint = locked.check_allowed(Operation::Deploy).unwrap_err().hint().unwrap();
        assert!(hint.starts_with("next: exasol destroy -d /"), "{hint}");
    }

    #[test]
    fn what_is_unchanged_is_not_touched() {
        let (_dir, mut locked) = locked();
        let identity = |locked: &Locked, file: &str| fs::metadata(locked.root().join(file)).unwrap().ino();
        let names: Vec<String> = locked.state().rendered.keys().cloned().chain([STATE_FILE.into()]).collect();
        let before: Vec<u64> = names.iter().map(|n| identity(&locked, n)).collect();
        locked.write_files(&testing::files(), EditPolicy::Refuse).unwrap();
        assert_eq!(names.iter().map(|n| identity(&locked, n)).collect::<Vec<_>>(), before);
    }

    #[test]
    fn a_wrong_mode_is_mended() {
        let (_dir, mut locked) = locked();
        let key = locked.root().join("ssh/id_ed25519");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        locked.write_files(&testing::files(), EditPolicy::Refuse).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o7777, 0o600);
    }

    #[test]
    fn edited_files_are_refused_kept_or_overwritten_and_all_listed() {
        let (_dir, mut locked) = locked();
        fs::write(locked.root().join("terraform/main.tf"), "by hand").unwrap();
        fs::write(locked.root().join("ssh/id_ed25519"), "by hand").unwrap();
        // One that we never wrote is in the way of one that we are going to write.
        fs::write(locked.root().join("terraform/new.tf"), "by hand").unwrap();
        fs::remove_file(locked.root().join("README.md")).unwrap();
        let mut files = testing::files();
        files[1].content = b"main, newer".into();
        files.push(RenderedFile::new("terraform/new.tf", "new"));
        let seen = ["ssh/id_ed25519", "terraform/main.tf"].map(PathBuf::from);
        assert_eq!(locked.edited_files().unwrap(), seen);

        match locked.write_files(&files, EditPolicy::Refuse) {
            Err(Error::EditedFiles { files }) => {
                assert_eq!(files, ["terraform/main.tf", "ssh/id_ed25519", "terraform/new.tf"].map(PathBuf::from));
            }
            other => panic!("{other:?}"),
        }
        assert!(!locked.root().join("README.md").exists());

        for _ in 0..2 {
            locked.write_files(&files, EditPolicy::Keep).unwrap();
            assert_eq!(text(&locked, "README.md"), "readme");
            for kept in ["terraform/main.tf", "ssh/id_ed25519", "terraform/new.tf"] {
                assert_eq!(text(&locked, kept), "by hand");
            }
            assert_eq!(locked.edited_files().unwrap(), seen);
        }

        locked.write_files(&files, EditPolicy::Overwrite).unwrap();
        assert_eq!(text(&locked, "terraform/main.tf"), "main, newer");
        assert_eq!(text(&locked, "terraform/new.tf"), "new");
        assert_eq!(locked.edited_files().unwrap(), Vec::<PathBuf>::new());
        locked.write_files(&files, EditPolicy::Refuse).unwrap();
    }

    #[test]
    fn what_is_no_longer_rendered_goes_unless_it_was_edited() {
        let (_dir, mut locked) = locked();
        let also = RenderedFile::new("ansible/also", "x");
        locked.write_files(&[&testing::files()[3..5], &[also]].concat(), EditPolicy::Refuse).unwrap();
        fs::write(locked.root().join("ansible/run"), "by hand").unwrap();
        let less = &testing::files()[3..4];
        assert!(matches!(locked.write_files(less, EditPolicy::Refuse), Err(Error::EditedFiles { .. })));
        assert!(locked.root().join("ansible/also").exists());
        locked.write_files(less, EditPolicy::Keep).unwrap();
        assert!(!locked.root().join("ansible/also").exists());
        assert_eq!(text(&locked, "ansible/run"), "by hand");
        locked.write_files(less, EditPolicy::Overwrite).unwrap();
        assert!(!locked.root().join("ansible/run").exists());
    }

    #[test]
    fn other_folders_than_the_rendered_ones_stay_as_they_are() {
        let (_dir, mut locked) = locked();
        fs::write(locked.root().join("ssh/id_ed25519"), "by hand").unwrap();
        locked.write_files(&[RenderedFile::new("terraform/new.tf", "new")], EditPolicy::Refuse).unwrap();
        assert!(!locked.root().join("terraform/main.tf").exists());
        assert_eq!(text(&locked, "ansible/run"), "#!/bin/sh\n");
        assert_eq!(text(&locked, "README.md"), "readme");
        assert_eq!(locked.edited_files().unwrap(), [PathBuf::from("ssh/id_ed25519")]);
    }

    #[test]
    fn a_write_that_fails_leaves_every_file_as_it_was() {
        let (_dir, mut locked) = locked();
        let mut files = testing::files();
        files.iter_mut().for_each(|f| f.content = b"newer".into());
        fs::create_dir(atomic::temporary(&locked.root().join("ssh/id_ed25519"))).unwrap();
        assert!(locked.write_files(&files, EditPolicy::Refuse).is_err());
        for file in testing::files() {
            assert_eq!(fs::read(locked.root().join(&file.path)).unwrap(), file.content);
        }
        assert_eq!(locked.edited_files().unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn no_secret_is_in_the_state() {
        let (_dir, mut locked) = locked();
        let word = "chosen by somebody";
        let files = [RenderedFile::secret("terraform/secrets.auto.tfvars.json", word)];
        locked.write_files(&files, EditPolicy::Refuse).unwrap();
        let state = text(&locked, STATE_FILE);
        let plain = Hasher::new(&testing::secrets()).hash(word.as_bytes(), false);
        assert!(!state.contains(word) && !state.contains(&plain));
    }

    #[test]
    fn after_destroy_only_the_record_stays() {
        let (_dir, mut locked) = locked();
        fs::write(locked.root().join("notes.txt"), "mine").unwrap();
        fs::write(locked.root().join("terraform/terraform.tfstate"), "{}").unwrap();
        locked.start_log(Operation::Destroy).unwrap().append_event("{}");
        let removed = locked.remove_after_destroy().unwrap();
        assert_eq!(removed, ["secrets.json", "ssh", "ansible", "terraform"]);
        locked.begun(Phase::Destroyed).unwrap();
        assert_eq!(locked.remove_after_destroy().unwrap(), Vec::<String>::new());

        let again = DeploymentDir::open(locked.root()).unwrap();
        let left = super::super::names::names(again.root()).unwrap();
        assert_eq!(left, [".lock", "README.md", "deployment.json", "logs", "notes.txt"]);
        assert_eq!(again.edited_files().unwrap(), Vec::<PathBuf>::new());
        assert!(again.secrets().unwrap_err().to_string().ends_with("secrets.json is missing"));
        assert_eq!(again.log_folders().unwrap().len(), 1);
    }

    #[test]
    fn an_inits_marker_that_stayed_is_removed() {
        let (_dir, deployment) = testing::deployment();
        let marker = deployment.root().join(MARKER_FILE);
        fs::write(&marker, "").unwrap();
        deployment.lock(Operation::Deploy).unwrap();
        assert!(!marker.exists());
    }

    /// A folder, and for it some of four files, each with one of three contents; every other one with
    /// secrets. One is always there, and so the folder is rendered.
    fn rendering() -> impl Strategy<Value = Vec<RenderedFile>> {
        let contents = proptest::collection::vec(proptest::option::of(0..3u8), 4);
        (prop_oneof!["terraform", "ssh"], contents).prop_map(|(folder, contents)| {
            let file = |(i, content): (usize, Option<u8>)| {
                let (path, text) = (format!("{folder}/{i}.tf"), format!("content {}", content?));
                Some(if i % 2 == 0 { RenderedFile::new(path, text) } else { RenderedFile::secret(path, text) })
            };
            let always = RenderedFile::new(format!("{folder}/always"), "");
            contents.into_iter().enumerate().filter_map(file).chain([always]).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However often rendering is killed, and after however many files: what we wrote is never
        /// taken for edited, and the next run ends with exactly what was rendered.
        #[test]
        fn kills_do_not_look_like_edits(runs in proptest::collection::vec((rendering(), 0..6usize), 1..6)) {
            let (_dir, mut locked) = locked();
            for (files, killed_after) in &runs {
                let hasher = locked.hasher(files).unwrap();
                let state = locked.state().clone();
                let root = locked.root().to_path_buf();
                let changes = edits::compare(&root, &state, files, &hasher).unwrap();
                prop_assert_eq!(&changes.edited, &Vec::<PathBuf>::new());
                if *killed_after > 0 {
                    locked.update(|state| changes.announce(state)).unwrap();
                    atomic::write_all(&root, changes.write.iter().copied().take(killed_after - 1)).unwrap();
                    let removals = killed_after.saturating_sub(1 + changes.write.len());
                    changes.remove.iter().take(removals).for_each(|p| atomic::remove_file(&root.join(p)).unwrap());
                }
                prop_assert_eq!(locked.edited_files().unwrap(), Vec::<PathBuf>::new());
            }
            let (last, _) = &runs[runs.len() - 1];
            locked.write_files(last, EditPolicy::Refuse).unwrap();
            let folder = last[0].path.parent().unwrap();
            let found = super::super::names::names(&locked.root().join(folder)).unwrap();
            let wanted: Vec<_> = last.iter().map(|f| f.path.file_name().unwrap().to_str().unwrap()).collect();
            prop_assert_eq!(found, wanted);
            for file in last {
                prop_assert_eq!(&fs::read(locked.root().join(&file.path)).unwrap(), &file.content);
            }
        }
    }
}
