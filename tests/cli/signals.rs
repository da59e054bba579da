//! What Terraform gets when others than a person end `exasol`: one interrupt, never two. At the second one it ends at
//! once and loses what it is creating.

use std::time::Duration;

use crate::deploy::{send, wait_for};
use crate::support::World;

/// Goes on for a second after the first interrupt, and counts them all.
const COUNTING_TERRAFORM: &str = r#"
if [ "$1" = version ]; then echo '{"terraform_version":"1.11.4"}'; exit 0; fi
if [ "$1" != plan ]; then exit 0; fi
trap 'echo interrupt >> "$HOME/interrupts"' INT
touch "$HOME/terraform-is-running"
while [ ! -e "$HOME/interrupts" ]; do sleep 0.02; done
for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 0.05; done
touch "$HOME/terraform-has-ended"
exit 1
"#;

fn world() -> World {
    let world = World::complete().with_a_machine();
    world.fake("terraform", COUNTING_TERRAFORM);
    world
}

#[track_caller]
fn one_interrupt(world: &World) {
    wait_for(world, "terraform-has-ended");
    let interrupts = std::fs::read_to_string(world.path("home").join("interrupts")).unwrap();
    assert_eq!(interrupts.lines().count(), 1);
    // Whoever waited for it may be gone: it ends when it has recorded how.
    while world.state()["last_error"]["code"] != "interrupted" {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_terminal_that_closes_interrupts_terraform_once() {
    let world = world();
    let (window, mut bash) = world.exasol("deploy").typed_in_bash();
    wait_for(&world, "terraform-is-running");
    drop(window);
    bash.wait().unwrap();
    one_interrupt(&world);
}

#[test]
fn a_time_limit_interrupts_terraform_once() {
    let world = world();
    // It signals its child, and then its group, to which the child belongs.
    let mut timeout = world.exasol("deploy").under_timeout(&["-s", "TERM", "1"]).start();
    wait_for(&world, "terraform-is-running");
    assert_eq!(timeout.wait().unwrap().code(), Some(124));
    one_interrupt(&world);
}

#[test]
fn a_unit_that_systemd_stops_interrupts_terraform_once() {
    let world = world();
    let mut child = world.exasol("deploy").start();
    wait_for(&world, "terraform-is-running");
    // With KillMode=mixed and SendSIGHUP=yes: both to the main process alone, one right after the other.
    send(&child, "-TERM");
    send(&child, "-HUP");
    // On a busy machine both are there before anybody looks, and then nobody knows which came first.
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(143 | 129)), "{code:?}");
    one_interrupt(&world);
}

#[test]
fn a_person_who_presses_again_interrupts_terraform_again() {
    let world = world();
    let mut child = world.exasol("deploy").start();
    wait_for(&world, "terraform-is-running");
    send(&child, "-INT");
    wait_for(&world, "interrupts");
    std::thread::sleep(Duration::from_millis(200));
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let interrupts = std::fs::read_to_string(world.path("home").join("interrupts")).unwrap();
    assert_eq!(interrupts.lines().count(), 2);
}
