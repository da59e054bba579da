//! `tunnel`, `cp` and `open`: other ways to a cluster, with fakes of OpenSSH and of the desktop.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use crate::database::Database;
use crate::support::World;

/// What ssh is called with goes to a file; it forwards nothing, and ends as ssh does at Ctrl-C.
const SSH: &str = r#"
printf '%s\n' "$@" >"$HOME/ssh-called.part"; mv "$HOME/ssh-called.part" "$HOME/ssh-called"
[ ! -e "$HOME/ssh-fails" ] || { echo 'bind [127.0.0.1]: Permission denied' >&2; exit 255; }
trap 'exit 255' INT
while :; do sleep 0.05; done
"#;

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn called(world: &World, file: &str) -> Vec<String> {
    let file = world.path("home").join(file);
    let end = Instant::now() + Duration::from_secs(30);
    while !file.exists() {
        assert!(Instant::now() < end, "no {}", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_tunnel_listens_on_this_machine_alone_and_ends_with_ctrl_c() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    world.fake("ssh", SSH);
    let port = free_port();
    let child = world.exasol(&format!("tunnel --json --sql-port {port}")).start();
    let words = called(&world, "ssh-called");
    let forward = format!("127.0.0.1:{port}:localhost:8563");
    assert!(words.windows(2).any(|pair| pair == ["-L", forward.as_str()]), "{words:?}");
    assert!(words.contains(&"ExitOnForwardFailure=yes".to_owned()) && words.contains(&"-F".to_owned()));
    assert_eq!(words.iter().filter(|word| *word == "-L").count(), 1, "the Admin UI was not asked for");
    // What ssh would do now.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    listener.accept().unwrap();
    let mut child = child;
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let report: serde_json::Value = serde_json::from_str(&line).unwrap();
    crate::schema::assert_fits("tunnel", &report);
    assert_eq!(report["sql"], format!("127.0.0.1:{port}"));
    let fingerprint = database.endpoint.fingerprint.as_deref().unwrap().to_uppercase();
    assert_eq!(report["dsn"], format!("127.0.0.1/{fingerprint}:{port}"));
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_tunnel_that_cannot_be_opened_says_why() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    world.fake("ssh", SSH);
    std::fs::write(world.path("home/ssh-fails"), "").unwrap();
    world.exasol("tunnel").run().code(1).says("Permission denied");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    world.exasol(&format!("tunnel --admin-ui-port {port}")).run().code(2).says("--admin-ui-port");
    world.exasol("tunnel n99").run().code(2).says("n11");
}

#[test]
fn cp_hands_scp_our_configuration_and_only_nodes_are_hosts() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    world.fake("scp", r#"printf '%s\n' "$@" >"$HOME/scp-called""#);
    std::fs::write(world.path("data.csv"), "1").unwrap();
    world.exasol("cp -r data.csv n11:/tmp/").run().code(0);
    let words = called(&world, "scp-called");
    let config = world.deployment().join("ssh/config").display().to_string();
    assert!(words.windows(2).any(|pair| pair == ["-F", config.as_str()]), "{words:?}");
    assert_eq!(words[words.len() - 4..], ["-r", "--", "data.csv", "n11:/tmp/"]);
    world.exasol("cp n12x:/etc/hosts .").run().code(2).says("n12x").says("n11");
    world.exasol("cp data.csv other.csv").run().code(2).says("n11:/path");
    world.remove("scp");
    world.exasol("cp n11:/etc/hosts .").run().code(4).says("openssh-client");
}

#[test]
fn open_shows_the_admin_ui_and_a_browser_only_if_there_is_a_display() {
    let database = Database::usual();
    let world = World::complete().with_database(&database);
    world.fake("xdg-open", r#"printf '%s\n' "$@" >"$HOME/opened""#);
    let url = format!("https://{}:8443", database.endpoint.host);
    world.exasol("open").run().code(0).says(&url).says("admin").says("exasol info --show-password -d");
    let quiet = world.exasol("open --no-browser --json").env("DISPLAY", ":0").run().code(0).json();
    assert_eq!((&quiet["url"], &quiet["opened"]), (&url.clone().into(), &false.into()));
    assert!(!world.path("home/opened").exists());
    world.exasol("open").env("DISPLAY", ":0").run().code(0).says("opened in the browser");
    assert_eq!(called(&world, "opened"), [url]);
}
