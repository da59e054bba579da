//! With a stand-in for ssh: its "configuration" is a shell script that plays the node.

use tokio::net::TcpListener;

use super::*;

const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ssh/fake-ssh");
const LONG: Duration = Duration::from_secs(120);
const QUICK: Pace = Pace {
    retry: Duration::from_millis(5),
    refused: (Duration::from_millis(5), Duration::from_millis(20)),
    connect: Duration::from_secs(1),
    handshake: (Duration::from_secs(10), Duration::from_secs(80)),
    identity: Duration::from_millis(20),
};

struct Bench {
    dir: tempfile::TempDir,
    seen: Mutex<Vec<String>>,
}

impl Bench {
    fn new() -> Bench {
        Bench { dir: tempfile::tempdir().unwrap(), seen: Mutex::default() }
    }

    /// `play` sees the node's name in $node and a folder of its own in $dir.
    async fn wait(
        &self,
        play: &str,
        targets: &[Target],
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<BTreeSet<IpAddr>> {
        let config = self.dir.path().join("config");
        let head = format!("dir='{}'\nnode=$7\n", self.dir.path().display());
        std::fs::write(&config, head + play).unwrap();
        let note = |node: &str, progress: &Progress| {
            let kind = format!("{progress:?}");
            let kind = kind.split(['(', ' ']).next().unwrap_or_default();
            self.seen.lock().unwrap().push(format!("{node} {kind}"));
        };
        wait(&Ssh::fake(FAKE, config), targets, limit, interrupt, &note, &QUICK).await
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn target(node: &str) -> Target {
    Target { node: node.into(), address: None }
}

#[tokio::test]
async fn a_node_is_followed_from_silence_to_ready() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target { node: "n11".into(), address: Some(listener.local_addr().unwrap()) };
    let play = r#"
        echo x >> "$dir/tries"
        case $(grep -c x "$dir/tries") in
        1) echo 'kex_exchange_identification: Connection reset by peer' >&2; exit 255 ;;
        2) echo 'exasol@10.0.0.1: Permission denied (publickey).' >&2; exit 255 ;;
        *) echo 'exasol: session' ;;
        esac"#;
    bench.wait(play, &[target], LONG, &Interrupt::never()).await.unwrap();
    assert_eq!(bench.seen(), ["n11 Answering", "n11 Refused", "n11 Refused", "n11 Booting", "n11 Ready"]);
    let mut bare = 0;
    while let Ok(Ok(_)) = timeout(Duration::from_millis(20), listener.accept()).await {
        bare += 1;
    }
    assert_eq!(bare, 1, "a connection that does not log in counts as a failure");
}

#[tokio::test]
async fn the_script_for_the_node_takes_a_machine_without_cloud_init_as_ready() {
    let bench = Bench::new();
    // The script goes through a real shell, whose PATH has no cloud-init.
    let play = r#"PATH="$dir" SSH_CONNECTION="fe80::1%eth0 50000 192.0.2.7 22" exec /bin/sh -s"#;
    let from = bench.wait(play, &[target("n11")], LONG, &Interrupt::never()).await.unwrap();
    assert_eq!(from, BTreeSet::from(["fe80::1".parse().unwrap()]));
    assert_eq!(bench.seen(), ["n11 Booting", "n11 Ready"]);
}

/// After a boot that has left this result.
async fn asked_cloud_init(result: Option<&str>, status: i32) -> (bool, String) {
    asked_cloud_init_of("degraded", result.map(|result| ("result.json", result)), status).await
}

/// The script in a real shell, on a node whose boot is in that state, with a file of cloud-init's, and a cloud-init that
/// notes its calls and ends with `status`.
async fn asked_cloud_init_of(boot: &str, file: Option<(&str, &str)>, status: i32) -> (bool, String) {
    let bench = Bench::new();
    let at = |name: &str| bench.dir.path().join(name);
    if let Some((name, content)) = file {
        std::fs::write(at(name), content).unwrap();
    }
    // An hour of its time passes at once.
    for (name, script) in [
        ("cloud-init", format!("echo $* >>{}; echo 'status: error'; exit {status}", at("calls").display())),
        ("systemctl", format!("echo {boot}")),
        ("sleep", String::new()),
    ] {
        let script = format!("#!/bin/sh\n{script}\n");
        std::fs::write(at(name), script).unwrap();
        std::fs::set_permissions(at(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let play = r#"sed "s|/run/cloud-init|$dir|; s|-t 0.2|-t 0.001|" | PATH="$dir:/usr/bin:/bin" sh -s"#;
    let done = bench.wait(play, &[target("n11")], LONG, &Interrupt::never()).await;
    (done.is_ok(), std::fs::read_to_string(at("calls")).unwrap_or_default())
}

#[tokio::test]
async fn cloud_init_is_asked_only_where_its_result_does_not_tell() {
    let good = "{\n \"v1\": {\n  \"datasource\": \"DataSourceNoCloud\",\n  \"errors\": []\n }\n}\n";
    let bad = good.replace("[]", "[\"('users', KeyError())\"]");
    assert_eq!(asked_cloud_init(Some(good), 1).await, (true, String::new()));
    assert_eq!(asked_cloud_init(Some(&bad), 2).await, (true, "status --wait\n".into()), "done with warnings");
    assert_eq!(asked_cloud_init(Some(&bad), 1).await, (false, "status --wait\nstatus --long\n".into()));
    assert_eq!(asked_cloud_init(None, 0).await, (true, "status --wait\n".into()), "it was disabled");
    assert_eq!(asked_cloud_init(Some("{"), 0).await, (true, "status --wait\n".into()), "half a file");
    let disabled = asked_cloud_init_of("starting", Some(("disabled", "")), 0).await;
    assert_eq!(disabled, (true, "status --wait\n".into()), "it is off, however long the rest of the boot takes");
}

#[tokio::test]
async fn a_failed_cloud_init_is_told_with_its_own_report() {
    let bench = Bench::new();
    let play = r#"
        echo 'exasol: session'
        printf 'status: error\ndetail:\nDataSourceNoCloud\nerrors:\n\t- (users, no such group)\nrecoverable_errors: {}\n'
        exit 1"#;
    let Err(Error::Tool(failure)) = bench.wait(play, &[target("n11")], LONG, &Interrupt::never()).await else {
        panic!()
    };
    assert_eq!((failure.tool.as_str(), failure.status.as_str()), ("cloud-init on n11", "status error"));
    assert_eq!(failure.diagnostics, ["(users, no such group)"]);
    assert_eq!(failure.tail[0], "status: error");
}

#[tokio::test]
async fn a_slow_node_gets_more_time_for_each_handshake() {
    let bench = Bench::new();
    // As it was seen of a guest on a busy host, for ten minutes.
    let play = r#"
        echo "$*" >>"$dir/calls"
        case "$*" in
        "-F $dir/config -o ConnectTimeout=40 "*) echo 'exasol: session' ;;
        *) echo 'Connection to 192.168.122.19 port 22 timed out' >&2; exit 255 ;;
        esac"#;
    bench.wait(play, &[target("n11")], LONG, &Interrupt::never()).await.unwrap();
    let calls = std::fs::read_to_string(bench.dir.path().join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 3, "{calls}");
}

#[tokio::test]
async fn giving_up_tells_what_was_seen_last_of_each_node() {
    let bench = Bench::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let targets = [target("n11"), target("n12"), Target { node: "n13".into(), address: Some(closed) }];
    let play = r#"
        [ "$node" = n11 ] && { echo 'exasol: session'; exit 0; }
        echo 'exasol@10.0.0.2: Permission denied (publickey).' >&2; exit 255"#;
    let error = bench.wait(play, &targets, Duration::from_secs(1), &Interrupt::never()).await.unwrap_err();
    let Error::Timeout { what, last_seen: Some(seen), .. } = error else { panic!("{error}") };
    assert_eq!(what, "waiting for SSH on n12, n13");
    assert!(seen.contains("n12 no SSH session yet: exasol@10.0.0.2: Permission denied"), "{seen}");
    assert!(seen.contains("n13 does not answer yet (127.0.0.1:"), "{seen}");
    let silent: Vec<_> = bench.seen().into_iter().filter(|seen| seen.starts_with("n13")).collect();
    assert_eq!(silent, ["n13 Silent"], "that it was tried is told, once");
}

#[tokio::test]
async fn another_host_key_is_an_error_only_if_it_stays() {
    let bench = Bench::new();
    let play = "echo 'Host key verification failed.' >&2; exit 255";
    let error = bench.wait(play, &[target("n11")], LONG, &Interrupt::never()).await.unwrap_err();
    assert!(error.to_string().contains("another SSH host key"), "{error}");
    assert_eq!(bench.seen(), ["n11 Refused"]);
}

#[tokio::test]
async fn a_press_ends_the_waiting() {
    let bench = Bench::new();
    let (interrupt, keys) = Interrupt::manual();
    keys.press(2);
    let result = bench.wait("exec sleep 300", &[target("n11")], LONG, &interrupt).await;
    assert!(matches!(result, Err(Error::Interrupted { signal: 2 })));
}

#[test]
fn cloud_inits_causes_in_old_and_new_form() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let old =
        "status: error\nboot_status_code: enabled\nlast_update: Thu\ndetail:\n('scripts_user', RuntimeError('x'))\n";
    assert_eq!(cloud_init_causes(&lines(old)), ["('scripts_user', RuntimeError('x'))"]);
    let new = "status: error\ndetail: DataSourceNoCloud\nerrors:\n\t- first\n\t- second\nrecoverable_errors: {}\n";
    assert_eq!(cloud_init_causes(&lines(new)), ["first", "second"]);
    assert!(cloud_init_causes(&[]).is_empty());
}
