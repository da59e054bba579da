use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Barrier;

use super::marker::Marker;
use super::*;
use crate::deployment::lock::Lock;
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
    marker.write(&Marker::of_this_process(vec![]).to_json().unwrap()).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(&error, Error::Locked { holder: Some(holder), .. } if holder.operation == "init"), "{error}");
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
    for path in ["../outside", "/etc/motd", "deployment.json", ".lock", "logs/x", "previous/x", "README.md"] {
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
    let marker = Marker::of_this_process(files.iter().map(|f| f.path.clone()).collect()).to_json().unwrap();
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
    let marker = Marker::of_this_process(vec!["../outside".into(), outside.clone()]);
    fs::write(root.join(MARKER_FILE), marker.to_json().unwrap()).unwrap();
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
