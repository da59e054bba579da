//! What a database needs of its nodes: refused below, warned of where it is little, and no matter to a rehearsal.

use crate::support::{Call, World, fake_image};

const REAL: &str = "--db-version exasol-2025.1.8";
const WARNING: &str = "memory for a database";

/// A mock hypervisor of 32 GB (in KiB), with what libvirt's own mock has.
const HOST: &str = "
<node>
  <memory>33554432</memory>
  <network>
    <name>default</name>
    <bridge name='virbr0'/>
    <forward mode='nat'/>
    <ip address='192.168.122.1' netmask='255.255.255.0'>
      <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
    </ip>
  </network>
  <pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target></pool>
</node>";

fn call<'a>(world: &'a World, command: &str, more: &str) -> Call<'a> {
    let (host, image) = (world.path("host.xml"), world.path("image.qcow2"));
    std::fs::write(&host, HOST).unwrap();
    std::fs::write(&image, fake_image()).unwrap();
    world.exasol(&format!(
        "{command} --cloud-provider libvirt --libvirt-uri test://{} --libvirt-pool default-pool \
         --libvirt-network default --data-volume-size 2 --libvirt-image {} {more}",
        host.display(),
        image.display()
    ))
}

fn init<'a>(world: &'a World, more: &str) -> Call<'a> {
    call(world, "init", &format!("{REAL} {more}"))
}

/// Whose checks all pass or not: what it says of sizes is what counts.
fn doctor<'a>(world: &'a World, more: &str) -> Call<'a> {
    call(world, "doctor", &format!("{REAL} {more}"))
}

#[test]
fn sizes_below_what_a_database_needs_are_refused_with_flag_value_and_what_is_allowed() {
    let world = World::complete();
    let memory = "--libvirt-memory: '3' is too small: exasol-2025.1.8 needs 4 GB or more of memory a node";
    init(&world, "--libvirt-memory 3").run().code(2).says(memory).says("--db-version rehearsal");
    let root = "--root-volume-size: '29' is too small: exasol-2025.1.8 needs 30 GB or more on a root disk";
    init(&world, "--libvirt-memory 4 --root-volume-size 29").run().code(2).says(root);
    assert!(!world.deployment().exists());
    doctor(&world, "--libvirt-memory 3").run().code(4).says(memory);
}

#[test]
fn little_memory_is_warned_of_once_by_init_doctor_and_plan() {
    let world = World::complete();
    let once = |text: &str| assert_eq!(text.matches(WARNING).count(), 1, "{text}");
    let made = init(&world, "--root-volume-size 30").run().code(0).says("--libvirt-memory 8");
    once(&format!("{}{}", made.stdout, made.stderr));
    let plan = world.exasol("deploy --plan").run().code(0);
    once(&format!("{}{}", plan.stdout, plan.stderr));
    let found = doctor(&world, "").run();
    once(&format!("{}{}", found.stdout, found.stderr));

    let world = World::complete();
    init(&world, "--libvirt-memory 8").run().code(0).never_says(WARNING);
    world.exasol("deploy --plan").run().code(0).never_says(WARNING);
}

#[test]
fn an_update_keeps_what_is_recorded_and_takes_nothing_new_that_is_too_small() {
    let world = World::complete();
    init(&world, "--libvirt-memory 8").run().code(0);
    // As an earlier version wrote it.
    world.edit_state(|state| {
        state["spec"]["options"]["memory"] = 2.into();
        state["spec"]["root_volume_size"] = 10.into();
    });
    let before = world.files();
    world.exasol("init --update --libvirt-memory 3").run().code(2).says("--libvirt-memory: '3'");
    world.exasol("init --update --root-volume-size 20").run().code(2).says("--root-volume-size: '20'");
    assert_eq!(world.files(), before);
    world.exasol("init --update --owner me").run().code(0);
    world.exasol("status").run().code(0);
    world.exasol("deploy --plan").run().code(0).says("2 GB per node");
    world.exasol("destroy --yes").run().code(0);
}

#[test]
fn a_rehearsal_has_no_such_floor_until_it_is_to_become_a_database() {
    let world = World::complete().initialized();
    world.exasol("init --update --db-version exasol-2025.1.8").run().code(2).says("--libvirt-memory: '1'");
    world
        .exasol("init --update --db-version exasol-2025.1.8 --libvirt-memory 4 --root-volume-size 50")
        .run()
        .code(0)
        .says(WARNING);
}
