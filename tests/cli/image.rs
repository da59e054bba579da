//! `--libvirt-image`: files that nodes could not boot from, and addresses, with a checksum and without.

use std::path::Path;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::self_signed::{SelfSigned, self_signed};
use crate::support::{World, fake_image};

/// Serves the file over TLS, whatever is asked for, or what lies in a folder; its certificate goes to `ca`. Ends with
/// the runtime.
fn serve(runtime: &Runtime, file: &Path, ca: &Path) -> u16 {
    let SelfSigned { acceptor, certificate, .. } = self_signed("localhost");
    std::fs::write(ca, certificate.pem()).unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = file.to_owned();
    runtime.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(tls.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            let path = request.split(' ').nth(1).unwrap().trim_start_matches('/');
            let (status, content) = match file.is_dir() {
                false => ("200 OK", std::fs::read(&file).unwrap()),
                true => {
                    match std::fs::read(file.join(path)).or_else(|_| std::fs::read(file.join(path).join("index"))) {
                        Ok(content) => ("200 OK", content),
                        Err(_) => ("404 Not Found", Vec::new()),
                    }
                }
            };
            let length = content.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = tls.write_all(&[head.as_bytes(), &content].concat()).await;
            let _ = tls.shutdown().await;
        }
    });
    port
}

#[test]
fn the_first_download_is_trusted_recorded_and_held_to() {
    let world = World::complete();
    let (runtime, ca, served) = (Runtime::new().unwrap(), world.path("ca.pem"), world.path("served"));
    let port = serve(&runtime, &served, &ca);
    let world = world.initialized();
    let image = format!("https://me:hush@localhost:{port}/noble.img?signature={}", "hush".repeat(80));
    let update = world.exasol_with(["init", "--update", "--libvirt-image", &image]).run().code(0);
    update.says("/noble.img").never_says("hush");

    let numbered = |number: u8| {
        let mut image = fake_image();
        *image.last_mut().unwrap() = number;
        image
    };
    std::fs::write(&served, numbered(1)).unwrap();
    let deploy = || world.exasol("deploy").env("SSL_CERT_FILE", &ca).run().code(1).never_says("hush");
    // libvirt's mock driver takes no uploads.
    deploy().says("no checksum is given").says("upload");
    let one: String = Sha256::digest(numbered(1)).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(world.state()["image_sha256"], one.as_str());
    let kept = world.path("cache/exasol/images").join(format!("{}-noble.img", &one[..16]));
    assert_eq!(std::fs::read(&kept).unwrap(), numbered(1));

    std::fs::remove_file(kept).unwrap();
    std::fs::write(&served, numbered(2)).unwrap();
    deploy().says(&format!("expected {one}"));
}

#[test]
fn what_came_is_looked_at_before_it_is_pinned_or_sent() {
    let world = World::complete();
    let (runtime, ca, served) = (Runtime::new().unwrap(), world.path("ca.pem"), world.path("served"));
    let port = serve(&runtime, &served, &ca);
    let world = world.initialized();
    let image = format!("https://localhost:{port}/noble.img");
    world.exasol_with(["init", "--update", "--libvirt-image", &image]).run().code(0);
    let mut xz = b"\xfd7zXZ\0".to_vec();
    xz.resize(4096, 7);
    for (content, words) in [(xz, "xz -d"), (b"<!DOCTYPE html>".repeat(100), "web page")] {
        std::fs::write(&served, content).unwrap();
        let deploy = world.exasol("deploy").env("SSL_CERT_FILE", &ca).run().code(1);
        deploy.says("noble.img failed: what came is").says(words).never_says("upload");
        assert!(world.state()["image_sha256"].is_null());
        let cached = std::fs::read_dir(world.path("cache/exasol/images")).unwrap().count();
        assert_eq!(cached, 0);
    }
}

#[test]
fn a_release_that_was_taken_away_leads_to_the_newest_of_its_series() {
    let world = World::complete();
    let (runtime, ca, served) = (Runtime::new().unwrap(), world.path("ca.pem"), world.path("served"));
    let newest = served.join("noble/release-20261101");
    std::fs::create_dir_all(&newest).unwrap();
    let page = "<a href=\"release-20260101/\">old</a> <a href=\"release-20261101/\">new</a>";
    std::fs::write(served.join("noble/index"), page).unwrap();
    let sha256 = "ab".repeat(32);
    std::fs::write(newest.join("SHA256SUMS"), format!("{sha256} *noble-amd64.img\n")).unwrap();
    let port = serve(&runtime, &served, &ca);
    let world = world.initialized();
    let folder = format!("https://localhost:{port}/noble");
    let image = format!("{folder}/release-20260826/noble-amd64.img");
    world.exasol_with(["init", "--update", "--libvirt-image", &image]).run().code(0);
    let deploy = || world.exasol("deploy").env("SSL_CERT_FILE", &ca).run().code(1);
    deploy().says("HTTP 404 Not Found; the newest release of that series is release-20261101").says(&format!(
        "exasol init --update --libvirt-image {folder}/release-20261101/noble-amd64.img --libvirt-image-sha256 {sha256} -d"
    ));
    // Where there is no list, the error is as it was.
    std::fs::remove_file(served.join("noble/index")).unwrap();
    deploy().says("HTTP 404").never_says("newest");
}

#[test]
fn a_file_that_nodes_could_not_boot_from_is_refused_before_anything_is_written() {
    let world = World::complete();
    let edited = |edit: fn(&mut Vec<u8>)| {
        let mut image = fake_image();
        edit(&mut image);
        image
    };
    let cases = [
        ("backed.qcow2", edited(|i| i[15] = 200), "is only a layer over another file"),
        ("external.qcow2", edited(|i| i[79] = 4), "external file"),
        ("secret.qcow2", edited(|i| i[35] = 2), "is encrypted"),
        ("short.qcow2", edited(|i| i.truncate(100_000)), "is cut short"),
        (
            "short.img",
            edited(|i| {
                i.fill(0);
                // A partition of Linux that begins at 1 MiB and has as much again.
                (i[450], i[455], i[459]) = (0x83, 8, 8);
                i[510..512].copy_from_slice(&[0x55, 0xaa]);
            }),
            "is cut short: it has 1048576 bytes, and its last partition ends at 2097152",
        ),
        ("old.qcow", edited(|i| i[7] = 1), "qcow of version 1"),
        (
            "cd.iso",
            edited(|i| {
                i.fill(0);
                i[510..512].copy_from_slice(&[0x55, 0xaa]);
                i[32_769..32_774].copy_from_slice(b"CD001");
            }),
            "installation CD",
        ),
        ("noble-arm64.img", fake_image(), "is made for aarch64"),
        ("page.qcow2", b"<!DOCTYPE html><html>".repeat(100), "web page"),
    ];
    for (name, content, words) in cases {
        std::fs::write(world.path(name), content).unwrap();
        let path = world.path(name).display().to_string();
        let answer = world.init_with_image(&path).run().code(4).says(words);
        assert!(answer.stderr.contains("fix:"), "{}", answer.stderr);
        assert!(!world.deployment().exists(), "{name}");
    }
}
