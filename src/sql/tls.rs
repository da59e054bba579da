//! TLS in which the certificate's fingerprint takes the place of a certificate authority.

use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault::Fault;
use super::{Endpoint, Stream};
use crate::model::sha256_hex;

/// Secures the connection; returns it with the fingerprint of the server's certificate.
pub(super) async fn handshake(
    stream: Box<dyn Stream>,
    endpoint: &Endpoint,
) -> Result<(TlsStream<Box<dyn Stream>>, String), Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        Arc::new(Pinned { expected: endpoint.fingerprint.clone(), found: OnceLock::new(), provider: provider.clone() });
    // A new configuration for each connection: no session can be resumed, so the check always runs.
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Broken(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|_| Fault::Unreachable(format!("'{}' is not a host name", endpoint.host.escape_debug())))?;
    let result = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    match (result, verifier.mismatch()) {
        (_, Some((expected, found))) => Err(Fault::OtherCertificate { expected, found }),
        (Ok(stream), None) => Ok((stream, verifier.found.get().cloned().unwrap_or_default())),
        (Err(error), None) => Err(match error.kind() {
            // A tunnel has learned only now that it leads nowhere.
            ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable => error.into(),
            _ => Fault::Broken(format!("TLS handshake: {error}")),
        }),
    }
}

/// Accepts the one certificate with the expected fingerprint, or any, and remembers which it was.
/// Names, dates and issuers are not looked at: the certificate is self-signed and made before
/// anybody knows the addresses. That the server has the certificate's key is verified as always.
#[derive(Debug)]
struct Pinned {
    expected: Option<String>,
    found: OnceLock<String>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    /// Expected and found, if they differ.
    fn mismatch(&self) -> Option<(String, String)> {
        let (expected, found) = (self.expected.as_ref()?, self.found.get()?);
        (!expected.eq_ignore_ascii_case(found)).then(|| (expected.clone(), found.clone()))
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.found.get_or_init(|| fingerprint(end_entity));
        match self.mismatch() {
            None => Ok(ServerCertVerified::assertion()),
            Some(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// SHA-256 over the DER form, 64 lower-case hex digits: what `openssl x509 -fingerprint -sha256`
/// prints, without the colons.
pub(super) fn fingerprint(certificate: &[u8]) -> String {
    sha256_hex(certificate)
}
