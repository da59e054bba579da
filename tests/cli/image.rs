//! `--libvirt-image` from an address whose checksum nobody gave.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::support::World;

/// Serves the file over TLS, whatever is asked for; its certificate goes to `ca`. Ends with the runtime.
fn serve(runtime: &Runtime, file: &Path, ca: &Path) -> u16 {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(ca, certified.cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
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
            let content = std::fs::read(&file).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
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

    std::fs::write(&served, "one").unwrap();
    let deploy = || world.exasol("deploy").env("SSL_CERT_FILE", &ca).run().code(1).never_says("hush");
    // libvirt's mock driver takes no uploads.
    deploy().says("no checksum is given").says("upload");
    let one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    assert_eq!(world.state()["image_sha256"], one);
    let kept = world.path("cache/exasol/images").join(format!("{}-noble.img", &one[..16]));
    assert_eq!(std::fs::read(&kept).unwrap(), b"one");

    std::fs::remove_file(kept).unwrap();
    std::fs::write(&served, "two").unwrap();
    deploy().says(&format!("expected {one}"));
}
