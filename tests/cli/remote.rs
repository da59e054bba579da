//! A hypervisor on another machine: one ssh, with the user's own configuration.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::World;

/// Answers the first session as the other machine's `sh` would, and writes down how it was called.
fn with_ssh(body: &str) -> World {
    let world = World::complete();
    world.fake("ssh", &format!("echo \"$*\" >>'{}'\n{body}", world.path("calls").display()));
    world
}

fn doctor(world: &World, uri: &str) -> String {
    let answer =
        world.exasol_with(["doctor", "--cloud-provider", "libvirt", "--libvirt-uri", uri, "--json"]).run().code(4);
    let checks = answer.json()["checks"].clone();
    let check = checks.as_array().unwrap().iter().find(|check| check["id"] == "libvirt_connect").unwrap().clone();
    assert_eq!(check["status"], "failed");
    format!("{} {}", check["detail"].as_str().unwrap(), check["fix"])
}

#[test]
fn a_password_in_an_address_is_refused_and_not_repeated() {
    let world = World::complete();
    for uri in ["qemu+ssh://root:Tiger77@kvm/system", "qemu+ssh://root:Tiger77@kvm:port/system"] {
        for command in ["doctor", "init"] {
            let words = [command, "--cloud-provider", "libvirt", "--db-version", "rehearsal", "--libvirt-uri", uri];
            let answer = world.exasol_with(words).run().code(2).says("--libvirt-uri");
            assert!(!format!("{}{}", answer.stdout, answer.stderr).contains("Tiger77"), "{}", answer.stderr);
        }
    }
    let words = ["doctor", "--cloud-provider", "libvirt", "--libvirt-uri", "qemu+ssh://root:Tiger77@kvm/system"];
    world.exasol_with(words).run().code(2).says("keyfile=").says("agent");
}

#[test]
fn a_parameter_that_nothing_heeds_is_refused() {
    let world = World::complete();
    for command in ["doctor", "init"] {
        let uri = "qemu+ssh://kvm/system?command=/opt/ssh";
        let words = [command, "--cloud-provider", "libvirt", "--db-version", "rehearsal", "--libvirt-uri", uri];
        world.exasol_with(words).run().code(2).says("ignores 'command'").says("~/.ssh/config");
    }
}

#[test]
fn one_login_asks_for_the_socket_and_ends_with_the_command() {
    let world = with_ssh("cat >/dev/null & echo 'exasol: missing'");
    let uri = "qemu+ssh://kvm:2222/system?keyfile=/k&knownhosts=/h";
    assert!(doctor(&world, uri).contains("no libvirt daemon runs on kvm"));
    let calls = std::fs::read_to_string(world.path("calls")).unwrap();
    let logins: Vec<_> = calls.lines().filter(|line| line.ends_with("-- kvm sh")).collect();
    assert_eq!(logins.len(), 1, "{calls}");
    for word in ["BatchMode=yes", "ControlMaster=yes", "IdentityFile=\"/k\"", "UserKnownHostsFile=\"/h\"", "-p 2222"] {
        assert!(logins[0].contains(word), "{word}: {calls}");
    }
    assert!(!logins[0].contains(" -F ") && !logins[0].contains(" -l "), "the user's own configuration holds: {calls}");
}

#[test]
fn why_there_is_no_way_is_told_with_what_mends_it() {
    let uri = "qemu+ssh://me@kvm/system";
    let said = |body: &str| doctor(&with_ssh(body), uri);
    let denied = said("cat >/dev/null & echo 'exasol: denied me libvirt /run/libvirt/libvirt-sock'");
    assert!(
        denied.contains("not use /run/libvirt/libvirt-sock") && denied.contains("usermod -aG libvirt me"),
        "{denied}"
    );
    let unknown = said("echo 'Host key verification failed.' >&2; exit 255");
    assert!(
        unknown.contains("does not know the SSH host key of kvm") && unknown.contains("ssh -l me -- kvm true"),
        "{unknown}"
    );
    let refused = said("echo 'me@kvm: Permission denied (publickey).' >&2; exit 255");
    assert!(refused.contains("ssh-copy-id me@kvm"), "{refused}");
    let closed = "case \"$*\" in *forward*) echo 'forwarding failed' >&2; exit 1 ;; esac\n\
                  echo 'exasol: socket /s'; exec cat >/dev/null";
    assert!(said(closed).contains("AllowStreamLocalForwarding"));
    assert!(said("exit 0").contains("the login runs no shell"));
}

#[test]
fn an_ssh_whose_exasol_was_killed_ends() {
    let world = with_ssh("case \"$*\" in *forward*) exit 1 ;; esac\ncat >/dev/null; echo ended >ended");
    let mut running = world.exasol("doctor --cloud-provider libvirt --libvirt-uri qemu+ssh://kvm/system").start();
    until(&world.path("calls"));
    running.kill().unwrap();
    running.wait().unwrap();
    until(&world.path("ended"));
}

fn until(file: &Path) {
    let since = Instant::now();
    while !file.exists() {
        assert!(since.elapsed() < Duration::from_secs(60), "{} does not come", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}
