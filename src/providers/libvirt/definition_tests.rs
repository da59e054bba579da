//! On what `virsh dumpxml --inactive` of libvirt 9.0 said of machines that an earlier version and this one made.

use super::*;

const BY_VOLUME: &str = include_str!("../../../tests/fixtures/libvirt/by-volume.xml");
const BY_PATH: &str = include_str!("../../../tests/fixtures/libvirt/by-path.xml");
const SIZE: Size = Size { memory_kib: 1024 * 1024, vcpus: 1 };

fn in_pool(pool: &str, volume: &str) -> Option<String> {
    assert_eq!(pool, "default");
    Some(format!("/var/lib/libvirt/images/{volume}"))
}

#[test]
fn disks_of_an_earlier_version_are_given_by_path_and_the_screen_goes() {
    let mended = mend(BY_VOLUME, Some(SIZE), &mut in_pool).unwrap();
    assert_eq!(mended.changes, ["3 disks given by path", "no screen on a port"]);
    assert!(!mended.xml.contains("'volume'") && !mended.xml.contains("pool=") && !mended.xml.contains("<graphics"));
    for (disk, format) in [("root", "qcow2"), ("cloudinit.iso", "raw"), ("data-01", "qcow2")] {
        let expected = format!(
            "<disk type='file' device='disk'>\n      <driver name='qemu' type='{format}'/>\n      \
             <source file='/var/lib/libvirt/images/exasol-3edacf00-n11-{disk}' />"
        );
        assert!(mended.xml.contains(&expected), "{expected}\n{}", mended.xml);
    }
    // Where the guest finds what it has stays: each line of the old one but those.
    let gone: Vec<_> = BY_VOLUME.lines().filter(|line| !mended.xml.contains(line)).map(str::trim).collect();
    assert_eq!(gone.iter().filter(|line| line.contains("address") && !line.contains("listen")).count(), 0, "{gone:?}");
    assert_eq!(mend(&mended.xml, Some(SIZE), &mut in_pool), None, "once is enough");
}

#[test]
fn what_this_version_makes_needs_no_mending() {
    assert_eq!(mend(BY_PATH, Some(SIZE), &mut |_, _| panic!("no disk of a pool")), None);
}

#[test]
fn sizes_are_what_was_asked_for() {
    let larger = Size { memory_kib: 2048 * 1024, vcpus: 4 };
    let mended = mend(BY_PATH, Some(larger), &mut in_pool).unwrap();
    assert_eq!(mended.changes, ["memory 1024 MiB → 2048 MiB", "virtual processors: 1 → 4"]);
    let expected = BY_PATH
        .replace(">1048576<", ">2097152<")
        .replace("<vcpu placement='static'>1</vcpu>", "<vcpu placement='static'>4</vcpu>");
    assert_eq!(mended.xml, expected);
    // Somebody's own machine, with a topology and slots for more memory.
    let own = BY_PATH
        .replace("<cpu mode='maximum' check='none'/>", "<cpu><topology sockets='1' cores='1' threads='1'/></cpu>")
        .replace("  <memory unit", "  <maxMemory slots='2' unit='KiB'>4194304</maxMemory>\n  <memory unit");
    assert_eq!(mend(&own, Some(larger), &mut in_pool), None);
}

#[test]
fn what_is_not_known_stays() {
    let mended = mend(BY_VOLUME, None, &mut |_, _| None).unwrap();
    assert_eq!(mended.changes, ["no screen on a port"]);
    for own in ["type='spice'", "type='vnc' passwd='x'"] {
        let xml = BY_VOLUME.replace("type='vnc'", own);
        assert!(mend(&xml, None, &mut in_pool).unwrap().xml.contains("<graphics"), "{own}");
    }
    assert_eq!(mend("no XML", Some(SIZE), &mut in_pool), None);
}

#[test]
fn a_folder_s_name_is_quoted() {
    let mut odd = |_: &str, volume: &str| Some(format!("/a & 'b'/{volume}"));
    let mended = mend(BY_VOLUME, None, &mut odd).unwrap();
    let document = Document::parse(&mended.xml).unwrap();
    let files: Vec<_> = document.descendants().filter_map(|node| node.attribute("file")).collect();
    assert_eq!(files[0], "/a & 'b'/exasol-3edacf00-n11-root");
}

#[test]
fn a_seed_is_found_by_its_name_and_leaves_no_trace() {
    let is_it = |name: &str| name.ends_with("-cloudinit.iso");
    for xml in [BY_VOLUME, BY_PATH] {
        let [disk] = &disks(xml, &is_it)[..] else { panic!() };
        assert!(disk.starts_with("<disk type=") && disk.contains("vdb") && disk.ends_with("</disk>"), "{disk}");
        let without = without_disks(xml, &is_it).unwrap();
        assert!(!without.contains("vdb") && without.contains("vda") && without.contains("sda"));
        assert_eq!(without_disks(&without, &is_it), None);
    }
}

#[test]
fn a_machine_without_a_database_that_is_not_what_is_asked_for_is_told() {
    let wwn = &["501e1483bbbc5095"][..];
    assert!(misfits(BY_PATH, SIZE, wwn).is_empty());
    let other = misfits(BY_PATH, Size { memory_kib: SIZE.memory_kib * 2, ..SIZE }, &[wwn[0], "5a43200fabfdf1f6"]);
    assert_eq!(other, ["memory 1024 MiB → 2048 MiB", "data disks: 1 → 2"]);
    // What is mended in place is no reason to make it anew.
    assert!(misfits(BY_VOLUME, SIZE, &["5a43200fabfdf1f6"]).is_empty());
}

#[test]
fn fuzz_domain_definitions() {
    crate::fuzz::text_target("domain-xml", &super::super::RECORDED, |xml| {
        let size = Size { memory_kib: 1 << 20, vcpus: 2 };
        if let Some(mended) = mend(xml, Some(size), &mut |pool, volume| Some(format!("/{pool}/{volume}"))) {
            assert!(Document::parse(&mended.xml).is_ok(), "{}", mended.xml);
        }
        misfits(xml, size, &["5000"]);
        disks(xml, &|_| true);
        if let Some(without) = without_disks(xml, &|name| name.ends_with("01")) {
            assert!(Document::parse(&without).is_ok(), "{without}");
        }
    });
}
