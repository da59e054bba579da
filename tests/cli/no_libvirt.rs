//! The binary starts on a machine without libvirt: the library is opened at run time, not linked.

use std::process::Command;

use assert_cmd::cargo::cargo_bin;

#[test]
fn libvirt_is_not_among_the_libraries_that_the_loader_needs() {
    let output = Command::new("ldd").arg(cargo_bin("exasol")).output().unwrap();
    let libraries = String::from_utf8_lossy(&output.stdout);
    assert!(libraries.contains("libc.so"), "{libraries}");
    assert!(!libraries.contains("libvirt"), "{libraries}");
}
