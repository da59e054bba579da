//! A certificate with its chain and a private key, as somebody gives them: read, and found to fit, before
//! anything is sent.

use std::fs::{self, File};
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::model::{quote, sha256_hex};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, InconsistentKeys, RootCertStore};

pub(super) const CERT: &str = "--cert";
pub(super) const KEY: &str = "--key";
const MAX_BYTES: u64 = 256 << 10;
/// confd wants more than one certificate (Exasol's changelog 21276).
const CHAIN_MIN: usize = 2;
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// Read and checked.
pub(super) struct Pair {
    /// Certificates and key as PEM, for a program's standard input.
    pub text: Vec<u8>,
    /// SHA-256 of the server's certificate, 64 lower-case hex digits.
    pub fingerprint: String,
    pub warnings: Vec<String>,
}

impl Pair {
    /// `addresses`: where the nodes are reached.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] for what cannot work.
    pub fn read(cert: &Path, key: &Path, addresses: &[IpAddr]) -> Result<Pair> {
        let certs = read(CERT, cert)?;
        let key_text = read(KEY, key)?;
        let chain = chain(&certs).map_err(|why| invalid(CERT, cert, why))?;
        let private = private_key(&key_text).map_err(|why| invalid(KEY, key, why))?;
        let mut warnings = Vec::new();
        fits(&chain, private).map_err(|why| invalid(KEY, key, why))?.into_iter().for_each(|w| warnings.push(w));
        let now = UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        warnings.extend(valid(&chain, now).map_err(|why| invalid(CERT, cert, why))?);
        warnings.extend(uncovered(&chain[0], addresses));
        let mode = fs::metadata(key).map(|found| found.permissions().mode()).unwrap_or_default();
        if mode & 0o077 != 0 {
            let (shown, word) = (key.display(), quote(&key.to_string_lossy()));
            warnings.push(format!("{shown} can be read by others (mode {:04o}): chmod 600 {word}", mode & 0o7777));
        }
        let mut text = certs;
        text.push(b'\n');
        text.extend(key_text);
        text.push(b'\n');
        let fingerprint = sha256_hex(&chain[0]);
        Ok(Pair { text, fingerprint, warnings })
    }
}

fn invalid(flag: &str, path: &Path, why: impl Into<String>) -> Error {
    Error::invalid(flag, path.display().to_string(), format!("cannot be used: {}", why.into()))
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>> {
    let unread = |error: std::io::Error| invalid(flag, path, format!("it cannot be read: {error}"));
    let found = fs::metadata(path).map_err(unread)?;
    if !found.is_file() || found.len() > MAX_BYTES {
        return Err(invalid(flag, path, format!("a regular file of at most {} KiB is needed", MAX_BYTES >> 10)));
    }
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text)).map_err(unread)?;
    Ok(text)
}

fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|error| format!("it is not PEM: {error}"))?;
    match chain.len() {
        0 => Err("there is no certificate in it (PEM: -----BEGIN CERTIFICATE-----)".into()),
        count if count < CHAIN_MIN => {
            Err("it has only one certificate, but Exasol needs a chain: the server's certificate first, then those of \
                its issuers, the root's last (cat server.crt ca.crt >chain.pem)"
                .into())
        }
        _ => Ok(chain),
    }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let shown = String::from_utf8_lossy(text);
    if shown.contains("ENCRYPTED") {
        return Err(
            "the key is encrypted, and Exasol cannot ask for its password: openssl pkey -in KEY -out PLAIN".into()
        );
    }
    // The parser's own words quote nothing of the key.
    PrivateKeyDer::from_pem_slice(text)
        .map_err(|_| "there is no private key in it (PEM, PKCS#8, PKCS#1 or SEC1)".into())
}

/// A warning if nobody here can tell.
fn fits(chain: &[CertificateDer<'static>], key: PrivateKeyDer<'static>) -> Result<Option<String>, String> {
    let provider = rustls::crypto::ring::default_provider();
    let unsure = || {
        Some("it could not be checked whether the key fits the certificate: this kind of key is not known here".into())
    };
    let Ok(signer) = provider.key_provider.load_private_key(key) else { return Ok(unsure()) };
    match CertifiedKey::new(chain.to_vec(), signer).keys_match() {
        Ok(()) => Ok(None),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(unsure()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err("it is not the key of the first certificate in --cert, which has to be the server's".into())
        }
        Err(error) => Err(format!("the first certificate in --cert cannot be understood: {error}")),
    }
}

/// Dates and signatures, each certificate's by the next one's key.
fn valid(chain: &[CertificateDer<'static>], now: UnixTime) -> Result<Vec<String>, String> {
    match verified(chain, now) {
        Ok(()) => {}
        Err(rustls::Error::InvalidCertificate(error)) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                return Err("a certificate in it has expired".into());
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                return Err("a certificate in it is not valid yet".into());
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::BadEncoding => {
                return Err(
                    "its certificates are not a chain: each must be signed by the next one, from the server's \
                    to the root's"
                        .into(),
                );
            }
            other => return Ok(vec![format!("clients that verify the chain may refuse it: {other:?}")]),
        },
        Err(error) => return Err(format!("it cannot be understood: {error}")),
    }
    let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + SOON);
    let soon = || "a certificate in it expires within 30 days".to_owned();
    Ok(verified(chain, later).err().map(|_| soon()).into_iter().collect())
}

fn verified(chain: &[CertificateDer<'static>], now: UnixTime) -> Result<(), rustls::Error> {
    let (Some(server), Some(root)) = (chain.first(), chain.last()) else { return Ok(()) };
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    // Whether it has a certain name is asked elsewhere, and is the last thing that is looked at.
    let name = ServerName::try_from("name.invalid").map_err(|error| rustls::Error::General(error.to_string()))?;
    let between = &chain[1..chain.len() - 1];
    match verifier.verify_server_cert(server, between, &name, &[], now) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Ok(()),
        Err(error) => Err(error),
    }
}

fn uncovered(server: &CertificateDer<'static>, addresses: &[IpAddr]) -> Option<String> {
    let parsed = rustls::server::ParsedCertificate::try_from(server).ok()?;
    let covers = |address: &&IpAddr| {
        let name = ServerName::IpAddress((**address).into());
        rustls::client::verify_server_name(&parsed, &name).is_ok()
    };
    let missing: Vec<_> = addresses.iter().filter(|address| !covers(address)).map(ToString::to_string).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "the certificate does not name {}: clients that verify it must connect by a name that it contains; \
            clients that pin its fingerprint are not affected",
            missing.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

    use super::*;

    struct Made {
        folder: tempfile::TempDir,
        leaf: String,
        root: String,
        key: String,
    }

    fn made(edit: impl FnOnce(&mut CertificateParams)) -> Made {
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(vec!["db.example".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress("192.0.2.11".parse().unwrap()));
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &ca).unwrap();
        Made { folder: tempfile::tempdir().unwrap(), leaf: leaf.pem(), root: ca.pem(), key: key.serialize_pem() }
    }

    impl Made {
        fn read(&self, cert: &str, key: &str, mode: u32) -> Result<Pair> {
            let (c, k) = (self.folder.path().join("chain.pem"), self.folder.path().join("key.pem"));
            fs::write(&c, cert).unwrap();
            fs::write(&k, key).unwrap();
            fs::set_permissions(&k, fs::Permissions::from_mode(mode)).unwrap();
            Pair::read(&c, &k, &["192.0.2.11".parse().unwrap()])
        }

        fn chain(&self) -> String {
            format!("{}{}", self.leaf, self.root)
        }
    }

    fn refused(result: Result<Pair>) -> String {
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_chain_with_its_key_is_taken() {
        let made = made(|_| {});
        let pair = made.read(&made.chain(), &made.key, 0o600).unwrap();
        assert_eq!(pair.warnings, Vec::<String>::new());
        assert_eq!(pair.fingerprint.len(), 64);
        let text = String::from_utf8(pair.text).unwrap();
        assert!(text.find("CERTIFICATE").unwrap() < text.find("PRIVATE KEY").unwrap());
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_reason() {
        let one = made(|_| {});
        let other = made(|_| {});
        let chain = one.chain();
        for (cert, key, wanted) in [
            ("", &*one.key, "--cert: '"),
            (&*one.leaf, &*one.key, "needs a chain"),
            (&*chain, &*other.key, "not the key of the first certificate"),
            (&*chain, "", "no private key"),
            (
                &*chain,
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "is encrypted",
            ),
            (&*format!("{}{}", one.leaf, other.root), &*one.key, "not a chain"),
            (&*format!("{}{}", one.root, one.leaf), &*one.key, "not the key of the first certificate"),
        ] {
            let error = refused(one.read(cert, key, 0o600));
            assert!(error.contains(wanted), "{wanted}: {error}");
            assert!(!error.contains("MIG"), "nothing of a key is repeated: {error}");
        }
        let old = made(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
        assert!(refused(old.read(&old.chain(), &old.key, 0o600)).contains("has expired"));
        let later = made(|params| params.not_before = rcgen::date_time_ymd(2999, 1, 1));
        assert!(refused(later.read(&later.chain(), &later.key, 0o600)).contains("not valid yet"));
        assert!(refused(Pair::read(Path::new("/"), Path::new("/"), &[])).contains("regular file"));
    }

    #[test]
    fn what_may_surprise_is_told() {
        let made = made(|params| params.subject_alt_names.retain(|name| matches!(name, SanType::DnsName(_))));
        let warnings = made.read(&made.chain(), &made.key, 0o644).unwrap().warnings;
        assert!(warnings[0].contains("does not name 192.0.2.11"), "{warnings:?}");
        assert!(warnings[1].contains("chmod 600"), "{warnings:?}");
    }

    #[test]
    fn fuzz_certificates() {
        let seed = include_bytes!("../../../tests/fixtures/fuzz/certificates/chain-and-key.pem");
        crate::fuzz::target("certificates", &[seed], |bytes| {
            let key = private_key(bytes);
            let Ok(chain) = chain(bytes) else { return };
            let _ = (key.map(|key| fits(&chain, key)), valid(&chain, UnixTime::now()));
        });
    }
}
