//! Releases that this program does not have built in: by their number, from files, from a catalogue of one's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use crate::support::{Call, World};

const TOKEN: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678901";
/// Something to make, so that a deploy comes to the point where machines are made.
const PLAN: &str = r#"{"format_version":"1.2","resource_changes":[{"address":"hcloud_server.node[\"n11\"]","mode":"managed",
    "type":"hcloud_server","name":"node","index":"n11","change":{"actions":["create"],"before":null,"after":{}}}]}"#;

fn call<'a>(world: &'a World, words: &str) -> Call<'a> {
    world.exasol(words).env("HCLOUD_TOKEN", TOKEN)
}

fn init<'a>(world: &'a World, more: &str) -> Call<'a> {
    std::fs::write(world.path("home/terraform-plan"), PLAN).unwrap();
    call(world, &format!("init --cloud-provider hetzner {more}"))
}

fn was_applied(world: &World) -> bool {
    let calls = std::fs::read_to_string(world.path("home/terraform-calls")).unwrap_or_default();
    calls.lines().any(|line| line.starts_with("apply"))
}

fn sum(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn archive() -> Vec<u8> {
    [b"\x1f\x8b\x08".as_slice(), &[7; 3000]].concat()
}

const C4: &[u8] = b"#!/usr/bin/env python3\nprint('c4')\n";

/// Both files of a release, as somebody has them.
fn files(world: &World) -> (PathBuf, PathBuf) {
    let (archive_file, c4) = (world.path("exasol-2025.1.10.tar.gz"), world.path("c4"));
    std::fs::write(&archive_file, archive()).unwrap();
    std::fs::write(&c4, C4).unwrap();
    (archive_file, c4)
}

/// A download server like Exasol's: it answers 403 for what it does not have.
struct Server {
    address: String,
    folder: PathBuf,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let folder = world.path("releases");
        std::fs::create_dir_all(&folder).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (root, seen) = (folder.clone(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(first)) = lines.next() else { continue };
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let path = first.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
                let (status, content) = match std::fs::read(root.join(&path)) {
                    Ok(content) => ("200 OK", content),
                    Err(_) => ("403 Forbidden", Vec::new()),
                };
                // A file beside it says what else it answers, or that it is longer than it is.
                let other = std::fs::read_to_string(root.join(format!("{path}.status")));
                let status = other.as_deref().unwrap_or(status);
                let length = std::fs::read_to_string(root.join(format!("{path}.length")));
                let length = length.unwrap_or_else(|_| content.len().to_string());
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                let body: &[u8] = if first.starts_with("HEAD") { b"" } else { &content };
                seen.lock().unwrap().push(first);
                let _ = stream.write_all(&[head.as_bytes(), body].concat());
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        Self { address, folder, requests }
    }

    fn put(&self, path: &str, content: &[u8]) {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn has_2025_1_10(&self) {
        self.put("exasol/linux/x86_64/2025.1.10/exasol-2025.1.10.tar.gz", &archive());
        self.put("c4/linux/x86_64/4.28.7/c4", C4);
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn nothing_is_half_there(world: &World) {
    let mut folders = vec![world.path("cache/exasol/artifacts")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            assert!(path.extension().is_none_or(|extension| extension != "part"), "{}", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}

#[test]
fn a_release_is_named_by_its_number_and_recorded_whole() {
    for name in ["2025.1.10", "exasol-2025.1.10"] {
        let world = World::complete();
        let json = init(&world, &format!("--db-version {name} --json")).run().code(0).json();
        assert_eq!(json["db_version"], "exasol-2025.1.10");
        let spec = &world.state()["spec"];
        assert_eq!(spec["release"]["working_copy"], "@exasol-2025.1.10");
        assert_eq!(spec["release"]["c4_version"], "4.28.7");
        assert_eq!(
            spec["release"]["archive"]["url"],
            "https://x-up.s3.eu-west-1.amazonaws.com/releases/exasol/linux/x86_64/2025.1.10/exasol-2025.1.10.tar.gz"
        );
        call(&world, "status").run().code(0).says("exasol-2025.1.10");
    }
    // One that is built in is recorded by its name, as ever.
    let world = World::complete();
    init(&world, "--db-version 2025.1.8").run().code(0);
    assert_eq!(world.state()["spec"]["db_version"], "exasol-2025.1.8");
    assert!(world.state()["spec"]["release"].is_null());
}

#[test]
fn what_cannot_be_a_release_is_refused_before_anything_is_written() {
    let world = World::complete();
    let (archive_file, c4) = files(&world);
    let (archive_file, c4) = (archive_file.display(), c4.display());
    std::fs::write(world.path("page.tar.gz"), "<html>").unwrap();
    std::fs::write(world.path("empty.tar.gz"), "").unwrap();
    std::fs::write(world.path("other.tar.gz"), archive()).unwrap();
    for (words, says) in [
        ("--db-version 2025.9.9".to_owned(), "name it with --c4-version"),
        ("--db-version 2025.1".to_owned(), "or any release of Exasol as X.Y.Z"),
        ("--db-version 2025.1.10 --c4-version latest".to_owned(), "--c4-version: 'latest'"),
        ("--db-version 2025.1.10 --c4-sha256 abc".to_owned(), "--c4-sha256: 'abc'"),
        ("--db-version 2025.1.10 --db-archive nowhere".to_owned(), "--db-archive: "),
        ("--db-version 2025.1.10 --db-archive home".to_owned(), "home is not a file"),
        ("--db-version 2025.1.10 --db-archive page.tar.gz".to_owned(), "is not a gzip archive"),
        ("--db-version 2025.1.10 --db-archive empty.tar.gz".to_owned(), "is empty"),
        (format!("--db-version 2025.1.10 --c4 {archive_file}"), "is not a program for Linux"),
        ("--db-archive other.tar.gz".to_owned(), "does not say which release it is"),
        (format!("--db-version rehearsal --c4 {c4}"), "come from this program"),
    ] {
        init(&world, &words).run().code(2).says(says);
        assert!(!world.deployment().exists(), "{words}");
    }
    // The files of another release than the one that is named.
    let built_in = init(&world, &format!("--db-version 2025.1.8 --db-archive {archive_file} --c4 {c4}"));
    built_in
        .run()
        .code(1)
        .says(&sum(&archive()))
        .says("3e5145b06ef96e7de69b05f96ee706ef3c791adfbae54dc167708aa0e43ef64e");
    assert!(!world.deployment().exists());
}

#[test]
fn files_are_read_where_they_are_and_may_not_change() {
    let world = World::complete();
    let (archive_file, c4) = files(&world);
    // Relative to the working directory, and the archive tells its release.
    init(&world, "--db-archive exasol-2025.1.10.tar.gz --c4 c4").run().code(0);
    let release = world.state()["spec"]["release"].clone();
    assert_eq!(release["name"], "exasol-2025.1.10");
    assert_eq!(release["archive"]["path"], archive_file.to_str().unwrap());
    assert!(release["c4_version"].is_null(), "nobody said which c4 it is: {release}");
    assert_eq!((&release["archive"]["sha256"], &release["c4"]["sha256"]), (&sum(&archive()).into(), &sum(C4).into()));
    call(&world, "deploy --offline").run().code(1);
    assert!(was_applied(&world));
    let copies = std::fs::read_dir(world.path("cache/exasol/artifacts")).map(|dir| dir.count()).unwrap_or_default();
    assert_eq!(copies, 0);

    std::fs::remove_file(world.path("home/terraform-calls")).unwrap();
    std::fs::write(&c4, "#!/bin/sh\n").unwrap();
    call(&world, "deploy").run().code(1).says(&sum(C4)).says(&sum(b"#!/bin/sh\n")).says(c4.to_str().unwrap());
    std::fs::remove_file(&c4).unwrap();
    call(&world, "deploy").run().code(1).says(c4.to_str().unwrap()).says("No such file");
    assert!(!was_applied(&world));
}

#[test]
fn the_first_download_is_pinned_before_a_machine_is_made() {
    let world = World::complete();
    let server = Server::start(&world);
    server.has_2025_1_10();
    init(&world, "--db-version 2025.1.10").env("EXASOL_RELEASE_SERVER", &server.address).run().code(0);
    assert!(server.requests().is_empty());
    let deploy = call(&world, "deploy").run().code(1);
    deploy.says(&format!("exasol-2025.1.10.tar.gz is pinned from now on: SHA-256 {}", sum(&archive())));
    assert!(was_applied(&world));
    let release = world.state()["spec"]["release"].clone();
    assert_eq!((&release["archive"]["sha256"], &release["c4"]["sha256"]), (&sum(&archive()).into(), &sum(C4).into()));
    assert_eq!(release["c4"]["sha256_from"], "pinned");
    // From now on it needs no server.
    call(&world, "deploy --offline").run().code(1).never_says("--offline allows");

    std::fs::remove_dir_all(world.path("cache/exasol/artifacts")).unwrap();
    std::fs::remove_file(world.path("home/terraform-calls")).unwrap();
    server.put("c4/linux/x86_64/4.28.7/c4", b"#!/bin/sh\nanother\n");
    call(&world, "deploy").run().code(1).says(&format!("expected {}", sum(C4)));
    assert!(!was_applied(&world));
    nothing_is_half_there(&world);
}

#[test]
fn a_release_that_cannot_be_had_is_known_before_a_machine_is_made() {
    let world = World::complete();
    let server = Server::start(&world);
    let init_it = |more: &str| {
        init(&world, &format!("--db-version 2025.1.10 {more}"))
            .env("EXASOL_RELEASE_SERVER", &server.address)
            .run()
            .code(0)
    };
    let again = || std::fs::remove_dir_all(world.deployment()).unwrap();
    init_it("");
    let absent = call(&world, "deploy").run().code(1);
    absent
        .says("exasol-2025.1.10 with c4 4.28.7 is not there: HTTP 403")
        .says(&format!("{}/c4/linux/x86_64/4.28.7/c4", server.address))
        .says("exasol init --update --db-archive FILE --c4 FILE -d");
    // Nothing was changed, so the phase is what it was, and the same command is the next one.
    let state = world.state();
    assert_eq!((&state["phase"], &state["last_error"]["code"]), (&"initialized".into(), &"download_failed".into()));
    let next = call(&world, "deploy --json").run().code(1).json()["error"]["next"].clone();
    assert!(next[0].as_str().unwrap().starts_with("exasol deploy ") && next.as_array().unwrap().len() == 1, "{next}");
    let offline = call(&world, "deploy --offline").run().code(1);
    offline.says("--offline allows only caches and local files").says("--db-archive FILE");
    again();

    server.has_2025_1_10();
    init_it(&format!("--db-archive-sha256 {}", "ab".repeat(32)));
    call(&world, "deploy").run().code(1).says(&"ab".repeat(32)).says(&sum(&archive()));
    again();

    // As much as no disk has room for.
    std::fs::write(
        server.folder.join("exasol/linux/x86_64/2025.1.10/exasol-2025.1.10.tar.gz.length"),
        "9000000000000000",
    )
    .unwrap();
    init_it("");
    call(&world, "deploy").run().code(1).says("exasol-2025.1.10.tar.gz.part needs ").says("are free");
    assert!(!was_applied(&world));
    nothing_is_half_there(&world);
}

#[test]
fn releases_are_listed_with_what_is_known_of_them() {
    let world = World::complete();
    let server = Server::start(&world);
    server.has_2025_1_10();
    let list = || call(&world, "versions --json").run().code(0).json();
    let row = |report: &serde_json::Value, name: &str| {
        let rows = report["versions"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).cloned().unwrap_or_default()
    };
    let before = list();
    assert_eq!(row(&before, "exasol-2025.1.8")["checksums"], "known");
    assert_eq!(row(&before, "rehearsal")["checksums"], "packed");
    let by_number = row(&before, "exasol-2025.1.10");
    assert_eq!((&by_number["checksums"], &by_number["c4_version"]), (&"at_first_download".into(), &"4.28.7".into()));
    assert!(row(&before, "exasol-2025.2.0-arm64dev.1")["remark"].as_str().unwrap().contains("may be gone"));
    let listed = call(&world, "init --list-versions --json").run().code(0).json();
    let names = |rows: &serde_json::Value| -> Vec<_> {
        rows.as_array().unwrap().iter().map(|row| row["name"].clone()).collect()
    };
    assert_eq!(names(&listed["items"]), names(&before["versions"]));

    init(&world, "--db-version 2025.1.10").env("EXASOL_RELEASE_SERVER", &server.address).run().code(0);
    call(&world, "deploy").run().code(1);
    assert_eq!(row(&list(), "exasol-2025.1.10")["checksums"], "pinned");
    // The user's next deployment holds the server to the same, and fetches nothing twice.
    let fetched = server.requests().len();
    let second = init(&world, "--db-version 2025.1.10 -d second").env("EXASOL_RELEASE_SERVER", &server.address);
    second.run().code(0);
    call(&world, "deploy -d second").run().code(1);
    assert_eq!(server.requests().len(), fetched);
    std::fs::remove_dir_all(world.path("cache/exasol/artifacts")).unwrap();
    server.put("c4/linux/x86_64/4.28.7/c4", b"#!/bin/sh\nanother\n");
    call(&world, "deploy -d second").run().code(1).says(&sum(C4)).says("was pinned at its first download");
}

#[test]
fn the_server_is_asked_which_releases_it_has() {
    let world = World::complete();
    let server = Server::start(&world);
    server.has_2025_1_10();
    server.put("exasol/linux/x86_64/2025.1.12/exasol-2025.1.12.tar.gz", &archive());
    let check = |address: &str, more: &str| {
        call(&world, &format!("versions --check {more}")).env("EXASOL_RELEASE_SERVER", address).run()
    };
    let answer = check(&server.address, "--json").code(0).json();
    let on_server = |name: &str| {
        let rows = answer["versions"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).map(|row| row["on_server"].clone())
    };
    assert_eq!(on_server("exasol-2025.1.10"), Some(true.into()));
    assert_eq!(on_server("exasol-2025.1.9"), Some(false.into()));
    assert_eq!(on_server("exasol-2025.1.12"), Some(true.into()));
    assert_eq!(on_server("exasol-2025.1.11"), None);
    assert_eq!(on_server("rehearsal"), Some(serde_json::Value::Null));
    assert_eq!(answer["next"][0], "exasol init --db-version 2025.1.12 --c4-version 4.31.0");
    let requests = server.requests();
    assert!(requests.len() <= 48 && requests.iter().all(|line| line.starts_with("HEAD ")), "{requests:?}");
    check(&server.address, "").code(0).says("ON SERVER").says("next: exasol init --db-version 2025.1.12");
    // One odd answer is not the end of it.
    let first = requests[0].split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
    server.put(&format!("{first}.status"), b"405 Method Not Allowed");
    check(&server.address, "").code(0).says("got no answer").says("next: exasol init --db-version 2025.1.12");
    let alone = check("http://127.0.0.1:1", "").code(1);
    alone.says("connection refused").says("without --check");
    check("http://mirror.example.com", "").code(2).says("EXASOL_RELEASE_SERVER");
}

#[test]
fn update_takes_another_release_until_the_database_is_installed() {
    let world = World::complete();
    let (archive_file, c4) = files(&world);
    init(&world, "--db-version 2025.1.9").run().code(0);
    let update = |more: &str| call(&world, &format!("init --update {more}")).run();
    update("--db-version 2025.1.9").code(0).says("unchanged");
    update("--owner me").code(0);
    assert_eq!(world.state()["spec"]["release"]["c4_version"], "4.28.7");
    let changed = update("--c4-version 4.28.5 --json").code(0).json();
    assert_eq!(changed["changed"][0]["option"], "db_version");
    assert!(changed["changed"][0]["to"].as_str().unwrap().starts_with("exasol-2025.1.9 with c4 4.28.5 from https://"));
    update(&format!("--db-archive {} --c4 {}", archive_file.display(), c4.display())).code(0);
    assert_eq!(world.state()["spec"]["release"]["c4"]["path"], c4.to_str().unwrap());
    assert_eq!(world.state()["spec"]["db_version"], "exasol-2025.1.9");

    world.edit_state(|state| state["installed"] = true.into());
    update("--db-version 2025.1.10").code(2).says("--db-version: the database is installed");
    update("--db-version default").code(2).says("--db-version: the database is installed");
    update("--db-version 2025.1.9").code(0);
}

#[test]
fn a_part_of_a_release_changes_no_other() {
    let world = World::complete();
    init(&world, "--db-version 2025.2.1 --c4-version 4.31.0").run().code(0);
    let release = || world.state()["spec"]["release"].clone();
    let hex = "ab".repeat(32);
    // As an error's hint names it.
    call(&world, &format!("init --update --db-archive-sha256 {hex} --c4-sha256 {hex}")).run().code(0);
    assert_eq!((&release()["c4_version"], &release()["archive"]["sha256"]), (&"4.31.0".into(), &hex.clone().into()));
    // A variable may be meant for others.
    let update = call(&world, "init --update --owner me").env("EXASOL_C4_VERSION", "4.28.5").run().code(0);
    assert_eq!(release()["c4_version"], "4.31.0", "{}", update.stdout);
    // What was only said of one deployment is nothing for the next.
    let other = world.exasol_with([
        "init",
        "--cloud-provider",
        "hetzner",
        "--db-version",
        "2025.2.1",
        "--c4-version",
        "4.31.0",
    ]);
    other.env("HCLOUD_TOKEN", TOKEN).env("EXASOL_DEPLOYMENT_DIR", "other").run().code(0);
    let text = std::fs::read_to_string(world.path("other/deployment.json")).unwrap();
    assert!(!text.contains(&hex), "{text}");

    let world = World::complete();
    files(&world);
    init(&world, "--db-version 2025.2.1 --db-archive exasol-2025.1.10.tar.gz --c4 c4").run().code(0);
    let second = world.path("second");
    std::fs::write(&second, C4).unwrap();
    call(&world, "init --update --c4 second").run().code(0);
    let release = &world.state()["spec"]["release"];
    assert_eq!(release["c4"]["path"], second.to_str().unwrap());
    assert!(release["archive"]["path"].as_str().unwrap().ends_with("/exasol-2025.1.10.tar.gz"), "{release}");
}

#[test]
fn an_installed_cluster_needs_no_file_again() {
    let world = World::complete();
    let (archive_file, c4) = files(&world);
    init(&world, "--db-archive exasol-2025.1.10.tar.gz --c4 c4").run().code(0);
    world.edit_state(|state| state["installed"] = true.into());
    std::fs::remove_file(archive_file).unwrap();
    std::fs::remove_file(c4).unwrap();
    call(&world, "deploy").run().code(1).never_says("No such file");
    assert!(was_applied(&world));
}

#[test]
fn a_catalogue_of_ones_own_is_checked_and_not_needed_later() {
    let world = World::complete();
    files(&world);
    let catalog = world.path("ours.toml");
    let text = "[[version]]\nname = \"ours\"\narch = \"x86_64\"\nworking_copy = \"@exasol-2025.1.10\"\nc4_version = \"4.28.7\"\n\
        [version.archive]\npath = \"exasol-2025.1.10.tar.gz\"\n[version.c4]\npath = \"c4\"\n";
    let wrong = text.replace("x86_64", "sparc");
    std::fs::write(&catalog, &wrong).unwrap();
    init(&world, "--db-version ours --catalog ours.toml").run().code(2).says("ours.toml, line 3: arch = 'sparc'");
    init(&world, "--db-version ours --catalog nowhere.toml").run().code(2).says("nowhere.toml cannot be read");
    init(&world, "--db-version ours --catalog /dev/zero").run().code(2).says("it is not a file");
    assert!(!world.deployment().exists());
    std::fs::write(&catalog, text).unwrap();
    call(&world, "init --list-versions").env("EXASOL_CATALOG", &catalog).run().code(0).says("ours").says("rehearsal");
    std::fs::write(world.path("config.toml"), "db-version = \"ours\"\ncatalog = \"ours.toml\"\n").unwrap();
    init(&world, "--config config.toml").run().code(0);
    let release = world.state()["spec"]["release"].clone();
    assert_eq!((&release["origin"], &release["archive"]["sha256"]), (&"catalog".into(), &sum(&archive()).into()));

    std::fs::remove_file(&catalog).unwrap();
    for words in ["status", "deploy --plan", "init --update --owner me"] {
        call(&world, words).run().code(0);
    }
    call(&world, "deploy").run().code(1);
    assert!(was_applied(&world));
    assert!(Path::new(&world.path("exasol-2025.1.10.tar.gz")).exists());
}
