//! The TLS side of a server for tests, with a certificate that only the server itself has signed. Tests beside the
//! code and tests of the command include this file.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

pub(crate) struct SelfSigned {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: rcgen::KeyPair,
}

/// A new certificate for this host.
pub(crate) fn self_signed(host: &str) -> SelfSigned {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    SelfSigned { acceptor: TlsAcceptor::from(Arc::new(config)), certificate: made.cert, key: made.signing_key }
}
